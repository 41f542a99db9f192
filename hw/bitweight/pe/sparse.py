"""OPT3's processing element: it recodes a word of operands and takes the non-zero digits in turn.

Source: HPCA 2025 (arXiv 2503.06342), section 3.3.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.arith.onehot import choose
from bitweight.arith.sparse import FirstNonZero
from bitweight.block import Block
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac

__all__ = ["SparsePE"]


class SparsePE(Block):
    """Encoders, sparse encoder, and a step that adds one digit's product to a sum/carry pair.

    A word of operands A and B comes in with a bit of `turn_in`: which digit of each operand is
    meant. The products of those digits that are not zero are added, one per step; the next word
    may come when no more than one of them is left. The pair is on the `drain` outputs for one
    step, `latency` steps after `last_in`, and zero otherwise; the next sum starts from zero in the
    same step.

    Latency: 3 steps. Throughput: a digit per step. Reset forgets the word.

    Parameters
    ----------
    core
        The step of one digit.
    digit
        Makes the digits.
    a_bits
        Width of an operand A.
    group
        Operands of a word.

    Attributes
    ----------
    a_in, b_in
        Signed operands of a word, first lowest.
    turn_in
        A bit for each digit of an operand; none where there is no word.
    last_in
        The word before was the last of a sum. Not in a step that brings a word.
    drain_0, drain_1
        The rows of the pair, packed as ``core.rows`` says.
    """

    block_name = "pe"
    latency = 3

    def __init__(self, core: CarrySaveMac, digit: OneDigit, a_bits: int, group: int) -> None:
        self.core, self.digit, self.a_bits, self.group = core, digit, a_bits, group
        self.key = (id(core), id(digit), a_bits, group)
        self.passes = digit.base.digits(a_bits)
        super().__init__(
            {
                "a_in": In(group * a_bits),
                "b_in": In(group * core.b_bits),
                "turn_in": In(self.passes),
                "last_in": In(1),
                **{f"drain_{i}": Out(len(row)) for i, row in enumerate(core.rows)},
            }
        )

    @staticmethod
    def register_bits(core: CarrySaveMac, group: int) -> int:
        """Return the register bits of an element: word, operands of a step, pair, control."""
        word = group * (1 + OneDigit.bits + core.b_bits)
        return word + core.a_bits + core.b_bits + core.state_bits + 3

    def build(self) -> Module:
        m = Module()
        core, group = self.core, self.group
        made = [
            self.digit.select(self.a_in.word_select(i, self.a_bits).as_signed(), self.turn_in)
            for i in range(group)
        ]
        digits = [Signal(self.digit.bits, name=f"digit_{i}", reset_less=True) for i in range(group)]
        words_b = Signal(group * core.b_bits, reset_less=True)
        left = Signal(group)
        first = FirstNonZero(group).hardware(m, left)
        one_hot = Value.cast(first.first)
        with m.If(self.turn_in.any()):
            m.d.sync += [
                left.eq(Cat(digit[1:].any() for digit in made)),
                words_b.eq(self.b_in),
                *(now.eq(digit) for now, digit in zip(digits, made, strict=True)),
            ]
        with m.Else():
            m.d.sync += left.eq(first.rest)

        a = Signal(core.a_bits)
        b = Signal(core.b_bits, reset_less=True)
        last = Signal()
        ended = Signal()
        done = Signal(init=1)
        rows = [
            Signal(len(columns), name=name, reset_less=True)
            for name, columns in zip(("total", "carry"), core.rows, strict=True)
        ]
        following = core.hardware(m, [a], [b], core.keep(rows, done, None))
        m.d.sync += [
            a.eq(choose(one_hot, digits)),
            b.eq(choose(one_hot, [words_b.word_select(i, core.b_bits) for i in range(group)])),
            last.eq(self.last_in),
            ended.eq(last),
            done.eq(ended),
            *(row.eq(value) for row, value in zip(rows, following, strict=True)),
        ]
        m.d.comb += [
            getattr(self, f"drain_{i}").eq(Mux(done, row, 0)) for i, row in enumerate(rows)
        ]
        return m
