"""Radix-4 recoding with a carry from digit to digit, and its look-ahead."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Value

from bitweight.arith.encoding import Digit, Encoding

__all__ = ["CarryRecoding", "carries"]


class CarryRecoding(Encoding):
    """Radix-4 digits {-2..2} of pairs of bits, with a carry from each digit to the next.

    A pair and the carry into it make ``v = 2·x[2i+1] + x[2i] + c[i]``, 0 to 4. The digit is
    ``v`` without a carry or ``v - 4`` with one: 0 and 1 give none, 3 and 4 give one, and 2 is
    +2 or -2 as the encoding likes. So the carry out of a digit is its sign; modified Booth is the
    case in which it is ``x[2i+1]``, whatever the carry in. An operand of ``n`` bits has
    ``ceil(n/2)`` digits.
    """

    radix = 4
    digit_min = -2
    digit_max = 2

    @abstractmethod
    def minus_two(self, operand: Value, digit: int) -> Value:
        """Return the bit that makes a `digit` with ``v = 2`` be -2 instead of +2.

        For the topmost digit it must be the sign.
        """

    def digits(self, bits: int) -> int:
        return (bits + 1) // 2

    def encode(self, operand: Value) -> list[Digit]:
        count = self.digits(len(operand))
        sign = operand[-1]
        pairs = Cat(operand, sign)
        low, high = ([pairs[2 * i + j] for i in range(count)] for j in (0, 1))
        generate, propagate = [], []
        for i in range(count - 1):
            minus = self.minus_two(operand, i)
            generate.append(high[i] & (low[i] | minus))
            propagate.append(high[i] | (low[i] & minus))
        carry = [Const(0, 1), *carries(generate, propagate)]
        # Above the topmost digit there are copies of the sign: nothing is left to carry for them,
        # and the digit's own sign is that of the operand.
        negative = [*carry[1:], sign]
        digits = []
        for i in range(count):
            one = low[i] ^ carry[i] if i else low[0]
            digits.append(Digit(negative[i], one, ~one & (low[i] ^ high[i])))
        return digits


def carries(generate: Sequence[Value], propagate: Sequence[Value]) -> list[Value]:
    """Return the carries out of positions 0, 1, ..., with none into position 0.

    A position generates a carry, or propagates the one that comes into it. The halves of the
    positions are looked ahead apart and joined by one operator each (Sklansky 1960): the depth is
    the logarithm of their number.
    """
    return [carry for carry, _ in _groups(list(zip(generate, propagate, strict=True)))]


def _groups(positions: Sequence[tuple[Value, Value]]) -> list[tuple[Value, Value]]:
    """Return generate and propagate of the groups from the first position up to each."""
    if len(positions) < 2:
        return list(positions)
    middle = 1 << (len(positions) - 1).bit_length() - 1
    below, above = _groups(positions[:middle]), _groups(positions[middle:])
    g, p = below[-1]
    return below + [(generate | (propagate & g), propagate & p) for generate, propagate in above]
