"""Generate, verify and measure tensor processing engines."""

from __future__ import annotations

from bitweight._version import __version__
from bitweight.arith import ENCODINGS
from bitweight.catalog import catalog, find_design
from bitweight.design import Design, Operands
from bitweight.notation import MAC, OPT1, OPT2, OPT2_TEMPORAL, IllegalMove, Int, Nest
from bitweight.tpe import ARRAYS, AdderTree, Cube, Matrix2D, SystolicOS, SystolicWS

__all__ = [
    "ARRAYS",
    "ENCODINGS",
    "MAC",
    "OPT1",
    "OPT2",
    "OPT2_TEMPORAL",
    "AdderTree",
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
    "find_design",
]
