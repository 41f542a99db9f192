"""What the multiply-accumulate inside a processing element is: one step of ``acc += Σ a·b``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Value

from bitweight.arith.bitheap import BitHeap
from bitweight.arith.encoding import Encoding
from bitweight.arith.product import SumOfProducts
from bitweight.notation import wrap

__all__ = ["MultiplyAccumulate"]


class MultiplyAccumulate(ABC):
    """A combinational step from the rows of an accumulator to their next values.

    Parameters
    ----------
    encoding
        Of the operands `a`.
    a_bits, b_bits
        Widths of the signed operands.
    acc
        Width of the accumulator: rows add up modulo ``2**acc``.
    lanes
        Number of products that are added at once.
    by_weight
        Whether the lanes of each bit-weight are summed first (OPT2).
    staged
        Whether a step takes two cycles, with registers before the accumulator comes in.

    Attributes
    ----------
    rows
        The columns in which each row of the accumulator has a bit, lowest first.
    shift
        Columns by which the accumulator can be shifted ahead of a step; 0 for never.
    """

    rows: tuple[tuple[int, ...], ...]
    shift: int = 0

    def __init__(
        self,
        encoding: Encoding,
        a_bits: int,
        b_bits: int,
        acc: int,
        lanes: int = 1,
        by_weight: bool = False,
        staged: bool = False,
    ) -> None:
        self.encoding = encoding
        self.a_bits, self.b_bits, self.acc = a_bits, b_bits, acc
        self.lanes, self.by_weight, self.staged = lanes, by_weight, staged

    @property
    def zero_bits(self) -> int:
        """A mask: without these bits an operand `a` is zero."""
        return self.encoding.zero_bits(self.a_bits)

    @property
    def state_bits(self) -> int:
        """Register bits of the accumulator, and of the products where they are registered."""
        return sum(len(columns) for columns in self.rows) + self.staged_bits

    @property
    def staged_bits(self) -> int:
        """Register bits of the products."""
        return 0

    def place(self, heap: BitHeap) -> SumOfProducts:
        """Put the products of a step into a heap."""
        return SumOfProducts(
            heap,
            self.encoding,
            self.lanes,
            self.a_bits,
            self.b_bits,
            by_weight=self.by_weight,
        )

    def keep(self, rows: Sequence[Value], done: Value, shift: Value | None) -> list[Value]:
        """Return what of the accumulator enters a step.

        Parameters
        ----------
        rows
            The accumulator's registers.
        done
            Nothing of it: a tile begins.
        shift
            The accumulator shifted, where it can be. Never together with `done`.
        """
        return [Mux(done, 0, row)[: len(row)] for row in rows]

    @abstractmethod
    def hardware(
        self, m: Module, a: Sequence[Value], b: Sequence[Value], rows: list[Value]
    ) -> list[Value]:
        """Add the step to `m` and return the next rows.

        Parameters
        ----------
        m
            Takes the combinational statements.
        a, b
            The signed operands, one for each lane.
        rows
            What :meth:`keep` returns; for an accumulator that is not shifted bit ``i`` of row
            ``r`` has the weight ``2**rows[r][i]``.
        """

    @abstractmethod
    def evaluate(self, a: np.ndarray, b: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
        """Return the next rows for operands [..., lanes]: the software twin.

        Rows are non-negative int64 words of `acc` bits.
        """

    def word(self, rows: list[np.ndarray]) -> np.ndarray:
        """Return the signed value that rows stand for."""
        return wrap(np.sum(rows, axis=0), self.acc)

    def expand(self, row: int, bits: Value) -> Value:
        """Return the packed bits of a row as a word of `acc` bits."""
        columns = self.rows[row]
        return Cat(bits[columns.index(j)] if j in columns else Const(0, 1) for j in range(self.acc))
