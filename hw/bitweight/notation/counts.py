"""Instances and uses of every primitive, register bits and cycles, from a nest alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING

from bitweight._check import check_int

if TYPE_CHECKING:
    from bitweight.notation.nest import Nest
    from bitweight.notation.primitives import Primitive

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
        One entry a primitive, in the order of the nest. Where zero digits are left out
        (:attr:`Nest.sparse`) the uses of what runs in that loop are upper bounds: those of
        operands without a zero digit. A ``sync`` is one for all instances around it.
    accumulator_bits
        Registers that keep running totals, as wide as the sums of their products can be: twice
        where both sum and carry are kept, and one for each result that is worked on in turn. A
        total over bit-weights that continues another one (:meth:`Nest.continues`) is that one.
    operand_bits
        Registers through which operands hop or in which they stay; of those that stay, the next
        are loaded meanwhile into as many again.
    cycles
        Product of the temporal loops: what an array needs that is never filled or drained. An
        upper bound where zero digits are left out, as of the uses.
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
        if primitive.op == "sync":
            instances = 1
        uses = prod(extent[loop.name] for loop in around if not loop.spatial) * shared
        counts.append(Count(primitive.op, primitive.level, instances, uses))
        if primitive.op == "accumulate" and not nest.continues(primitive):
            rows = 2 if forms[i] == "pair" else 1
            totals = instances * _turns(nest, primitive, extent)
            accumulator_bits += totals * rows * nest.width(primitive)
    operand_bits = 0
    for bits, dims, across in ((nest.a.bits, "mk", "n"), (nest.b.bits, "kn", "m")):
        hops = [loop for loop in nest.loops if loop.hop]
        if any(loop.dim == across for loop in hops):
            operand_bits += bits * _elements(nest, "mnk")
        elif _innermost(nest) == across:
            operand_bits += 2 * bits * _elements(nest, dims)
    cycles = prod(extent[loop.name] for loop in nest.loops if not loop.spatial)
    return Counts(tuple(counts), accumulator_bits, operand_bits, cycles)


def _turns(nest: Nest, total: Primitive, extent: dict[str, int]) -> int:
    """Return how many totals one accumulator keeps: results that take turns between two sums."""
    first = min(nest.depth(name) for name in total.over)
    inner = nest.around(total)[first:]
    return prod(extent[loop.name] for loop in inner if not loop.spatial and not loop.reduces)


def _elements(nest: Nest, dims: str) -> int:
    """Return how many combinations of indices along `dims` are worked on at once."""
    return prod(loop.extent or 1 for loop in nest.loops if loop.spatial and loop.dim in dims)


def _innermost(nest: Nest) -> str | None:
    """Return the dimension of the innermost temporal loop: operands without it stay."""
    temporal = [loop.dim for loop in nest.loops if not loop.spatial]
    return temporal[-1] if temporal else None
