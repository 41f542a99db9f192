"""`bitweight gen`: Verilog, manifests and cores."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bitweight.cli.designs import chosen, complete_designs, set_option
from bitweight.cli.progress import progress_bars
from bitweight.emit import WRAPPERS, emit, write_files

__all__ = ["gen"]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|FILE.toml]...", shell_complete=complete_designs)
@set_option
@click.option("--all", "everything", is_flag=True, help="The whole catalog.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder for the files; made if need be.",
)
@click.option(
    "--wrap", type=click.Choice(tuple(WRAPPERS)), help="Add a module with AXI4-Stream ports."
)
@click.option("--json", "as_json", is_flag=True, help="Print the names of the files as JSON.")
def gen(
    names: tuple[str, ...],
    changes: tuple[str, ...],
    everything: bool,
    output: Path,
    wrap: str | None,
    as_json: bool,
) -> None:
    """Write a design's Verilog, its manifest (JSON) and FuseSoC core."""
    designs = chosen(names, everything, changes)
    if len({design.top for design in designs}) < len(designs):
        raise ValueError("designs of one call must have different names (--set name=...)")
    written = []
    with progress_bars("designs") as advance:
        for done, design in enumerate(designs):
            advance("", done, len(designs))
            written += write_files(output, emit(design, wrap=wrap).files())
    if as_json:
        print(json.dumps([str(path) for path in written], indent=2))
    else:
        print("\n".join(str(path) for path in written))
