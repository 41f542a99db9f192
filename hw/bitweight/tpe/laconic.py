"""Laconic: the bit-slice baseline, which recodes both operands and skips what is zero in either.

Source: Sharify et al., "Laconic Deep Learning Inference Acceleration", ISCA 2019.

Elements that take operands from queues of their own do fewer cycles than elements in step: for
INT8 operands from a normal distribution and 16 lanes, 10.2 instead of 13.5 a group in an array of
8 × 8, with one group in each queue. They would have to keep all operands and walk through their
terms themselves, which takes more area than the rest of an element. In step, that is done once
for a row or a column, and the larger the array the less of it there is for each element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from bitweight.notation import OPT1, Nest, interchange, share, split, unroll
from bitweight.pe.laconic import LaconicPE
from bitweight.pe.term_sum import TermSum
from bitweight.pe.terms import Terms
from bitweight.tpe.activity import KINDS, Activity
from bitweight.tpe.array import Array, StreamShape, sized, tile_beats, tiled
from bitweight.tpe.laconic_engine import LaconicEngine
from bitweight.tpe.stream import Beats

__all__ = ["Laconic"]

_term_sum = lru_cache(TermSum)
"""Planning a large tree takes a second."""


@dataclass(frozen=True)
class Laconic(Array):
    """``rows × cols`` elements in step, each with a pair of terms of `lanes` products per cycle.

    A group of products, `lanes` along k in every element, takes as many cycles as the slowest
    lane of all elements has pairs of terms, at least `least`.

    In the notation, both loops over the bit-weights of a product, of A and of B, run inside of
    ``map``, a pair of terms a cycle. The carry-save accumulation of OPT1 is part of the array, so
    that no other transformation is legal. The encoding of the nest and the style of a MAC are
    without effect.

    Parameters
    ----------
    rows, cols
        Elements of C along m and n that are computed at once.
    lanes
        Products along k in each element.
    broadcast_stages
        Levels of registers in the broadcast of terms, from 0 to 4.
    adder_stages
        Registers inside each column's final adder, from 0 to 3.
    """

    rows: int = 8
    cols: int = 8
    lanes: int = 16
    broadcast_stages: int = sized(0, 0, 4)
    adder_stages: int = sized(3, 0, 3)
    name: ClassVar[str] = "laconic"
    own_encoding: ClassVar[str] = "csd4"
    least: ClassVar[int] = 2
    """Cycles of a group in which no lane has more pairs of terms."""
    fill_cycles: ClassVar[int] = 3
    """From the first operand beat to its first pair of terms."""
    packing: ClassVar[Mapping[str, str]] = {
        "a": "lane i * lanes + l: A[m0 + i, k + l]; a beat per `lanes` of k, the rest zero; "
        "tiles with m0 outermost, then n0",
        "b": "lane j * lanes + l: B[k + l, n0 + j]; beats as those of a",
        "c": "lane j: C[m0 + i, n0 + j]; a beat per i; tiles with m0 outermost, then n0",
    }

    def place(self, nest: Nest) -> Nest:
        nest = split(nest, "m", "mt", "mp", self.rows)
        nest = split(nest, "n", "nt", "np", self.cols)
        nest = interchange(nest, "mp", "nt")
        nest = unroll(unroll(nest, "mp"), "np")
        if self.lanes > 1:
            nest = unroll(split(nest, "k", "kt", "kp", self.lanes), "kp")
        return OPT1(nest)

    def drain(self, nest: Nest) -> Nest:
        return share(nest, "add", "mp")

    def streams(self, nest: Nest) -> Mapping[str, StreamShape]:
        return {
            "a": StreamShape("in", self.rows * self.lanes, nest.a.bits),
            "b": StreamShape("in", self.cols * self.lanes, nest.b.bits),
            "c": StreamShape("out", self.cols, nest.acc),
        }

    def component(self, nest: Nest, style: str = "") -> LaconicEngine:
        return LaconicEngine(self, nest)

    def pe(self, nest: Nest, style: str = "") -> LaconicPE:
        return LaconicPE(Terms(nest.a.bits), Terms(nest.b.bits), self.core(nest))

    def core(self, nest: Nest) -> TermSum:
        """Return what adds up products of terms in an element."""
        tops = Terms(nest.a.bits).top + Terms(nest.b.bits).top
        return _term_sum(self.lanes, tops, nest.acc)

    def register_bits(self, nest: Nest, style: str = "") -> int:
        return self.rows * self.cols * LaconicPE.register_bits(self.core(nest))

    def steps(self, nest: Nest) -> int:
        """Return the pairs of terms of a product, at most."""
        return Terms(nest.a.bits).count * Terms(nest.b.bits).count

    def pack(self, A: np.ndarray, B: np.ndarray) -> tuple[Beats, Beats]:
        return tile_beats(A, B, self.rows, self.cols, self.lanes)

    def output_last(self, M: int, N: int) -> np.ndarray:
        return np.tile(np.arange(self.rows) == self.rows - 1, self._tiles(M, N))

    def unpack(self, beats: np.ndarray, M: int, N: int) -> np.ndarray:
        tiles = beats.reshape(-(-M // self.rows), -(-N // self.cols), self.rows, self.cols)
        whole = tiles.swapaxes(1, 2).reshape(tiles.shape[0] * self.rows, -1)
        return whole[:M, :N]

    def pipeline(self, nest: Nest) -> int:
        """Return the cycles from a pair of terms, chosen at the edges, to the accumulators."""
        return 1 + self.broadcast_stages + self.core(nest).latency

    def latency(self, nest: Nest) -> int:
        """Return the cycles from a tile's last operand beat to its first result beat.

        Of a beat whose group takes :attr:`least` cycles, and that waits for none before it.
        """
        before = self.fill_cycles + self.least - 1
        return before + self.pipeline(nest) + 2 + self.adder_stages

    def cycles(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> int:
        work = int(self.group_cycles(nest, A, B).sum())
        # Between two tiles all totals leave, and only then the first terms of the next come.
        gaps = (self._tiles(A.shape[0], B.shape[1]) - 1) * (self.pipeline(nest) + self.rows)
        return self.latency(nest) + work - self.least + gaps + self.rows

    def group_cycles(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Return the cycles of each group of products: int64 [row tiles, column tiles, groups]."""
        a, b = self._numbers(nest, A, B)
        # The largest product of an operand of A with one of B is that of the largest of each.
        pairs = (a_tile.max(axis=1) * b.max(axis=2) for a_tile in a)
        return np.stack([np.maximum(self.least, tile.max(axis=-1)) for tile in pairs])

    def pe_cycles(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Return the cycles that every element's own slowest lanes need: int64 [rows, cols].

        The others of :meth:`group_cycles` it waits for other elements, or for nothing to do.
        """
        a, b = self._numbers(nest, A, B)
        total = np.zeros((self.rows, self.cols), dtype=np.int64)
        for a_tile in a:
            for b_tile in b:
                pairs = a_tile[:, :, None] * b_tile[:, None]
                total += pairs.max(axis=-1).sum(axis=0, dtype=np.int64)
        return total

    def pairs(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> int:
        """Return the pairs of terms of all products, each a cycle of one lane."""
        a, b = (Terms(x.bits).number(m) for x, m in ((nest.a, A), (nest.b, B)))
        return int(a.sum(axis=0) @ b.sum(axis=1))

    def activity(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> Activity:
        """Return where the cycles of one GEMM without stalls go; each element is a unit."""
        cycles = self.cycles(nest, A, B)
        groups = int(self.group_cycles(nest, A, B).sum())
        work = self.pe_cycles(nest, A, B).ravel()
        spent = {kind: np.zeros_like(work) for kind in KINDS}
        spent |= {"work": work, "sync": groups - work}
        spent["fill"] = np.full_like(work, self.fill_cycles)
        spent["drain"] = cycles - self.fill_cycles - np.full_like(work, groups)
        return Activity(cycles, spent)

    def _numbers(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> Iterator[np.ndarray]:
        """Yield how many terms operands have: int64 [tiles, groups, rows or columns, lanes]."""
        K = -(-A.shape[1] // self.lanes) * self.lanes
        for operand, matrix, side in ((nest.a, A, self.rows), (nest.b, B.T, self.cols)):
            numbers = tiled(Terms(operand.bits).number(matrix), side, K)[:, 0]
            yield numbers.reshape(len(numbers), side, -1, self.lanes).swapaxes(1, 2)

    def _tiles(self, M: int, N: int) -> int:
        return -(-M // self.rows) * -(-N // self.cols)
