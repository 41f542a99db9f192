"""Output-stationary arrays: every PE keeps an element of C while operands stream past.

Three arrays are the same in this, and differ in how operands travel and how many products a PE
adds at once: ``systolic-os`` (operands hop), ``matrix2d`` (operands are broadcast) and ``cube``
(broadcast, with several lanes along k in each PE).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.notation import IllegalMove, Nest, interchange, share, split, unroll
from bitweight.pe import multiply_accumulate
from bitweight.pe.bit_serial import BitSerialMac
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.tpe.array import Array, StreamShape, tile_beats
from bitweight.tpe.broadcast import Broadcast
from bitweight.tpe.column import OutputStationaryColumn
from bitweight.tpe.passes import Passes
from bitweight.tpe.stream import Beats, Skew, SkidBuffer, beat_layout, beat_stream

__all__ = ["OutputStationaryArray", "OutputStationaryEngine"]


class OutputStationaryArray(Array):
    """What the three arrays share. Tiles of C follow each other, row tiles outermost."""

    packing = {  # noqa: RUF012 - it is not changed
        "a": "lane i * lanes + l: A[m0 + i, k + l]; a beat per `lanes` of k, the rest zero; "
        "tiles with m0 outermost, then n0",
        "b": "lane j * lanes + l: B[k + l, n0 + j]; beats as those of a",
        "c": "lane j: C[m0 + i, n0 + j]; a beat per i; tiles with m0 outermost, then n0",
    }

    @property
    @abstractmethod
    def rows(self) -> int:
        """Elements of C along m that are computed at once."""

    @property
    @abstractmethod
    def cols(self) -> int:
        """Elements of C along n that are computed at once."""

    @property
    @abstractmethod
    def lanes(self) -> int:
        """Products along k that a PE adds at once."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, and lanes of a PE."""
        return self.rows, self.cols, self.lanes

    @property
    @abstractmethod
    def hop(self) -> bool:
        """Whether operands hop from PE to PE; otherwise they are broadcast."""

    @property
    @abstractmethod
    def adder_stages(self) -> int:
        """Registers inside each column's final adder, where there is one."""

    @property
    @abstractmethod
    def broadcast_stages(self) -> int:
        """Levels of registers on the way to the PEs, where operands are broadcast."""

    def place(self, nest: Nest) -> Nest:
        rows, cols, lanes = self.shape
        nest = split(nest, "m", "mt", "mp", rows)
        nest = split(nest, "n", "nt", "np", cols)
        nest = interchange(nest, "mp", "nt")
        nest = unroll(unroll(nest, "mp", hop=self.hop), "np", hop=self.hop)
        return unroll(split(nest, "k", "kt", "kp", lanes), "kp") if lanes > 1 else nest

    def drain(self, nest: Nest) -> Nest:
        if self.hop and not all(loop.spatial for loop in nest.loops if loop.dim == "bw"):
            raise IllegalMove(
                f"shift comes to all accumulators at once, but operands hop in {self.name}: loop "
                f"bw must be spatial, not {nest.loop('bw')!r}"
            )
        # Carries that propagate after the reduction do so in one adder for a column.
        return share(nest, "add", "mp") if nest.accumulator == "pair" else nest

    def streams(self, nest: Nest) -> Mapping[str, StreamShape]:
        rows, cols, lanes = self.shape
        return {
            "a": StreamShape("in", rows * lanes, nest.a.bits),
            "b": StreamShape("in", cols * lanes, nest.b.bits),
            "c": StreamShape("out", cols, nest.acc),
        }

    def component(self, nest: Nest, style: str) -> OutputStationaryEngine:
        return OutputStationaryEngine(self, nest, style)

    def pe(self, nest: Nest, style: str) -> OutputStationaryPE:
        return OutputStationaryPE(multiply_accumulate(nest, style))

    def register_bits(self, nest: Nest, style: str) -> int:
        core = multiply_accumulate(nest, style)
        return self.shape[0] * self.shape[1] * OutputStationaryPE.register_bits(core)

    def pack(self, A: np.ndarray, B: np.ndarray) -> tuple[Beats, Beats]:
        return tile_beats(A, B, *self.shape)

    def output_last(self, M: int, N: int) -> np.ndarray:
        rows = self.shape[0]
        return np.tile(np.arange(rows) == rows - 1, self._tiles(M, N))

    def unpack(self, beats: np.ndarray, M: int, N: int) -> np.ndarray:
        rows, cols, _ = self.shape
        tiles = beats.reshape(-(-M // rows), -(-N // cols), rows, cols)
        whole = tiles.swapaxes(1, 2).reshape(tiles.shape[0] * rows, -1)
        return whole[:M, :N]

    def latency(self, nest: Nest) -> int:
        skew = self.shape[1] - 1 if self.hop else self.broadcast_stages
        return skew + OutputStationaryColumn.latency_of(nest, self.adder_stages)

    def cycles(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> int:
        rows, _, lanes = self.shape
        beats = -(-A.shape[1] // lanes) * nest.passes
        tiles = self._tiles(A.shape[0], B.shape[1])
        # A column passes on one result per cycle, so tiles end at least `rows` cycles apart;
        # operands that are broadcast must wait until the last row has handed on its result.
        tile = max(beats, rows) if self.hop else beats + rows - 1
        return (beats - 1) + (tiles - 1) * tile + self.latency(nest) + rows

    def _tiles(self, M: int, N: int) -> int:
        rows, cols, _ = self.shape
        return -(-M // rows) * -(-N // cols)


class OutputStationaryEngine(wiring.Component):
    """The array behind its streams.

    Operands are taken together, a beat of each; where there are none, zeros enter and change
    nothing. A result beat that is not taken stops the array as a whole, in the cycle after, so
    that nothing inside depends on the consumer's `ready` combinationally.

    Latency: ``array.latency``. Throughput: one beat of each operand per cycle; a tile of `k`
    beats takes ``max(k, rows)`` cycles where operands hop, and ``k + rows - 1`` where they are
    broadcast, since the rows of a column hand on their results one after the other. Where
    bit-weights are in time, its beats come once for each of them.

    Parameters
    ----------
    array
        Its size, and how operands travel.
    nest
        What it computes; decides which multiply-accumulate the PEs have.
    style
        See :data:`bitweight.pe.STYLES`.

    Attributes
    ----------
    a, b : In(stream)
        Elements of A for each row and of B for each column; ``last`` with a tile's last k, in
        each pass over it.
    c : Out(stream)
        A row of the tile of C; ``last`` with its last row.
    """

    def __init__(self, array: OutputStationaryArray, nest: Nest, style: str) -> None:
        self.array, self.nest = array, nest
        self.core = multiply_accumulate(nest, style)
        directions = {"in": In, "out": Out}
        super().__init__(
            {
                name: directions[shape.direction](beat_stream(shape.lanes, shape.bits))
                for name, shape in array.streams(nest).items()
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, cols, _ = self.array.shape
        hop = self.array.hop

        # Take a beat of both operands, or let zeros in.
        step = Signal()
        take = Signal()
        last = Signal()
        pause = Signal(range(rows))  # steps until the rows have handed on the tile before
        free = (pause == 0) | ~last if hop else pause == 0
        m.d.comb += [
            last.eq(self.a.payload.last | self.b.payload.last),
            take.eq(self.a.valid & self.b.valid & step & free),
            self.a.ready.eq(take),
            self.b.ready.eq(take),
        ]
        operands, end, shift = self._operands(m, take, last)
        with m.If(take & end):
            m.d.sync += pause.eq(rows - 1)
        with m.Elif(step & (pause != 0)):
            m.d.sync += pause.eq(pause - 1)

        a = Mux(take, operands, 0)
        b = self.b.payload.data.as_value()
        columns = [
            OutputStationaryColumn(
                self.core,
                self.nest,
                rows,
                hop=hop,
                broadcast_stages=self.array.broadcast_stages,
                adder_stages=self.array.adder_stages,
            )
            for _ in range(cols)
        ]
        for lane, column in enumerate(columns):
            m.submodules[f"column_{lane}"] = column
            m.d.comb += column.en.eq(step)
        travel = self._hop if hop else self._broadcast
        results = travel(m, columns, step, a, b, take & end)
        if shift is not None:
            (shifts,) = self._spread(m, step, "broadcast_shift", [take & shift])
            m.d.comb += [column.shift_in.eq(shifts.at(i)) for i, column in enumerate(columns)]

        # The last column is the one to wait for: its flags are those of the beat.
        m.submodules.skid = skid = SkidBuffer(beat_layout(cols, self.core.acc).size)
        m.d.comb += [
            step.eq(skid.in_ready),
            skid.in_payload.eq(Cat(results, columns[-1].last)),
            skid.in_valid.eq(columns[-1].valid),
            self.c.payload.eq(skid.out_payload),
            self.c.valid.eq(skid.out_valid),
            skid.out_ready.eq(self.c.ready),
        ]
        return m

    def _operands(self, m: Module, take: Value, last: Value) -> tuple[Value, Value, Value | None]:
        """Return operands A as PEs take them, whether they end a tile, and shift accumulators."""
        operands = self.a.payload.data.as_value()
        if not isinstance(self.core, BitSerialMac):
            return operands, last, None
        rows, _, lanes = self.array.shape
        m.submodules.passes = passes = Passes(self.core.digit, self.nest.a.bits, rows * lanes)
        m.d.comb += [passes.take.eq(take), passes.last.eq(last), passes.operands.eq(operands)]
        return passes.digits, passes.ends, passes.shift

    def _hop(self, m: Module, columns: list, step: Signal, a: Mux, b: Cat, last: Signal) -> Cat:
        """Connect columns in a chain: lane i of each operand enters i steps later."""
        rows, cols, _ = self.array.shape
        a_bits, b_bits = columns[0].a_bits, columns[0].b_bits
        m.submodules.skew_a = skew_a = Skew("skew_a", rows, a_bits, reset=True)
        m.submodules.skew_b = skew_b = Skew("skew_b", cols, b_bits + 1, reset=True)
        m.submodules.deskew_c = deskew = Skew("deskew_c", cols, self.core.acc, reverse=True)
        lanes = [Cat(b[lane * b_bits : (lane + 1) * b_bits], last) for lane in range(cols)]
        m.d.comb += [
            *(block.en.eq(step) for block in (skew_a, skew_b, deskew)),
            skew_a.data_in.eq(a),
            skew_b.data_in.eq(Cat(*lanes)),
            deskew.data_in.eq(Cat(column.result for column in columns)),
        ]
        passing = skew_a.data_out
        for lane, column in enumerate(columns):
            entry = skew_b.data_out[lane * (b_bits + 1) : (lane + 1) * (b_bits + 1)]
            m.d.comb += [
                column.a_in.eq(passing),
                column.b_in.eq(entry[:-1]),
                column.last_in.eq(entry[-1]),
            ]
            passing = column.a_out
        return deskew.data_out

    def _broadcast(
        self, m: Module, columns: list, step: Signal, a: Mux, b: Cat, last: Signal
    ) -> Cat:
        """Send each row of A to all columns, and each column of B to its own."""
        rows = self.array.shape[0]
        a_bits, b_bits = columns[0].a_bits, columns[0].b_bits
        (ends,) = self._spread(m, step, "broadcast_last", [last])
        a_lanes = [a[row * a_bits : (row + 1) * a_bits] for row in range(rows)]
        a_rows = self._spread(m, step, "broadcast_a", a_lanes)
        # Columns that are served by the same registers take the same word.
        words = [Signal(len(a), name=f"a_{i}") for i in range(a_rows[0].words)]
        for i, word in enumerate(words):
            m.d.comb += word.eq(Cat(row.word(i) for row in a_rows))
        for lane, column in enumerate(columns):
            m.d.comb += [
                column.a_in.eq(words[a_rows[0].serves(lane)]),
                column.b_in.eq(b[lane * b_bits : (lane + 1) * b_bits]),
                column.last_in.eq(ends.at(lane)),
            ]
        return Cat(column.result for column in columns)

    def _spread(self, m: Module, step: Signal, name: str, words: list) -> list[Broadcast]:
        """Return, for each word, what takes it to all columns."""
        cols, stages = self.array.shape[1], self.array.broadcast_stages
        blocks = []
        for i, word in enumerate(words):
            block = Broadcast(name, len(word), cols, stages, reset=True)
            m.submodules[f"{name}_{i}"] = block
            m.d.comb += [block.en.eq(step), block.data_in.eq(word)]
            blocks.append(block)
        return blocks
