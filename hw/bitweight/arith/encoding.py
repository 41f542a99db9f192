"""What an encoding of A is: digits in software and in hardware, one file for each encoding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Value

__all__ = ["Digit", "Encoding"]


@dataclass(frozen=True)
class Digit:
    """A digit in {-2..2} as three wires: magnitude one or two, and sign.

    Neither magnitude set means zero, whatever `negative` is.
    """

    negative: Value
    one: Value
    two: Value


class Encoding(ABC):
    """A recoding of signed operands into digits, ``x = Σ d[i] · radix**i``.

    Attributes
    ----------
    name
        In designs and on the command line.
    radix
        Ratio of the weights of neighbouring digits.
    digit_min, digit_max
        Range of a digit.
    made
        Whether digits come recoded, so that :meth:`encode` takes no time.
    """

    name: str
    radix: int
    digit_min: int
    digit_max: int
    made: bool = False

    @abstractmethod
    def digits(self, bits: int) -> int:
        """Return the number of digits of an operand of `bits` bits."""

    @abstractmethod
    def recode(self, values: np.ndarray, bits: int) -> np.ndarray:
        """Return the digits of `values`, least significant first, on a new last axis (int64)."""

    @abstractmethod
    def encode(self, operand: Value) -> list[Digit]:
        """Return the digits of a signed `operand` as combinational expressions.

        The hardware twin of :meth:`recode`; least significant digit first.
        """

    def zero_bits(self, bits: int) -> int:
        """Return a mask of those bits of an operand that make it zero when they are."""
        return (1 << bits) - 1

    @property
    def largest(self) -> int:
        """The largest magnitude of a digit."""
        return max(-self.digit_min, self.digit_max)

    def value(self, digits: np.ndarray) -> np.ndarray:
        """Return the operands that have these digits (last axis, least significant first)."""
        weights = np.int64(self.radix) ** np.arange(digits.shape[-1])
        return (np.asarray(digits, dtype=np.int64) * weights).sum(axis=-1)

    def __repr__(self) -> str:
        return self.name
