"""Where the cycles of a GEMM go: work, waits of several kinds, fill and drain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bitweight._check import check_int

__all__ = ["KINDS", "Activity"]

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "work": "products are formed",
        "sync": "done, and waits for the slowest unit",
        "conflict": "waits for a bank that serves another unit",
        "drain": "results leave or are on their way, nothing to multiply",
        "fill": "operands load, nothing to multiply yet",
    }
)
"""What a cycle goes on, with what it means for a unit. Every cycle is of one kind."""


@dataclass(frozen=True, eq=False)
class Activity:
    """On what the cycles of one GEMM went, for each unit of an array.

    A unit is a column of processing elements, or a lane of it, that takes digits at a pace of
    its own. An array whose elements all keep step is one unit.

    Parameters
    ----------
    cycles
        Of the whole GEMM, as `Design.cycles` has them.
    kinds
        For each of :data:`KINDS` the cycles of every unit: int64 [units], at least 0. They are
        copied, and cannot be written to.

    Raises
    ------
    TypeError, ValueError
        If a kind is missing or unknown, an array has not one element for each unit, a count is
        negative, or the kinds of a unit do not add up to `cycles`.
    """

    cycles: int
    kinds: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        object.__setattr__(self, "cycles", check_int("cycles", self.cycles, 1))
        if set(self.kinds) != set(KINDS):
            raise ValueError(f"kinds must be {', '.join(KINDS)}, not {', '.join(self.kinds)!r}")
        counts = {}
        for kind in KINDS:
            given = np.asarray(self.kinds[kind])
            if given.dtype.kind not in "iu":
                raise TypeError(f"cycles of {kind} must be integers, not {str(given.dtype)!r}")
            units = np.shape(self.kinds["work"])
            if given.ndim != 1 or not given.size or given.shape != units:
                raise ValueError(
                    f"cycles of {kind} must be one for each unit, as of work, not {given.shape!r}"
                )
            if given.min() < 0:
                raise ValueError(f"cycles of {kind} must be at least 0, not {int(given.min())!r}")
            counts[kind] = given.astype(np.int64)
            counts[kind].flags.writeable = False
        totals = np.sum(list(counts.values()), axis=0)
        wrong = np.flatnonzero(totals != self.cycles)
        if wrong.size:
            raise ValueError(
                f"kinds of unit {int(wrong[0])} must add up to {self.cycles} cycles, "
                f"not {int(totals[wrong[0]])!r}"
            )
        object.__setattr__(self, "kinds", MappingProxyType(counts))

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.kinds["work"])

    @property
    def utilisation(self) -> np.ndarray:
        """The part of its cycles that each unit works: float64 [units], 0 to 1."""
        return self.kinds["work"] / self.cycles

    @property
    def shares(self) -> dict[str, float]:
        """The part of all units' cycles that goes on each kind; together 1."""
        return {kind: float(counts.mean()) / self.cycles for kind, counts in self.kinds.items()}
