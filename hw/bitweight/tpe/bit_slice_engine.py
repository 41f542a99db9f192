"""The hardware of bit-slice arrays: columns of digits, banks, planes of PEs, and the drain."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.arith import ENCODINGS
from bitweight.notation import Nest
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.tpe.arbiter import Arbiter
from bitweight.tpe.array import StreamShape
from bitweight.tpe.digit_column import DigitColumn
from bitweight.tpe.layout import BlockLayout
from bitweight.tpe.loader import Loader
from bitweight.tpe.merge import MergeColumn
from bitweight.tpe.plane import Plane
from bitweight.tpe.stream import SkidBuffer, beat_layout, beat_stream

__all__ = ["BitSliceEngine"]


class BitSliceEngine(wiring.Component):
    """The array behind its streams.

    Operands are taken together, a beat of each, as long as the buffers have room. Nothing else is
    ever stopped: a result beat that is not taken keeps the totals of its tile where they are, and
    the first pass of the next tile from its end. So no register but these needs an enable.

    Latency: depends on A; at least ``array.latency``. Throughput: a digit of every lane and a beat
    of operands per cycle; ``array.schedule`` is exact.

    Parameters
    ----------
    streams
        The shapes of its ports.
    layout
        Of the buffers.
    core
        The step of the PEs.
    nest
        What is computed.
    rows
        PEs of a column.
    stages
        Registers inside the adders of a column.

    Attributes
    ----------
    a, b : In(stream)
        Words of A for each column and of B for each PE of a column; ``last`` with a tile's last.
    c : Out(stream)
        An element of C of every column; ``last`` with that of the last PE.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamShape],
        layout: BlockLayout,
        core: CarrySaveMac,
        nest: Nest,
        rows: int,
        stages: int,
    ) -> None:
        self.layout, self.core, self.nest = layout, core, nest
        self.digit = OneDigit(ENCODINGS[nest.encoding.name])
        self.rows, self.stages = rows, stages
        directions = {"in": In, "out": Out}
        super().__init__(
            {
                name: directions[shape.direction](beat_stream(shape.lanes, shape.bits))
                for name, shape in streams.items()
            }
        )

    @staticmethod
    def latency_of(nest: Nest, core: CarrySaveMac, rows: int, stages: int) -> int:
        """Return the steps from the end of a tile's last pass to the first result beat."""
        return _delay(nest, core) + MergeColumn.latency_of(rows, stages)

    @staticmethod
    def release_of(rows: int) -> int:
        """Return the steps from the end of a block until no PE reads its operands any more."""
        return rows

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout, nest = self.layout, self.nest

        # Take a beat of both operands.
        take = Signal()
        all_wait = Signal()
        sync = Signal()
        hold = Signal()
        a_held = Signal(len(self.a.payload.data.as_value()), reset_less=True)
        b_held = Signal(len(self.b.payload.data.as_value()), reset_less=True)
        m.submodules.loader = loader = Loader(layout, self.release_of(self.rows))
        m.d.comb += [
            take.eq(self.a.valid & self.b.valid & loader.room),
            self.a.ready.eq(take),
            self.b.ready.eq(take),
            loader.take.eq(take),
            loader.last.eq(self.a.payload.last | self.b.payload.last),
            loader.sync.eq(sync),
        ]
        with m.If(take):
            m.d.sync += [a_held.eq(self.a.payload.data), b_held.eq(self.b.payload.data)]

        # Digits of each column.
        gap = MergeColumn.gap(self.rows, self.stages)
        columns = [
            DigitColumn(self.digit, nest.a.bits, layout, gap=gap) for _ in range(layout.cols)
        ]
        word_bits = columns[0].word_bits
        same = ("slot", "place", "row")
        for number, column in enumerate(columns):
            m.submodules[f"digits_{number}"] = column
            m.d.comb += [
                column.write.eq(loader.write),
                *(getattr(column, f"{n}_in").eq(getattr(loader, f"{n}_out")) for n in same),
                column.data_in.eq(a_held.word_select(number, word_bits)),
                column.start.eq(layout.first_place(number)),
                column.last_rows.eq(loader.last_rows),
                column.last_places.eq(loader.last_places),
                column.filled.eq(loader.filled),
                column.more.eq(loader.more),
                column.hold.eq(hold),
                column.all_wait.eq(all_wait),
            ]
        m.d.comb += all_wait.eq(Cat(column.waits for column in columns).all())
        m.d.sync += sync.eq(all_wait & ~sync)

        # Columns that are in a later pass than another one.
        ahead = Signal(layout.cols, reset_less=True)
        reached = [Cat(column.turn[i] for column in columns).any() for i in range(nest.passes)]
        earlier = [Cat(reached[:i]).any() for i in range(nest.passes)]
        m.d.sync += ahead.eq(Cat((column.turn & Cat(earlier)).any() for column in columns))
        m.d.comb += Cat(column.ahead for column in columns).eq(ahead)

        # Operands B for them, from plane to plane.
        arbiters = [Arbiter(layout) for _ in range(layout.lanes)]
        for lane, arbiter in enumerate(arbiters):
            m.submodules[f"arbiter_{lane}"] = arbiter
            m.d.comb += [
                getattr(arbiter, name).eq(Cat(_of_lane(column, name, lane) for column in columns))
                for name in ("asks", "late", "bank", "row", "code", "code_row")
            ]
            m.d.comb += Cat(column.hit[lane] for column in columns).eq(arbiter.hit)
        by_lane = range(layout.lanes)
        chain = {
            # What is served in the step of a block's end is of the next block, as is its slot then.
            "slot": loader.slot,
            "bank": Cat(_of_lane(c, "payload_bank", i) for i in by_lane for c in columns),
            "payload": Cat(_of_lane(c, "payload", i) for i in by_lane for c in columns),
            "ends": Cat(column.ends for column in columns),
        }
        if layout.rows > 1:
            chain["row"] = Cat(arbiter.row_out for arbiter in arbiters)
        write = Cat(
            lane & (loader.place_out == i) for lane in loader.write for i in range(layout.places)
        )
        planes = [Plane(self.core, self.digit, nest.a.bits, layout) for _ in range(self.rows)]
        for number, plane in enumerate(planes):
            m.submodules[f"plane_{number}"] = plane
            m.d.comb += [
                plane.write.eq(write),
                plane.write_row.eq(loader.row_out),
                plane.write_slot.eq(loader.slot_out),
                plane.data_in.eq(b_held.word_select(number, len(plane.data_in))),
                *(getattr(plane, f"{name}_in").eq(value) for name, value in chain.items()),
            ]
            chain = {name: getattr(plane, f"{name}_out") for name in chain}

        # Results: all columns end a tile in the same step, and none ends another pass before all
        # of them have left.
        go = Signal()
        merges = []
        for number, column in enumerate(columns):
            merge = MergeColumn(
                self.core,
                nest.passes,
                self.rows,
                nest.acc,
                self.stages,
                _delay(nest, self.core),
            )
            m.submodules[f"merge_{number}"] = merge
            merges.append(merge)
            m.d.comb += [
                merge.go.eq(go),
                merge.ends.eq(column.ends),
                merge.turn.eq(column.turn),
                merge.first.eq(loader.first & column.turn[0]),
                merge.complete.eq(loader.complete & column.turn[-1]),
            ]
            for i, row in enumerate(self.core.rows):
                drained = [
                    getattr(plane, f"drain_{i}").word_select(number, len(row)) for plane in planes
                ]
                m.d.comb += getattr(merge, f"drain_{i}").eq(Cat(drained))
        m.submodules.skid = skid = SkidBuffer(beat_layout(layout.cols, nest.acc).size)
        m.d.comb += [
            # Where totals leave, as the buffer does: it says so a step later.
            go.eq(~merges[0].leaves | ~self.c.valid | self.c.ready),
            skid.in_payload.eq(Cat(*(merge.result for merge in merges), merges[0].last)),
            skid.in_valid.eq(merges[0].valid),
            self.c.payload.eq(skid.out_payload),
            self.c.valid.eq(skid.out_valid),
            skid.out_ready.eq(self.c.ready),
        ]
        with m.If(sync & loader.complete):
            m.d.sync += hold.eq(1)
        with m.Elif(merges[0].valid & merges[0].last & skid.in_ready):
            m.d.sync += hold.eq(0)
        return m


def _delay(nest: Nest, core: CarrySaveMac) -> int:
    """Return the steps from the end of a pass to the pair of the first PE."""
    return Plane.latency_of(core, whole=not nest.shared_digits)


def _of_lane(column: DigitColumn, name: str, lane: int) -> Value:
    """Return the part of a column's port that is of a lane."""
    port = getattr(column, name)
    return port.word_select(lane, len(port) // column.layout.lanes)
