"""Checks of arguments, so that every message names the thing and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["check_choice", "check_int", "check_matrix"]


def check_int(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an ``int`` when it is an integer in ``low..high``.

    Raises
    ------
    TypeError
        If it is not an integer (a ``bool`` is not one).
    ValueError
        If it is out of range.
    """
    allowed = f"at least {low}" if high is None else f"from {low} to {high}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer {allowed}, not {value!r}")
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be an integer {allowed}, not {int(value)!r}")
    return int(value)


def check_choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return `value` when it is one of `allowed`; raise ``ValueError`` naming them otherwise."""
    choices = tuple(allowed)
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def check_matrix(name: str, value: Any, low: int, high: int) -> np.ndarray:
    """Return `value` as a 2-D int64 array whose elements lie in ``low..high``.

    Raises
    ------
    TypeError
        If it is not an integer array.
    ValueError
        If it is not two-dimensional, is empty, or holds an element out of range.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        kind = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"{name} must be a NumPy array of integers, not {str(kind)!r}")
    if value.ndim != 2 or 0 in value.shape:
        raise ValueError(
            f"{name} must be a matrix with at least one row and column, not {value.shape!r}"
        )
    if value.min() < low or value.max() > high:
        worst = int(value.min()) if value.min() < low else int(value.max())
        raise ValueError(f"elements of {name} must be from {low} to {high}, not {worst!r}")
    return value.astype(np.int64)
