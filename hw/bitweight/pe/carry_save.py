"""OPT1's carry-save accumulation: the loop from accumulator to accumulator has no carry chain.

Partial products and both rows of the accumulator are one bit heap, compressed to two rows every
cycle. A full second row would cost a register in every column. It is not needed: a column may be
compressed to one bit, its carry rippling into the next column within the cycle, wherever that
takes no longer than the compressor tree takes elsewhere. Above the product there are no partial
products to add, so that carries are kept only every few columns there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Value

from bitweight.arith.bitheap import BitHeap, Compressor
from bitweight.arith.product import SumOfProducts
from bitweight.pe.multiply_accumulate import MultiplyAccumulate

__all__ = ["CarrySaveMac"]

Kept = tuple[dict[int, int], dict[int, int]]
"""For each row of the accumulator, the heap's bit by column."""


class CarrySaveMac(MultiplyAccumulate):
    """``(sum, carry) += Σ a · b`` without carry propagation.

    The delay does not depend on the width of the accumulator.

    Parameters
    ----------
    parameters, options
        See :class:`MultiplyAccumulate`.

    Attributes
    ----------
    cut
        When the registers inside of a step are written, in XOR delays.
    entries
        The columns in which each row enters a step, lowest first.
    kept_arrival
        When it does, in XOR delays.
    """

    kept_arrival: float = 1.0

    def __init__(self, *parameters: Any, **options: Any) -> None:
        super().__init__(*parameters, **options)
        self.cut = self._middle() if self.staged else 0.0
        carries = self._carry_columns()
        self.products, self.kept, self.compressor = self._plan(carries)
        self.held = self._held(self.kept, self.compressor) if self.staged else ()
        self.rows = (tuple(range(self.acc)), carries)
        self.entries = tuple(self.entry(columns) for columns in self.rows)

    @property
    def staged_bits(self) -> int:
        return len(self.held)

    def entry(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        """Return the columns in which a row that has a bit in these columns enters a step."""
        return columns

    def hardware(
        self, m: Module, a: Sequence[Value], b: Sequence[Value], rows: list[Value]
    ) -> list[Value]:
        bits = self.products.hardware(m, a, b)
        for columns, row, kept in zip(self.entries, rows, self.kept, strict=True):
            bits |= {kept[j]: row[i] for i, j in enumerate(columns)}
        total, carry = self.compressor.hardware(m, bits, held=self.held)
        return [total, Cat(carry[j] for j in self.rows[1])]

    def evaluate(self, a: np.ndarray, b: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
        bits = self.products.evaluate(a, b)
        for columns, row, kept in zip(self.entries, rows, self.kept, strict=True):
            bits |= {kept[j]: row >> j & 1 for j in columns}
        return list(self.compressor.evaluate(bits))

    def _plan(self, carries: tuple[int, ...]) -> tuple[SumOfProducts, Kept, Compressor]:
        """Return the heap of one step when the carry row has a bit in the columns `carries`."""
        heap = BitHeap(self.acc)
        products = self.place(heap)
        kept: Kept = ({}, {})
        for row, columns in zip(kept, (tuple(range(self.acc)), carries), strict=True):
            for j in self.entry(columns):
                bit = heap.add(j, arrival=self.cut + self.kept_arrival)
                assert bit is not None  # j is below the width
                row[j] = bit
        return products, kept, heap.reduce(carries)

    def _held(self, kept: Kept, compressor: Compressor) -> tuple[int, ...]:
        """Return the bits that are registered in the middle of a step."""
        late = {bit for row in kept for bit in row.values()}
        return compressor.crossing(self.cut, late)

    def _middle(self) -> float:
        """Return where a step is cut so that both parts are fast, and then with few registers."""
        self.cut = 0.0
        columns = tuple(range(self.acc))
        best = None
        for cut in sorted(set(self._plan(columns)[2].times)):
            self.cut = cut
            _, kept, compressor = self._plan(columns)
            held = self._held(kept, compressor)
            found = max(cut, compressor.arrival - cut), len(held), cut
            best = min(best or found, found)
        assert best is not None
        return best[2]

    def _carry_columns(self) -> tuple[int, ...]:
        """Return the columns that must keep a carry so that no path is longer than with all."""
        columns = tuple(range(self.acc))
        limit = self._plan(columns)[2].arrival
        for column in range(self.acc):
            fewer = tuple(j for j in columns if j != column)
            if self._plan(fewer)[2].arrival <= limit:
                columns = fewer
        return columns
