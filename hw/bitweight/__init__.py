"""Generate, verify and measure tensor processing engines."""

from __future__ import annotations

from bitweight._version import __version__
from bitweight.arith import ENCODINGS
from bitweight.catalog import catalog, find_design
from bitweight.design import Design, Operands
from bitweight.notation import MAC, OPT1, IllegalMove, Int, Nest
from bitweight.tpe import ARRAYS, SystolicOS

__all__ = [
    "ARRAYS",
    "ENCODINGS",
    "MAC",
    "OPT1",
    "Design",
    "IllegalMove",
    "Int",
    "Nest",
    "Operands",
    "SystolicOS",
    "__version__",
    "catalog",
    "find_design",
]
