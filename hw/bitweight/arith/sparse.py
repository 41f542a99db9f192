"""The leaf circuit of a sparse encoder: the non-zero digits of a group, one after the other.

A group holds the digits of one bit-weight, of several lanes along k. Its mask has a bit for each
digit that is not zero. :class:`FirstNonZero` picks the first of them and hands on the rest; put
into a register that takes the rest, or the next group's mask after the `last`, it makes a position
per cycle without a dead one between groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value

from bitweight._check import check_int

__all__ = ["Chosen", "FirstNonZero", "NonZeros", "nonzeros"]

LARGEST_GROUP = 16
"""Digits of the largest group."""


@dataclass(frozen=True)
class Chosen:
    """What is chosen from a mask: values in hardware, arrays in software.

    Parameters
    ----------
    first
        The lowest set bit alone (one-hot), or zero where there is none. As wide as the mask.
    rest
        The mask without it. As wide as the mask.
    last
        Exactly one bit is set: nothing is left after this one.
    none
        No bit is set.
    """

    first: Value | np.ndarray
    rest: Value | np.ndarray
    last: Value | np.ndarray
    none: Value | np.ndarray


class NonZeros(NamedTuple):
    """The non-zero digits of groups in the order in which they are taken; arrays [steps].

    Parameters
    ----------
    group
        The group of each, int64.
    position
        Its lane in the group, int64.
    last
        Whether it is the last one of its group.
    """

    group: np.ndarray
    position: np.ndarray
    last: np.ndarray


class FirstNonZero:
    """The first set bit of a mask, the rest of it, and whether there is one or more.

    Halves are looked at apart and joined, so that the depth is the logarithm of the size. The
    sets with one bit are told from those with more on the way, not from the rest.

    Latency: none, it is combinational.

    Parameters
    ----------
    size
        Digits of a group, 1 to 16.
    """

    def __init__(self, size: int) -> None:
        self.size = check_int("size of a digit group", size, 1, LARGEST_GROUP)

    def hardware(self, m: Module, mask: Value, prefix: str = "") -> Chosen:
        """Add the circuit to `m` and return what is chosen.

        Parameters
        ----------
        m
            Takes the combinational statements.
        mask
            A bit for each digit, of `size` bits; the lowest comes first.
        prefix
            Of the names of the wires.

        Raises
        ------
        ValueError
            If the mask has another width.
        """
        if len(mask) != self.size:
            raise ValueError(f"mask must have {self.size} bits, not {len(mask)!r}")
        below, some, several = self._look(m, mask, 0, prefix)
        ahead = Cat(below)
        return Chosen(mask & ~ahead, mask & ahead, some & ~several, ~some)

    def evaluate(self, mask: np.ndarray) -> Chosen:
        """Return what is chosen from int64 masks [...]: the twin of `hardware`."""
        mask = np.asarray(mask, dtype=np.int64)
        rest = mask & (mask - 1)
        return Chosen(mask - rest, rest, (mask != 0) & (rest == 0), mask == 0)

    def _look(
        self, m: Module, mask: Value, base: int, prefix: str
    ) -> tuple[list[Value], Value, Value]:
        """Return for each bit whether one below is set; whether one is, and more than one."""
        size = len(mask)
        if size == 1:
            return [Const(0, 1)], mask[0], Const(0, 1)
        middle = 1 << (size - 1).bit_length() - 1
        low_below, low, low_several = self._look(m, mask[:middle], base, prefix)
        high_below, high, high_several = self._look(m, mask[middle:], base + middle, prefix)
        some, several = (
            Signal(name=f"{prefix}{kind}_{base}_{size}") for kind in ("some", "several")
        )
        m.d.comb += [
            some.eq(low | high),
            several.eq(low_several | high_several | (low & high)),
        ]
        return low_below + [bit | low for bit in high_below], some, several


def nonzeros(digits: np.ndarray) -> NonZeros:
    """Return the positions of the non-zero digits of groups, in the order they are taken.

    Parameters
    ----------
    digits
        Digits [groups, size]; groups come in their order, the lowest position first.

    Returns
    -------
    NonZeros
        As many steps as there are non-zero digits: a group of zeros has none.

    Raises
    ------
    ValueError
        If `digits` is not two-dimensional.
    """
    if digits.ndim != 2:
        raise ValueError(f"digits must be an array [groups, size], not {digits.shape!r}")
    group, position = np.nonzero(digits)
    last = np.ones(len(group), dtype=bool)
    last[:-1] = group[1:] != group[:-1]
    return NonZeros(group, position, last)
