"""Products as bits in a heap: partial products of a digit-recoded operand.

Sign extension is eliminated: a partial product's sign bit enters inverted, and the constant that
makes up for it is folded into the heap. The +1 of a negative digit is a bit of the heap, in the
column of that digit; there is no negation adder.
"""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Signal, Value

from bitweight.arith.bitheap import BitHeap
from bitweight.arith.encoding import Digit, Encoding

__all__ = ["Product"]

NEGATIVE_ARRIVAL = 0.5
SELECTED_ARRIVAL = 4.0
"""Arrival in XOR delays: recoding, selection of one or two, conditional inversion."""


class Product:
    """``a · b`` of signed operands, put into a bit heap.

    Parameters
    ----------
    heap
        Takes the bits and the constant.
    encoding
        Of the operand `a`.
    a_bits, b_bits
        Widths of the operands.
    """

    def __init__(self, heap: BitHeap, encoding: Encoding, a_bits: int, b_bits: int) -> None:
        self.encoding = encoding
        self.a_bits, self.b_bits = a_bits, b_bits
        step = encoding.radix.bit_length() - 1
        self.negatives: list[int | None] = []
        self.selected: list[list[int | None]] = []
        for i in range(encoding.digits(a_bits)):
            base = i * step
            self.negatives.append(heap.add(base, NEGATIVE_ARRIVAL))
            # Twice b needs one bit more than b: columns base .. base + b_bits, the last a sign.
            self.selected.append([heap.add(base + j, SELECTED_ARRIVAL) for j in range(b_bits + 1)])
            heap.constant -= 1 << (base + b_bits)

    def hardware(self, m: Module, digits: list[Digit], b: Value) -> dict[int, Value]:
        """Add the selectors to `m`; return the value of every bit that was put in the heap."""
        bits: dict[int, Value] = {}
        for i, digit in enumerate(digits):
            _put(bits, self.negatives[i], digit.negative)
            selected = Signal(self.b_bits + 1, name=f"selected_{i}")
            for j in range(self.b_bits + 1):
                one = digit.one & b[min(j, self.b_bits - 1)]
                chosen = one | (digit.two & b[j - 1]) if j else one
                m.d.comb += selected[j].eq(chosen ^ digit.negative)
                sign = j == self.b_bits
                _put(bits, self.selected[i][j], ~selected[j] if sign else selected[j])
        return bits

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> dict[int, np.ndarray]:
        """Return the value of every bit for operand arrays: the twin of `hardware`."""
        bits: dict[int, np.ndarray] = {}
        digits = self.encoding.recode(a, self.a_bits)
        for i in range(digits.shape[-1]):
            digit = digits[..., i]
            negative = (digit < 0).astype(np.int64)
            _put(bits, self.negatives[i], negative)
            selected = (np.abs(digit) * np.asarray(b, dtype=np.int64)) ^ -negative
            for j, bit in enumerate(self.selected[i]):
                _put(bits, bit, (selected >> j & 1) ^ (j == self.b_bits))
        return bits


def _put(bits: dict, bit: int | None, value: object) -> None:
    """Record the value of a bit, unless it lies beyond the top column of its heap."""
    if bit is not None:
        bits[bit] = value
