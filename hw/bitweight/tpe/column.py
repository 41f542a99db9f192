"""A column of output-stationary PEs and its drain: a bus and, for sum/carry pairs, one adder."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from bitweight.arith.segmented import SegmentedAdder
from bitweight.block import Block
from bitweight.notation import Nest
from bitweight.pe.multiply_accumulate import MultiplyAccumulate
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.tpe.broadcast import Broadcast

__all__ = ["OutputStationaryColumn"]


class OutputStationaryColumn(Block):
    """PEs one below the other, each with a row of A; they finish a tile from the top down.

    The end of a tile hops from PE to PE, a step each. A PE puts its accumulator on the column's
    bus for the one step in which the end has reached it, so that none needs a second register to
    drain from. Ends must be at least `rows` steps apart; where B is broadcast, nothing but zeros
    may be sent in those steps.

    Latency: `latency_of` steps from operands with `last_in` to the result of row 0.
    Throughput: one result per step.

    Parameters
    ----------
    core
        The multiply-accumulate of the PEs.
    nest
        What it computes: where it keeps pairs until the end, the column has an adder.
    rows
        Number of PEs.
    hop
        B hops down from PE to PE, and A is passed on to the next column a step later. Otherwise
        B is broadcast to all PEs.
    broadcast_stages
        Levels of registers of that broadcast, which operands A must have passed as well.
    adder_stages
        Registers inside the adder.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    a_in
        The operands of each row.
    a_out
        The same a step later, where operands hop.
    b_in, last_in
        Operands, and whether they are the last of a tile.
    shift_in
        Where accumulators can be shifted: that all are before the operands are added.
    result, valid, last
        Results from row 0 on; `last` with that of the bottom row.
    """

    block_name = "column"

    def __init__(
        self,
        core: MultiplyAccumulate,
        nest: Nest,
        rows: int,
        *,
        hop: bool,
        broadcast_stages: int,
        adder_stages: int,
    ) -> None:
        self.core, self.nest, self.rows, self.hop = core, nest, rows, hop
        self.broadcast_stages, self.adder_stages = broadcast_stages, adder_stages
        self.key = (id(core), rows, hop, broadcast_stages, adder_stages)
        self.a_bits, self.b_bits = core.lanes * core.a_bits, core.lanes * core.b_bits
        super().__init__(
            {
                "en": In(1),
                "a_in": In(rows * self.a_bits),
                "b_in": In(self.b_bits),
                "last_in": In(1),
                **({"shift_in": In(1)} if core.shift else {}),
                "result": Out(core.acc),
                "valid": Out(1),
                "last": Out(1),
                **({"a_out": Out(rows * self.a_bits)} if hop else {}),
            }
        )

    @staticmethod
    def latency_of(nest: Nest, adder_stages: int) -> int:
        """Return the steps from an operand in row 0 to its result: PE, bus, perhaps adder."""
        adder = adder_stages + 1 if nest.accumulator == "pair" else 0
        return OutputStationaryPE.latency + 1 + adder

    def build(self) -> Module:
        m = Module()
        pes = [OutputStationaryPE(self.core) for _ in range(self.rows)]
        last = self.last_in
        if not self.hop:
            m.submodules.broadcast_b = to_rows = Broadcast(
                "broadcast_b", self.b_bits, self.rows, self.broadcast_stages
            )
            m.d.comb += [to_rows.en.eq(self.en), to_rows.data_in.eq(self.b_in)]
        for row, pe in enumerate(pes):
            m.submodules[f"pe_{row}"] = pe
            lane = slice(row * self.a_bits, (row + 1) * self.a_bits)
            m.d.comb += [pe.en.eq(self.en), pe.a_in.eq(self.a_in[lane]), pe.last_in.eq(last)]
            if self.core.shift:
                m.d.comb += pe.shift_in.eq(self.shift_in)
            if self.hop:
                m.d.comb += self.a_out[lane].eq(pe.a_out)
                m.d.comb += pe.b_in.eq(pes[row - 1].b_out if row else self.b_in)
            else:
                m.d.comb += pe.b_in.eq(to_rows.at(row))
            last = pe.last_out

        bus = [
            reduce(or_, (getattr(pe, f"drain_{i}") for pe in pes))
            for i in range(len(self.core.rows))
        ]
        words = [Signal(len(row), name=f"word_{i}", reset_less=True) for i, row in enumerate(bus)]
        # Flags of the results, in step with: the PE's accumulator, the words, the sum.
        stages = self.latency_of(self.nest, self.adder_stages) - OutputStationaryPE.latency + 1
        valid = Signal(stages)
        ends = Signal(stages)
        with m.If(self.en):
            m.d.sync += [word.eq(row) for word, row in zip(words, bus, strict=True)]
            m.d.sync += valid.eq(Cat(Cat(pe.last_out for pe in pes).any(), valid)[:stages])
            m.d.sync += ends.eq(Cat(pes[-1].last_out, ends)[:stages])
        m.d.comb += [self.valid.eq(valid[-1]), self.last.eq(ends[-1])]
        if self.nest.accumulator == "pair":
            adder = SegmentedAdder(self.core.acc, self.adder_stages)
            total = Signal(self.core.acc, reset_less=True)
            kept, carries = (self.core.expand(i, word) for i, word in enumerate(words))
            added = adder.hardware(m, kept, carries, self.en)
            with m.If(self.en):
                m.d.sync += total.eq(added)
            m.d.comb += self.result.eq(total)
        else:
            m.d.comb += self.result.eq(words[0])
        return m
