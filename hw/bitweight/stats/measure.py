"""The statistics of one GEMM on a design, from its exact cycle model."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from bitweight.arith import ENCODINGS
from bitweight.design import Design
from bitweight.stats.digits import DigitStatistics, digit_statistics
from bitweight.tpe.activity import Activity

__all__ = ["Statistics", "default_size", "measure"]

DEFAULT_K = 256
"""Length of the reduction where the array has no block."""

DEFAULT_BLOCKS = 4
"""Blocks of a reduction where it has."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a design does in one GEMM without stalls.

    Attributes
    ----------
    design
        The design.
    size
        M, K and N.
    digits
        Of A, as the design recodes it.
    activity
        On what the cycles went.
    """

    design: Design
    size: tuple[int, int, int]
    digits: DigitStatistics
    activity: Activity

    @property
    def cycles(self) -> int:
        """Clock cycles of the GEMM, fill and drain included."""
        return self.activity.cycles

    @property
    def cycles_per_mac(self) -> float:
        """Cycles that a lane takes for a MAC: ``cycles · lanes / (M · K · N)``.

        A lane is what multiplies in space, `Design.lanes`. A dense array that never waits has 1,
        one that takes a digit at a time the digits per operand.
        """
        return self.cycles * self.design.lanes / prod(self.size)

    @property
    def useful_macs_per_cycle(self) -> float:
        """MACs of the GEMM per cycle, padding not counted: ``M · K · N / cycles``."""
        return prod(self.size) / self.cycles

    @property
    def utilisation(self) -> dict[str, float]:
        """The part of the cycles that the busiest, the average and the idlest unit work."""
        working = self.activity.utilisation
        return {
            "busiest": float(working.max()),
            "average": float(working.mean()),
            "idlest": float(working.min()),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {
            "design": self.design.to_dict(),
            "gemm": list(self.size),
            "lanes": self.design.lanes,
            "digits": {
                "encoding": self.digits.encoding.name,
                "mean": self.digits.mean,
                "operands": self.digits.operands,
                "distribution": self.digits.distribution.tolist(),
                "by_weight": self.digits.by_weight.tolist(),
            },
            "cycles": self.cycles,
            "cycles_per_mac": self.cycles_per_mac,
            "useful_macs_per_cycle": self.useful_macs_per_cycle,
            "utilisation": self.utilisation,
            "shares": self.activity.shares,
            "activity": {kind: counts.tolist() for kind, counts in self.activity.kinds.items()},
        }


def measure(design: Design, A: np.ndarray, B: np.ndarray, *, wrap: bool = False) -> Statistics:
    """Return the statistics of ``A @ B``; see :meth:`Design.reference` for the parameters."""
    activity = design.activity(A, B, wrap=wrap)
    encoding = ENCODINGS[design.array.own_encoding or design.encoding]
    digits = digit_statistics(A, encoding, design.a)
    return Statistics(design, (*A.shape, B.shape[1]), digits, activity)


def default_size(design: Design) -> tuple[int, int, int]:
    """Return M, K and N of one tile of C, with a reduction that hides what a tile costs once.

    M and N are what the array itself fixes: its loops in space, and the rows of a block that
    pass by weights that stay.
    """
    fixed = {dim: 1 for dim in ("m", "n")}
    for loop in design.nest.loops:
        if loop.dim in fixed:
            fixed[loop.dim] *= loop.extent or 1
    block = design.array.sizes.get("block")
    K = min(DEFAULT_BLOCKS * block if block else DEFAULT_K, design.max_k)
    return fixed["m"], K, fixed["n"]
