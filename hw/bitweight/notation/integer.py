"""Integer formats of operands and results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitweight._check import check_int

__all__ = ["Int", "wrap"]


@dataclass(frozen=True)
class Int:
    """A two's complement integer operand.

    Parameters
    ----------
    bits
        Width, from 2 to 16.
    """

    bits: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", check_int("operand width", self.bits, 2, 16))

    @property
    def min(self) -> int:
        """The most negative value, ``-2**(bits-1)``."""
        return -(1 << (self.bits - 1))

    @property
    def max(self) -> int:
        """The most positive value, ``2**(bits-1) - 1``."""
        return (1 << (self.bits - 1)) - 1


def wrap(value: np.ndarray, bits: int) -> np.ndarray:
    """Reduce int64 values modulo ``2**bits`` into the signed range, as a register does."""
    value = np.asarray(value, dtype=np.int64)
    if bits >= 64:
        return value
    # Shifts lose what a sum with 2**(bits - 1) would overflow by.
    left = np.int64(64 - bits)
    return (value << left) >> left
