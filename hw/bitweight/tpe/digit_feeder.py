"""Operands A of a column, and which of their digits are not zero, one after the other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.arith.onehot import choose
from bitweight.arith.sparse import FirstNonZero
from bitweight.block import Block
from bitweight.pe.bit_serial import OneDigit
from bitweight.tpe.layout import QUEUE, BlockLayout, index_bits

__all__ = ["DigitFeeder", "OperandBuffer"]


class OperandBuffer(Block):
    """The operands A of one lane of a column: a memory with a port for each direction.

    Latency: one step from the address to the word. Throughput: one read and one write per step.

    Parameters
    ----------
    bits
        Width of a word.
    depth
        Number of words.

    Attributes
    ----------
    write, address_in, data_in : In
        A word, and where it goes.
    read, address : In
        Whether a word is read, and which; it stays until the next is read.
    data_out : Out
        The word.
    """

    block_name = "buffer"

    def __init__(self, bits: int, depth: int) -> None:
        self.bits, self.depth = bits, depth
        self.key = (bits, depth)
        super().__init__(
            {
                "write": In(1),
                "address_in": In(index_bits(depth)),
                "data_in": In(bits),
                "read": In(1),
                "address": In(index_bits(depth)),
                "data_out": Out(bits),
            }
        )

    def build(self) -> Module:
        m = Module()
        m.submodules.words = words = Memory(shape=self.bits, depth=self.depth, init=[])
        sink, source = words.write_port(), words.read_port()
        m.d.comb += [
            sink.en.eq(self.write),
            sink.addr.eq(self.address_in),
            sink.data.eq(self.data_in),
            source.en.eq(self.read),
            source.addr.eq(self.address),
            self.data_out.eq(source.data),
        ]
        return m


class DigitFeeder(Block):
    """The operand buffer, encoder and sparse encoder of one lane of a column.

    A pass takes one bit-weight of all words of a block: those of the column's own bank first,
    then those of the next bank. A word is encoded (`next`); if it has any such digit it waits for
    its turn in a short queue, and then passes on its digits (`word`). A word without goes no
    further. It costs no step as long as two digits are left after the step in which it is encoded,
    else it costs one; between words that have digits no step is lost. What is passed on decides on
    `word` alone in the same step: nothing before the queue waits for that.

    It reads into the pass after the present one, but no further, and passes on nothing of it
    before `ends`.

    Latency: three steps from a block that is complete to its first digit. Throughput: a digit, and
    a word, per step. Reset empties it; what the buffer holds is not read again.

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
    en : In(1)
        Nothing changes without it.
    write, slot_in, bank_in, row_in, data_in : In
        A word for the buffer.
    start : In
        The column's own bank.
    last_rows, last_banks, filled : In
        Of every slot: where this lane's last word is, and whether it has any.
    loaded : In
        Blocks from the present one on that are complete.
    ends, sync : In(1)
        The present pass ends; and the block with it.
    served : In(1)
        What is asked for was passed on.
    asks : Out(1)
        There is a digit (or, for `whole`, a word) to pass on, and operands B to be fetched for it.
    bank, row, position : Out
        Which operand it belongs to.
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
            else {"position": Out(layout.position_bits), "digit_out": Out(digit.bits)}
        )
        super().__init__(
            {
                **{name: In(1) for name in ("en", "write", "ends", "sync", "served")},
                "slot_in": In(layout.slot_bits),
                "bank_in": In(layout.bank_bits),
                "row_in": In(layout.row_bits),
                "data_in": In(self.word_bits),
                "start": In(layout.bank_bits),
                "last_rows": In(layout.depth * layout.row_bits),
                "last_banks": In(layout.depth * layout.bank_bits),
                "filled": In(layout.depth),
                "loaded": In(range(layout.depth + 1)),
                "asks": Out(1),
                "bank": Out(layout.bank_bits),
                "row": Out(layout.row_bits),
                "finished": Out(1),
                **payload,
            }
        )

    def build(self) -> Module:
        m = Module()
        layout = self.layout

        # Where to read next: `lead` passes and `ahead` blocks from the present ones.
        slot = Signal(layout.slot_bits)
        bank = Signal(layout.bank_bits)
        row = Signal(layout.row_bits)
        passed = Signal(range(layout.cols))  # banks of the pass that have been left
        turn = Signal(self.passes, init=1)
        lead = Signal(range(3))
        ahead = Signal(range(3))
        last_row = Signal(layout.row_bits)
        last_bank = Signal(layout.bank_bits)
        filled = Signal()
        at_last = Signal()
        here = Mux(passed != 0, bank, self.start)
        m.d.comb += [
            last_row.eq(self.last_rows.word_select(slot, layout.row_bits)),
            last_bank.eq(self.last_banks.word_select(slot, layout.bank_bits)),
            filled.eq(self.filled.bit_select(slot, 1)),
            at_last.eq(row == last_row),
        ]

        # The word that is encoded. Its operands are on the port of the buffer.
        m.submodules.buffer = buffer = OperandBuffer(
            self.word_bits, layout.depth * layout.cols * layout.rows
        )
        next_valid = Signal()
        next_following = Signal()
        next_bank = Signal(layout.bank_bits)
        next_row = Signal(layout.row_bits)
        next_inside = Signal()
        next_turn = Signal(self.passes)
        digits, mask = [], []
        for i in range(layout.group):
            operand = buffer.data_out[i * self.a_bits : (i + 1) * self.a_bits]
            digit = Signal(self.digit.bits, name=f"digit_{i}")
            m.d.comb += digit.eq(self.digit.select(operand.as_signed(), next_turn))
            digits.append(digit)
            mask.append(digit[1:].any() & next_inside)

        # Words that wait, as they go into `word`: the first of them lowest.
        fields = {
            "left": layout.group,
            "bank": layout.bank_bits,
            "row": layout.row_bits,
            "digits": self.word_bits + self.passes
            if self.whole
            else layout.group * self.digit.bits,
        }
        shape = data.StructLayout({**fields, "following": 1})
        queue = [Signal(shape, name=f"queue_{i}", reset_less=True) for i in range(QUEUE)]
        waiting = Signal(range(QUEUE + 1))
        made = Signal(shape)
        m.d.comb += [
            made.left.eq(Cat(mask)),
            made.bank.eq(next_bank),
            made.row.eq(next_row),
            made.digits.eq(Cat(buffer.data_out, next_turn) if self.whole else Cat(digits)),
            made.following.eq(next_following),
        ]

        # The word whose digits are passed on.
        valid = Signal()
        word = Signal(shape, reset_less=True)
        first = FirstNonZero(layout.group).hardware(m, word.left)
        fresh = Signal()  # nothing of it has been
        asks, served, free, empty, gone, read, push, pop = (
            Signal(name=name)
            for name in ("asking", "passed_on", "free", "empty", "gone", "read", "push", "pop")
        )
        m.d.comb += [
            asks.eq(valid & ~word.following),
            served.eq((self.served | ~fresh) & asks if self.whole else self.served),
            free.eq(~valid | (served & first.last)),
            pop.eq(free & (waiting != 0)),
            empty.eq(~made.left.any()),
            push.eq(next_valid & ~empty & (waiting != QUEUE)),
            gone.eq(next_valid & (empty | (waiting != QUEUE))),
            read.eq((~next_valid | gone) & (lead < 2) & (ahead < self.loaded)),
            buffer.read.eq(self.en & read),
            buffer.address.eq(layout.in_lane(slot, here, row)),
            buffer.write.eq(self.en & self.write),
            buffer.address_in.eq(layout.in_lane(self.slot_in, self.bank_in, self.row_in)),
            buffer.data_in.eq(self.data_in),
            self.asks.eq(asks & fresh if self.whole else asks),
            self.bank.eq(word.bank),
            self.row.eq(word.row),
        ]
        present = [next_valid & ~next_following, asks]
        present += [(waiting > i) & ~queue[i].following for i in range(QUEUE)]
        m.d.comb += self.finished.eq(~Cat(present).any() & (lead != 0))
        done = Signal()  # the last word of a pass is read
        over = Signal()  # and of a block
        m.d.comb += [
            done.eq(read & at_last & (passed == layout.cols - 1)),
            over.eq(done & turn[-1]),
        ]
        with m.If(self.en):
            with m.If(read):
                m.d.sync += [
                    next_bank.eq(here),
                    next_row.eq(row),
                    next_inside.eq(filled & (~at_last | (here <= last_bank))),
                    next_turn.eq(turn),
                    row.eq(Mux(at_last, 0, row + 1)),
                ]
                with m.If(at_last):
                    m.d.sync += bank.eq(Mux(here == layout.cols - 1, 0, here + 1))
                    m.d.sync += passed.eq(Mux(passed == layout.cols - 1, 0, passed + 1))
            with m.If(done):
                m.d.sync += turn.eq(Cat(turn[-1], turn[:-1]))
            with m.If(over):
                m.d.sync += slot.eq(Mux(slot == layout.depth - 1, 0, slot + 1))
            m.d.sync += [
                lead.eq(lead + done - self.ends),
                ahead.eq(ahead + over - self.sync),
                next_valid.eq(read | (next_valid & ~gone)),
                next_following.eq(Mux(read, lead == 1, next_following) & ~self.ends),
            ]
            # A word of the next pass becomes one of the present pass where it is, or on its way.
            m.d.sync += waiting.eq(waiting + push - pop)
            for i, entry in enumerate(queue):
                after = queue[i + 1] if i + 1 < QUEUE else made
                moved = Mux(waiting > i + 1, after, made)
                with m.If(pop):
                    m.d.sync += entry.eq(moved)
                with m.Elif(waiting <= i):
                    m.d.sync += entry.eq(made)
                with m.If(self.ends):
                    m.d.sync += entry.following.eq(0)
            with m.If(pop):
                m.d.sync += [valid.eq(1), word.eq(queue[0]), fresh.eq(1)]
            with m.Else():
                m.d.sync += valid.eq(~free)
                with m.If(served):
                    m.d.sync += [word.left.eq(first.rest), fresh.eq(0)]
            with m.If(self.ends):
                m.d.sync += word.following.eq(0)
        if self.whole:
            m.d.comb += Cat(self.word_out, self.turn_out).eq(word.digits)
        else:
            one_hot = Value.cast(first.first)
            held = [word.digits.word_select(i, self.digit.bits) for i in range(layout.group)]
            m.d.comb += [
                self.position.eq(
                    Cat(
                        Cat(one_hot[i] for i in range(layout.group) if i >> j & 1).any()
                        for j in range(layout.position_bits)
                    )
                ),
                self.digit_out.eq(choose(one_hot, held)),
            ]
        return m
