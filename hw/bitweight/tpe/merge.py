"""The drain of a bit-slice column: partial results are resolved, shifted and merged."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.arith.onehot import choose
from bitweight.arith.segmented import SegmentedAdder
from bitweight.block import Block
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.tpe.accumulation import AccumulationColumn, turn
from bitweight.tpe.layout import index_bits

__all__ = ["MergeColumn"]


class MergeColumn(Block):
    """One adder chain for all PEs of a column, and a total for each of them.

    The pairs of a pass come one after the other, PE 0 first. Each is added up (resolve), given the
    weight of its digit (shift) and added to the total of its PE (merge). After the last pass of
    the last block of a tile the totals pass through the adder once more, with nothing to add, and
    leave. They may be stopped then, and no pass ends before they have left.

    Latency: `latency_of` steps from the last pair of a total to the total. Throughput: a pair per
    step; the pairs of a pass come at least :func:`gap` steps after those of the one before.

    Parameters
    ----------
    core
        What the PEs keep.
    passes
        Digits of an operand.
    pes
        Number of PEs.
    acc
        Width of a total.
    stages
        Registers inside each of both adders.
    delay
        Steps from `ends` to the pair of PE 0.

    Attributes
    ----------
    go : In(1)
        Totals move in the next step. Always set but where `leaves`.
    leaves : Out(1)
        In the next step there may be a complete total.
    ends, turn, first, complete : In
        A pass ends: of which digit, whether it is the first of its tile, and the last.
    drain_0, drain_1 : In
        The rows of every PE, zero but for the one whose turn it is.
    result, valid, last : Out
        A complete total; `last` with that of the last PE.
    """

    block_name = "merge"

    def __init__(
        self, core: CarrySaveMac, passes: int, pes: int, acc: int, stages: int, delay: int
    ) -> None:
        self.core, self.passes, self.pes, self.acc = core, passes, pes, acc
        self.stages, self.delay = stages, delay
        self.key = (id(core), passes, pes, acc, stages, delay)
        self.step_bits = core.encoding.radix.bit_length() - 1
        super().__init__(
            {
                "go": In(1),
                "ends": In(1),
                "turn": In(passes),
                "first": In(1),
                "complete": In(1),
                **{f"drain_{i}": In(pes * len(row)) for i, row in enumerate(core.rows)},
                "leaves": Out(1),
                "result": Out(acc),
                "valid": Out(1),
                "last": Out(1),
            }
        )

    @staticmethod
    def latency_of(pes: int, stages: int) -> int:
        """Return the steps from the last pair of a total to the total.

        A register, two adders with one behind each, one behind the shift, and the pass with nothing
        to add.
        """
        return 2 + 2 * (stages + 1) + MergeColumn.gap(pes, stages)

    @staticmethod
    def gap(pes: int, stages: int) -> int:
        """Return the fewest steps between the ends of passes."""
        return max(pes, turn(stages))

    def build(self) -> Module:
        m = Module()
        en = Signal(reset_less=True)
        m.d.sync += en.eq(self.go)

        # Which pass the total that is read belongs to: `begin` comes a step before that of PE 0.
        begin = Cat(self.ends)
        tag = Cat(self.turn, self.first, self.complete)
        for step in range(self.delay + self.stages + 1):
            held = Signal(name=f"ends_{step}")
            held_tag = Signal(len(tag), name=f"tag_{step}", reset_less=True)
            m.d.sync += [held.eq(begin), held_tag.eq(tag)]
            begin, tag = held, held_tag
        gap = self.gap(self.pes, self.stages)
        number = Signal(index_bits(gap), reset_less=True)
        running = Signal()
        leaving = Signal(reset_less=True)
        present = Signal(len(tag), reset_less=True)
        present_first, present_complete = present[-2], present[-1]
        final = number == self.pes - 1
        with m.If(begin):
            m.d.sync += [number.eq(0), running.eq(1), leaving.eq(0), present.eq(tag)]
        with m.Elif(en & running):
            with m.If(number == gap - 1):
                m.d.sync += [
                    number.eq(0),
                    running.eq(present_complete & ~leaving),
                    leaving.eq(1),
                    present_first.eq(0),
                ]
            with m.Else():
                m.d.sync += number.eq(number + 1)

        width = self.core.acc
        # Between two registers of a carry chain is a bit at least: a narrow pair gets more.
        adder = SegmentedAdder(max(width, self.stages + 1), self.stages)
        resolved = Signal(width, reset_less=True)
        pair = []
        for i, columns in enumerate(self.core.rows):
            drain = getattr(self, f"drain_{i}")
            held = Signal(len(columns), name=f"pair_{i}", reset_less=True)
            m.d.sync += held.eq(
                reduce(or_, (drain.word_select(pe, len(columns)) for pe in range(self.pes)))
            )
            pair.append(held)
        above = Const(0, adder.width - width)
        rows = [Cat(self.core.expand(i, held), above) for i, held in enumerate(pair)]
        m.d.sync += resolved.eq(adder.hardware(m, rows[0], rows[1], Const(1, 1)))
        # Beside each register behind the total's read: the word, those of the adder, the total.
        inside = running & (number < self.pes)
        flags = [
            Cat(
                inside,
                present_first,
                leaving,
                number[: index_bits(self.pes)],
                final,
            )
        ]
        for step in range(self.stages + 2):
            held = Signal(len(flags[0]), name=f"flags_{step}", reset_less=True)
            valid = Signal(name=f"valid_{step}")
            with m.If(en):
                m.d.sync += [valid.eq(flags[-1][0]), held.eq(flags[-1])]
            if step <= self.stages:
                # They are stopped while totals leave, ahead of which these do not change.
                m.d.sync += held[1:3].eq(flags[-1][1:3])
            flags.append(Cat(valid, held[1:]))
        bits = min(self.acc, width + self.step_bits * (self.passes - 1))
        word = Signal(bits, reset_less=True)
        weighted = (_extended(resolved, self.step_bits * i, bits) for i in range(self.passes))
        m.d.sync += word.eq(choose(present[: self.passes], weighted))
        m.submodules.total = total = AccumulationColumn(self.pes, bits, self.acc, self.stages)
        ending = flags[-1]
        leaves, number_out = ending[2], ending[3:-1]
        before = flags[-2]
        m.d.comb += [
            total.en.eq(en),
            total.read.eq(number[: index_bits(self.pes)]),
            total.word.eq(word),
            total.first.eq(flags[1][1]),
            total.store.eq(ending[0] & ~leaves),
            total.row.eq(number_out),
            self.result.eq(total.result),
            self.leaves.eq((before[0] & before[2]) | self.valid),
            self.valid.eq(ending[0] & leaves),
            self.last.eq(ending[-1]),
        ]
        return m


def _extended(value: Value, shift: int, bits: int) -> Value:
    """Return a signed value, shifted, as a word of `bits` bits."""
    top = len(value) - 1
    return Cat(Const(0, 1) if i < shift else value[min(i - shift, top)] for i in range(bits))
