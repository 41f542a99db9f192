"""OPT1's carry-save accumulation: the loop from accumulator to accumulator has no carry chain.

Partial products and both rows of the accumulator are one bit heap, compressed to two rows every
cycle. A full second row would cost a register in every column. It is not needed: a column may be
compressed to one bit, its carry rippling into the next column within the cycle, wherever that
takes no longer than the compressor tree takes elsewhere. Above the product there are no partial
products to add, so that carries are kept only every few columns there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from amaranth.hdl import Cat, Module, Value

from bitweight.arith.bitheap import BitHeap, Compressor
from bitweight.arith.encoding import Encoding
from bitweight.arith.product import Product
from bitweight.pe.multiply_accumulate import MultiplyAccumulate

__all__ = ["CarrySaveMac"]


class CarrySaveMac(MultiplyAccumulate):
    """``(sum, carry) += a · b`` without carry propagation.

    Parameters
    ----------
    encoding
        Of the operand `a`.
    a_bits, b_bits, acc
        See :class:`MultiplyAccumulate`. The delay does not depend on `acc`.
    """

    def __init__(self, encoding: Encoding, a_bits: int, b_bits: int, acc: int) -> None:
        self.a_bits, self.b_bits, self.acc = a_bits, b_bits, acc
        self.encoding = encoding
        self.product, self.kept, self.compressor = _plan(
            encoding, a_bits, b_bits, acc, _carry_columns(encoding, a_bits, b_bits, acc)
        )
        self.rows = (
            tuple(range(acc)),
            tuple(j for j in range(acc) if self.compressor.rows[1][j] is not None),
        )

    def hardware(self, m: Module, a: Value, b: Value, rows: list[Value]) -> list[Value]:
        bits = self.product.hardware(m, self.encoding.encode(a), b)
        for columns, row, kept in zip(self.rows, rows, self.kept, strict=True):
            bits |= {kept[j]: row[i] for i, j in enumerate(columns)}
        total, carry = self.compressor.hardware(m, bits)
        return [total, Cat(carry[j] for j in self.rows[1])]

    def evaluate(self, a: np.ndarray, b: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
        bits = self.product.evaluate(a, b)
        for columns, row, kept in zip(self.rows, rows, self.kept, strict=True):
            bits |= {kept[j]: row >> j & 1 for j in columns}
        return list(self.compressor.evaluate(bits))


Kept = tuple[dict[int, int], dict[int, int]]
"""For each row of the accumulator, the heap's bit by column."""


def _plan(
    encoding: Encoding, a_bits: int, b_bits: int, acc: int, carries: tuple[int, ...]
) -> tuple[Product, Kept, Compressor]:
    """Return the heap of one step when the carry row has a bit in the columns `carries`."""
    heap = BitHeap(acc)
    product = Product(heap, encoding, a_bits, b_bits)
    kept: Kept = ({}, {})
    for row, columns in zip(kept, (range(acc), carries), strict=True):
        for j in columns:
            bit = heap.add(j, arrival=1.0)
            assert bit is not None  # j < acc
            row[j] = bit
    return product, kept, heap.reduce(carries)


@lru_cache
def _carry_columns(encoding: Encoding, a_bits: int, b_bits: int, acc: int) -> tuple[int, ...]:
    """Return the columns that must keep a carry so that no path gets longer than with all."""
    columns = list(range(acc))
    limit = _plan(encoding, a_bits, b_bits, acc, tuple(columns))[2].arrival
    for column in range(acc):
        fewer = tuple(j for j in columns if j != column)
        if _plan(encoding, a_bits, b_bits, acc, fewer)[2].arrival <= limit:
            columns = list(fewer)
    return tuple(columns)
