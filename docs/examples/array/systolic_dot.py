"""A systolic array of dot products: operands hop, every PE adds several products at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitweight.tpe.array import sized
from bitweight.tpe.output_stationary import OutputStationaryArray

__all__ = ["SystolicDot"]


@dataclass(frozen=True)
class SystolicDot(OutputStationaryArray):
    """``rows × cols`` PEs, each adding `lanes` products a cycle; operands hop from PE to PE.

    Parameters
    ----------
    rows, cols
        Elements of C along m and n that are computed at once.
    lanes
        Products along k in each PE.
    adder_stages
        Registers inside each column's final adder, from 0 to 3; without effect where carries
        propagate in the PEs.
    """

    rows: int = 8
    cols: int = 8
    lanes: int = sized(4, 2, 1024)
    adder_stages: int = sized(1, 0, 3)
    name: ClassVar[str] = "systolic-dot"
    hop: ClassVar[bool] = True
    broadcast_stages: ClassVar[int] = 0
