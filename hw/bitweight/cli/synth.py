"""`bitweight synth`: area and clock of a design or of one of its PEs."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bitweight.cli.designs import load_design, set_option
from bitweight.cli.progress import progress_bars
from bitweight.emit import emit, write_files

__all__ = ["synth"]


def flow() -> Any:
    """Return the synthesis package, or say what to install."""
    try:
        return importlib.import_module("bitweight.synth")
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"{error.name} is not installed: pip install 'bitweight[synth]'"
        ) from None


@click.command()
@click.argument("name", metavar="NAME|FILE.toml")
@set_option
@click.option(
    "--tech",
    default="generic",
    show_default=True,
    metavar="TECH",
    help="generic, sky130hd, asap7, or a technology's TOML file.",
)
@click.option(
    "--period-ns",
    default="",
    metavar="P[,P...]",
    help="Clock targets; a few around the technology's pace if not given.",
)
@click.option("--pe", "pe_only", is_flag=True, help="One processing element, not the array.")
@click.option("--flat", is_flag=True, help="Flatten everything instead of module by module.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the records (JSON) and netlists there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def synth(
    name: str,
    changes: tuple[str, ...],
    tech: str,
    period_ns: str,
    pe_only: bool,
    flat: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Synthesise a design and time its netlist: area, cells, period, critical path."""
    design = load_design(name, changes)
    targets = _periods(period_ns)
    tools = flow()
    technology = tools.find_technology(tech)
    if not targets:
        if technology.fo4_ns is None:
            raise ValueError(f"technology {technology.name} has no fo4_ns: give --period-ns")
        targets = [round(technology.fo4_ns * steps, 4) for steps in (20, 30, 45)]
    emission = emit(design)
    top = f"{emission.top}_pe" if pe_only else emission.top
    with progress_bars(f"{top} on {technology.name}") as advance:
        results = tools.sweep(
            emission.verilog,
            top,
            technology,
            targets,
            params=design.to_dict(),
            hierarchical=not flat,
            progress=lambda done, total, _label: advance("", done, total),
        )
    if output is not None:
        write_files(output, _files(results))
    if as_json:
        print(json.dumps([result.to_json() for result in results], indent=2))
    else:
        _print(results)


def _periods(text: str) -> list[float]:
    periods = []
    for part in text.split(",") if text else []:
        try:
            period = float(part)
        except ValueError:
            period = 0.0
        if not 0 < period < float("inf"):
            raise ValueError(f"--period-ns must be numbers above 0, with commas, not {text!r}")
        periods.append(period)
    return periods


def _files(results: list[Any]) -> dict[str, str]:
    files = {}
    for result in results:
        stem = f"{result.design}-{result.technology}-{result.target_ns:g}ns"
        files[f"{stem}.json"] = json.dumps(result.to_json(), indent=2) + "\n"
        files[f"{stem}.v"] = result.netlist
    return files


def _print(results: list[Any]) -> None:
    unit = results[0].area_unit.replace("um2", "µm²")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("target ns", justify="right")
    for title in ("period ns", f"area {unit}", "NAND2 eq.", "flip-flops", "cells", "seconds"):
        table.add_column(title, justify="right")
    for result in results:
        table.add_row(
            f"{result.target_ns:g}",
            f"{result.min_period_ns:.3f}",
            f"{result.area:.1f}",
            f"{result.nand2_equivalents:.0f}",
            str(result.flip_flops),
            str(sum(kind.count for kind in result.cells.values())),
            f"{result.seconds:.1f}",
        )
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{results[0].design} on {results[0].technology}\n")
    console.print(table)
    best = max(results, key=lambda result: result.efficiency)
    console.print(f"\nBest by area and period: target {best.target_ns:g} ns. Cells by kind:")
    kinds = sorted(best.cells.items(), key=lambda item: -item[1].area)
    console.print("  " + ", ".join(f"{kind.count} {name}" for name, kind in kinds))
    console.print("Critical path:")
    for step in best.critical_path:
        console.print(f"  {step.arrival_ns:8.3f}  {step.pin} ({step.cell})", markup=False)
