"""What there is to prove: a family of claims for each block, one for each of its widths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal, Value

from bitweight.prove.claim import Claim

__all__ = [
    "Family", "at_most_one", "chosen", "families_of", "family", "signed_values", "signed_weights",
    "total_of",
]  # fmt: skip

Case = Mapping[str, Any]
"""Parameters of one claim, such as ``{"bits": 8}``."""


@dataclass(frozen=True)
class Family:
    """Claims of one block.

    Parameters
    ----------
    name
        On the command line.
    subjects
        The modules whose circuits are proven, such as ``arith.prefix``.
    says
        The specification in a few words.
    cases
        Parameters of each claim.
    make
        Returns the claim for parameters.
    """

    name: str
    subjects: tuple[str, ...]
    says: str
    cases: tuple[Case, ...]
    make: Callable[..., Claim]


_FAMILIES: dict[str, list[Family]] = {}


def family(
    name: str, subjects: Iterable[str], says: str, cases: Iterable[Case]
) -> Callable[[Callable[..., Claim]], Callable[..., Claim]]:
    """Return a decorator that enters a function which makes claims as a family."""

    def enter(make: Callable[..., Claim]) -> Callable[..., Claim]:
        made = Family(name, tuple(subjects), says, tuple(cases), make)
        _FAMILIES.setdefault(make.__module__, []).append(made)
        return make

    return enter


def families_of(module: str) -> list[Family]:
    """Return the families that a module has entered."""
    return list(_FAMILIES.get(module, []))


def signed_values(bits: int) -> np.ndarray:
    """Return what each pattern of `bits` bits is in two's complement (int64)."""
    values = np.arange(1 << bits, dtype=np.int64)
    return np.where(values >> (bits - 1) & 1, values - (1 << bits), values)


def signed_weights(bits: int) -> tuple[int, ...]:
    """Return the weights of the bits of a number in two's complement."""
    return tuple((1 << i) * (-1 if i == bits - 1 else 1) for i in range(bits))


def total_of(weighted: Iterable[tuple[Value, int]], width: int) -> Value:
    """Return a sum of values times constants as an unsigned word, in ``+`` and ``*`` alone."""
    total: Value = Signal(width, name="nothing")
    for value, weight in weighted:
        total = (total + value * weight)[:width]
    return total


def at_most_one(word: Value) -> Value:
    """Return whether no more than one bit of a word is set."""
    return (word & (word - 1)[: len(word)]) == 0


def chosen(m: Module, name: str, bits: int) -> tuple[Signal, Signal]:
    """Return an input, and a register with what it was in the first cycle: any value that stays."""
    pick, kept = Signal(bits, name=name), Signal(bits, name=f"the_{name}", reset_less=True)
    later = Signal(name=f"{name}_kept", reset_less=True)
    m.d.sync += later.eq(1)
    with m.If(~later):
        m.d.sync += kept.eq(pick)
    return pick, kept
