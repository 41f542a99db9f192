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
    slot_in, place_in, row_in, data_in, start, loaded, last_rows, last_places, filled : In
        For the feeders; a word is written to the lanes that `write` has a bit for.
    write : In
        A bit for each lane.
    served : In
        Of each lane, whether what it asks for was passed on.
    hold : In(1)
        No pass may end.
    sync : In(1)
        The block ends in all columns.
    asks, bank, row, payload : Out
        Of each lane, lane 0 lowest: whether there is a digit (or word), the bank (one-hot) of its
        operand B and the row in it, and what is passed on.
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
        self.banks = layout.places if whole else layout.banks
        ends = layout.lanes * layout.depth
        super().__init__(
            {
                "write": In(layout.lanes),
                "slot_in": In(layout.slot_bits),
                "place_in": In(layout.place_bits),
                "row_in": In(layout.row_bits),
                "data_in": In(self.word_bits),
                "start": In(layout.place_bits),
                "last_rows": In(ends * layout.row_bits),
                "last_places": In(ends * layout.place_bits),
                "filled": In(ends),
                "loaded": In(range(layout.depth + 1)),
                "served": In(layout.lanes),
                "hold": In(1),
                "sync": In(1),
                "asks": Out(layout.lanes),
                "bank": Out(layout.lanes * self.banks),
                "row": Out(layout.lanes * layout.row_bits),
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
        apart = Signal(init=1)  # the end before is `gap` steps ago
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
                        "slot_in",
                        "place_in",
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
                feeder.last_places.eq(_part(self.last_places, slots, layout.place_bits)),
            ]
        m.d.comb += [
            ready.eq(Cat(feeder.finished for feeder in feeders).all() & apart & ~self.hold),
            ends.eq(ready & (~turn[-1] | self.sync)),
            self.waits.eq(ready & turn[-1]),
            self.ends.eq(ends),
            self.turn.eq(turn),
            self.asks.eq(Cat(feeder.asks for feeder in feeders)),
            self.bank.eq(Cat(feeder.bank for feeder in feeders)),
            self.row.eq(Cat(feeder.row for feeder in feeders)),
        ]
        if self.whole:
            m.d.comb += self.payload.eq(Cat(Cat(f.word_out, f.turn_out) for f in feeders))
        else:
            m.d.comb += self.payload.eq(Cat(feeder.digit_out for feeder in feeders))
        m.d.sync += apart.eq(~ends & (gap <= 1))
        with m.If(ends):
            m.d.sync += [turn.eq(Cat(turn[-1], turn[:-1])), gap.eq(self.gap - 1)]
        with m.Elif(gap != 0):
            m.d.sync += gap.eq(gap - 1)
        return m


def _part(value: Value, slots: slice, bits: int) -> Value:
    return value[slots.start * bits : slots.stop * bits]
