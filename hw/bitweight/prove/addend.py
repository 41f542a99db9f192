"""What a sum must be: products of an enumerated operand and a word, as polynomials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Addend", "Polynomial", "bit_names", "wrapped"]

Polynomial = dict[frozenset[str], np.ndarray]
"""Coefficients (int64, modulo 2**64) by set of input bits, for each value of an operand."""


@dataclass(frozen=True)
class Addend:
    """A product of an enumerated operand and a word, or one of both alone.

    Parameters
    ----------
    operand
        Name of the input whose values are enumerated, all of them; none for a word alone.
    values
        What each value of its bits stands for, int64 [2**bits].
    allowed
        Which of its values can occur, bool [2**bits]; all if not given.
    word
        Name of the other factor; none for the operand's value alone.
    weights
        Of the bits of the word.
    """

    operand: str = ""
    values: np.ndarray | None = None
    allowed: np.ndarray | None = None
    word: str = ""
    weights: tuple[int, ...] = ()

    def polynomial(self, width: int) -> Polynomial:
        """Return what is added."""
        values = np.ones(1, dtype=np.int64) if self.values is None else self.values
        if not self.word:
            return {frozenset(): values}
        names = bit_names(self.word, len(self.weights))
        return {
            frozenset([name]): values * wrapped(weight % (1 << width))
            for name, weight in zip(names, self.weights, strict=True)
        }


def bit_names(name: str, bits: int) -> list[str]:
    """Return the names of the bits of an input."""
    return [name] if bits == 1 else [f"{name}[{i}]" for i in range(bits)]


def wrapped(value: int) -> np.int64:
    """Return a number modulo ``2**64`` in two's complement."""
    return np.int64(value - (1 << 64) if value >> 63 & 1 else value)
