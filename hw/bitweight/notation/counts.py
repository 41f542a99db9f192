"""Instances and uses of every primitive, register bits and cycles, from a nest alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING

from bitweight._check import check_int

if TYPE_CHECKING:
    from bitweight.notation.nest import Nest

__all__ = ["Count", "Counts", "count", "extents"]


@dataclass(frozen=True)
class Count:
    """How often one primitive exists (`instances`) and how often each instance is used."""

    op: str
    level: str | None
    instances: int
    uses: int


@dataclass(frozen=True)
class Counts:
    """Hardware and work of a nest for one GEMM.

    Parameters
    ----------
    primitives
        One entry a primitive, in the order of the nest.
    accumulator_bits
        Registers that keep running totals: twice the accumulator's width where both sum and
        carry are kept.
    operand_bits
        Registers through which operands hop.
    cycles
        Product of the temporal loops: what an array needs that is never filled or drained.
    """

    primitives: tuple[Count, ...]
    accumulator_bits: int
    operand_bits: int
    cycles: int

    @property
    def register_bits(self) -> int:
        """Accumulator and operand registers together."""
        return self.accumulator_bits + self.operand_bits


def extents(nest: Nest, M: int, N: int, K: int) -> dict[str, int]:
    """Return the iterations of every loop for a GEMM of M × K by K × N (partial tiles count)."""
    size = {
        "m": check_int("M", M, 1),
        "n": check_int("N", N, 1),
        "k": check_int("K", K, 1),
        "bw": nest.encoding.digits(nest.a.bits),
    }
    result = {}
    for loop in nest.loops:
        fixed = prod(o.extent for o in nest.loops if o.dim == loop.dim and o.extent is not None)
        result[loop.name] = ceil(size[loop.dim] / fixed) if loop.extent is None else loop.extent
    return result


def count(nest: Nest, M: int, N: int, K: int) -> Counts:
    """Count instances and uses of every primitive, register bits and cycles for one GEMM."""
    extent = extents(nest, M, N, K)
    forms = nest.forms()
    counts, accumulator_bits = [], 0
    for i, primitive in enumerate(nest.primitives):
        around = nest.around(primitive)
        shared = prod(extent[name] for name in primitive.shared)
        instances = prod(extent[loop.name] for loop in around if loop.spatial) // shared
        uses = prod(extent[loop.name] for loop in around if not loop.spatial) * shared
        counts.append(Count(primitive.op, primitive.level, instances, uses))
        if primitive.op == "accumulate":
            accumulator_bits += instances * nest.acc * (2 if forms[i] == "pair" else 1)
    elements = prod(loop.extent or 1 for loop in nest.loops if loop.spatial and loop.dim != "bw")
    hops = {loop.dim for loop in nest.loops if loop.hop}
    operand_bits = elements * (
        (nest.a.bits if "n" in hops else 0) + (nest.b.bits if "m" in hops else 0)
    )
    cycles = prod(extent[loop.name] for loop in nest.loops if not loop.spatial)
    return Counts(tuple(counts), accumulator_bits, operand_bits, cycles)
