"""What the multiply-accumulate inside a processing element is: one step of ``acc += a·b``."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from amaranth.hdl import Cat, Const, Module, Value

from bitweight.notation import wrap

__all__ = ["MultiplyAccumulate"]


class MultiplyAccumulate(ABC):
    """A combinational step from the rows of an accumulator to their next values.

    Attributes
    ----------
    a_bits, b_bits
        Widths of the signed operands.
    acc
        Width of the accumulator: rows add up modulo ``2**acc``.
    rows
        The columns in which each row of the accumulator has a bit, lowest first.
    """

    a_bits: int
    b_bits: int
    acc: int
    rows: tuple[tuple[int, ...], ...]

    @property
    def state_bits(self) -> int:
        """Register bits of the accumulator."""
        return sum(len(columns) for columns in self.rows)

    @abstractmethod
    def hardware(self, m: Module, a: Value, b: Value, rows: list[Value]) -> list[Value]:
        """Add the step to `m` and return the next rows.

        Parameters
        ----------
        m
            Takes the combinational statements.
        a, b
            The signed operands.
        rows
            The present rows; bit ``i`` of row ``r`` has the weight ``2**rows[r][i]``.
        """

    @abstractmethod
    def evaluate(self, a: np.ndarray, b: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
        """Return the next rows as non-negative int64 words of `acc` bits: the software twin."""

    def word(self, rows: list[np.ndarray]) -> np.ndarray:
        """Return the signed value that rows stand for."""
        return wrap(np.sum(rows, axis=0), self.acc)

    def expand(self, row: int, bits: Value) -> Value:
        """Return the packed bits of a row as a word of `acc` bits."""
        columns = self.rows[row]
        return Cat(bits[columns.index(j)] if j in columns else Const(0, 1) for j in range(self.acc))
