"""`bitweight prove`: circuits equal their specifications for all inputs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from bitweight.cli.progress import progress_bars

if TYPE_CHECKING:
    from bitweight.prove import Family, Result

__all__ = ["prove"]

WIDTHS = ("bits", "a_bits", "b_bits", "width", "size")


@click.command()
@click.argument("blocks", nargs=-1, metavar="[BLOCK]...")
@click.option("--all", "everything", is_flag=True, help="All blocks; writes DIR/proofs.json.")
@click.option("--list", "listed", is_flag=True, help="List the blocks and what is claimed.")
@click.option("--width", type=int, default=None, metavar="N", help="Only claims with this width.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    metavar="DIR",
    help="Folder of the record.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prove(
    blocks: tuple[str, ...],
    everything: bool,
    listed: bool,
    width: int | None,
    output: Path,
    as_json: bool,
) -> None:
    """Prove that circuits equal their specifications, for all inputs.

    With --all, what is proven and unchanged is not proven again, and what was interrupted goes on
    where it was. The exit status is 1 if a claim is refuted or stays open.
    """
    from bitweight import prove as prover  # noqa: PLC0415 - only this command needs it
    from bitweight._check import check_choice  # noqa: PLC0415

    if listed:
        _list(list(prover.FAMILIES.values()), as_json)
        return
    if everything == bool(blocks):
        raise ValueError("give one or more blocks or --all, not both or neither")
    if everything and width is not None:
        raise ValueError("--width goes with named blocks, not with --all")
    chosen = [prover.FAMILIES[check_choice("block", name, prover.FAMILIES)] for name in blocks]
    cases = {
        family.name: [
            case
            for case in family.cases
            if width is None or width in (case.get(name) for name in WIDTHS)
        ]
        for family in chosen
    }
    for name, some in cases.items():
        if not some:
            raise ValueError(f"--width must be a width that {name} is proven for, not {width!r}")
    results: list[Result] = []
    with progress_bars("prove") as advance:
        if everything:
            results = prover.prove_all(list(prover.FAMILIES.values()), output, advance)
        total = sum(len(some) for some in cases.values())
        for family in chosen:
            for batch in prover.prove(family, cases[family.name]):
                results += batch
                advance("", len(results), total)
    _print(results, as_json)
    if any(result.result != "proven" for result in results):
        raise click.exceptions.Exit(1)


def _list(families: Sequence[Family], as_json: bool) -> None:
    if as_json:
        rows = [
            {"block": f.name, "circuits": f.subjects, "claim": f.says, "cases": list(f.cases)}
            for f in families
        ]
        print(json.dumps(rows, indent=1))
        return
    table = Table(box=None)
    for title in ("block", "claims", "specification"):
        table.add_column(title, overflow="fold", justify="right" if title == "claims" else "left")
    for family in families:
        table.add_row(family.name, str(len(family.cases)), family.says)
    Console().print(table)


def _print(results: Sequence[Result], as_json: bool) -> None:
    from bitweight.prove import summary  # noqa: PLC0415

    if as_json:
        print(json.dumps([asdict(result) for result in results], indent=1))
        return
    table = Table(box=None)
    for title in ("block", "proven", "of", "method", "seconds"):
        right = title in ("proven", "of", "seconds")
        table.add_column(title, overflow="fold", justify="right" if right else "left")
    for row in summary(results):
        counts = (str(row["proven"]), str(row["claims"]))
        table.add_row(row["block"], *counts, ", ".join(row["methods"]), f"{row['seconds']:.1f}")
    console = Console(highlight=False)
    console.print(table)
    for result in results:
        if result.result != "proven":
            given = " ".join(f"{name}={value}" for name, value in result.case.items())
            console.print(f"{result.family} {given}: {result.result}", markup=False)
            console.print(result.text, markup=False, soft_wrap=True)
