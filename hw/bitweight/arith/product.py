"""Sums of products as bits in a heap: partial products of digit-recoded operands.

Sign extension is eliminated: a partial product's sign bit enters inverted, which makes it an
unsigned number too large by a constant, and the constants of all are taken off the heap at once.
The +1 of a negative digit is a bit of the heap, in the column of that digit; there is no negation
adder.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Signal, Value

from bitweight.arith.bitheap import BitHeap, Compressor
from bitweight.arith.encoding import Digit, Encoding

__all__ = ["PartialProduct", "SumOfProducts", "WeightSum"]

NEGATIVE_ARRIVAL = 0.5
SELECTED_ARRIVAL = 4.0
"""Arrival in XOR delays: recoding, selection of one or two, conditional inversion.

Of all recodings alike. To let the heap know of the carries of some made processing elements 2 to
4 % larger and few of them faster.
"""

MADE_ARRIVAL = 2.0
"""The same where digits come from a register, without recoding."""


class PartialProduct:
    """``digit · b``, put into a heap with an excess of `excess`.

    Parameters
    ----------
    heap
        Takes the bits. Its constant is left alone.
    base
        Column of the digit's weight.
    b_bits
        Width of the operand.
    made
        The digit is there from the start, recoded elsewhere.
    largest
        The largest magnitude of the digit, one or two.
    """

    def __init__(
        self, heap: BitHeap, base: int, b_bits: int, *, made: bool = False, largest: int = 2
    ) -> None:
        self.b_bits = b_bits
        # Twice b needs one bit more than b; the topmost is the sign.
        self.size = b_bits + largest.bit_length() - 1
        self.excess = 1 << (base + self.size - 1)
        self.negative = heap.add(base, 0.0 if made else NEGATIVE_ARRIVAL)
        arrival = MADE_ARRIVAL if made else SELECTED_ARRIVAL
        self.selected = [heap.add(base + j, arrival) for j in range(self.size)]

    def hardware(self, m: Module, digit: Digit, b: Value, name: str) -> dict[int, Value]:
        """Add the selector to `m`; return the value of every bit that was put in the heap."""
        selected = Signal(self.size, name=name)
        doubled = self.size > self.b_bits
        for j in range(self.size):
            one = digit.one & b[min(j, self.b_bits - 1)]
            chosen = one | (digit.two & b[j - 1]) if j and doubled else one
            m.d.comb += selected[j].eq(chosen ^ digit.negative)
        bits = [digit.negative, *selected[:-1], ~selected[-1]]
        return {i: v for i, v in zip(self._placed, bits, strict=True) if i is not None}

    def evaluate(self, digit: np.ndarray, b: np.ndarray) -> dict[int, np.ndarray]:
        """Return the value of every bit for arrays of digits and operands: the twin."""
        negative = (digit < 0).astype(np.int64)
        selected = (np.abs(digit) * np.asarray(b, dtype=np.int64)) ^ -negative
        bits = [negative, *((selected >> j & 1) for j in range(self.size))]
        bits[-1] = bits[-1] ^ 1
        return {i: v for i, v in zip(self._placed, bits, strict=True) if i is not None}

    @property
    def _placed(self) -> list[int | None]:
        return [self.negative, *self.selected]


class WeightSum:
    """The sum over all lanes of the partial products of one bit-weight, as a sum/carry pair.

    The rows are unsigned: their sum is too large by `excess` and never overflows `width` bits, so
    that they can be put into a wider heap without sign extension.

    Parameters
    ----------
    encoding
        Its digit range bounds the sum.
    lanes
        Number of partial products.
    b_bits
        Width of the operand.
    """

    def __init__(self, encoding: Encoding, lanes: int, b_bits: int) -> None:
        largest = encoding.largest
        self.excess = lanes * (largest << (b_bits - 1))
        self.width = (2 * self.excess).bit_length()
        heap = BitHeap(self.width)
        self.lanes = [
            PartialProduct(heap, 0, b_bits, made=encoding.made, largest=largest)
            for _ in range(lanes)
        ]
        self.compressor: Compressor = heap.reduce()


class SumOfProducts:
    """``Σ a[i] · b[i]`` over the lanes, put into a bit heap.

    Parameters
    ----------
    heap
        Takes the bits and the constant.
    encoding
        Of the operands `a`.
    lanes
        Number of products.
    a_bits, b_bits
        Widths of the operands.
    by_weight
        Sum the lanes of each bit-weight first (OPT2), instead of everything in one tree.
    """

    def __init__(
        self,
        heap: BitHeap,
        encoding: Encoding,
        lanes: int,
        a_bits: int,
        b_bits: int,
        *,
        by_weight: bool = False,
    ) -> None:
        self.encoding, self.lanes, self.by_weight = encoding, lanes, by_weight
        self.a_bits, self.b_bits = a_bits, b_bits
        step = encoding.radix.bit_length() - 1
        bases = [i * step for i in range(encoding.digits(a_bits))]
        if by_weight:
            self.weight = WeightSum(encoding, lanes, b_bits)
            # Bits of each weight's rows in the heap; all weights are alike.
            self.merged = [[self._merge(heap, base, row) for row in (0, 1)] for base in bases]
            heap.constant -= sum(self.weight.excess << base for base in bases)
        else:
            self.partial = [
                [
                    PartialProduct(heap, base, b_bits, made=encoding.made, largest=encoding.largest)
                    for base in bases
                ]
                for _ in range(lanes)
            ]
            heap.constant -= sum(p.excess for lane in self.partial for p in lane)

    def _merge(self, heap: BitHeap, base: int, row: int) -> dict[int, int]:
        compressor = self.weight.compressor
        placed = {}
        for j, bit in enumerate(compressor.rows[row]):
            number = None if bit is None else heap.add(base + j, compressor.arrival)
            if number is not None:
                placed[j] = number
        return placed

    def hardware(self, m: Module, a: Sequence[Value], b: Sequence[Value]) -> dict[int, Value]:
        """Add encoders and selectors to `m`; return the value of every bit in the heap."""
        digits = [self.encoding.encode(operand) for operand in a]
        bits: dict[int, Value] = {}
        if not self.by_weight:
            for lane, partials in enumerate(self.partial):
                for i, partial in enumerate(partials):
                    name = f"selected_{lane}_{i}"
                    bits |= partial.hardware(m, digits[lane][i], b[lane], name)
            return bits
        for i, rows in enumerate(self.merged):
            inner: dict[int, Value] = {}
            for lane, partial in enumerate(self.weight.lanes):
                name = f"selected_{lane}_{i}"
                inner |= partial.hardware(m, digits[lane][i], b[lane], name)
            words = self.weight.compressor.hardware(m, inner, prefix=f"weight_{i}_")
            for word, row in zip(words, rows, strict=True):
                bits |= {number: word[j] for j, number in row.items()}
        return bits

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> dict[int, np.ndarray]:
        """Return the value of every bit for operands [..., lanes]: the twin of `hardware`."""
        digits = self.encoding.recode(a, self.a_bits)
        bits: dict[int, np.ndarray] = {}
        if not self.by_weight:
            for lane, partials in enumerate(self.partial):
                for i, partial in enumerate(partials):
                    bits |= partial.evaluate(digits[..., lane, i], b[..., lane])
            return bits
        for i, rows in enumerate(self.merged):
            inner: dict[int, np.ndarray] = {}
            for lane, partial in enumerate(self.weight.lanes):
                inner |= partial.evaluate(digits[..., lane, i], b[..., lane])
            words = self.weight.compressor.evaluate(inner)
            for word, row in zip(words, rows, strict=True):
                bits |= {number: word >> j & 1 for j, number in row.items()}
        return bits
