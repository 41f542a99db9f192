"""The output-stationary systolic array: A hops right, B hops down, results stay and drain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.notation import Nest, interchange, share, split, unroll
from bitweight.pe import multiply_accumulate
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.tpe.array import Array, StreamShape, tiled
from bitweight.tpe.column import SystolicColumn
from bitweight.tpe.stream import Beats, Skew, SkidBuffer, beat_layout, beat_stream

__all__ = ["SystolicOS", "SystolicOSEngine"]


@dataclass(frozen=True)
class SystolicOS(Array):
    """``rows × cols`` PEs, each with one element of C.

    A tile of C takes one beat of each operand per k: a column of A, a row of B. Tiles follow
    each other without a gap, row tiles outermost.

    Parameters
    ----------
    rows, cols
        Elements of C along m and n that are computed at once.
    """

    rows: int = 16
    cols: int = 16
    name: ClassVar[str] = "systolic-os"
    packing: ClassVar[Mapping[str, str]] = {
        "a": "lane i: A[m0 + i, k]; a beat per k; tiles with m0 outermost, then n0",
        "b": "lane j: B[k, n0 + j]; a beat per k; tiles with m0 outermost, then n0",
        "c": "lane j: C[m0 + i, n0 + j]; a beat per i; tiles with m0 outermost, then n0",
    }

    def place(self, nest: Nest) -> Nest:
        nest = split(nest, "m", "mt", "mp", self.rows)
        nest = split(nest, "n", "nt", "np", self.cols)
        nest = interchange(nest, "mp", "nt")
        return unroll(unroll(nest, "mp", hop=True), "np", hop=True)

    def drain(self, nest: Nest) -> Nest:
        # Carries that propagate after the reduction do so in one adder for a column.
        return share(nest, "add", "mp") if nest.accumulator == "pair" else nest

    def streams(self, nest: Nest) -> Mapping[str, StreamShape]:
        return {
            "a": StreamShape("in", self.rows, nest.a.bits),
            "b": StreamShape("in", self.cols, nest.b.bits),
            "c": StreamShape("out", self.cols, nest.acc),
        }

    def component(self, nest: Nest, style: str) -> SystolicOSEngine:
        return SystolicOSEngine(self, nest, style)

    def pe(self, nest: Nest, style: str) -> OutputStationaryPE:
        return OutputStationaryPE(multiply_accumulate(nest, style))

    def register_bits(self, nest: Nest, style: str) -> int:
        core = multiply_accumulate(nest, style)
        return self.rows * self.cols * OutputStationaryPE.register_bits(core)

    def pack(self, A: np.ndarray, B: np.ndarray) -> tuple[Beats, Beats]:
        K = A.shape[1]
        a = tiled(A, self.rows, K)[:, 0].swapaxes(1, 2)  # [mt, k, mp]
        b = tiled(B, K, self.cols)[0]  # [nt, k, np]
        mt, nt = len(a), len(b)
        last = np.tile(np.arange(K) == K - 1, mt * nt)
        return (
            Beats(np.repeat(a, nt, axis=0).reshape(-1, self.rows), last),
            Beats(np.tile(b, (mt, 1, 1)).reshape(-1, self.cols), last),
        )

    def output_last(self, M: int, N: int) -> np.ndarray:
        return np.tile(np.arange(self.rows) == self.rows - 1, self._tiles(M, N))

    def unpack(self, beats: np.ndarray, M: int, N: int) -> np.ndarray:
        tiles = beats.reshape(-(-M // self.rows), -(-N // self.cols), self.rows, self.cols)
        whole = tiles.swapaxes(1, 2).reshape(tiles.shape[0] * self.rows, -1)
        return whole[:M, :N]

    def latency(self, nest: Nest) -> int:
        return self.cols - 1 + SystolicColumn.latency_of(nest)

    def cycles(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> int:
        K, tiles = A.shape[1], self._tiles(A.shape[0], B.shape[1])
        # A column passes on one result per cycle, so tiles end at least `rows` cycles apart.
        last_taken = (K - 1) + (tiles - 1) * max(K, self.rows)
        return last_taken + self.latency(nest) + self.rows

    def _tiles(self, M: int, N: int) -> int:
        return -(-M // self.rows) * -(-N // self.cols)


class SystolicOSEngine(wiring.Component):
    """The array behind its streams.

    Operands are taken together, a beat of each; where there are none, zeros enter and change
    nothing. A result beat that is not taken stops the array as a whole, in the cycle after, so
    that nothing inside depends on the consumer's `ready` combinationally.

    Latency: ``cols - 1`` steps of skew and those of a column. Throughput: one beat of each
    operand per cycle; a tile takes ``max(K, rows)`` cycles.

    Parameters
    ----------
    array
        Its size.
    nest
        What it computes; decides which multiply-accumulate the PEs have.
    style
        See :data:`bitweight.pe.STYLES`.

    Attributes
    ----------
    a, b : In(stream)
        `rows` elements of A and `cols` elements of B for one k; ``last`` with a tile's last k.
    c : Out(stream)
        A row of the tile of C; ``last`` with its last row.
    """

    def __init__(self, array: SystolicOS, nest: Nest, style: str) -> None:
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
        rows, cols = self.array.rows, self.array.cols
        core = self.core

        # Take a beat of both operands, or let zeros in.
        step, take, last = Signal(), Signal(), Signal()
        wait = Signal(range(rows))  # steps until a tile may end without meeting the one before
        m.d.comb += [
            last.eq(self.a.payload.last | self.b.payload.last),
            take.eq(self.a.valid & self.b.valid & step & ((wait == 0) | ~last)),
            self.a.ready.eq(take),
            self.b.ready.eq(take),
        ]
        with m.If(take & last):
            m.d.sync += wait.eq(rows - 1)
        with m.Elif(step & (wait != 0)):
            m.d.sync += wait.eq(wait - 1)

        # Skew the operands: lane i enters i steps later, as the beats before have moved on by i.
        m.submodules.skew_a = skew_a = Skew("skew_a", rows, core.a_bits, reset=True)
        m.submodules.skew_b = skew_b = Skew("skew_b", cols, core.b_bits + 1, reset=True)
        b_lanes = [
            Cat(self.b.payload.data[lane].as_unsigned(), take & last) for lane in range(cols)
        ]
        m.d.comb += [
            skew_a.en.eq(step),
            skew_b.en.eq(step),
            skew_a.data_in.eq(Mux(take, self.a.payload.data.as_value(), 0)),
            skew_b.data_in.eq(Cat(*b_lanes)),
        ]

        a = skew_a.data_out
        columns = [SystolicColumn(core, self.nest, rows) for _ in range(cols)]
        for lane, column in enumerate(columns):
            m.submodules[f"column_{lane}"] = column
            b = skew_b.data_out[lane * (core.b_bits + 1) : (lane + 1) * (core.b_bits + 1)]
            m.d.comb += [
                column.en.eq(step),
                column.a_in.eq(a),
                column.b_in.eq(b[:-1]),
                column.last_in.eq(b[-1]),
            ]
            a = column.a_out

        # The last column is the one to wait for: its flags are those of the beat.
        m.submodules.deskew_c = deskew_c = Skew("deskew_c", cols, core.acc, reverse=True)
        m.submodules.skid = skid = SkidBuffer(beat_layout(cols, core.acc).size)
        m.d.comb += [
            step.eq(skid.in_ready),
            deskew_c.en.eq(step),
            deskew_c.data_in.eq(Cat(column.result for column in columns)),
            skid.in_payload.eq(Cat(deskew_c.data_out, columns[-1].last)),
            skid.in_valid.eq(columns[-1].valid),
            self.c.payload.eq(skid.out_payload),
            self.c.valid.eq(skid.out_valid),
            skid.out_ready.eq(self.c.ready),
        ]
        return m
