"""What comes into the operand buffers of a bit-slice array, and what is in them."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.tpe.layout import BlockLayout

__all__ = ["Loader"]


class Loader(Block):
    """Puts words where they belong, and tells when a block is complete.

    A beat is a word of every operand. A block ends with the last beat of a tile, or when it is
    full. As many blocks as there are slots are taken; the slot of a block is free again some steps
    after its end, when the last PE has read it.

    Latency: a word is written in the step after that in which it is taken.
    Throughput: a beat per step. Reset empties the buffers.

    Parameters
    ----------
    layout
        Of the buffers.
    release
        Steps from the end of a block until its slot is free; ends are no closer to each other.

    Attributes
    ----------
    take, last : In(1)
        A beat is taken, and it is the last of its tile.
    sync : In(1)
        The present block ends.
    room : Out(1)
        A beat can be taken.
    write, slot_out, place_out, row_out : Out
        Where the beat goes that was taken in the step before; a bit of `write` for each lane.
    last_rows, last_places, filled : Out
        Of each lane and slot: where the last word is, and whether there is any.
    more : Out(1)
        It is the last of its block.
    slot, first, complete : Out
        Of the present block: its slot, whether it is the first of its tile, and the last.
    """

    block_name = "loader"

    def __init__(self, layout: BlockLayout, release: int) -> None:
        self.layout, self.release = layout, release
        self.key = (layout, release)
        ends = layout.lanes * layout.depth
        super().__init__(
            {
                **{name: In(1) for name in ("take", "last", "sync")},
                "room": Out(1),
                "write": Out(layout.lanes),
                "slot_out": Out(layout.slot_bits),
                "place_out": Out(layout.place_bits),
                "row_out": Out(layout.row_bits),
                "last_rows": Out(ends * layout.row_bits),
                "last_places": Out(ends * layout.place_bits),
                "filled": Out(ends),
                "more": Out(1),
                "slot": Out(layout.slot_bits),
                "first": Out(1),
                "complete": Out(1),
            }
        )

    def build(self) -> Module:
        m = Module()
        layout = self.layout
        count = Signal(range(layout.beats))
        occupied = Signal(range(layout.depth + 1))
        pause = Signal(range(self.release + 1))
        taken = Signal()
        ended = Signal(reset_less=True)
        tile = Signal(reset_less=True)
        ends = self.last | (count == layout.beats - 1)
        frees = pause == 1
        m.d.comb += self.room.eq(occupied != layout.depth)
        m.d.sync += [
            taken.eq(self.take),
            ended.eq(ends),
            tile.eq(self.last),
            occupied.eq(occupied + (self.take & ends) - frees),
        ]
        with m.If(self.take):
            m.d.sync += count.eq(Mux(ends, 0, count + 1))
        with m.If(self.sync):
            m.d.sync += pause.eq(self.release)
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)

        # The word that was taken goes to the next lane, place, row.
        lane = Signal(layout.lanes, init=1)
        place = Signal(layout.place_bits)
        row = Signal(layout.row_bits)
        slot = Signal(layout.slot_bits)
        opens = Signal(init=1)  # it is the first of its block
        complete = Signal(layout.depth, reset_less=True)
        whole = taken & ended
        m.d.comb += [
            self.write.eq(lane & taken.replicate(layout.lanes)),
            self.slot_out.eq(slot),
            self.place_out.eq(place),
            self.row_out.eq(row),
            self.more.eq(whole),
        ]
        with m.If(taken):
            m.d.sync += [lane.eq(Cat(lane[-1], lane[:-1])), opens.eq(ended)]
            with m.If(lane[-1]):
                m.d.sync += place.eq(place + 1)
                with m.If(place == layout.places - 1):
                    m.d.sync += [place.eq(0), row.eq(row + 1)]
            with m.If(ended):
                m.d.sync += [
                    lane.eq(1),
                    place.eq(0),
                    row.eq(0),
                    slot.eq(Mux(slot == layout.depth - 1, 0, slot + 1)),
                    complete.bit_select(slot, 1).eq(tile),
                ]
        rows, places = [], []
        # Of a slot with a block, which has been written: a reset need not clear it.
        filled = Signal(layout.lanes * layout.depth, reset_less=True)
        m.d.comb += self.filled.eq(filled)
        for i in range(layout.lanes):
            for j in range(layout.depth):
                last_row = Signal(layout.row_bits, name=f"last_row_{i}_{j}", reset_less=True)
                last_place = Signal(layout.place_bits, name=f"last_place_{i}_{j}", reset_less=True)
                rows.append(last_row)
                places.append(last_place)
                with m.If(taken & (slot == j)):
                    with m.If(lane[i]):
                        m.d.sync += [last_row.eq(row), last_place.eq(place)]
                        m.d.sync += filled[i * layout.depth + j].eq(1)
                    with m.Elif(opens):
                        m.d.sync += [last_row.eq(0), filled[i * layout.depth + j].eq(0)]
        m.d.comb += [self.last_rows.eq(Cat(rows)), self.last_places.eq(Cat(places))]

        # The block that is worked on.
        present = Signal(layout.slot_bits)
        first = Signal(init=1)
        m.d.comb += [
            self.slot.eq(present),
            self.first.eq(first),
            self.complete.eq(complete.bit_select(present, 1)),
        ]
        with m.If(self.sync):
            m.d.sync += [
                present.eq(Mux(present == layout.depth - 1, 0, present + 1)),
                first.eq(self.complete),
            ]
        return m
