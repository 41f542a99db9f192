"""Arrays of processing elements behind one stream contract."""

from __future__ import annotations

from bitweight.tpe.array import Array
from bitweight.tpe.cube import Cube
from bitweight.tpe.matrix2d import Matrix2D
from bitweight.tpe.systolic_os import SystolicOS

__all__ = ["ARRAYS", "Array", "Cube", "Matrix2D", "SystolicOS"]

ARRAYS: dict[str, type[Array]] = {kind.name: kind for kind in (SystolicOS, Matrix2D, Cube)}
"""All arrays by name: one file and one entry each."""
