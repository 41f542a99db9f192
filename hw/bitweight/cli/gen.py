"""`bitweight gen`: Verilog and manifests."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bitweight.cli.designs import chosen, set_option
from bitweight.emit import emit, write_files

__all__ = ["gen"]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|FILE.toml]...")
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
@click.option("--json", "as_json", is_flag=True, help="Print the names of the files as JSON.")
def gen(
    names: tuple[str, ...], changes: tuple[str, ...], everything: bool, output: Path, as_json: bool
) -> None:
    """Write a design's Verilog and its JSON manifest."""
    designs = chosen(names, everything, changes)
    if len({design.top for design in designs}) < len(designs):
        raise ValueError("designs of one call must have different names (--set name=...)")
    written = [path for design in designs for path in write_files(output, emit(design).files())]
    if as_json:
        print(json.dumps([str(path) for path in written], indent=2))
    else:
        print("\n".join(str(path) for path in written))
