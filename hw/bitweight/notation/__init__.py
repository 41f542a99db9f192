"""The bit-weight notation: loops, primitives, moves, printing, execution, counts."""

from __future__ import annotations

from bitweight.notation.counts import Count, Counts
from bitweight.notation.integer import Int, wrap
from bitweight.notation.inverse import fuse, repeat, roll, sink
from bitweight.notation.moves import (
    compress,
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
from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove, Loop, Primitive
from bitweight.notation.skipping import skip, sync
from bitweight.notation.transformations import (
    MAC,
    OPT1,
    OPT2,
    OPT2_TEMPORAL,
    OPT3,
    OPT4C,
    OPT4E,
    TRANSFORMATIONS,
    Transformation,
)

__all__ = [
    "MAC",
    "OPT1",
    "OPT2",
    "OPT2_TEMPORAL",
    "OPT3",
    "OPT4C",
    "OPT4E",
    "TRANSFORMATIONS",
    "Count",
    "Counts",
    "IllegalMove",
    "Int",
    "Loop",
    "Nest",
    "Primitive",
    "Transformation",
    "compress",
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
    "sink",
    "skip",
    "split",
    "sync",
    "unroll",
    "wrap",
]
