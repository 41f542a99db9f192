"""Operands A of a column, and which of their digits are not zero, one after the other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from bitweight.arith.onehot import choose
from bitweight.arith.sparse import FirstNonZero
from bitweight.block import Block
from bitweight.pe.bit_serial import OneDigit
from bitweight.tpe.layout import BlockLayout
from bitweight.tpe.operand_buffer import OperandBuffer

__all__ = ["DigitFeeder"]


class DigitFeeder(Block):
    """The operand buffer, encoder and sparse encoder of one lane of a column.

    A pass takes one bit-weight of all words of a block: row by row, in each row from the column's
    own place on. A word is read (`next`), encoded (`coded`; one without such a digit goes no
    further) and taken apart (`word`). Words without digits cost no step as long as digits of the
    words before them are left, else each costs one; between words that have digits no step is
    lost.

    Where the layout is of `whole` words, these are passed on instead, for PEs that have encoders
    of their own.

    It reads into the pass after the present one, but no further, and passes on what is of that
    as `following`.

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

    Attributes
    ----------
    write, slot_in, place_in, row_in, data_in : In
        A word for the buffer; its place is counted from the column's own.
    start : In
        The column's own place.
    last_rows, last_places, filled : In
        Of every slot: where this lane's last word is, and whether it has any.
    more : In(1)
        The word that is written completes a block.
    ends : In(1)
        The present pass ends.
    served : In(1)
        What is asked for is taken.
    asks, following : Out(1)
        There is a digit (or a whole word) to pass on; it is of the pass after the present.
    bank : Out
        Where they are, one-hot: the bank of a digit's operand, or the place of a word's.
    row : Out
        In which row of it.
    digit_out : Out
        The wires of the digit.
    word_out, turn_out, left : Out
        For whole words in its place: the operands of the word, which of their digits is meant, and
        a bit for each that is not zero there.
    finished : Out(1)
        The present pass has no digit left.
    """

    block_name = "feeder"

    def __init__(self, digit: OneDigit, a_bits: int, layout: BlockLayout) -> None:
        self.digit, self.a_bits, self.layout = digit, a_bits, layout
        self.key = (id(digit), a_bits, layout)
        self.passes = digit.base.digits(a_bits)
        self.word_bits = layout.group * a_bits
        payload = (
            {
                "word_out": Out(self.word_bits),
                "turn_out": Out(self.passes),
                "left": Out(layout.group),
            }
            if layout.whole
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
                "more": In(1),
                "ends": In(1),
                "served": In(1),
                "asks": Out(1),
                "following": Out(1),
                "bank": Out(layout.banks),
                "row": Out(layout.row_bits),
                "finished": Out(1),
                **payload,
            }
        )

    @staticmethod
    def latency_of(*, whole: bool) -> int:
        """Return the steps from a block that is complete to its first digit."""
        return 2 if whole else 3

    def build(self) -> Module:
        m = Module()
        layout = self.layout
        empty: list[Value] = []  # whether a stage has nothing of the present pass

        # From the last stage to the first: each knows whether the one behind it has room.
        where = {"row": layout.row_bits, "following": 1}
        word = data.StructLayout(
            {**where, "left": layout.group, "place": layout.places, "digits": self._coded_bits}
        )
        coded = Signal(word, reset_less=True)
        coded_valid = Signal()
        taken = Signal()
        if self.layout.whole:
            m.d.comb += [
                taken.eq(coded_valid & self.served),
                self.asks.eq(coded_valid),
                self.following.eq(coded.following),
                self.bank.eq(coded.place),
                self.row.eq(coded.row),
                self.left.eq(coded.left),
                Cat(self.word_out, self.turn_out).eq(coded.digits),
            ]
            empty.append(~coded_valid | coded.following | self.served)
        else:
            self._take_apart(m, coded, coded_valid, taken, empty)
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
        if self.layout.whole:
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

        # Where to read next: `lead` passes after the present one.
        slot = Signal(layout.slot_bits)
        row = Signal(layout.row_bits)
        passed = Signal(range(layout.places))  # places of the row that have been left
        turn = Signal(self.passes, init=1)
        lead = Signal(range(3))
        unread = Signal(range(layout.depth + 1))  # complete blocks, that which is read included
        last_row = Signal(layout.row_bits)
        last_place = Signal(layout.place_bits)
        filled, at_last, leaves, read, done, over = (
            Signal(name=name) for name in ("filled", "at_last", "leaves", "read", "done", "over")
        )
        # The buffer has the places of a row as they are read, the column's own one first.
        here = Signal(layout.place_bits)
        onward = passed + self.start
        m.d.comb += here.eq(Mux(onward >= layout.places, onward - layout.places, onward))
        m.submodules.buffer = buffer = OperandBuffer(
            self.word_bits, layout.depth * layout.places * layout.rows
        )
        m.d.comb += [
            last_row.eq(self.last_rows.word_select(slot, layout.row_bits)),
            last_place.eq(self.last_places.word_select(slot, layout.place_bits)),
            filled.eq(self.filled.bit_select(slot, 1)),
            at_last.eq(row == last_row),
            leaves.eq(passed == layout.places - 1),
            read.eq((~valid | moves) & (lead < 2) & (unread != 0)),
            done.eq(read & at_last & leaves),  # the last word of a pass is read
            over.eq(done & turn[-1]),  # and of a block
            buffer.read.eq(read),
            buffer.address.eq(layout.in_lane(slot, passed, row)),
            buffer.write.eq(self.write),
            buffer.address_in.eq(layout.in_lane(self.slot_in, self.place_in, self.row_in)),
            buffer.data_in.eq(self.data_in),
        ]

        # The word on the port of the buffer.
        next_place = Signal(layout.place_bits, reset_less=True)
        next_row = Signal(layout.row_bits, reset_less=True)
        next_inside = Signal(reset_less=True)
        next_turn = Signal(self.passes, reset_less=True)
        following = Signal(reset_less=True)
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
            unread.eq(unread + self.more - over),
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
            words.digits.eq(Cat(buffer.data_out, next_turn) if self.layout.whole else Cat(digits)),
            words.following.eq(following),
            some.eq(words.left.any()),
        ]

    def _take_apart(
        self, m: Module, coded: data.View, coded_valid: Signal, taken: Signal, empty: list[Value]
    ) -> None:
        """Pass on the digits of a word, one after the other."""
        group = self.layout.group
        valid = Signal()
        word = Signal(coded.shape(), name="word", reset_less=True)
        first = FirstNonZero(group).hardware(m, word.left)
        one_hot = Value.cast(first.first)
        leaves = Signal(name="word_leaves")  # with its last digit
        free = Signal(name="word_free")
        held = [word.digits.word_select(i, self.digit.bits) for i in range(group)]
        m.d.comb += [
            self.asks.eq(valid),
            self.following.eq(word.following),
            self.bank.eq(Cat(one_hot & bit.replicate(group) for bit in word.place)),
            self.row.eq(word.row),
            self.digit_out.eq(choose(one_hot, held)),
            leaves.eq(self.served & first.last),
            free.eq(~valid | leaves),
            taken.eq(coded_valid & free),
        ]
        # What is taken in this step is not there any more in the next.
        empty.append(free | word.following)
        m.d.sync += valid.eq(~free | coded_valid)
        with m.If(taken):
            m.d.sync += word.eq(coded)
        with m.Elif(self.served):
            m.d.sync += word.left.eq(first.rest)
        # A word of the next pass becomes one of the present pass.
        with m.If(self.ends):
            m.d.sync += word.following.eq(0)
