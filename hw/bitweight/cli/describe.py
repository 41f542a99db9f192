"""`bitweight list` and `bitweight show`: what there is, and what a design is made of."""

from __future__ import annotations

import json
from math import prod
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bitweight.catalog import catalog
from bitweight.cli.designs import load_design, set_option
from bitweight.design import Design

__all__ = ["list_designs", "show"]


def summary(design: Design) -> dict[str, Any]:
    """Return one row of the list."""
    return {
        "name": design.name,
        "array": design.array.name,
        "mac": design.mac.name,
        "size": " × ".join(
            str(loop.extent) for dim in ("m", "n", "k") for loop in design.nest.spatial(dim)
        ),
        "operands": f"int{design.a.bits} × int{design.b.bits} → int{design.acc}",
        "macs_per_cycle": design.macs_per_cycle,
        "register_bits": design.register_bits,
    }


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_designs(as_json: bool) -> None:
    """List the designs of the catalog."""
    rows = [summary(design) for design in catalog.values()]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (
        ("name", "left"),
        ("array", "left"),
        ("mac", "left"),
        ("size", "left"),
        ("operands", "left"),
        ("MACs/cycle", "right"),
        ("register bits", "right"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=None if Console().is_terminal else 120).print(table)


@click.command()
@click.argument("name")
@set_option
@click.option("--gemm", default="", metavar="MxKxN", help="Size of the counts; one tile, K = 64.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, changes: tuple[str, ...], gemm: str, as_json: bool) -> None:
    """Print a design's loop notation and counts."""
    design = load_design(name, changes)
    M, K, N = parse_gemm(gemm) if gemm else (_extent(design, "m"), 64, _extent(design, "n"))
    counts = design.nest.counts(M, N, K)
    if as_json:
        record = {
            "design": design.to_dict(),
            "nest": str(design.nest).splitlines(),
            "gemm": [M, K, N],
            "primitives": [vars(count) for count in counts.primitives],
            "max_k": design.max_k,
            "latency": design.array.latency(design.nest),
            **summary(design),
        }
        print(json.dumps(record, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{design.name}[/]: {design.mac.summary}\n")
    console.print(str(design.nest), markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("primitive")
    table.add_column("in loop")
    table.add_column("instances", justify="right")
    table.add_column("uses of each", justify="right")
    for count in counts.primitives:
        table.add_row(count.op, count.level or "-", str(count.instances), str(count.uses))
    console.print(f"\nFor a GEMM of {M} × {K} by {K} × {N}:\n")
    console.print(table)
    console.print(
        f"\nregister bits of the PEs: {design.register_bits}"
        f"\nlatency: {design.array.latency(design.nest)} cycles"
        f" from a tile's last operands to its first result"
        f"\nlargest K: {design.max_k}"
    )


def parse_gemm(text: str) -> tuple[int, int, int]:
    """Return M, K, N from ``MxKxN``; ``ValueError`` for anything else."""
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(
            f"--gemm must be MxKxN of integers above 0, such as 16x64x16, not {text!r}"
        )
    M, K, N = (int(part) for part in parts)
    return M, K, N


def _extent(design: Design, dim: str) -> int:
    """Return how many elements along a dimension are computed at once."""
    return prod(loop.extent or 1 for loop in design.nest.spatial(dim))
