"""`bitweight stats`: digits, cycles and utilisation of a design with given operands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bitweight._check import check_int
from bitweight.cli.describe import parse_gemm
from bitweight.cli.designs import load_design, set_option
from bitweight.design import Design
from bitweight.files import write_files
from bitweight.optional import import_optional
from bitweight.stats import (
    Statistics,
    default_size,
    draw_normal,
    draw_quantised,
    load_matrix,
    measure,
)

__all__ = ["stats"]

MOST_ELEMENTS = 1 << 26
"""Of a matrix, 8192 × 8192: more would ask for memory that not every machine has."""


def plotting() -> Any:
    """Return the module that draws, or say what to install."""
    return import_optional("bitweight.stats.plot", "demo")


@click.command()
@click.argument("name", metavar="NAME|FILE.toml")
@set_option
@click.option(
    "--sigma",
    type=float,
    metavar="S",
    help="Draw A and B from a normal distribution of this standard deviation, rounded; what is "
    "out of range is drawn again. Without it they are N(0,1), quantised by their maximum.",
)
@click.option(
    "--matrix",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="Take A from this file instead.",
)
@click.option("--gemm", default="", metavar="MxKxN", help="Size; one tile of C if not given.")
@click.option("--seed", type=int, default=None, help="Of all randomness; drawn if not given.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.png", help="Draw a picture as well."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def stats(
    name: str,
    changes: tuple[str, ...],
    sigma: float | None,
    matrix: Path | None,
    gemm: str,
    seed: int | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Count digits and cycles, and say where the cycles go."""
    design = load_design(name, changes)
    if sigma is not None and matrix is not None:
        raise ValueError("give --sigma or --matrix, not both")
    if plot is not None and plot.suffix != ".png":
        raise ValueError(f"--plot must be a file name that ends in .png, not {str(plot)!r}")
    drawing = plotting() if plot is not None else None
    entropy: Any = np.random.SeedSequence().entropy
    seed = check_int("--seed", int(entropy) % 2**32 if seed is None else seed, 0)
    size = parse_gemm(gemm) if gemm else None
    A, B = _operands(design, sigma, matrix, size, seed)
    result = measure(design, A, B)
    source = _source(sigma, matrix, seed)
    if plot is not None and drawing is not None:
        write_files(plot.parent, {plot.name: drawing.draw(result, source)})
    if as_json:
        record = {"operands": source, "seed": seed, **result.to_dict()}
        print(json.dumps(record, indent=2))
    else:
        _print(result, source)


def _operands(
    design: Design,
    sigma: float | None,
    matrix: Path | None,
    size: tuple[int, int, int] | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return A and B; `size` is M, K, N or None."""
    given = None if matrix is None else load_matrix(matrix, design.a)
    M, K, N = default_size(design) if size is None else size
    if given is not None:
        if size is not None and given.shape != (M, K):
            raise ValueError(
                f"M and K of --gemm must be those of {matrix}, {given.shape}, not {(M, K)!r}"
            )
        M, K = given.shape
    if max(M * K, K * N) > MOST_ELEMENTS:
        raise ValueError(
            f"A and B must have at most {MOST_ELEMENTS} elements each, not {max(M * K, K * N)!r}"
        )
    rng = np.random.default_rng(seed)

    def drawn(shape: tuple[int, int], operand: Any) -> np.ndarray:
        if sigma is None:
            return draw_quantised(rng, shape, operand)
        return draw_normal(rng, shape, operand, sigma)

    A = drawn((M, K), design.a) if given is None else given
    return A, drawn((K, N), design.b)


def _source(sigma: float | None, matrix: Path | None, seed: int) -> str:
    """Return in words where the operands come from."""
    normal = "N(0,1), quantised by the maximum"
    if matrix is not None:
        return f"A from {matrix.name}; B {normal}; seed {seed}"
    if sigma is not None:
        return f"A and B normal with σ = {sigma:g}, rounded; seed {seed}"
    return f"A and B {normal}; seed {seed}"


def _print(result: Statistics, source: str) -> None:
    design, digits, activity = result.design, result.digits, result.activity
    M, K, N = result.size
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{design.name}[/]: {M} × {K} by {K} × {N}\n{escape(source)}\n\n"
        f"non-zero digits per operand: {digits.mean:.3f} ({digits.encoding.name}, "
        f"{digits.operands:,} operands of A)\n"
    )
    console.print(_digit_table(result))
    shares = ", ".join(f"{who} {part:.1%}" for who, part in result.utilisation.items())
    units = "the array keeps one pace" if activity.units == 1 else f"{activity.units} units"
    console.print(
        f"\ncycles: {result.cycles:,}\n"
        f"cycles per MAC: {result.cycles_per_mac:.3f} in each of {design.lanes:,} lanes\n"
        f"useful MACs per cycle: {result.useful_macs_per_cycle:,.2f}\n"
        f"utilisation: {shares} ({units})\n"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("cycles go to")
    for title in ("share", "average", "least", "most"):
        table.add_column(title, justify="right")
    for kind, counts in activity.kinds.items():
        table.add_row(
            kind,
            f"{activity.shares[kind]:.1%}",
            f"{counts.mean():,.1f}",
            f"{counts.min():,}",
            f"{counts.max():,}",
        )
    console.print(table)


def _digit_table(result: Statistics) -> Table:
    """Return two tables side by side: operands by their digits, and digits by their weight."""
    digits = result.digits
    radix = digits.encoding.radix
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("digits", "operands", " ", "weight", "not zero"):
        table.add_column(title, justify="right")
    for d, count in enumerate(digits.distribution):
        weight = (
            (f"{radix}^{d}", f"{digits.by_weight[d] / digits.operands:.1%}")
            if d < len(digits.by_weight)
            else ("", "")
        )
        table.add_row(str(d), f"{count / digits.operands:.1%}", "  ", *weight)
    return table
