"""The bit-weight notation: loops, primitives, moves, printing, execution, counts."""

from __future__ import annotations

from bitweight.notation.counts import Count, Counts
from bitweight.notation.integer import Int, wrap
from bitweight.notation.inverse import fuse, repeat, roll
from bitweight.notation.moves import (
    gemm,
    hoist,
    interchange,
    merge,
    regroup,
    resolve,
    share,
    split,
    unroll,
)
from bitweight.notation.nest import IllegalMove, Loop, Nest, Primitive
from bitweight.notation.transformations import (
    MAC,
    OPT1,
    OPT2,
    OPT2_TEMPORAL,
    TRANSFORMATIONS,
    Transformation,
)

__all__ = [
    "MAC",
    "OPT1",
    "OPT2",
    "OPT2_TEMPORAL",
    "TRANSFORMATIONS",
    "Count",
    "Counts",
    "IllegalMove",
    "Int",
    "Loop",
    "Nest",
    "Primitive",
    "Transformation",
    "fuse",
    "gemm",
    "hoist",
    "interchange",
    "merge",
    "regroup",
    "repeat",
    "resolve",
    "roll",
    "share",
    "split",
    "unroll",
    "wrap",
]
