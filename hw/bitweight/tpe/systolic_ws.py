"""The weight-stationary systolic array: A hops right, totals hop down, weights stay (TPU-like)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.notation import Nest, regroup, unroll
from bitweight.pe.multiply_accumulate import MultiplyAccumulate
from bitweight.pe.weight_stationary import WeightStationaryPE, hop_core, start_of
from bitweight.tpe.array import sized
from bitweight.tpe.sequencer import Sequencer
from bitweight.tpe.stream import Skew
from bitweight.tpe.weight_stationary import WeightStationaryArray, WeightStationaryEngine, resolved

__all__ = ["SystolicWS", "SystolicWSEngine", "WeightStationaryColumn"]


@dataclass(frozen=True)
class SystolicWS(WeightStationaryArray):
    """``rows × cols`` PEs, each with one element of B.

    A sum over `rows` of k hops down a column and is added to a buffer of totals at its end.

    Parameters
    ----------
    rows, cols
        Elements of B along k and n that are in use at once.
    depth
        Rows of C that are accumulated in turn. From `rows` on, loading weights costs no time.
    adder_stages
        Registers inside each column's adders, from 0 to 3; without effect where carries
        propagate in the PEs.
    """

    rows: int = 16
    cols: int = 16
    depth: int = 16
    adder_stages: int = sized(1, 0, 3)
    name: ClassVar[str] = "systolic-ws"

    def place(self, nest: Nest) -> Nest:
        nest = unroll(self.order(nest), "np", hop=True)
        return regroup(unroll(nest, "kp", hop=True), "kp")

    def component(self, nest: Nest, style: str) -> SystolicWSEngine:
        return SystolicWSEngine(self, nest, style)

    def pe(self, nest: Nest, style: str) -> WeightStationaryPE:
        return WeightStationaryPE(hop_core(nest, style))

    def register_bits(self, nest: Nest, style: str) -> int:
        return self.rows * self.cols * WeightStationaryPE.register_bits(hop_core(nest, style))

    def sum_latency(self, nest: Nest) -> int:
        skew = self.rows - 1 + self.cols - 1
        return skew + WeightStationaryPE.latency + self.column_latency(nest)


class WeightStationaryColumn(Block):
    """PEs one below the other, the last lane of k on top; A passes through to the next column.

    The lanes of a row of A enter skewed, the topmost first, and so do the flags with them.
    Weights enter on top, those of lane 0 first, and move down by one PE with every beat that
    follows. Totals that hop as pairs are resolved by an adder below.

    Latency: 2 steps from the operand of lane 0, the bottom row, to the sum, and the adder's.
    Throughput: one sum per step.

    Parameters
    ----------
    core
        The multiply-accumulate of the PEs.
    rows
        Number of PEs.
    stages
        Registers inside the adder.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    a_in, load_in, update_in
        For every lane; see :class:`bitweight.pe.weight_stationary.WeightStationaryPE`.
    a_out, load_out, update_out
        The same a step later.
    b
        Weight for the topmost PE.
    word
        The sum, a signed word.
    """

    block_name = "column"

    def __init__(self, core: MultiplyAccumulate, rows: int, stages: int) -> None:
        self.core, self.rows, self.stages = core, rows, stages
        self.key = (id(core), rows, stages)
        super().__init__(
            {
                "en": In(1),
                "a_in": In(rows * core.a_bits),
                "a_out": Out(rows * core.a_bits),
                "load_in": In(rows),
                "load_out": Out(rows),
                "update_in": In(rows),
                "update_out": Out(rows),
                "b": In(core.b_bits),
                "word": Out(core.acc),
            }
        )

    def build(self) -> Module:
        m = Module()
        core = self.core
        b: Value = self.b
        handed = start_of(core, self.rows)
        for lane in reversed(range(self.rows)):
            m.submodules[f"pe_{lane}"] = pe = WeightStationaryPE(core)
            at = slice(lane * core.a_bits, (lane + 1) * core.a_bits)
            m.d.comb += [
                pe.en.eq(self.en),
                pe.a_in.eq(self.a_in[at]),
                pe.load_in.eq(self.load_in[lane]),
                pe.update_in.eq(self.update_in[lane]),
                self.a_out[at].eq(pe.a_out),
                self.load_out[lane].eq(pe.load_out),
                self.update_out[lane].eq(pe.update_out),
                pe.b_in.eq(b),
                *(getattr(pe, f"row_in_{i}").eq(row) for i, row in enumerate(handed)),
            ]
            b = pe.b_out
            handed = [getattr(pe, f"row_out_{i}") for i in range(len(handed))]
        sums = [core.expand(i, row) for i, row in enumerate(handed)]
        m.d.comb += self.word.eq(resolved(m, sums, self.stages, self.en))
        return m


class SystolicWSEngine(WeightStationaryEngine):
    """The systolic array behind its streams: see :class:`WeightStationaryEngine`.

    Latency: `rows` and `cols` steps, and those of the adders. Throughput: a row of A per cycle.

    Parameters
    ----------
    array, nest
        See :class:`WeightStationaryEngine`.
    style
        See :data:`bitweight.pe.STYLES`.
    """

    def __init__(self, array: SystolicWS, nest: Nest, style: str) -> None:
        self.core = hop_core(nest, style)
        super().__init__(array, nest, self.core.acc)

    def sums(self, m: Module, step: Signal, sequencer: Sequencer) -> Value:
        rows, cols = self.array.rows, self.array.cols
        core = self.core
        # What enters a lane with its operand: the first row takes new weights into use, and a
        # beat of weights moves on as far as those before it have left room.
        bits = core.a_bits + 2
        m.submodules.skew_a = skew_a = Skew("skew_a", rows, bits, reverse=True)
        m.submodules.skew_b = skew_b = Skew("skew_b", cols, core.b_bits)
        m.submodules.deskew_c = deskew = Skew("deskew_c", cols, core.acc, reverse=True)
        a = self.a.payload.data.as_value()
        lanes = [
            Cat(
                a[lane * core.a_bits : (lane + 1) * core.a_bits],
                sequencer.take_b & (sequencer.number <= lane),
                sequencer.update,
            )
            for lane in range(rows)
        ]
        m.d.comb += [
            *(block.en.eq(step) for block in (skew_a, skew_b, deskew)),
            skew_a.data_in.eq(Cat(*lanes)),
            skew_b.data_in.eq(self.b.payload.data.as_value()),
        ]
        entry = [skew_a.data_out[lane * bits : (lane + 1) * bits] for lane in range(rows)]
        passing: tuple[Value, ...] = (
            Cat(lane[:-2] for lane in entry),
            Cat(lane[-2] for lane in entry),
            Cat(lane[-1] for lane in entry),
        )
        words = []
        for lane in range(cols):
            column = WeightStationaryColumn(core, rows, self.array.stages(self.nest))
            m.submodules[f"column_{lane}"] = column
            m.d.comb += [
                column.en.eq(step),
                Cat(column.a_in, column.load_in, column.update_in).eq(Cat(*passing)),
                column.b.eq(skew_b.data_out[lane * core.b_bits : (lane + 1) * core.b_bits]),
            ]
            passing = (column.a_out, column.load_out, column.update_out)
            words.append(column.word)
        m.d.comb += deskew.data_in.eq(Cat(*words))
        return deskew.data_out
