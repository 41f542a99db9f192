"""`bitweight workload`: a real computation on the simulated RTL of some designs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bitweight.cli.designs import load_design
from bitweight.cli.progress import progress_bars
from bitweight.files import check_writable, write_files
from bitweight.optional import NotInstalled
from bitweight.workload import DESIGNS, WORKLOADS, Mismatch, run, tables

__all__ = ["workload"]

FAILED = 1


@click.command()
@click.argument("name", type=click.Choice(list(WORKLOADS)))
@click.option(
    "--design",
    "designs",
    multiple=True,
    default=DESIGNS,
    metavar="NAME|FILE.toml",
    help=f"May be given again; {', '.join(DESIGNS)} if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write workload-NAME.json and workload-NAME.md to this folder.",
)
def workload(name: str, designs: tuple[str, ...], as_json: bool, output: Path | None) -> None:
    """Run a real computation on simulated RTL, compared with NumPy.

    \b
    digits       a multi-layer perceptron reads handwritten digits
    conv         two convolutions and a dense layer read them
    transformer  an encoder layer: hidden 384, sequence 128; with trained
                 weights where 'bitweight[transformer]' is installed

    Models, and every product that was found equal, are kept in the user's cache: what was
    interrupted goes on where it was.
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    chosen = [load_design(one) for one in designs]
    if output is not None:
        check_writable("--output", output)
    try:
        with progress_bars("kMACs on") as advance:
            record = run(name, chosen, progress=advance)
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"{error.name} is not installed: pip install 'bitweight[demo]'"
        ) from None
    except Mismatch as error:
        click.echo(f"bitweight: {error}", err=True)
        raise click.exceptions.Exit(FAILED) from None
    text = json.dumps(record, indent=1) + "\n"
    if as_json:
        print(text, end="")
    else:
        _print(record)
    if output is not None:
        files = {f"workload-{name}.json": text, f"workload-{name}.md": tables.markdown(record)}
        for path in write_files(output, files):
            click.echo(path, err=as_json)


def _print(record: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{record['description']}\n{tables.figures_text(record)}\n", markup=False)
    _table(console, tables.SUMMARY_HEAD, tables.summary_rows(record))
    for engine in record["engines"]:
        console.print(f"\n[bold]{engine['design']['name']}[/], digits in {engine['encoding']}")
        _table(console, tables.LAYER_HEAD, tables.layer_rows(engine))


def _table(console: Console, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    # A pipe or a file has no width that a table should be cut to.
    (console if console.is_terminal else Console(width=200, highlight=False)).print(table)
