"""The matrices that throughput and energy are measured with."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from bitweight.design import Design
from bitweight.notation import Int
from bitweight.stats import draw_normal, draw_quantised

__all__ = ["ENERGY", "ENERGY_PE", "THROUGHPUT", "Workload"]

_FULL = 1024
"""Rows and columns of the matrices whose maximum sets the scale, as in the paper."""


@dataclass(frozen=True)
class Workload:
    """A GEMM with operands from a stated distribution.

    Attributes
    ----------
    m, k, n
        Its size.
    sigma
        Standard deviation of integers drawn from a normal distribution. Without it they are the
        upper left corners of N(0,1) matrices of 1024 × 1024, quantised by their maximum.
    seed
        Of the operands.
    """

    m: int
    k: int
    n: int
    sigma: float | None = None
    seed: int = 1

    def operands(self, design: Design) -> tuple[np.ndarray, np.ndarray]:
        """Return A [m, k] and B [k, n], int64, within the design's operand ranges."""
        A, B = _drawn(design.a, design.b, self.sigma, self.seed)
        return A[: self.m, : self.k], B[: self.k, : self.n]

    @property
    def macs(self) -> int:
        """Multiply-accumulates: m · k · n."""
        return self.m * self.k * self.n

    @property
    def text(self) -> str:
        """The workload in words."""
        kind = (
            f"N(0,1) matrices of {_FULL} × {_FULL} quantised by their maximum"
            if self.sigma is None
            else f"a normal distribution of σ = {self.sigma:g}"
        )
        return f"C[{self.m} × {self.n}] over K = {self.k}, operands from {kind}, seed {self.seed}"


@functools.lru_cache(maxsize=8)
def _drawn(a: Int, b: Int, sigma: float | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    drawn = []
    for operand in (a, b):
        shape = (_FULL, _FULL)
        if sigma is None:
            drawn.append(draw_quantised(rng, shape, operand))
        else:
            drawn.append(draw_normal(rng, shape, operand, sigma))
    return drawn[0], drawn[1]


THROUGHPUT = Workload(64, 1024, 64)
"""Useful products per cycle come from this one."""

ENERGY = Workload(32, 256, 32)
"""The netlists of arrays run this one, gate by gate."""

ENERGY_PE = Workload(8, 256, 8)
"""The same for elements alone, which are measured in a small array."""
