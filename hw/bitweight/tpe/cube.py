"""The 3D cube: a grid of dot-product units with several lanes along k (Ascend-like)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitweight.tpe.array import sized
from bitweight.tpe.output_stationary import OutputStationaryArray

__all__ = ["Cube"]


@dataclass(frozen=True)
class Cube(OutputStationaryArray):
    """``rows × cols`` units that each add `lanes` products at once to their element of C.

    Parameters
    ----------
    rows, cols
        Elements of C along m and n that are computed at once.
    lanes
        Products along k in each unit.
    broadcast_stages
        Levels of registers in the broadcast trees, from 0 to 4.
    adder_stages
        Registers inside each column's final adder, from 0 to 3; without effect where carries
        propagate in the PEs.
    """

    rows: int = 8
    cols: int = 8
    lanes: int = sized(8, 2, 1024)
    broadcast_stages: int = sized(1, 0, 4)
    adder_stages: int = sized(1, 0, 3)
    name: ClassVar[str] = "cube"
    hop: ClassVar[bool] = False
