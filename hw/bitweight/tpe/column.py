"""A column of output-stationary PEs and its drain: a bus and, for sum/carry pairs, one adder."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from bitweight.arith.prefix import PrefixAdder
from bitweight.block import Block
from bitweight.notation import Nest
from bitweight.pe.multiply_accumulate import MultiplyAccumulate
from bitweight.pe.output_stationary import OutputStationaryPE

__all__ = ["SystolicColumn"]


class SystolicColumn(Block):
    """PEs one below the other: B hops down, A passes through to the next column.

    The PEs finish a tile one step after the other, from the top. Each puts its accumulator on
    the column's bus for the one step in which it holds the result, so that no PE needs a second
    register to drain from. Tiles must end at least `rows` steps apart.

    Latency: `latency_of` steps from a beat that enters row 0 with `last_in` to its result.
    Throughput: one result per step.

    Parameters
    ----------
    core
        The multiply-accumulate of the PEs.
    nest
        What it computes: where it keeps pairs until the end, the column has an adder.
    rows
        Number of PEs.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    a_in, a_out
        An operand for each row, skewed by a step from row to row, and the same one step later.
    b_in, last_in
        Operand for row 0, and whether it is the last of a tile.
    result, valid, last
        Results from row 0 on; `last` with that of the bottom row.
    """

    block_name = "column"

    def __init__(self, core: MultiplyAccumulate, nest: Nest, rows: int) -> None:
        self.core, self.nest, self.rows = core, nest, rows
        self.key = (id(core), rows)
        super().__init__(
            {
                "en": In(1),
                "a_in": In(rows * core.a_bits),
                "a_out": Out(rows * core.a_bits),
                "b_in": In(core.b_bits),
                "last_in": In(1),
                "result": Out(core.acc),
                "valid": Out(1),
                "last": Out(1),
            }
        )

    @staticmethod
    def latency_of(nest: Nest) -> int:
        """Return the steps from an operand in row 0 to its result: PE, bus, perhaps adder."""
        return OutputStationaryPE.latency + (2 if nest.accumulator == "pair" else 1)

    def build(self) -> Module:
        m = Module()
        pes = [OutputStationaryPE(self.core) for _ in range(self.rows)]
        b, last = self.b_in, self.last_in
        for row, pe in enumerate(pes):
            m.submodules[f"pe_{row}"] = pe
            lane = slice(row * self.core.a_bits, (row + 1) * self.core.a_bits)
            m.d.comb += [
                pe.en.eq(self.en),
                pe.a_in.eq(self.a_in[lane]),
                self.a_out[lane].eq(pe.a_out),
                pe.b_in.eq(b),
                pe.last_in.eq(last),
            ]
            b, last = pe.b_out, pe.last_out

        bus = [
            reduce(or_, (getattr(pe, f"drain_{i}") for pe in pes))
            for i in range(len(self.core.rows))
        ]
        words = [Signal(len(row), name=f"word_{i}", reset_less=True) for i, row in enumerate(bus)]
        # Flags of the results, in step with: the PE's accumulator, the words, the sum.
        stages = self.latency_of(self.nest) - OutputStationaryPE.latency + 1
        valid, final = Signal(stages), Signal(stages)
        with m.If(self.en):
            m.d.sync += [word.eq(row) for word, row in zip(words, bus, strict=True)]
            m.d.sync += valid.eq(Cat(Cat(pe.last_out for pe in pes).any(), valid)[:stages])
            m.d.sync += final.eq(Cat(pes[-1].last_out, final)[:stages])
        m.d.comb += [self.valid.eq(valid[-1]), self.last.eq(final[-1])]
        if self.nest.accumulator == "pair":
            adder = PrefixAdder(self.core.acc)
            total = Signal(self.core.acc, reset_less=True)
            rows = [self.core.expand(i, word) for i, word in enumerate(words)]
            with m.If(self.en):
                m.d.sync += total.eq(adder.hardware(m, *rows))
            m.d.comb += self.result.eq(total)
        else:
            m.d.comb += self.result.eq(words[0])
        return m
