"""Runs a workload on designs, and makes the record of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight._check import check_choice, check_int, check_matrix
from bitweight._version import __version__
from bitweight.catalog import find_design
from bitweight.design import Design
from bitweight.sim import Cache, CompiledDesign, compile
from bitweight.workload.engine import Engine, Mismatch, ProductRun
from bitweight.workload.jobs import WORKLOADS
from bitweight.workload.products import Product, Workload, numpy_product

__all__ = ["DESIGNS", "ProgressHook", "run"]

SCHEMA = 1
"""Number of the record's layout."""

DESIGNS = ("systolic-os-mac", "systolic-os-opt1", "bitslice-opt4c", "bitslice-opt4e")
"""What is compared where no designs are named."""

ProgressHook = Callable[[str, int, int], None]
"""Called with the name of a design, the thousands of MACs that it has done, and their total."""


def run(
    workload: str | Workload,
    designs: Sequence[str | Design | CompiledDesign] = DESIGNS,
    *,
    cache: Cache | None = None,
    progress: ProgressHook | None = None,
) -> dict[str, Any]:
    """Compute a workload on the simulated RTL of designs, compared with NumPy bit for bit.

    Parameters
    ----------
    workload
        One, or its name in :data:`~bitweight.workload.jobs.WORKLOADS`.
    designs
        At least one: names of the catalog, designs, or compiled ones.
    cache
        Where models and results are kept; by default the user's.
    progress
        Called when the first model is built, and as results come in.

    Returns
    -------
    dict
        The record, with plain values: what was computed, and for each design its cycles,
        utilisation and digits by layer.

    Raises
    ------
    Mismatch
        If a result is not that of NumPy, or took other cycles than the exact model says.
    TypeError, ValueError
        For names that do not exist, and for designs whose operands are too narrow.
    """
    if not designs:
        raise ValueError(f"designs must be at least one, not {designs!r}")
    chosen = [_found(one) for one in designs]
    if not isinstance(workload, Workload):
        workload = WORKLOADS[check_choice("workload", workload, WORKLOADS)]()
    products: list[Product] = []

    def note(product: Product) -> NDArray[np.int32]:
        products.append(product)
        return numpy_product(product)

    expected = dict(workload.run(note))
    for one in chosen:
        _check_operands(one.design if isinstance(one, CompiledDesign) else one, products)
    total = sum(one.macs for one in products)
    engines = [
        _on(one, workload, expected, total, cache=cache, progress=progress) for one in chosen
    ]
    return {
        "schema": SCHEMA,
        "bitweight": __version__,
        "workload": workload.name,
        "description": workload.description,
        "figures": expected,
        "macs": total,
        "engines": engines,
    }


def _found(design: str | Design | CompiledDesign) -> Design | CompiledDesign:
    """Return a design whose name may be given; no later one may end a long run by its name."""
    if isinstance(design, str):
        return find_design(design)
    if not isinstance(design, Design | CompiledDesign):
        raise TypeError(f"design must be a name of the catalog or a design, not {design!r}")
    return design


def _check_operands(design: Design, products: Sequence[Product]) -> None:
    """Refuse operands that do not fit before anything is built for them."""
    for one in products:
        try:
            check_matrix("A", one.A, design.a.min, design.a.max)
            check_matrix("B", one.B, design.b.min, design.b.max)
            check_int("K", one.A.shape[1], 1, design.max_k)
        except ValueError as error:
            raise ValueError(f"{design.name}, {one.layer}: {error}") from None


def _on(
    chosen: Design | CompiledDesign,
    workload: Workload,
    expected: dict[str, Any],
    total: int,
    *,
    cache: Cache | None,
    progress: ProgressHook | None,
) -> dict[str, Any]:
    """Return the record of one design."""
    if isinstance(chosen, CompiledDesign):
        rtl = chosen
    else:
        if progress is not None:
            progress(chosen.name, 0, total // 1000)
        rtl = compile(chosen, cache=cache)
    engine = Engine(rtl, cache)
    before = 0

    def multiply(product: Product) -> NDArray[np.int32]:
        nonlocal before

        def show(done: int, _: int) -> None:
            if progress is not None:
                steps = before + done * product.A.shape[1]
                progress(rtl.design.name, steps // 1000, total // 1000)

        C = engine.multiply(product, show)
        before += product.macs
        show(0, 0)
        return C

    figures = dict(workload.run(multiply))
    if figures != expected:
        raise Mismatch(f"{rtl.design.name}: the result must be {expected}, not {figures}")
    return {
        "design": rtl.design.to_dict(),
        "lanes": rtl.design.lanes,
        "encoding": engine.encoding.name,
        "bit_exact": True,  # anything else has ended the run
        **_sums(rtl.design, engine.runs),
        "layers": _layers(rtl.design, engine.runs),
    }


def _layers(design: Design, runs: Sequence[ProductRun]) -> list[dict[str, Any]]:
    """Return the runs layer by layer; the products of a layer all have one size."""
    layers: dict[str, list[ProductRun]] = {}
    for one in runs:
        layers.setdefault(one.layer, []).append(one)
    return [
        {
            "layer": name,
            "operands": list(some[0].names),
            "gemms": len(some),
            "m": some[0].m,
            "k": some[0].k,
            "n": some[0].n,
            **_sums(design, some),
            **_better(some),
        }
        for name, some in layers.items()
    ]


def _sums(design: Design, runs: Sequence[ProductRun]) -> dict[str, Any]:
    cycles, macs = sum(one.cycles for one in runs), sum(one.macs for one in runs)
    return {
        "macs": macs,
        "cycles": cycles,
        "macs_per_cycle": macs / cycles,
        "utilisation": sum(one.work for one in runs) / (cycles * design.lanes),
        "seconds": sum(one.seconds for one in runs),
    }


def _better(runs: Sequence[ProductRun]) -> dict[str, Any]:
    """Return digits and cycles with either operand encoded, and which of them is better.

    Fewer cycles are; where they are equal, fewer digits, at which less switches.
    """
    digits = [
        sum(one.digits[side] * size(one) for one in runs) / sum(size(one) for one in runs)
        for side, size in enumerate((lambda one: one.m * one.k, lambda one: one.k * one.n))
    ]
    cycles = [sum(one.cycles for one in runs), sum(one.swapped_cycles for one in runs)]
    better = min((0, 1), key=lambda side: (cycles[side], digits[side]))
    return {
        "digits": digits,
        "swapped_cycles": cycles[1],
        "better_to_encode": runs[0].names[better],
    }
