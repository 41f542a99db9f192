"""What an array is: loops in space, a component behind the port contract, packing and cycles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any, ClassVar

import numpy as np
from amaranth.lib import wiring

from bitweight._check import check_int
from bitweight.block import Block
from bitweight.notation import Nest
from bitweight.tpe.activity import KINDS, Activity
from bitweight.tpe.stream import Beats

__all__ = ["Array", "StreamShape", "sized", "tile_beats", "tiled"]


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
    skips
        Whether it leaves out zero digits, so that its cycles depend on A.
    own_encoding
        By name, the encoding that it recodes operands with whatever that of the nest is, or empty.
    """

    name: ClassVar[str]
    packing: ClassVar[Mapping[str, str]]
    skips: ClassVar[bool] = False
    own_encoding: ClassVar[str] = ""

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

    def steps(self, nest: Nest) -> int:
        """Return the cycles that a product takes; at most, where zeros are left out."""
        return nest.passes

    def fill(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> int:
        """Return the cycles of one GEMM in which operands load and none can be multiplied."""
        return 0

    def activity(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> Activity:
        """Return where the cycles of one GEMM without stalls go.

        Here for an array that keeps one pace, which is one unit: it works in every cycle in
        which it takes a beat of A, as often as its loops in time have iterations. Of the others
        :meth:`fill` are those in which beats are taken of B alone, and in the rest, drain, none.
        """
        sizes = {"m": A.shape[0], "n": B.shape[1], "k": A.shape[1]}
        work = nest.passes
        for dim, size in sizes.items():
            work *= -(-size // prod(loop.extent or 1 for loop in nest.spatial(dim)))
        cycles, fill = self.cycles(nest, A, B), self.fill(nest, A, B)
        spent = dict.fromkeys(KINDS, 0) | {
            "work": work,
            "fill": fill,
            "drain": cycles - work - fill,
        }
        return Activity(cycles, {kind: np.array([count]) for kind, count in spent.items()})


def tiled(matrix: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Return the matrix padded with zeros and cut: [row tiles, column tiles, rows, cols]."""
    down, right = -(-matrix.shape[0] // rows), -(-matrix.shape[1] // cols)
    padded = np.zeros((down * rows, right * cols), dtype=matrix.dtype)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded.reshape(down, rows, right, cols).swapaxes(1, 2)


def tile_beats(
    A: np.ndarray, B: np.ndarray, rows: int, cols: int, lanes: int
) -> tuple[Beats, Beats]:
    """Return the beats of tiles of `rows` rows of A and `cols` columns of B.

    A beat has `lanes` of k, in element ``row * lanes + lane``, and zeros where there are none. Row
    tiles are outermost; ``last`` with the last beat of each tile.
    """
    K = -(-A.shape[1] // lanes) * lanes
    a = tiled(A, rows, K)[:, 0]  # [mt, mp, k]
    b = tiled(B, K, cols)[0].swapaxes(1, 2)  # [nt, np, k]
    mt, nt, beats = len(a), len(b), K // lanes
    a, b = (
        side.reshape(len(side), -1, beats, lanes).swapaxes(1, 2).reshape(len(side), beats, -1)
        for side in (a, b)
    )  # [tile, beat, element × lane]
    last = np.tile(np.arange(beats) == beats - 1, mt * nt)
    return (
        Beats(np.repeat(a, nt, axis=0).reshape(-1, rows * lanes), last),
        Beats(np.tile(b, (mt, 1, 1)).reshape(-1, cols * lanes), last),
    )
