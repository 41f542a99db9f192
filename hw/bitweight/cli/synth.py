"""`bitweight synth`: area and clock of a design or of one of its PEs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bitweight.cli.designs import complete_designs, load_design, set_option
from bitweight.cli.progress import progress_bars
from bitweight.design import Design
from bitweight.emit import Emission, emit, write_files
from bitweight.files import check_writable
from bitweight.optional import import_optional

__all__ = ["synth"]


def flow() -> Any:
    """Return the synthesis package, or say what to install."""
    return import_optional("bitweight.synth", "synth")


@click.command()
@click.argument("name", metavar="NAME|FILE.toml", shell_complete=complete_designs)
@set_option
@click.option(
    "--tech",
    default="generic",
    show_default=True,
    metavar="TECH",
    help="generic, sky130hd, asap7, a technology's TOML file; xilinx, ecp5, ice40 (FPGAs).",
)
@click.option(
    "--period-ns",
    default="",
    metavar="P[,P...]",
    help="Clock targets; a few around the technology's pace if not given.",
)
@click.option("--pe", "pe_only", is_flag=True, help="One processing element, not the array.")
@click.option("--flat", is_flag=True, help="Flatten everything, as FPGAs always do.")
@click.option("--no-place", is_flag=True, help="Of an FPGA, resources alone and no clock.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the records (JSON) and netlists there.",
)
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run nothing: write scripts for Yosys and OpenSTA there that need no bitweight.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def synth(
    name: str,
    changes: tuple[str, ...],
    tech: str,
    period_ns: str,
    pe_only: bool,
    flat: bool,
    no_place: bool,
    output: Path | None,
    export_to: Path | None,
    as_json: bool,
) -> None:
    """Synthesise a design: area, clock, path; or what an FPGA needs."""
    design = load_design(name, changes)
    targets = _periods(period_ns)
    tools = flow()
    fpga = tech in tools.FPGAS
    if no_place and not fpga:
        raise ValueError(f"--no-place is for {', '.join(tools.FPGAS)}, not {tech!r}")
    if fpga and export_to is not None:
        raise ValueError(f"--export is for standard cells, not {tech!r}")
    if export_to is not None and output is not None:
        raise ValueError("give --export or -o, not both")
    technology = None if fpga else tools.find_technology(tech)
    if not targets:
        targets = [10.0] if technology is None else _usual_targets(technology)
    for option, folder in (("-o", output), ("--export", export_to)):
        if folder is not None:
            check_writable(option, folder)
    emission = emit(design)
    top = f"{emission.top}_pe" if pe_only else emission.top
    if technology is None:
        _fpga(tools, design, emission, top, tech, targets, output, as_json, place=not no_place)
        return
    if export_to is not None:
        written = tools.export(
            export_to, emission.verilog, top, technology, targets[0], hierarchical=not flat
        )
        paths = [str(path) for path in written]
        print(json.dumps(paths, indent=2) if as_json else "\n".join(paths))
        return
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


def _usual_targets(technology: Any) -> list[float]:
    if technology.fo4_ns is None:
        raise ValueError(f"technology {technology.name} has no fo4_ns: give --period-ns")
    return [round(technology.fo4_ns * steps, 4) for steps in (20, 30, 45)]


def _fpga(
    tools: Any,
    design: Design,
    emission: Emission,
    top: str,
    family: str,
    targets: list[float],
    output: Path | None,
    as_json: bool,
    *,
    place: bool,
) -> None:
    """Count a design on an FPGA, and print what was found."""
    results = []
    with progress_bars(f"{top} on {family}") as advance:
        for target in targets:
            results.append(
                tools.synthesise_fpga(
                    emission.verilog,
                    top,
                    family,
                    target,
                    place=place,
                    params=design.to_dict(),
                    progress=lambda done, total, _, target=target: advance(
                        f"{target:g} ns", done, total
                    ),
                )
            )
    if output is not None:
        texts = (json.dumps(result.to_json(), indent=2) + "\n" for result in results)
        names = (f"{one.design}-{one.technology}-{one.target_ns:g}ns.json" for one in results)
        write_files(output, dict(zip(names, texts, strict=True)))
    if as_json:
        print(json.dumps([result.to_json() for result in results], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("target ns", "period ns", "LUTs", "registers", "carry cells", "DSPs", "RAMs"):
        table.add_column(title, justify="right")
    for one in results:
        period = "-" if one.min_period_ns is None else f"{one.min_period_ns:.3f}"
        counts = (one.luts, one.registers, one.carries, one.dsps, one.memories)
        table.add_row(f"{one.target_ns:g}", period, *(str(count) for count in counts))
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{results[0].design} on {family}: {results[0].device}\n", markup=False)
    console.print(table)
    if results[0].unplaced:
        console.print(f"\nNo period: {results[0].unplaced}.", markup=False)
    kinds = sorted(results[0].cells.items(), key=lambda item: -item[1])
    console.print("\nCells: " + ", ".join(f"{count} {kind}" for kind, count in kinds))


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
