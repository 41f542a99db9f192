"""Radix-4 recoding in which no digit but the topmost is -2."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Const, Value

from bitweight.arith.radix4 import CarryRecoding

__all__ = ["PlusTwo"]


class PlusTwo(CarryRecoding):
    """Digits {-1, 0, 1, 2} in two's complement; the topmost is one of {-2..1}.

    A pair of bits and the carry into it that make 2 stay +2, without a carry.
    """

    name = "plus2"

    def recode(self, values: np.ndarray, bits: int) -> np.ndarray:
        """Return the digits, from the carries of the definition."""
        values = np.asarray(values, dtype=np.int64)
        digits = np.empty((*values.shape, self.digits(bits)), dtype=np.int64)
        for i in range(digits.shape[-1] - 1):
            pair = values & 3
            digits[..., i] = np.where(pair == 3, -1, pair)
            values = (values - digits[..., i]) >> 2
        digits[..., -1] = values
        return digits

    def minus_two(self, operand: Value, digit: int) -> Value:
        """Return the bit that reads 2 as -2: the sign, and only in the topmost digit."""
        return operand[-1] if digit == self.digits(len(operand)) - 1 else Const(0, 1)
