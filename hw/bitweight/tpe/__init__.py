"""Arrays of processing elements behind one stream contract."""

from __future__ import annotations

from bitweight.tpe.adder_tree import AdderTree
from bitweight.tpe.array import Array
from bitweight.tpe.bit_slice import BitSlice, Column
from bitweight.tpe.cube import Cube
from bitweight.tpe.laconic import Laconic
from bitweight.tpe.matrix2d import Matrix2D
from bitweight.tpe.systolic_os import SystolicOS
from bitweight.tpe.systolic_ws import SystolicWS

__all__ = [
    "ARRAYS",
    "AdderTree",
    "Array",
    "BitSlice",
    "Column",
    "Cube",
    "Laconic",
    "Matrix2D",
    "SystolicOS",
    "SystolicWS",
]

ARRAYS: dict[str, type[Array]] = {
    kind.name: kind
    for kind in (SystolicOS, SystolicWS, Matrix2D, Cube, AdderTree, Column, BitSlice, Laconic)
}
"""All arrays by name: one file and one entry each."""
