"""`bitweight bench sim`: how fast the simulations of a design are, all in one go."""

from __future__ import annotations

import json
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bitweight._check import check_int
from bitweight.cli import goals
from bitweight.cli.describe import parse_gemm
from bitweight.cli.designs import load_design, set_option
from bitweight.cli.progress import progress_bars
from bitweight.cli.verify import benches
from bitweight.design import Design
from bitweight.emit import emit
from bitweight.files import temporary_folder
from bitweight.sim import CompiledDesign

__all__ = ["bench"]

ROUNDS = 3
"""Runs of the compiled simulation, of which the fastest counts."""

SHARES = {"icarus": 32, "verilator": 1}
"""Part of the rows of A that a cocotb bench gets: the slowest would take minutes with all of it."""


@click.group()
def bench() -> None:
    """Compare simulations, and circuits with their goals."""


bench.add_command(goals.pe)
bench.add_command(goals.array)


@bench.command("sim")
@click.argument("name", metavar="[NAME|FILE.toml]", default="systolic-os-mac")
@set_option
@click.option("--gemm", default="1024x64x64", metavar="MxKxN", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the operands.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def sim(name: str, changes: tuple[str, ...], gemm: str, seed: int, as_json: bool) -> None:
    """Compare cocotb under both simulators with the compiled simulation.

    All multiply matrices of the same K and N; Icarus gets a part of the rows of A. Rates are per
    second of processor time, so that what else runs on the machine matters little. Building is
    not in them, and of cocotb nor is the start of the simulator: what a product of one row takes
    is subtracted.
    """
    design = load_design(name, changes)
    size = parse_gemm(gemm)
    check_int("seed", seed, 0)
    verif = benches()
    with progress_bars(design.name) as advance:
        record = measure(design, size, seed, verif, lambda done, of: advance("", done, of))
    if as_json:
        print(json.dumps(record, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("simulation", no_wrap=True)
    for title in (
        "rows of A",
        "cycles",
        "CPU s",
        "cycles/CPU s",
        "MACs/CPU s",
        "ratio",
        "cycles/s",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for row in record["simulations"]:
        table.add_row(
            row["simulation"],
            str(row["m"]),
            str(row["cycles"]),
            f"{row['cpu_seconds']:.3f}",
            f"{row['cycles_per_cpu_second']:,.0f}",
            f"{row['macs_per_cpu_second']:,.0f}",
            f"{row['ratio']:.1f}×",
            f"{row['cycles_per_second']:,.0f}",
        )
    Console(width=None if Console().is_terminal else 120).print(table)
    print(f"{design.name}, ratio: throughput of the compiled simulation over that of the row")


def measure(
    design: Design,
    size: tuple[int, int, int],
    seed: int,
    verif: Any,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> dict[str, Any]:
    """Return what each simulation took for a product of that size.

    Raises
    ------
    RuntimeError
        If a result is not NumPy's.
    """
    M, K, N = size
    rng = np.random.default_rng(seed)
    A = rng.integers(design.a.min, design.a.max + 1, (M, K))
    B = rng.integers(design.b.min, design.b.max + 1, (K, N))
    emission = emit(design)
    rows = []
    for done, (simulator, share) in enumerate(SHARES.items()):
        progress(done, len(SHARES) + 1)
        part = A[: max(2, M // share)]
        with temporary_folder("bench") as folder:
            run = _cocotb(verif, design, emission, simulator, folder, B)
            name = f"cocotb, {simulator}"
            start = _figures(name, design, A[:1], B, run)
            whole = _figures(name, design, part, B, run)
            rows.append(_row(name, {key: whole[key] - start[key] for key in whole}, start))
    progress(len(SHARES), len(SHARES) + 1)
    rtl = CompiledDesign(design, emission=emission)

    def compiled(part: np.ndarray) -> np.ndarray:
        return rtl.gemm(part, B)[0]

    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    tries = [_figures("compiled", design, A, B, compiled, both) for _ in range(ROUNDS)]
    rows.append(_row("compiled", min(tries, key=lambda figures: figures["cpu_seconds"])))
    fastest = rows[-1]["macs_per_cpu_second"]
    for row in rows:
        row["ratio"] = fastest / row["macs_per_cpu_second"]
    return {
        "design": design.to_dict(),
        "gemm": list(size),
        "seed": seed,
        "machine": platform.machine(),
        "simulations": rows,
    }


def _cocotb(
    verif: Any, design: Design, emission: Any, simulator: str, folder: Path, B: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a product under cocotb, whose model is built already."""

    def run(part: np.ndarray) -> np.ndarray:
        [(C, _)] = verif.run_gemms(
            design, [(part, B)], sim=simulator, emission=emission, build_dir=folder
        )
        return np.asarray(C)

    # The model is kept for the life of the process; a small product makes it.
    run(np.zeros((1, B.shape[0]), dtype=np.int64))
    return run


def _figures(
    name: str,
    design: Design,
    A: np.ndarray,
    B: np.ndarray,
    run: Callable[[np.ndarray], np.ndarray],
    whose: tuple[int, ...] = (resource.RUSAGE_CHILDREN,),
) -> dict[str, float]:
    """Return rows, cycles, MACs and times of one simulation of ``A @ B``, compared with NumPy.

    The processor time is that of the simulators, and of this process where it is in `whose`.
    """

    def spent() -> float:
        return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))

    wall, before = time.perf_counter(), spent()
    C = run(A)
    cpu, wall = spent() - before, time.perf_counter() - wall
    if not np.array_equal(C, design.reference(A, B)):
        raise RuntimeError(f"{design.name}, {name}: the result is not that of NumPy")
    return {
        "m": A.shape[0],
        "cycles": design.cycles(A, B),
        "macs": A.shape[0] * A.shape[1] * B.shape[1],
        "cpu_seconds": cpu,
        "wall_seconds": wall,
    }


def _row(
    name: str, figures: dict[str, float], start: dict[str, float] | None = None
) -> dict[str, Any]:
    """Return the figures with rates; `start` is what was subtracted."""
    # The start takes not always the same: of a very small product nothing may be left.
    cpu, wall = max(figures["cpu_seconds"], 1e-3), max(figures["wall_seconds"], 1e-3)
    return {
        "simulation": name,
        **figures,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "start_cpu_seconds": start["cpu_seconds"] if start else 0.0,
        "cycles_per_cpu_second": figures["cycles"] / cpu,
        "cycles_per_second": figures["cycles"] / wall,
        "macs_per_cpu_second": figures["macs"] / cpu,
        "macs_per_second": figures["macs"] / wall,
    }
