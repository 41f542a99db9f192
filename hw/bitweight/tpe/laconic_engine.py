"""The hardware of `laconic`: elements in step, terms broadcast to them, a drain for each column."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitweight.arith.segmented import SegmentedAdder
from bitweight.block import Block
from bitweight.notation import Nest
from bitweight.pe.laconic import LaconicPE
from bitweight.pe.term_sum import TermSum
from bitweight.pe.terms import Terms
from bitweight.tpe.broadcast import Broadcast
from bitweight.tpe.stream import SkidBuffer, beat_layout, beat_stream
from bitweight.tpe.term_feed import PairWalk, TermFeed

if TYPE_CHECKING:
    from bitweight.tpe.laconic import Laconic

__all__ = ["LaconicColumn", "LaconicEngine"]


class LaconicColumn(Block):
    """Elements one below the other, a bus from their accumulators, and one adder for all.

    Latency: that of an element, and of `drain_in` to its result ``2 + adder_stages`` steps.
    Throughput: a pair of terms of each lane per cycle, a result per step.

    Parameters
    ----------
    a, b
        Of the operands.
    core
        Of the elements.
    rows
        Number of elements.
    broadcast_stages
        Levels of registers between `b_in` and the elements, which the others have passed before.
    adder_stages
        Registers inside the adder.

    Attributes
    ----------
    en : In(1)
        Nothing in the drain moves without it. Elements always do.
    a_in, b_in
        Terms: a word for each row, and one for all of them.
    first_in : In(1)
        A new total begins with terms A.
    drain_in
        A bit for each row: its total is taken in this step.
    result
        Of the row that was taken.
    """

    block_name = "column"

    def __init__(
        self, a: Terms, b: Terms, core: TermSum, rows: int, broadcast_stages: int, adder_stages: int
    ) -> None:
        self.a, self.b, self.core, self.rows = a, b, core, rows
        self.broadcast_stages, self.adder_stages = broadcast_stages, adder_stages
        self.key = (a.bits, b.bits, id(core), rows, broadcast_stages, adder_stages)
        self.a_bits, self.b_bits = core.lanes * a.term_bits, core.lanes * b.term_bits
        super().__init__(
            {
                "en": In(1),
                "a_in": In(rows * self.a_bits),
                "b_in": In(self.b_bits),
                "first_in": In(1),
                "drain_in": In(rows),
                "result": Out(core.acc),
            }
        )

    def build(self) -> Module:
        m = Module()
        pes = [LaconicPE(self.a, self.b, self.core) for _ in range(self.rows)]
        b_words = spread(m, "broadcast_b", self.b_in, self.rows, self.broadcast_stages)
        for row, pe in enumerate(pes):
            m.submodules[f"pe_{row}"] = pe
            m.d.comb += [
                pe.a_in.eq(self.a_in[row * self.a_bits : (row + 1) * self.a_bits]),
                pe.b_in.eq(b_words[row]),
                pe.first_in.eq(self.first_in),
                pe.drain_in.eq(self.drain_in[row]),
            ]
        core = self.core
        words = []
        for i, columns in enumerate(core.rows):
            word = Signal(len(columns), name=f"word_{i}", reset_less=True)
            with m.If(self.en):
                m.d.sync += word.eq(reduce(or_, (getattr(pe, f"drain_{i}") for pe in pes)))
            words.append(core.expand(i, word))
        added = SegmentedAdder(core.acc, self.adder_stages).hardware(m, words[0], words[1], self.en)
        total = Signal(core.acc, reset_less=True)
        with m.If(self.en):
            m.d.sync += total.eq(added)
        m.d.comb += self.result.eq(total)
        return m


class LaconicEngine(wiring.Component):
    """The array behind its streams.

    All elements keep step: the terms of a lane are walked through once for the whole array, at
    its edges, where all of an operand is kept; elements get a term of each operand per cycle. A
    group of products, one of each lane, takes as many cycles as its slowest lane has pairs, at
    least two, and the next follows at once.

    A consumer that does not take results stops the drain, nothing else: the elements have no
    enable, and what is under way to them cannot be stopped. So the first terms of the next tile
    are handed out only when all totals have left the elements.

    Latency and throughput: :meth:`bitweight.tpe.laconic.Laconic.cycles`.

    Parameters
    ----------
    array
        Its size.
    nest
        What it computes: the widths.

    Attributes
    ----------
    a, b : In(stream)
        A group of operands for each row and column; ``last`` with a tile's last k.
    c : Out(stream)
        A row of the tile of C; ``last`` with its last row.
    """

    def __init__(self, array: Laconic, nest: Nest) -> None:
        self.array, self.nest = array, nest
        self.terms, self.core = (Terms(nest.a.bits), Terms(nest.b.bits)), array.core(nest)
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

        # A group of operands waits at the edges until the one in use is done.
        take = Signal()
        waits = Signal()
        loads = Signal()
        # In registers, since they go to every operand at the edges: the next group, whether there
        # is one or not, may come to wait; that which waits is in use after this cycle.
        room = Signal(init=1)
        load = Signal()
        waiting = Signal()
        waiting_last = Signal(reset_less=True)
        busy = Signal()
        last = Signal(reset_less=True)
        begins = Signal(init=1)  # a tile, with the group that waits
        done = Signal(init=1)  # every lane is at its last pair of terms, or past it
        free = Signal(init=1)  # all totals have left the elements
        ends = Signal()  # it will be so in the next cycle
        step = Signal()
        leaves = Signal()
        m.d.comb += [
            take.eq(self.a.valid & self.b.valid & room),
            self.a.ready.eq(take),
            self.b.ready.eq(take),
            waits.eq(take | (waiting & ~load)),
            loads.eq(ends & waiting & ~load & (~begins | free | leaves)),
        ]
        m.d.sync += [
            done.eq(ends),
            load.eq(loads),
            waiting.eq(waits),
            room.eq(~waits | loads),
            busy.eq(load | (busy & ~done)),
        ]
        with m.If(take):
            m.d.sync += waiting_last.eq(self.a.payload.last | self.b.payload.last)
        with m.If(load):
            m.d.sync += [last.eq(waiting_last), begins.eq(waiting_last)]
        with m.If(load & begins):
            m.d.sync += free.eq(0)
        with m.Elif(leaves):
            m.d.sync += free.eq(1)

        a_words, b_words = self._feed(m, room, load, ends)
        # With the terms that a tile begins with, which the edges hand out after a cycle.
        first = Signal(2)
        m.d.sync += first.eq(Cat(load & begins, first[0]))
        firsts = self._spread(m, "broadcast_first", first[1])
        a_rows = [self._spread(m, f"broadcast_a_{i}", word) for i, word in enumerate(a_words)]

        # The end of a tile follows its last terms to the accumulators, then goes down the rows.
        ending = Signal(self.array.pipeline(self.nest) - 1)
        turn = Signal(rows)
        m.d.sync += ending.eq(Cat(busy & done & last, ending)[: len(ending)])
        m.d.sync += turn.eq(Mux(step, Cat(ending[-1], turn)[:rows], turn | ending[-1]))
        m.d.comb += leaves.eq(turn[-1] & step)

        columns = []
        for lane in range(cols):
            column = LaconicColumn(
                *self.terms, self.core, rows, self.array.broadcast_stages, self.array.adder_stages
            )
            m.submodules[f"column_{lane}"] = column
            m.d.comb += [
                column.en.eq(step),
                column.a_in.eq(Cat(row[lane] for row in a_rows)),
                column.b_in.eq(b_words[lane]),
                column.first_in.eq(firsts[lane]),
                column.drain_in.eq(turn),
            ]
            columns.append(column)
        stages = 2 + self.array.adder_stages
        valid = Signal(stages)
        complete = Signal(stages)
        with m.If(step):
            m.d.sync += valid.eq(Cat(turn.any(), valid)[:stages])
            m.d.sync += complete.eq(Cat(turn[-1], complete)[:stages])

        m.submodules.skid = skid = SkidBuffer(beat_layout(cols, self.nest.acc).size)
        m.d.comb += [
            step.eq(skid.in_ready),
            skid.in_payload.eq(Cat(*(column.result for column in columns), complete[-1])),
            skid.in_valid.eq(valid[-1]),
            self.c.payload.eq(skid.out_payload),
            self.c.valid.eq(skid.out_valid),
            skid.out_ready.eq(self.c.ready),
        ]
        return m

    def _feed(
        self, m: Module, room: Value, load: Value, ends: Signal
    ) -> tuple[list[Value], list[Value]]:
        """Keep the operands, walk through their pairs of terms; return the terms of each edge."""
        lanes = self.array.lanes
        edges = []
        for name, stream, number in (
            ("a", self.a, self.array.rows),
            ("b", self.b, self.array.cols),
        ):
            bits = lanes * getattr(self.nest, name).bits
            operands = stream.payload.data.as_value()
            feeds = [TermFeed(getattr(self.nest, name).bits, lanes) for _ in range(number)]
            for i, feed in enumerate(feeds):
                m.submodules[f"feed_{name}_{i}"] = feed
                m.d.comb += [
                    feed.operands_in.eq(operands[i * bits : (i + 1) * bits]),
                    feed.take.eq(room),
                    feed.load.eq(load),
                ]
            edges.append(feeds)
        counts = [feeds[0].terms.count for feeds in edges]
        # A lane must wait for the operands with the most terms: a row of ones for each.
        has = [reduce(or_, (feed.has_out for feed in feeds)) for feeds in edges]
        walks = [PairWalk(*counts) for _ in range(lanes)]
        for lane, walk in enumerate(walks):
            m.submodules[f"walk_{lane}"] = walk
            own = [slice(lane * count, (lane + 1) * count) for count in counts]
            m.d.comb += [
                walk.load.eq(load),
                walk.has_a.eq(has[0][own[0]]),
                walk.has_b.eq(has[1][own[1]]),
            ]
        at = [Cat(walk.at_a for walk in walks), Cat(walk.at_b for walk in walks)]
        for feeds, index in zip(edges, at, strict=True):
            m.d.comb += [feed.at_in.eq(index) for feed in feeds]
        m.d.comb += ends.eq(Cat(walk.ends for walk in walks).all())
        a_terms, b_terms = ([feed.terms_out for feed in feeds] for feeds in edges)
        return a_terms, b_terms

    def _spread(self, m: Module, name: str, word: Value) -> list[Value]:
        return spread(m, name, word, self.array.cols, self.array.broadcast_stages)


def spread(m: Module, name: str, word: Value, places: int, stages: int) -> list[Value]:
    """Return a word at each of several places, through levels of registers if there are any."""
    if not stages:
        return [word] * places
    block = Broadcast(name.rstrip("_0123456789"), len(word), places, stages)
    m.submodules[name] = block
    m.d.comb += [block.en.eq(Const(1, 1)), block.data_in.eq(word)]
    return [block.at(place) for place in range(places)]
