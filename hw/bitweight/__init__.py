"""Generate, verify and measure tensor processing engines."""

from __future__ import annotations

from bitweight._version import __version__
from bitweight.arith import ENCODINGS
from bitweight.catalog import catalog, find_design
from bitweight.design import Design, Operands
from bitweight.notation import (
    MAC,
    OPT1,
    OPT2,
    OPT2_TEMPORAL,
    OPT3,
    OPT4C,
    OPT4E,
    IllegalMove,
    Int,
    Nest,
)
from bitweight.sim import compile
from bitweight.tpe import (
    ARRAYS,
    AdderTree,
    BitSlice,
    Column,
    Cube,
    Matrix2D,
    SystolicOS,
    SystolicWS,
)

__all__ = [
    "ARRAYS",
    "ENCODINGS",
    "MAC",
    "OPT1",
    "OPT2",
    "OPT2_TEMPORAL",
    "OPT3",
    "OPT4C",
    "OPT4E",
    "AdderTree",
    "BitSlice",
    "Column",
    "Cube",
    "Design",
    "IllegalMove",
    "Int",
    "Matrix2D",
    "Nest",
    "Operands",
    "SystolicOS",
    "SystolicWS",
    "__version__",
    "catalog",
    "compile",
    "find_design",
]
