"""OPT2's step with the bit-weights in time: one digit of every lane, by Horner's rule.

The most significant digits of all operands come first, then the next: before each pass but the
first the accumulator is multiplied by the radix, a shift by wires. So partial products are always
added at column 0, by a tree as narrow as the sum over the lanes, and one accumulator at full width
serves all bit-weights.

Of its second row only some columns are kept (:mod:`bitweight.pe.carry_save`). What is kept enters
the next step where it is or shifted, so that the step takes carries in more columns than it
leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Const, Value

from bitweight.arith.encoding import Digit, Encoding
from bitweight.arith.onehot import choose
from bitweight.pe.carry_save import CarrySaveMac

__all__ = ["BitSerialMac", "OneDigit"]


class OneDigit(Encoding):
    """The present digit of an operand, which is all that a lane gets of it.

    In hardware an operand is the three wires of a :class:`Digit`, lowest first; in software it is
    the digit itself.

    Parameters
    ----------
    base
        The encoding that makes the digits.
    """

    bits = 3
    made = True

    def __init__(self, base: Encoding) -> None:
        self.base, self.name, self.radix = base, base.name, base.radix
        self.digit_min, self.digit_max = base.digit_min, base.digit_max

    def digits(self, bits: int) -> int:
        return 1

    def recode(self, values: np.ndarray, bits: int) -> np.ndarray:
        return np.asarray(values, dtype=np.int64)[..., None]

    def encode(self, operand: Value) -> list[Digit]:
        return [Digit(*operand)]

    def zero_bits(self, bits: int) -> int:
        # A digit of no magnitude is zero with either sign.
        return 0b110

    def select(self, operand: Value, turn: Value) -> Value:
        """Return the digit of an operand for which a bit of `turn` is set, of its own or none."""
        digits = self.base.encode(operand)
        return choose(turn, (Cat(digit.negative, digit.one, digit.two) for digit in digits))


class BitSerialMac(CarrySaveMac):
    """``(sum, carry) = shift(sum, carry) + Σ digit · b`` without carry propagation.

    Parameters
    ----------
    encoding
        Of the operands `a`, recoded elsewhere: a lane takes the wires of one digit.
    b_bits, acc, lanes
        See :class:`MultiplyAccumulate`.
    """

    kept_arrival = 1.5

    def __init__(self, encoding: Encoding, b_bits: int, acc: int, lanes: int) -> None:
        self.shift = encoding.radix.bit_length() - 1
        self.digit = OneDigit(encoding)
        super().__init__(self.digit, self.digit.bits, b_bits, acc, lanes)

    def entry(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        shifted = {j + self.shift for j in columns}
        return tuple(j for j in range(self.acc) if j in shifted.union(columns))

    def keep(self, rows: Sequence[Value], done: Value, shift: Value | None) -> list[Value]:
        assert shift is not None  # it can be shifted
        kept = []
        for row, columns, entries in zip(rows, self.rows, self.entries, strict=True):
            at = dict(zip(columns, row, strict=True))
            kept.append(
                Cat(
                    (at[j] & ~(done | shift) if j in at else Const(0, 1))
                    | (at[j - self.shift] & shift if j - self.shift in at else Const(0, 1))
                    for j in entries
                )
            )
        return kept
