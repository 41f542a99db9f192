"""The bit-weight notation: loops, primitives, moves, printing, execution, counts."""

from __future__ import annotations

from bitweight.notation.counts import Count, Counts
from bitweight.notation.integer import Int, wrap
from bitweight.notation.moves import gemm, hoist, interchange, regroup, share, split, unroll
from bitweight.notation.nest import IllegalMove, Loop, Nest, Primitive
from bitweight.notation.transformations import MAC, OPT1, OPT2, TRANSFORMATIONS, Transformation

__all__ = [
    "MAC",
    "OPT1",
    "OPT2",
    "TRANSFORMATIONS",
    "Count",
    "Counts",
    "IllegalMove",
    "Int",
    "Loop",
    "Nest",
    "Primitive",
    "Transformation",
    "gemm",
    "hoist",
    "interchange",
    "regroup",
    "share",
    "split",
    "unroll",
    "wrap",
]
