"""Operands to measure with: drawn from a normal distribution, or read from a file."""

from __future__ import annotations

from math import erf, isfinite, sqrt
from pathlib import Path

import numpy as np

from bitweight._check import check_matrix
from bitweight.notation import Int

__all__ = ["draw_normal", "draw_quantised", "load_matrix"]


def draw_normal(
    rng: np.random.Generator, shape: tuple[int, int], operand: Int, sigma: float
) -> np.ndarray:
    """Return integers from a normal distribution, rounded; those out of range are drawn again.

    They are drawn from the distribution that this gives, in which an integer ``x`` is as likely
    as the interval ``x ± 1/2``, so that none is ever thrown away however large `sigma` is.

    Parameters
    ----------
    rng
        Where randomness comes from.
    shape
        Of the matrix.
    operand
        The range.
    sigma
        Standard deviation before rounding, above 0; the mean is 0.

    Returns
    -------
    numpy.ndarray
        int64 of that shape.

    Raises
    ------
    ValueError
        If `sigma` is not a number above 0.
    """
    if not (isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be a number above 0, not {sigma!r}")
    values = np.arange(operand.min, operand.max + 1)
    edges = np.append(values, operand.max + 1) - 0.5
    below = np.array([erf(edge / (sigma * sqrt(2))) for edge in edges.tolist()])
    likely = np.diff(below)
    return rng.choice(values, size=shape, p=likely / likely.sum())


def draw_quantised(rng: np.random.Generator, shape: tuple[int, int], operand: Int) -> np.ndarray:
    """Return an N(0, 1) matrix quantised symmetrically by its maximum.

    The element of the largest magnitude becomes that of the operand's largest value, the others
    are scaled alike and rounded: the larger the matrix, the smaller most of its elements.

    Returns
    -------
    numpy.ndarray
        int64 of that shape, from ``-operand.max`` to ``operand.max``.
    """
    real = rng.standard_normal(shape)
    return np.rint(real * (operand.max / np.abs(real).max())).astype(np.int64)


def load_matrix(path: Path, operand: Int) -> np.ndarray:
    """Return the integer matrix of a ``.npy`` file, as int64.

    Nothing in the file is ever executed: one that holds Python objects is refused.

    Raises
    ------
    OSError
        If it cannot be read; it names the path.
    TypeError, ValueError
        If it is damaged or no ``.npy`` file, or holds something else than a matrix of integers
        within the operand's range.
    """
    with path.open("rb") as stream:
        try:
            matrix = np.lib.format.read_array(stream, allow_pickle=False)
        except OSError:
            raise
        except Exception as error:  # the header of a damaged file makes NumPy raise many kinds
            raise ValueError(f"{path} is not a .npy file of numbers: {error}") from None
    try:
        return check_matrix("matrix", matrix, operand.min, operand.max)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path}: {error}") from None
