"""The output-stationary systolic array: A hops right, B hops down, results stay and drain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bitweight.tpe.output_stationary import OutputStationaryArray

__all__ = ["SystolicOS"]


@dataclass(frozen=True)
class SystolicOS(OutputStationaryArray):
    """``rows × cols`` PEs, each with one element of C; operands hop from PE to PE (TPU-like).

    Parameters
    ----------
    rows, cols
        Elements of C along m and n that are computed at once.
    """

    rows: int = 16
    cols: int = 16
    name: ClassVar[str] = "systolic-os"
    hop: ClassVar[bool] = True

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.rows, self.cols, 1
