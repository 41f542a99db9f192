"""Weight-stationary arrays: a tile of B stays while rows of A stream past it.

Two arrays are the same in this, and differ in how the products of a column are added up:
``systolic-ws`` (totals hop from row to row) and ``adder-tree`` (all at once).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.arith.segmented import SegmentedAdder
from bitweight.notation import Nest, interchange, split
from bitweight.tpe.accumulation import Accumulation, turn
from bitweight.tpe.array import Array, StreamShape, tiled
from bitweight.tpe.sequencer import Sequencer
from bitweight.tpe.stream import Beats, SkidBuffer, beat_layout, beat_stream

__all__ = ["WeightStationaryArray", "WeightStationaryEngine", "resolved"]


class WeightStationaryArray(Array):
    """What both arrays share: sizes, the order of the loops, packing and cycles.

    `depth` rows of C, a block, are accumulated in a buffer below the columns: the rows of A that
    belong to them stream through one tile of weights after the other, along k.
    """

    rows: int
    cols: int
    depth: int
    adder_stages: int

    packing = {  # noqa: RUF012 - it is not changed
        "a": "lane i: A[m, k0 + i]; a beat per row of the block; n0 outermost, then blocks, then "
        "k0; last: the block's last row",
        "b": "lane j: B[k0 + i, n0 + j]; a beat per i, zeros beyond K; a tile per k0 of each "
        "block; last: the last beat of the last k0",
        "c": "lane j: C[m, n0 + j]; a beat per row; n0 outermost; last: the block's last row",
    }

    def order(self, nest: Nest) -> Nest:
        """Return the plain nest with its loops cut and in the order in which tiles come."""
        for dim, outer, inner, extent in (
            ("n", "nt", "np", self.cols),
            ("m", "mt", "mi", self.depth),
            ("k", "kt", "kp", self.rows),
        ):
            nest = split(nest, dim, outer, inner, extent)
        for outer, inner in (("mi", "nt"), ("mt", "nt"), ("np", "kt"), ("mi", "kt")):
            nest = interchange(nest, outer, inner)
        return nest

    def streams(self, nest: Nest) -> Mapping[str, StreamShape]:
        return {
            "a": StreamShape("in", self.rows, nest.a.bits),
            "b": StreamShape("in", self.cols, nest.b.bits),
            "c": StreamShape("out", self.cols, nest.acc),
        }

    def stages(self, nest: Nest) -> int:
        """Return the registers inside of each adder: none where carries propagate elsewhere."""
        return self.adder_stages if nest.carry_save else 0

    def column_latency(self, nest: Nest) -> int:
        """Return the steps from the rows of a column's sum to its word: see :func:`resolved`."""
        return self.stages(nest) + 1 if nest.carry_save else 0

    @abstractmethod
    def sum_latency(self, nest: Nest) -> int:
        """Return the steps from a row of A to its sums, which are about to be accumulated."""

    def pack(self, A: np.ndarray, B: np.ndarray) -> tuple[Beats, Beats]:
        K = -(-A.shape[1] // self.rows) * self.rows
        a = tiled(A, len(A), self.rows)[0]  # [kt, m, kp]
        b = tiled(B, K, self.cols)[0]  # [nt, k, np]
        blocks = [a[:, m0 : m0 + self.depth] for m0 in range(0, len(A), self.depth)]
        sizes = [block.shape[1] for block in blocks]
        ends = [np.tile(np.arange(size) == size - 1, len(a)) for size in sizes]
        rows = np.concatenate([block.reshape(-1, self.rows) for block in blocks])
        last = np.arange(K) == K - 1
        return (
            Beats(np.tile(rows, (len(b), 1)), np.tile(np.concatenate(ends), len(b))),
            Beats(
                np.repeat(b, len(blocks), axis=0).reshape(-1, self.cols),
                np.tile(last, len(b) * len(blocks)),
            ),
        )

    def output_last(self, M: int, N: int) -> np.ndarray:
        row = np.arange(M)
        ends = (row % self.depth == self.depth - 1) | (row == M - 1)
        return np.tile(ends, -(-N // self.cols))

    def unpack(self, beats: np.ndarray, M: int, N: int) -> np.ndarray:
        columns = beats.reshape(-(-N // self.cols), M, self.cols)
        return columns.swapaxes(0, 1).reshape(M, -1)[:, :N]

    def latency(self, nest: Nest) -> int:
        return self.sum_latency(nest) + self.stages(nest) + 1

    def cycles(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> int:
        blocks, tiles = self._blocks(A, B)
        least = max(self.rows, turn(self.stages(nest)))
        # All tiles of weights follow each other; nothing waits for the last.
        steps = tiles * sum(max(block, least) for block in blocks)
        steps += blocks[-1] - max(blocks[-1], least)
        return self.rows + steps + self.latency(nest)

    def fill(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> int:
        blocks, tiles = self._blocks(A, B)
        # The first tile of weights; of each that follows, what lasts longer than the block before.
        waits = [max(self.rows - block, 0) for block in blocks]
        return self.rows + tiles * sum(waits) - waits[-1]

    def _blocks(self, A: np.ndarray, B: np.ndarray) -> tuple[list[int], int]:
        """Return the rows of each block, and the tiles of weights for each of them."""
        whole, rest = divmod(len(A), self.depth)
        tiles = -(-len(B) // self.rows) * -(-B.shape[1] // self.cols)
        return [self.depth] * whole + [rest] * (rest > 0), tiles


def resolved(m: Module, rows: Sequence[Value], stages: int, en: Value) -> Value:
    """Return the sum of a column as one word: its only row, or its two rows added up.

    Latency: 0 steps for one row, ``stages + 1`` for two. Throughput: one sum per step.

    Parameters
    ----------
    m
        To which the adder and its registers are added.
    rows
        Signed words of the same width.
    stages
        Registers inside the adder; another one follows it.
    en
        Nothing changes without it.
    """
    if len(rows) == 1:
        return rows[0]
    total, carry = rows
    added = SegmentedAdder(len(total), stages).hardware(m, total, carry, en)
    registered = Signal(len(total), reset_less=True)
    with m.If(en):
        m.d.sync += registered.eq(added)
    return registered


class WeightStationaryEngine(wiring.Component):
    """An array behind its streams; how a row of A becomes a sum for each column is `sums`.

    A result beat that is not taken stops the array as a whole, in the cycle after, so that
    nothing inside depends on the consumer's `ready` combinationally. Where there is no row of A,
    nothing is accumulated.

    Latency: ``array.latency``. Throughput: one row of A per cycle, as long as a tile of weights
    is in use for `rows` cycles, the time that the next one takes to load.

    Parameters
    ----------
    array
        Its size.
    nest
        What it computes.
    bits
        Width of the sums.

    Attributes
    ----------
    a, b : In(stream)
        A row of a tile of A, ``last`` with a block's last row. A row of a tile of B, ``last``
        with that which ends a block's last tile.
    c : Out(stream)
        A row of the tile of C; ``last`` with its block's last row.
    """

    def __init__(self, array: WeightStationaryArray, nest: Nest, bits: int) -> None:
        self.array, self.nest, self.bits = array, nest, bits
        directions = {"in": In, "out": Out}
        super().__init__(
            {
                name: directions[shape.direction](beat_stream(shape.lanes, shape.bits))
                for name, shape in array.streams(nest).items()
            }
        )

    @abstractmethod
    def sums(self, m: Module, step: Signal, sequencer: Sequencer) -> Value:
        """Add what is between the operands and the sums, `bits` for each column."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, nest = self.array, self.nest
        stages = array.stages(nest)
        step = Signal()

        sequencer = Sequencer(array.rows, array.depth, turn(stages))
        m.submodules.sequencer = sequencer
        m.d.comb += [
            sequencer.step.eq(step),
            sequencer.a_valid.eq(self.a.valid),
            sequencer.a_last.eq(self.a.payload.last),
            sequencer.b_valid.eq(self.b.valid),
            sequencer.b_last.eq(self.b.payload.last),
            self.a.ready.eq(sequencer.take_a),
            self.b.ready.eq(sequencer.take_b),
        ]

        # The flags of a row wait for its sums; they come one step ahead of them.
        flags = Cat(self.a.payload.last, sequencer.complete, sequencer.first, sequencer.row)
        steps = array.sum_latency(nest) - 1
        valid = Signal(steps)
        waiting = Signal(steps * len(flags), reset_less=True)
        with m.If(step):
            m.d.sync += valid.eq(Cat(sequencer.take_a, valid))
            m.d.sync += waiting.eq(Cat(flags, waiting))
        arrived = waiting[-len(flags) :]

        accumulation = Accumulation(array.cols, array.depth, self.bits, nest.acc, stages)
        m.submodules.accumulation = accumulation
        m.submodules.skid = skid = SkidBuffer(beat_layout(array.cols, nest.acc).size)
        m.d.comb += [
            accumulation.en.eq(step),
            accumulation.valid.eq(valid[-1]),
            accumulation.last.eq(arrived[0]),
            accumulation.complete.eq(arrived[1]),
            accumulation.first.eq(arrived[2]),
            accumulation.row.eq(arrived[3:]),
            accumulation.words.eq(self.sums(m, step, sequencer)),
            step.eq(skid.in_ready),
            skid.in_payload.eq(Cat(accumulation.results, accumulation.results_last)),
            skid.in_valid.eq(accumulation.results_valid),
            self.c.payload.eq(skid.out_payload),
            self.c.valid.eq(skid.out_valid),
            skid.out_ready.eq(self.c.ready),
        ]
        return m
