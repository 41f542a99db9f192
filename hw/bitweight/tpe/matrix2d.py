"""The 2D matrix: rows of A and columns of B are broadcast to a grid of PEs (FlexFlow-like)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitweight.tpe.array import sized
from bitweight.tpe.output_stationary import OutputStationaryArray

__all__ = ["Matrix2D"]


@dataclass(frozen=True)
class Matrix2D(OutputStationaryArray):
    """``rows × cols`` PEs, each with one element of C; operands are broadcast.

    Parameters
    ----------
    rows, cols
        Elements of C along m and n that are computed at once.
    broadcast_stages
        Levels of registers in the broadcast trees, from 0 to 4.
    adder_stages
        Registers inside each column's final adder, from 0 to 3; without effect where carries
        propagate in the PEs.
    """

    rows: int = 16
    cols: int = 16
    broadcast_stages: int = sized(1, 0, 4)
    adder_stages: int = sized(1, 0, 3)
    name: ClassVar[str] = "matrix2d"
    lanes: ClassVar[int] = 1
    hop: ClassVar[bool] = False
