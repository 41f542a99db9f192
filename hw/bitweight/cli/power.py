"""`bitweight power`: power and energy of a design while its netlist multiplies matrices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bitweight._check import check_int
from bitweight.cli.describe import parse_gemm
from bitweight.cli.designs import load_design, set_option
from bitweight.cli.progress import progress_bars
from bitweight.cli.synth import flow
from bitweight.design import Design
from bitweight.stats import draw_normal, draw_quantised, load_matrix

__all__ = ["power"]

DEFAULT_GEMM = "32x256x32"
_MOST_MACS = 1 << 26
"""Of a GEMM, 512 × 256 × 512: every clock cycle of it is simulated gate by gate."""


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
@click.option("--period-ns", required=True, metavar="P", help="Clock target of the synthesis.")
@click.option(
    "--sigma",
    type=float,
    metavar="S",
    help="Draw A and B from a normal distribution of this standard deviation, rounded; what is "
    "out of range is drawn again. Without it they are N(0,1), quantised by their maximum.",
)
@click.option("--a", "file_a", type=click.Path(path_type=Path), metavar="A.npy", help="A itself.")
@click.option("--b", "file_b", type=click.Path(path_type=Path), metavar="B.npy", help="B itself.")
@click.option("--gemm", default="", metavar="MxKxN", help=f"Size; {DEFAULT_GEMM} if not given.")
@click.option("--pe", "pe_only", is_flag=True, help="The processing elements alone.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the operands drawn.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep netlist, scripts, logs and OpenSTA's reports there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def power(
    name: str,
    changes: tuple[str, ...],
    tech: str,
    period_ns: str,
    sigma: float | None,
    file_a: Path | None,
    file_b: Path | None,
    gemm: str,
    pe_only: bool,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Measure power and energy per MAC: the netlist runs a GEMM.

    Its results are checked bit for bit.
    """
    design = load_design(name, changes)
    period = _period(period_ns)
    check_int("seed", seed, 0)
    if (file_a is None) != (file_b is None):
        raise ValueError("give both --a and --b, or neither")
    if file_a is not None and file_b is not None:
        if sigma is not None or gemm:
            raise ValueError("give --a and --b, or --sigma and --gemm, not both")
        A, B = load_matrix(file_a, design.a), load_matrix(file_b, design.b)
        operands = f"{file_a.name} and {file_b.name}"
    else:
        A, B = _drawn(design, parse_gemm(gemm or DEFAULT_GEMM), sigma, seed)
        operands = f"normal, sigma {sigma:g}" if sigma is not None else "N(0,1), by maximum"
    if A.shape[0] * A.shape[1] * B.shape[1] > _MOST_MACS:
        raise ValueError(
            f"M·K·N of the GEMM must be at most {_MOST_MACS}, "
            f"not {A.shape[0] * A.shape[1] * B.shape[1]!r}"
        )
    tools = flow()
    with progress_bars(f"{design.name} on {tech}") as advance:
        found = tools.power(
            design,
            tools.find_technology(tech),
            period,
            A,
            B,
            pe=pe_only,
            operands=operands,
            seed=seed if file_a is None else None,
            workdir=output,
            progress=lambda done, total, _label: advance("", done, total),
        )
    if as_json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        _print(found, tools.METHOD)


def _drawn(
    design: Design, size: tuple[int, int, int], sigma: float | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return random operands of a size M, K, N."""
    M, K, N = size
    if M * K * N > _MOST_MACS:
        raise ValueError(f"M·K·N of --gemm must be at most {_MOST_MACS}, not {M * K * N!r}")
    rng = np.random.default_rng(seed)
    if sigma is None:
        return draw_quantised(rng, (M, K), design.a), draw_quantised(rng, (K, N), design.b)
    return (
        draw_normal(rng, (M, K), design.a, sigma),
        draw_normal(rng, (K, N), design.b, sigma),
    )


def _period(text: str) -> float:
    try:
        period = float(text)
    except ValueError:
        period = 0.0
    if not 0 < period < float("inf"):
        raise ValueError(f"--period-ns must be a number above 0, not {text!r}")
    return period


def _print(found: Any, method: str) -> None:
    M, K, N = found.gemm
    what = f"{found.pes} processing elements of {found.design}" if found.pe else found.design
    sizes = ", ".join(
        f"{key} {found.params[key]}" for key in ("rows", "cols") if key in found.params
    )
    drawn = "" if found.seed is None else f", seed {found.seed}"
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{what} ({sizes}) on {found.technology}\n"
        f"GEMM {M}x{K}x{N} ({found.operands}{drawn}): {found.cycles} cycles of "
        f"{found.period_ns:.3f} ns (target {found.target_ns:g} ns), results right bit for bit\n",
        markup=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("block")
    for title in ("instances", "cells", "internal mW", "switching mW", "leakage mW", "total mW"):
        table.add_column(title, justify="right")
    for block, part in sorted(found.blocks.items(), key=lambda item: -item[1].total):
        table.add_row(block, str(part.instances), str(part.cells), *_milliwatts(part))
    table.add_row("elements" if found.pe else "all", "", "", *_milliwatts(found))
    console.print(table)
    console.print(
        f"\n{found.energy_per_mac_pj:.4g} pJ per MAC, {found.tops_per_watt:.4g} TOPS/W; "
        f"nets change {found.activity:.3f} times per cycle, clock pins take "
        f"{found.clock_pins * 1e3:.4g} mW of the switching power, glitches "
        f"{found.glitches / found.total:.0%} of all.\n{method}",
        markup=False,
    )


def _milliwatts(part: Any) -> list[str]:
    return [
        f"{watts * 1e3:.4g}" for watts in (part.internal, part.switching, part.leakage, part.total)
    ]
