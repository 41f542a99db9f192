"""Operands A of a column, and which of their digits are not zero, one after the other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from bitweight.arith.onehot import choose
from bitweight.arith.sparse import FirstNonZero
from bitweight.block import Block
from bitweight.pe.bit_serial import OneDigit
from bitweight.tpe.layout import ITEMS, BlockLayout
from bitweight.tpe.operand_buffer import OperandBuffer

__all__ = ["DigitFeeder"]


class DigitFeeder(Block):
    """The operand buffer, encoder and sparse encoder of one lane of a column.

    A pass takes one bit-weight of all words of a block: row by row, in each row from the column's
    own place on. A word is read (`next`), encoded (`coded`; one without such a digit goes no
    further) and taken apart (`word`); its digits wait (`spare`) until the one before them is
    passed on (`head`). Words without digits cost no step as long as digits of the words before
    them are left, else each costs one; between words that have digits no step is lost. What is
    passed on decides on `head` alone in the same step: nothing before it waits for that.

    It reads into the pass after the present one, but no further, and passes on nothing of it
    before `ends`.

    Latency: `latency_of` steps from a block that is complete to its first digit. Throughput: a
    digit, and a word, per step. Reset empties it; what the buffer holds is not read again.

    Parameters
    ----------
    digit
        Makes the digits.
    a_bits
        Width of an operand.
    layout
        Of the buffer.
    whole
        A word is passed on as a whole, with its first digit, for PEs that have encoders of their
        own; of the further digits nothing but their number counts.

    Attributes
    ----------
    write, slot_in, place_in, row_in, data_in : In
        A word for the buffer.
    start : In
        The column's own place.
    last_rows, last_places, filled : In
        Of every slot: where this lane's last word is, and whether it has any.
    loaded : In
        Blocks from the present one on that are complete.
    ends, sync : In(1)
        The present pass ends; and the block with it.
    served : In(1)
        What is asked for was passed on.
    asks : Out(1)
        There is a digit (or, for `whole`, a word) to pass on, and operands B to be fetched for it.
    bank : Out
        Where they are, one-hot: the bank of a digit's operand, or the place of a word's.
    row : Out
        In which row of it.
    digit_out : Out
        The wires of the digit.
    word_out, turn_out : Out
        For `whole` in its place: the operands of the word, and which of their digits.
    finished : Out(1)
        The present pass has no digit left.
    """

    block_name = "feeder"

    def __init__(self, digit: OneDigit, a_bits: int, layout: BlockLayout, *, whole: bool) -> None:
        self.digit, self.a_bits, self.layout, self.whole = digit, a_bits, layout, whole
        self.key = (id(digit), a_bits, layout, whole)
        self.passes = digit.base.digits(a_bits)
        self.word_bits = layout.group * a_bits
        payload = (
            {"word_out": Out(self.word_bits), "turn_out": Out(self.passes)}
            if whole
            else {"digit_out": Out(digit.bits)}
        )
        super().__init__(
            {
                "write": In(1),
                "slot_in": In(layout.slot_bits),
                "place_in": In(layout.place_bits),
                "row_in": In(layout.row_bits),
                "data_in": In(self.word_bits),
                "start": In(layout.place_bits),
                "last_rows": In(layout.depth * layout.row_bits),
                "last_places": In(layout.depth * layout.place_bits),
                "filled": In(layout.depth),
                "loaded": In(range(layout.depth + 1)),
                "ends": In(1),
                "sync": In(1),
                "served": In(1),
                "asks": Out(1),
                "bank": Out(layout.places if whole else layout.banks),
                "row": Out(layout.row_bits),
                "finished": Out(1),
                **payload,
            }
        )

    @staticmethod
    def latency_of(*, whole: bool) -> int:
        """Return the steps from a block that is complete to its first digit."""
        return 3 if whole else 4

    def build(self) -> Module:
        m = Module()
        layout = self.layout
        empty: list[Value] = []  # whether a stage has nothing of the present pass

        # From the last stage to the first: each knows whether the one behind it has room.
        where = {"row": layout.row_bits, "following": 1}
        word = data.StructLayout(
            {**where, "left": layout.group, "place": layout.places, "digits": self._coded_bits}
        )
        item = word
        if not self.whole:
            item = data.StructLayout({**where, "bank": layout.banks, "digits": self.digit.bits})
        made = Signal(item)
        offered = Signal()
        room = Signal()
        self._pass_on(m, made, offered, room, empty)

        coded = Signal(word, reset_less=True)
        coded_valid = Signal()
        taken = Signal()
        if self.whole:
            m.d.comb += [made.eq(coded), offered.eq(coded_valid), taken.eq(coded_valid & room)]
        else:
            self._take_apart(m, coded, coded_valid, taken, made, offered, room, empty)
        empty.append(~coded_valid | coded.following)

        words = Signal(word)
        next_valid = Signal()
        some = Signal()
        moves = Signal()
        m.d.comb += moves.eq(next_valid & (~coded_valid | taken))
        self._read(m, words, some, next_valid, moves, empty)
        m.d.sync += coded_valid.eq(Mux(moves, some, coded_valid & ~taken))
        with m.If(moves):
            m.d.sync += coded.eq(words)
            m.d.sync += coded.following.eq(words.following & ~self.ends)
        with m.Elif(self.ends):
            m.d.sync += coded.following.eq(0)
        return m

    @property
    def _coded_bits(self) -> int:
        if self.whole:
            return self.word_bits + self.passes
        return self.layout.group * self.digit.bits

    def _read(
        self,
        m: Module,
        words: data.View,
        some: Signal,
        valid: Signal,
        moves: Signal,
        empty: list[Value],
    ) -> None:
        """Read words while there is `room`, and encode them."""
        layout = self.layout

        # Where to read next: `lead` passes and `ahead` blocks from the present ones.
        slot = Signal(layout.slot_bits)
        row = Signal(layout.row_bits)
        passed = Signal(range(layout.places))  # places of the row that have been left
        turn = Signal(self.passes, init=1)
        lead = Signal(range(3))
        ahead = Signal(range(3))
        last_row = Signal(layout.row_bits)
        last_place = Signal(layout.place_bits)
        filled, at_last, leaves, read, done, over = (
            Signal(name=name) for name in ("filled", "at_last", "leaves", "read", "done", "over")
        )
        # The buffer has the places of a row as they are read, the column's own one first.
        here = Signal(layout.place_bits)
        turned = Signal(layout.place_bits)
        onward = passed + self.start
        m.d.comb += [
            here.eq(Mux(onward >= layout.places, onward - layout.places, onward)),
            turned.eq(
                self.place_in - self.start + Mux(self.place_in < self.start, layout.places, 0)
            ),
        ]
        m.submodules.buffer = buffer = OperandBuffer(
            self.word_bits, layout.depth * layout.places * layout.rows
        )
        m.d.comb += [
            last_row.eq(self.last_rows.word_select(slot, layout.row_bits)),
            last_place.eq(self.last_places.word_select(slot, layout.place_bits)),
            filled.eq(self.filled.bit_select(slot, 1)),
            at_last.eq(row == last_row),
            leaves.eq(passed == layout.places - 1),
            read.eq((~valid | moves) & (lead < 2) & (ahead < self.loaded)),
            done.eq(read & at_last & leaves),  # the last word of a pass is read
            over.eq(done & turn[-1]),  # and of a block
            buffer.read.eq(read),
            buffer.address.eq(layout.in_lane(slot, passed, row)),
            buffer.write.eq(self.write),
            buffer.address_in.eq(layout.in_lane(self.slot_in, turned, self.row_in)),
            buffer.data_in.eq(self.data_in),
        ]

        # The word on the port of the buffer.
        next_place = Signal(layout.place_bits)
        next_row = Signal(layout.row_bits)
        next_inside = Signal()
        next_turn = Signal(self.passes)
        following = Signal()
        empty.append(~valid | following)
        with m.If(read):
            m.d.sync += [
                next_place.eq(here),
                next_row.eq(row),
                next_inside.eq(filled & (~at_last | (here <= last_place))),
                next_turn.eq(turn),
                passed.eq(Mux(leaves, 0, passed + 1)),
            ]
            with m.If(leaves):
                m.d.sync += row.eq(Mux(at_last, 0, row + 1))
        with m.If(done):
            m.d.sync += turn.eq(Cat(turn[-1], turn[:-1]))
        with m.If(over):
            m.d.sync += slot.eq(Mux(slot == layout.depth - 1, 0, slot + 1))
        m.d.sync += [
            lead.eq(lead + done - self.ends),
            ahead.eq(ahead + over - self.sync),
            valid.eq(read | (valid & ~moves)),
            following.eq(Mux(read, lead == 1, following) & ~self.ends),
        ]
        # Known in the step after the last digit, from a register: whole columns wait for it.
        finished = Signal()
        m.d.sync += finished.eq(Cat(empty).all() & (lead != 0) & ~self.ends)
        m.d.comb += self.finished.eq(finished)

        digits, mask = [], []
        for i in range(layout.group):
            operand = buffer.data_out[i * self.a_bits : (i + 1) * self.a_bits]
            digit = Signal(self.digit.bits, name=f"digit_{i}")
            m.d.comb += digit.eq(self.digit.select(operand.as_signed(), next_turn))
            digits.append(digit)
            mask.append(digit[1:].any() & next_inside)
        m.d.comb += [
            words.left.eq(Cat(mask)),
            words.place.eq(Cat(next_place == i for i in range(layout.places))),
            words.row.eq(next_row),
            words.digits.eq(Cat(buffer.data_out, next_turn) if self.whole else Cat(digits)),
            words.following.eq(following),
            some.eq(words.left.any()),
        ]

    def _take_apart(
        self,
        m: Module,
        coded: data.View,
        coded_valid: Signal,
        taken: Signal,
        made: data.View,
        offered: Signal,
        room: Signal,
        empty: list[Value],
    ) -> None:
        """Offer the digits of a word, one after the other."""
        group = self.layout.group
        valid = Signal()
        word = Signal(coded.shape(), name="word", reset_less=True)
        first = FirstNonZero(group).hardware(m, word.left)
        one_hot = Value.cast(first.first)
        free = Signal(name="word_free")
        held = [word.digits.word_select(i, self.digit.bits) for i in range(group)]
        m.d.comb += [
            made.bank.eq(Cat(one_hot & bit.replicate(group) for bit in word.place)),
            made.row.eq(word.row),
            made.digits.eq(choose(one_hot, held)),
            made.following.eq(word.following),
            offered.eq(valid),
            free.eq(~valid | (room & first.last)),
            taken.eq(coded_valid & free),
        ]
        empty.append(~valid | word.following)
        m.d.sync += valid.eq(~free | coded_valid)
        with m.If(taken):
            m.d.sync += word.eq(coded)
        with m.Elif(valid & room):
            m.d.sync += word.left.eq(first.rest)
        with m.If(self.ends):  # a word of the next pass becomes one of the present pass
            m.d.sync += word.following.eq(0)

    def _pass_on(
        self, m: Module, made: data.View, offered: Signal, room: Signal, empty: list[Value]
    ) -> None:
        """Keep what is offered, as long as there is `room`, until it is served."""
        head = Signal(made.shape(), name="head", reset_less=True)
        spare = Signal(made.shape(), name="spare", reset_less=True)
        head_valid, spare_valid, free, pops, asks = (
            Signal(name=name)
            for name in ("head_valid", "spare_valid", "head_free", "head_pops", "asking")
        )
        m.d.comb += [
            room.eq(~spare_valid),
            free.eq(~head_valid | pops),
            self.row.eq(head.row),
        ]
        assert ITEMS == 2  # `head` and `spare`
        # What is served in this step is not there any more in the next.
        empty += [~asks | pops, ~spare_valid | spare.following]
        if self.whole:
            fresh = Signal()  # nothing of it has been passed on
            first = FirstNonZero(self.layout.group).hardware(m, head.left)
            served = asks & (self.served | ~fresh)
            m.d.comb += [
                self.asks.eq(asks & fresh),
                self.bank.eq(head.place),
                Cat(self.word_out, self.turn_out).eq(head.digits),
                pops.eq(served & first.last),
            ]
            with m.If(~free & served):
                m.d.sync += [head.left.eq(first.rest), fresh.eq(0)]
            with m.If(free):
                m.d.sync += fresh.eq(1)
        else:
            m.d.comb += [
                self.asks.eq(asks),
                self.bank.eq(head.bank),
                self.digit_out.eq(head.digits),
                pops.eq(self.served),
            ]
        # In a register of its own, and from what is served last of all: all columns wait for it.
        following = Mux(spare_valid, spare.following, made.following)
        some = spare_valid | offered
        goes, stays = some & (~following | self.ends), ~head.following | self.ends
        m.d.sync += asks.eq(Mux(pops, goes, Mux(head_valid, stays, goes)))
        with m.If(free):
            m.d.sync += [
                head.eq(Mux(spare_valid, spare, made)),
                head_valid.eq(some),
                spare_valid.eq(0),
            ]
        with m.Elif(offered):
            m.d.sync += spare_valid.eq(1)
        with m.If(offered & room):
            m.d.sync += spare.eq(made)
        with m.If(self.ends):
            m.d.sync += [head.following.eq(0), spare.following.eq(0)]
