"""MAC: the plain multiplier and accumulator, nothing moved."""

from __future__ import annotations

from bitweight.notation.transformations.base import Transformation

__all__ = ["MAC"]

MAC = Transformation(
    "mac",
    "multiply, add up, accumulate: a carry chain as wide as the accumulator every cycle",
    lambda nest: nest,
)
