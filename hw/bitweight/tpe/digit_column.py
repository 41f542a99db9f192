"""A column of a bit-slice array ahead of its PEs: lanes that keep pace, passes, and their ends."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.pe.bit_serial import OneDigit
from bitweight.tpe.digit_feeder import DigitFeeder
from bitweight.tpe.layout import BlockLayout, payload_size

__all__ = ["DigitColumn"]


class DigitColumn(Block):
    """The feeders of a column's lanes, and what makes them one column.

    A block of k takes a pass for each bit-weight, the least significant first. A pass ends when
    no lane has a digit left, in a step of its own; ends are at least `gap` steps apart. The last
    pass of a block ends in all columns at once.

    Throughput: a digit of each lane per step, and a step for the end of each pass.

    Parameters
    ----------
    digit, a_bits, layout, whole
        See :class:`~bitweight.tpe.digit_feeder.DigitFeeder`.
    gap
        Fewest steps from an end to the next.

    Attributes
    ----------
    en, slot_in, bank_in, row_in, data_in, start, loaded, last_rows, last_banks, filled : In
        For the feeders; a word is written to the lanes that `write` has a bit for.
    write : In
        A bit for each lane.
    served : In
        Of each lane, whether what it asks for was passed on.
    sync : In(1)
        The block ends in all columns.
    asks, bank, place, payload : Out
        Of each lane, lane 0 lowest: whether there is a digit (or word), the bank and the place in
        it of its operand B, and what is passed on.
    waits : Out(1)
        Nothing is left of the block.
    ends : Out(1)
        A pass ends.
    turn : Out
        Which: a bit for each digit of an operand, one of which is set.
    """

    block_name = "digits"

    def __init__(
        self, digit: OneDigit, a_bits: int, layout: BlockLayout, *, whole: bool, gap: int
    ) -> None:
        self.digit, self.a_bits, self.layout, self.whole, self.gap = (
            digit,
            a_bits,
            layout,
            whole,
            gap,
        )
        self.key = (id(digit), a_bits, layout, whole, gap)
        self.passes = digit.base.digits(a_bits)
        self.word_bits = layout.group * a_bits
        self.payload_bits = payload_size(digit, a_bits, layout, whole=whole)
        self.position_bits = 0 if whole else layout.position_bits
        self.place_bits = layout.row_bits + self.position_bits
        ends = layout.lanes * layout.depth
        super().__init__(
            {
                "en": In(1),
                "write": In(layout.lanes),
                "slot_in": In(layout.slot_bits),
                "bank_in": In(layout.bank_bits),
                "row_in": In(layout.row_bits),
                "data_in": In(self.word_bits),
                "start": In(layout.bank_bits),
                "last_rows": In(ends * layout.row_bits),
                "last_banks": In(ends * layout.bank_bits),
                "filled": In(ends),
                "loaded": In(range(layout.depth + 1)),
                "served": In(layout.lanes),
                "sync": In(1),
                "asks": Out(layout.lanes),
                "bank": Out(layout.lanes * layout.bank_bits),
                "place": Out(layout.lanes * self.place_bits),
                "payload": Out(layout.lanes * self.payload_bits),
                "waits": Out(1),
                "ends": Out(1),
                "turn": Out(self.passes),
            }
        )

    def build(self) -> Module:
        m = Module()
        layout = self.layout
        turn = Signal(self.passes, init=1)
        gap = Signal(range(self.gap))
        ready = Signal()
        ends = Signal()
        feeders = [
            DigitFeeder(self.digit, self.a_bits, layout, whole=self.whole)
            for _ in range(layout.lanes)
        ]
        for lane, feeder in enumerate(feeders):
            m.submodules[f"feeder_{lane}"] = feeder
            slots = slice(lane * layout.depth, (lane + 1) * layout.depth)
            m.d.comb += [
                *(
                    getattr(feeder, name).eq(getattr(self, name))
                    for name in (
                        "en",
                        "slot_in",
                        "bank_in",
                        "row_in",
                        "data_in",
                        "start",
                        "loaded",
                        "sync",
                    )
                ),
                feeder.write.eq(self.write[lane]),
                feeder.served.eq(self.served[lane]),
                feeder.ends.eq(ends),
                feeder.filled.eq(self.filled[slots]),
                feeder.last_rows.eq(_part(self.last_rows, slots, layout.row_bits)),
                feeder.last_banks.eq(_part(self.last_banks, slots, layout.bank_bits)),
            ]
        m.d.comb += [
            ready.eq(Cat(feeder.finished for feeder in feeders).all() & (gap == 0)),
            ends.eq(ready & (~turn[-1] | self.sync)),
            self.waits.eq(ready & turn[-1]),
            self.ends.eq(ends),
            self.turn.eq(turn),
            self.asks.eq(Cat(feeder.asks for feeder in feeders)),
            self.bank.eq(Cat(feeder.bank for feeder in feeders)),
        ]
        if self.whole:
            m.d.comb += self.place.eq(Cat(feeder.row for feeder in feeders))
            m.d.comb += self.payload.eq(Cat(Cat(f.word_out, f.turn_out) for f in feeders))
        else:
            m.d.comb += self.place.eq(Cat(Cat(f.position, f.row) for f in feeders))
            m.d.comb += self.payload.eq(Cat(feeder.digit_out for feeder in feeders))
        with m.If(self.en):
            with m.If(ends):
                m.d.sync += [turn.eq(Cat(turn[-1], turn[:-1])), gap.eq(self.gap - 1)]
            with m.Elif(gap != 0):
                m.d.sync += gap.eq(gap - 1)
        return m


def _part(value: Value, slots: slice, bits: int) -> Value:
    return value[slots.start * bits : slots.stop * bits]
