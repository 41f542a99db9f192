"""Two's complement as it is: a digit for every bit."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Const, Value

from bitweight.arith.encoding import Digit, Encoding

__all__ = ["BitSerial"]


class BitSerial(Encoding):
    """Radix 2: the bits are the digits, and the topmost one counts negative.

    What bit-serial engines such as Stripes (Judd et al. 2016) take. An operand of ``n`` bits has
    ``n`` digits: 0 or 1, but for the topmost, which is -1 or 0.
    """

    name = "serial"
    radix = 2
    digit_min = -1
    digit_max = 1
    made = True

    def digits(self, bits: int) -> int:
        return bits

    def recode(self, values: np.ndarray, bits: int) -> np.ndarray:
        i = np.arange(bits)
        digits = np.asarray(values, dtype=np.int64)[..., None] >> i & 1
        return np.where(i == bits - 1, -digits, digits)

    def encode(self, operand: Value) -> list[Digit]:
        top = len(operand) - 1
        return [Digit(Const(i == top, 1), bit, Const(0, 1)) for i, bit in enumerate(operand)]
