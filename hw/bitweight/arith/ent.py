"""EN-T recoding: the digits {-1, 0, 1, 2} of the magnitude, with the operand's sign."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Value

from bitweight.arith.radix4 import CarryRecoding

__all__ = ["EnT"]


class EnT(CarryRecoding):
    """EN-T: radix-4 digits of the magnitude, each multiplied by the sign of the operand.

    The digits ``d`` of ``|x|`` in radix 4 are recoded to ``(d[i] + c[i]) mod 4`` with 3 read as
    -1 and ``c[i+1] = (d[i] = 3) or (d[i] = 2 and c[i])``: {-1, 0, 1, 2}, and {-2..2} with the
    sign. Source: the encoding that arXiv 2503.06342 takes for its sparse engines.

    The hardware needs no magnitude. ``|x|`` is ``x ^ sign`` with a carry into its lowest digit;
    carries taken relative to the sign make the recoding one of `x` itself in which ``v = 2`` is
    read as -2 for negative operands: digits of the magnitude hold a 2, but no -2.
    """

    name = "ent"

    def recode(self, values: np.ndarray, bits: int) -> np.ndarray:
        values = np.asarray(values, dtype=np.int64)
        magnitude = np.abs(values)
        digits = np.empty((*values.shape, self.digits(bits)), dtype=np.int64)
        carry = np.zeros_like(magnitude)
        for i in range(digits.shape[-1]):
            digit = magnitude >> 2 * i & 3
            total = (digit + carry) & 3
            digits[..., i] = np.where(total == 3, -1, total)
            carry = (digit == 3) | ((digit == 2) & (carry == 1))
        return digits * np.where(values < 0, -1, 1)[..., None]

    def minus_two(self, operand: Value, digit: int) -> Value:
        return operand[-1]
