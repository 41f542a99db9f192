"""How many digits of operands are not zero: the work that a bit-slice engine has with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitweight._check import check_matrix
from bitweight.arith import Encoding
from bitweight.notation import Int

__all__ = ["DigitStatistics", "digit_statistics"]


@dataclass(frozen=True, eq=False)
class DigitStatistics:
    """The non-zero digits of a matrix of operands.

    Attributes
    ----------
    encoding
        Which recoded them.
    operands
        How many operands there are.
    distribution
        int64 [digits + 1]: element ``d`` is the number of operands with ``d`` non-zero digits.
    by_weight
        int64 [digits]: element ``i`` is the number of operands whose digit of weight
        ``radix**i`` is not zero.
    """

    encoding: Encoding
    operands: int
    distribution: np.ndarray
    by_weight: np.ndarray

    @property
    def mean(self) -> float:
        """Non-zero digits per operand."""
        return int(self.by_weight.sum()) / self.operands


def digit_statistics(matrix: np.ndarray, encoding: Encoding, operand: Int) -> DigitStatistics:
    """Count the non-zero digits of every element of an integer matrix within `operand`'s range.

    Only as many different operands are recoded as there are, ``2**bits``, whatever the size of
    the matrix.
    """
    matrix = check_matrix("matrix", matrix, operand.min, operand.max)
    values = np.arange(operand.min, operand.max + 1)
    counts = np.bincount((matrix - operand.min).ravel(), minlength=len(values))
    used = encoding.recode(values, operand.bits) != 0
    per_value = used.sum(axis=1)
    distribution = [int(counts[per_value == d].sum()) for d in range(used.shape[1] + 1)]
    return DigitStatistics(encoding, matrix.size, np.array(distribution), counts @ used)
