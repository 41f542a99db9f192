"""Radix-4 modified Booth recoding (MacSorley 1961): digits {-2..2} from overlapping windows."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Value

from bitweight.arith.encoding import Digit, Encoding

__all__ = ["ModifiedBooth"]


class ModifiedBooth(Encoding):
    """Radix-4 modified Booth: digit ``i`` is ``-2·x[2i+1] + x[2i] + x[2i-1]``.

    Every digit depends on three neighbouring bits only: no carry runs along the operand. An
    operand of ``n`` bits has ``ceil(n/2)`` digits.
    """

    name = "mbe"
    radix = 4
    digit_min = -2
    digit_max = 2

    def digits(self, bits: int) -> int:
        return (bits + 1) // 2

    def recode(self, values: np.ndarray, bits: int) -> np.ndarray:
        values = np.asarray(values, dtype=np.int64)[..., None]
        i = 2 * np.arange(self.digits(bits))
        below = np.where(i == 0, 0, values >> np.maximum(i - 1, 0))
        return -2 * (values >> (i + 1) & 1) + (values >> i & 1) + (below & 1)

    def encode(self, operand: Value) -> list[Digit]:
        extended = Cat(0, operand, operand[-1])  # bit j of the operand is bit j + 1 here
        digits = []
        for i in range(self.digits(len(operand))):
            low, mid, high = extended[2 * i], extended[2 * i + 1], extended[2 * i + 2]
            one = low ^ mid
            # The window 111 gives -0. It adds nothing (all ones, plus one), and a sign that is
            # a wire instead of a gate keeps the most loaded net of the recoder early.
            digits.append(Digit(negative=high, one=one, two=~one & (high ^ mid)))
        return digits
