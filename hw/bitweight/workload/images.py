"""Images of handwritten digits, which scikit-learn carries: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight._check import check_int

__all__ = ["DIGITS", "Images", "load_images", "one_thread"]

DIGITS = 10
"""How many there are to tell apart."""

_FULL_SCALE = 16.0


@dataclass(frozen=True)
class Images:
    """Training and held-out images, with what they show; pixels are from 0 to 1."""

    train_x: NDArray[np.float64]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float64]
    test_y: NDArray[np.int64]


def load_images(held_out: int, seed: int = 0) -> Images:
    """Return scikit-learn's bundled digits, shuffled, the last `held_out` kept for testing.

    Raises
    ------
    ModuleNotFoundError
        If scikit-learn is not installed.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415  (an optional dependency)

    pixels, digits = load_digits(return_X_y=True)
    check_int("images", held_out, 1, len(digits) // 2)
    order = np.random.default_rng(seed).permutation(len(digits))
    x, y = pixels[order] / _FULL_SCALE, digits[order].astype(np.int64)
    return Images(x[:-held_out], y[:-held_out], x[-held_out:], y[-held_out:])


@contextmanager
def one_thread() -> Iterator[None]:
    """Let NumPy multiply in one thread.

    Matrices of small networks are too small for more, which take ten times as long on a busy
    machine, and sums come out the same whatever the number of processors is.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  (an optional dependency)

    with threadpool_limits(1, user_api="blas"):
        yield
