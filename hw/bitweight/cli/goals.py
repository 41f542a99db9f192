"""`bitweight bench pe` and `bench array`: the goals of the circuits, measured in one run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bitweight.cli.measure import TECHNOLOGIES, check_jobs, measured

__all__ = ["array", "pe"]

_tech = click.option(
    "--tech",
    "names",
    type=click.Choice(TECHNOLOGIES),
    multiple=True,
    help="May be given again; default: all whose files are found.",
)
_jobs = click.option(
    "--jobs", type=int, default=None, metavar="N", help="Runs at a time; default: cores."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("pe")
@_tech
@_jobs
@_json
def pe(names: tuple[str, ...], jobs: int | None, as_json: bool) -> None:
    """Compare processing elements with their goals.

    Area, clock and energy against the authors' own RTL and the best plain MAC. Runs are kept as
    those of `bitweight measure` are.
    """
    from bitweight.measure.goals import element_goals  # noqa: PLC0415 - what it needs is optional

    _bench(names, jobs, as_json, ("pe", "energy", "accumulator"), element_goals)


@click.command("array")
@_tech
@_jobs
@_json
def array(names: tuple[str, ...], jobs: int | None, as_json: bool) -> None:
    """Compare whole arrays with the paper's gains.

    Area and energy efficiency over the best baseline, drain, skew and final adders included. Runs
    are kept as those of `bitweight measure` are.
    """
    from bitweight.measure.goals import array_goals  # noqa: PLC0415 - what it needs is optional

    _bench(names, jobs, as_json, ("pe", "array", "energy"), array_goals)


def _bench(
    names: tuple[str, ...],
    jobs: int | None,
    as_json: bool,
    parts: tuple[str, ...],
    goals_of: Callable[[Mapping[str, Any]], Iterator[Any]],
) -> None:
    check_jobs(jobs)
    found = {
        record["technology"]: list(goals_of(record)) for record in measured(names, parts, jobs)
    }
    if as_json:
        goals = {
            name: [{**asdict(goal), "met": goal.met} for goal in those]
            for name, those in found.items()
        }
        print(json.dumps(goals, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("technology", "what"):
        table.add_column(title)
    for title in ("goal", "measured", "met"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, those in found.items():
        for goal in those:
            table.add_row(name, goal.text, goal.bound, goal.measured, "yes" if goal.met else "no")
    Console(width=None if Console().is_terminal else 120).print(table)
