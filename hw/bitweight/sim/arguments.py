"""Checks of what a product is asked with, before anything is built or run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bitweight._check import check_choice

__all__ = ["check_operands", "check_stalls"]


def check_operands(A: np.ndarray, B: np.ndarray) -> None:
    """Check kinds and shapes; ranges are checked where the elements are read."""
    for name, matrix in (("A", A), ("B", B)):
        if not isinstance(matrix, np.ndarray) or matrix.dtype.kind not in "iu":
            kind = matrix.dtype if isinstance(matrix, np.ndarray) else type(matrix).__name__
            raise TypeError(f"{name} must be a NumPy array of integers, not {str(kind)!r}")
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise ValueError(
                f"{name} must be a matrix with at least one row and column, not {matrix.shape!r}"
            )
    if A.shape[1] != B.shape[0]:
        raise ValueError(f"B must have {A.shape[1]} rows, as A has columns, not {B.shape[0]!r}")


def check_stalls(stalls: float | Mapping[str, float]) -> dict[str, float]:
    """Return the probability of a stall for each stream."""
    streams = ("a", "b", "c")
    if isinstance(stalls, Mapping):
        given = {check_choice("stream of stalls", name, streams): stalls[name] for name in stalls}
    else:
        given = dict.fromkeys(streams, stalls)
    for name, chance in given.items():
        if isinstance(chance, bool) or not isinstance(chance, (int, float, np.floating)):
            raise TypeError(f"stalls of {name} must be a number from 0 to below 1, not {chance!r}")
        if not 0 <= chance < 1:
            raise ValueError(f"stalls of {name} must be a number from 0 to below 1, not {chance!r}")
    return {name: float(given.get(name, 0.0)) for name in streams}
