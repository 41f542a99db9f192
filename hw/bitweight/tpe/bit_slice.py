"""Bit-slice arrays: columns of PEs that take one non-zero digit of A after the other.

Every column has a row of A, and the PEs of a column, one below the other, a column of B each.
A digit goes to all PEs of its column; operands B come from banks that all columns read. The
column goes through the digits at its own pace, and waits for the others at the end of a block
of k. Source: HPCA 2025 (arXiv 2503.06342), sections 3.3, 3.4 and 4.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from bitweight.arith import ENCODINGS
from bitweight.notation import IllegalMove, Nest, interchange, share, split, unroll
from bitweight.pe import multiply_accumulate
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.pe.sparse import SparsePE
from bitweight.tpe.activity import Activity
from bitweight.tpe.array import Array, StreamShape, sized, tile_beats
from bitweight.tpe.bit_slice_engine import BitSliceEngine
from bitweight.tpe.layout import BlockLayout
from bitweight.tpe.merge import MergeColumn
from bitweight.tpe.schedule import Block, Pace, Schedule, schedule
from bitweight.tpe.stream import Beats

__all__ = ["BitSlice", "BitSliceArray", "Column"]


class BitSliceArray(Array):
    """What single columns and arrays of columns share."""

    skips = True
    packing = {  # noqa: RUF012 - it is not changed
        "a": "lane i * group + g: A[m0 + i, k + g]; a beat per `group` of k, the rest zero; "
        "tiles with m0 outermost, then n0",
        "b": "lane j * group + g: B[k + g, n0 + j]; beats as those of a",
        "c": "lane i: C[m0 + i, n0 + j]; a beat per j; tiles with m0 outermost, then n0",
    }

    @property
    @abstractmethod
    def rows(self) -> int:
        """PEs of a column."""

    @property
    @abstractmethod
    def cols(self) -> int:
        """Columns."""

    @property
    @abstractmethod
    def group(self) -> int:
        """Operands of a word."""

    @property
    @abstractmethod
    def block(self) -> int:
        """Operands along k of a block."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """Blocks that the buffers hold."""

    @property
    @abstractmethod
    def adder_stages(self) -> int:
        """Registers inside each of both adders of a column."""

    @property
    @abstractmethod
    def element_stages(self) -> int:
        """Registers between the products of a PE and its accumulator."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block % self.group:
            raise ValueError(
                f"block of {self.name} must be a multiple of its group of {self.group}, "
                f"not {self.block!r}"
            )

    def place(self, nest: Nest) -> Nest:
        nest = split(nest, "m", "mt", "mp", self.cols)
        nest = split(nest, "n", "nt", "np", self.rows)
        nest = interchange(nest, "mp", "nt")
        nest = unroll(unroll(nest, "mp"), "np", hop=True)
        return split(nest, "k", "kb", "k", self.block)

    def drain(self, nest: Nest) -> Nest:
        if not nest.sparse:
            raise IllegalMove(
                f"the PEs of {self.name} take digits one at a time and none that is zero: a nest "
                "without sparse has all of them"
            )
        if not nest.shared_digits and any(nest.spatial("k")):
            raise IllegalMove(
                "a PE with several lanes along k takes digits that are made for its column: encode "
                f"must not run inside of a loop over n, not {nest.the('encode').level!r}"
            )
        if not nest.shared_digits and self.element_stages:
            raise IllegalMove(
                "a PE that makes the digits itself has no register behind its product: "
                f"element_stages must be 0, not {self.element_stages!r}"
            )
        return share(nest, "add", "np")

    def layout(self, nest: Nest) -> BlockLayout:
        """Return where operands lie in the buffers."""
        lanes = prod(loop.extent or 1 for loop in nest.spatial("k"))
        whole = not nest.shared_digits
        return BlockLayout(self.cols, lanes, self.group, self.block, self.depth, whole)

    def streams(self, nest: Nest) -> Mapping[str, StreamShape]:
        return {
            "a": StreamShape("in", self.cols * self.group, nest.a.bits),
            "b": StreamShape("in", self.rows * self.group, nest.b.bits),
            "c": StreamShape("out", self.cols, nest.acc),
        }

    def component(self, nest: Nest, style: str) -> BitSliceEngine:
        return BitSliceEngine(
            self.streams(nest),
            self.layout(nest),
            self.core(nest),
            nest,
            self.rows,
            self.adder_stages,
        )

    def pe(self, nest: Nest, style: str) -> OutputStationaryPE | SparsePE:
        core = self.core(nest)
        if nest.shared_digits:
            return OutputStationaryPE(core, stalls=False)
        return SparsePE(core, OneDigit(ENCODINGS[nest.encoding.name]), nest.a.bits, self.group)

    def register_bits(self, nest: Nest, style: str) -> int:
        core = self.core(nest)
        if nest.shared_digits:
            return self.rows * self.cols * OutputStationaryPE.register_bits(core)
        return self.rows * self.cols * SparsePE.register_bits(core, self.group)

    def pack(self, A: np.ndarray, B: np.ndarray) -> tuple[Beats, Beats]:
        return tile_beats(A, B, self.cols, self.rows, self.group)

    def output_last(self, M: int, N: int) -> np.ndarray:
        return np.tile(np.arange(self.rows) == self.rows - 1, self._tiles(M, N))

    def unpack(self, beats: np.ndarray, M: int, N: int) -> np.ndarray:
        tiles = beats.reshape(-(-M // self.cols), -(-N // self.rows), self.rows, self.cols)
        whole = tiles.transpose(0, 3, 1, 2).reshape(tiles.shape[0] * self.cols, -1)
        return whole[:M, :N]

    def latency(self, nest: Nest) -> int:
        """Return the cycles from a tile's last beat to its first result, at least.

        They are that few where all digits are zero.
        """
        none = np.zeros((1, 1), dtype=np.int64)
        return self.cycles(nest, none, none) - self.rows

    def cycles(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> int:
        return self.schedule(nest, A, B.shape[1]).cycles

    def activity(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> Activity:
        found = self.schedule(nest, A, B.shape[1])
        return Activity(found.cycles, {name: kind.ravel() for name, kind in found.kinds.items()})

    def schedule(self, nest: Nest, A: np.ndarray, N: int) -> Schedule:
        """Return what every column does when, for ``A @ B`` with a B of `N` columns."""
        tail = BitSliceEngine.latency_of(nest, self.core(nest), self.rows, self.adder_stages)
        pace = Pace(
            layout=self.layout(nest),
            passes=nest.passes,
            gap=MergeColumn.gap(self.rows, self.adder_stages),
            release=BitSliceEngine.release_of(self.rows),
            tail=tail + self.rows - 1,
        )
        return schedule(list(self._blocks(nest, A, N)), pace)

    def _blocks(self, nest: Nest, A: np.ndarray, N: int) -> Iterator[Block]:
        """Yield the digits of all blocks in their order."""
        lanes = self.layout(nest).lanes
        a, _ = tile_beats(A, np.zeros((A.shape[1], 1), dtype=np.int64), self.cols, 1, self.group)
        words = a.data.reshape(-(-A.shape[0] // self.cols), -1, self.cols, self.group)
        some = nest.encoding.recode(words, nest.a.bits) != 0
        masks = np.einsum("tbcgp,g->tcpb", some, 1 << np.arange(self.group))
        size = self.block // self.group
        for tile in masks:  # [column, pass, word]
            blocks = [tile[..., at : at + size] for at in range(0, tile.shape[-1], size)]
            whole = [
                Block(
                    [
                        [block[column, :, lane::lanes].tolist() for lane in range(lanes)]
                        for column in range(self.cols)
                    ],
                    block.shape[-1],
                    number == len(blocks) - 1,
                )
                for number, block in enumerate(blocks)
            ]
            for _ in range(-(-N // self.rows)):
                yield from whole

    def _tiles(self, M: int, N: int) -> int:
        return -(-M // self.cols) * -(-N // self.rows)

    def core(self, nest: Nest) -> CarrySaveMac:
        """Return the step of a PE; that of a nest with digits in time keeps a pair."""
        core = multiply_accumulate(nest, "operator", staged=bool(self.element_stages))
        assert isinstance(core, CarrySaveMac)
        return core


@dataclass(frozen=True)
class BitSlice(BitSliceArray):
    """`cols` columns, each with a row of A, of `rows` PEs, each with a column of B.

    Parameters
    ----------
    rows
        PEs of a column: elements of C along n that are computed at once.
    cols
        Columns: elements of C along m.
    group
        Operands along k of a word, from 1 to 16: its non-zero digits are found at once.
    block
        Operands along k of a block, a multiple of `group`: columns wait for the slowest at the
        end of each. With more than ``cols · lanes`` operands several share a bank.
    depth
        Blocks that the operand buffers hold, from 1 to 8; with one, nothing is loaded while it is
        worked on.
    adder_stages
        Registers inside each of the two adders of a column, from 0 to 3.
    element_stages
        Registers between the products of a PE and its accumulator, 0 or 1: worth their area where
        several products are added at once.
    """

    rows: int = 16
    cols: int = 16
    group: int = sized(4, 1, 16)
    block: int = sized(32, 1, 65536)
    depth: int = sized(2, 1, 8)
    adder_stages: int = sized(2, 0, 3)
    element_stages: int = sized(0, 0, 1)
    name: ClassVar[str] = "bitslice"


@dataclass(frozen=True)
class Column(BitSliceArray):
    """A single column of PEs, with a row of A.

    Parameters
    ----------
    rows, group, block, depth, adder_stages, element_stages
        See :class:`BitSlice`.
    """

    rows: int = 32
    group: int = sized(4, 1, 16)
    block: int = sized(128, 1, 65536)
    depth: int = sized(2, 1, 8)
    adder_stages: int = sized(2, 0, 3)
    element_stages: int = sized(0, 0, 1)
    name: ClassVar[str] = "column"
    cols: ClassVar[int] = 1
