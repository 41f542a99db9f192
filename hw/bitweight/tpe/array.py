"""What an array is: loops in space, a component behind the port contract, packing and cycles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from amaranth.lib import wiring

from bitweight._check import check_int
from bitweight.block import Block
from bitweight.notation import Nest
from bitweight.tpe.stream import Beats

__all__ = ["Array", "StreamShape", "sized", "tiled"]


@dataclass(frozen=True)
class StreamShape:
    """One stream of an array: its direction seen from the array, lanes and element width."""

    direction: str
    lanes: int
    bits: int


def sized(default: int, low: int, high: int) -> Any:
    """Return a field of an array whose range is not the usual 1 to 1024."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class Array(ABC):
    """An array of processing elements. Subclasses are dataclasses of their sizes.

    Attributes
    ----------
    name
        In designs, catalog names and on the command line.
    packing
        For the manifest: by stream, what a beat holds and in which order beats come.
    """

    name: ClassVar[str]
    packing: ClassVar[Mapping[str, str]]

    def __post_init__(self) -> None:
        for size in fields(self):
            low, high = size.metadata.get("range", (1, 1024))
            value = check_int(f"{size.name} of {self.name}", getattr(self, size.name), low, high)
            object.__setattr__(self, size.name, value)

    @classmethod
    def size_names(cls) -> tuple[str, ...]:
        """Return the names of the parameters."""
        return tuple(size.name for size in fields(cls))

    @property
    def sizes(self) -> dict[str, int]:
        """The parameters, by name."""
        return {name: getattr(self, name) for name in self.size_names()}

    @abstractmethod
    def place(self, nest: Nest) -> Nest:
        """Return the plain nest with this array's loops in space."""

    def drain(self, nest: Nest) -> Nest:
        """Return a transformed nest with what the drain shares; by default as it is."""
        return nest

    @abstractmethod
    def streams(self, nest: Nest) -> Mapping[str, StreamShape]:
        """Return the streams by the name of their port."""

    @abstractmethod
    def component(self, nest: Nest, style: str) -> wiring.Component:
        """Return the Amaranth component that computes `nest`."""

    @abstractmethod
    def pe(self, nest: Nest, style: str) -> Block:
        """Return one processing element of that component."""

    @abstractmethod
    def register_bits(self, nest: Nest, style: str) -> int:
        """Return the register bits of all processing elements."""

    @abstractmethod
    def pack(self, A: np.ndarray, B: np.ndarray) -> tuple[Beats, Beats]:
        """Return the beats of both operands; matrices of any size are cut into tiles."""

    @abstractmethod
    def output_last(self, M: int, N: int) -> np.ndarray:
        """Return the ``last`` flags of the result beats of one GEMM, in their order."""

    @abstractmethod
    def unpack(self, beats: np.ndarray, M: int, N: int) -> np.ndarray:
        """Return the result matrix from all result beats [beats, lanes]."""

    @abstractmethod
    def latency(self, nest: Nest) -> int:
        """Return the cycles from a tile's last operand beat to its first result beat."""

    @abstractmethod
    def cycles(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> int:
        """Return the exact number of clock cycles of one GEMM without stalls."""


def tiled(matrix: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Return the matrix padded with zeros and cut: [row tiles, column tiles, rows, cols]."""
    down, right = -(-matrix.shape[0] // rows), -(-matrix.shape[1] // cols)
    padded = np.zeros((down * rows, right * cols), dtype=matrix.dtype)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded.reshape(down, rows, right, cols).swapaxes(1, 2)
