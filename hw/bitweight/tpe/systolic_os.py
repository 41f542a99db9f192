"""The output-stationary systolic array: A hops right, B hops down, results stay and drain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitweight.tpe.array import sized
from bitweight.tpe.output_stationary import OutputStationaryArray

__all__ = ["SystolicOS"]


@dataclass(frozen=True)
class SystolicOS(OutputStationaryArray):
    """``rows × cols`` PEs, each with one element of C; operands hop from PE to PE (TPU-like).

    Parameters
    ----------
    rows, cols
        Elements of C along m and n that are computed at once.
    adder_stages
        Registers inside each column's final adder, from 0 to 3; without effect where carries
        propagate in the PEs.
    """

    rows: int = 16
    cols: int = 16
    adder_stages: int = sized(1, 0, 3)
    name: ClassVar[str] = "systolic-os"
    lanes: ClassVar[int] = 1
    hop: ClassVar[bool] = True
    broadcast_stages: ClassVar[int] = 0
