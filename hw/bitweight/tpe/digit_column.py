"""A column of a bit-slice array ahead of its PEs: lanes that keep pace, passes, and their ends."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.pe.bit_serial import OneDigit
from bitweight.tpe.digit_feeder import DigitFeeder
from bitweight.tpe.layout import BlockLayout, payload_size, payload_zero_bits
from bitweight.tpe.requests import RequestRing

__all__ = ["DigitColumn"]


class DigitColumn(Block):
    """The feeders of a column's lanes with their requests, and what makes them one column.

    A block of k takes a pass for each bit-weight, the least significant first. A pass ends when
    no lane has a digit left; ends are at least `gap` steps apart. The last pass of a block ends in
    all columns at once. Digits of the next pass are on their way by then.

    Throughput: a digit of each lane per step, also from pass to pass; a block ends two steps after
    the last column has nothing left of it.

    Parameters
    ----------
    digit, a_bits, layout
        See :class:`~bitweight.tpe.digit_feeder.DigitFeeder`.
    gap
        Fewest steps from an end to the next.

    Attributes
    ----------
    slot_in, place_in, row_in, data_in, start, more, last_rows, last_places, filled : In
        For the feeders; a word is written to the lanes that `write` has a bit for.
    write : In
        A bit for each lane.
    hold : In(1)
        No pass may end.
    all_wait : In(1)
        All columns wait: the block ends in the next step.
    hit : In
        Of each lane, whether what asked three steps ago may be served.
    ahead : In(1)
        The column is in a later pass than another one.
    asks, late, bank, row : Out
        Of each lane, lane 0 lowest: what asks in this step, see
        :class:`~bitweight.tpe.arbiter.Arbiter`.
    code, code_row : Out
        The code of the bank and the row of what asked two steps ago.
    payload, payload_bank : Out
        Of each lane, what was served in the step before, and the code of its bank.
    waits : Out(1)
        Nothing was left of the block after the step before.
    ends : Out(1)
        A pass ends: what `payload` has is the last of it.
    turn : Out
        Which: a bit for each digit of an operand, one of which is set.
    """

    block_name = "digits"

    def __init__(self, digit: OneDigit, a_bits: int, layout: BlockLayout, *, gap: int) -> None:
        self.digit, self.a_bits, self.layout, self.gap = digit, a_bits, layout, gap
        self.key = (id(digit), a_bits, layout, gap)
        self.passes = digit.base.digits(a_bits)
        self.word_bits = layout.group * a_bits
        self.payload_bits = payload_size(digit, a_bits, layout)
        self.banks = layout.banks
        self.bank_bits = layout.bank_bits
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
                "more": In(1),
                "hold": In(1),
                "all_wait": In(1),
                "hit": In(layout.lanes),
                "ahead": In(1),
                "asks": Out(layout.lanes),
                "late": Out(layout.lanes),
                "bank": Out(layout.lanes * self.banks),
                "row": Out(layout.lanes * layout.row_bits),
                "code": Out(layout.lanes * self.bank_bits),
                "code_row": Out(layout.lanes * layout.row_bits),
                "payload": Out(layout.lanes * self.payload_bits),
                "payload_bank": Out(layout.lanes * self.bank_bits),
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
        none = Signal()  # nothing is left of the pass after this step
        waits = Signal()
        ends = Signal()
        sync = Signal()  # in each column anew: all of it depends on that
        feeders = [DigitFeeder(self.digit, self.a_bits, layout) for _ in range(layout.lanes)]
        zero_bits = payload_zero_bits(self.digit, self.a_bits, layout)
        rings = [RequestRing(layout, self.payload_bits, zero_bits) for _ in range(layout.lanes)]
        # The word that is written, its place counted from the column's own.
        write = Signal(layout.lanes, reset_less=True)
        written = {
            name: Signal(len(getattr(self, name)), name=f"held_{name}", reset_less=name != "more")
            for name in ("slot_in", "place_in", "row_in", "data_in", "more")
        }
        m.d.sync += [
            write.eq(self.write),
            *(held.eq(getattr(self, name)) for name, held in written.items()),
            written["place_in"].eq(
                self.place_in - self.start + Mux(self.place_in < self.start, layout.places, 0)
            ),
        ]
        for lane, (feeder, ring) in enumerate(zip(feeders, rings, strict=True)):
            m.submodules[f"feeder_{lane}"] = feeder
            m.submodules[f"requests_{lane}"] = ring
            slots = slice(lane * layout.depth, (lane + 1) * layout.depth)
            m.d.comb += [
                *(getattr(feeder, name).eq(value) for name, value in written.items()),
                feeder.start.eq(self.start),
                feeder.write.eq(write[lane]),
                feeder.served.eq(ring.taken),
                feeder.ends.eq(ends),
                feeder.filled.eq(self.filled[slots]),
                feeder.last_rows.eq(_part(self.last_rows, slots, layout.row_bits)),
                feeder.last_places.eq(_part(self.last_places, slots, layout.place_bits)),
                *(
                    getattr(ring, name).eq(getattr(feeder, name))
                    for name in ("asks", "following", "bank", "row")
                ),
                ring.ends.eq(ends),
                ring.hit.eq(self.hit[lane]),
            ]
            if layout.whole:
                m.d.comb += [
                    ring.payload.eq(Cat(feeder.word_out, feeder.turn_out)),
                    ring.left.eq(feeder.left),
                ]
            else:
                m.d.comb += ring.payload.eq(feeder.digit_out)
        m.d.comb += [
            none.eq(
                Cat(feeder.finished for feeder in feeders).all()
                & ~Cat(ring.present for ring in rings).any()
                & apart
                & ~self.hold
                & ~ends
            ),
            self.waits.eq(waits),
            self.ends.eq(ends),
            self.turn.eq(turn),
            self.late.eq(Cat(ring.late_out | self.ahead for ring in rings)),
            *(
                getattr(self, name).eq(Cat(getattr(ring, f"{name}_out") for ring in rings))
                for name in ("asks", "bank", "row", "code", "payload")
            ),
            *(
                getattr(self, name).eq(Cat(getattr(ring, name) for ring in rings))
                for name in ("code_row", "payload_bank")
            ),
        ]
        m.d.sync += [
            waits.eq(none & turn[-1]),
            sync.eq(self.all_wait & ~sync),
            ends.eq((none & ~turn[-1]) | (self.all_wait & ~sync)),
            apart.eq(~ends & (gap <= 1)),
        ]
        with m.If(ends):
            m.d.sync += [turn.eq(Cat(turn[-1], turn[:-1])), gap.eq(self.gap - 2)]
        with m.Elif(gap != 0):
            m.d.sync += gap.eq(gap - 1)
        return m


def _part(value: Value, slots: slice, bits: int) -> Value:
    return value[slots.start * bits : slots.stop * bits]
