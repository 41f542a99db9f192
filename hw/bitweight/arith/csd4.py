"""Canonical recoding in radix 4: as few non-zero digits as there can be."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Value

from bitweight.arith.radix4 import CarryRecoding

__all__ = ["CanonicalSignedDigit"]


class CanonicalSignedDigit(CarryRecoding):
    """The non-adjacent form (Reitwiesner 1960), two of its digits at a time: {-2..2}.

    Of two neighbouring digits {-1, 0, 1} of the non-adjacent form one is zero, so that each pair
    is one of {-2..2}. No recoding into such digits has fewer that are not zero.

    In hardware ``v = 2`` is read as -2 where the next bit is set: the carry then helps to make
    the next digit zero. The software twin takes both signs of the form from ``3·x``, bit by bit
    and without a carry: bit ``i`` of the form is ``(3·x)[i+1] - x[i+1]`` (Prodinger 2000).
    """

    name = "csd4"

    def recode(self, values: np.ndarray, bits: int) -> np.ndarray:
        values = np.asarray(values, dtype=np.int64)[..., None]
        i = 2 * np.arange(self.digits(bits))
        low, high = ((3 * values >> j & 1) - (values >> j & 1) for j in (i + 1, i + 2))
        return low + 2 * high

    def minus_two(self, operand: Value, digit: int) -> Value:
        return operand[min(2 * digit + 2, len(operand) - 1)]
