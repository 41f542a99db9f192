"""What a design does with given operands: digits, cycles, and where the cycles go.

:mod:`bitweight.stats.plot` draws it, and is not imported here: it needs matplotlib.
"""

from __future__ import annotations

from bitweight.stats.digits import DigitStatistics, digit_statistics
from bitweight.stats.measure import Statistics, default_size, measure
from bitweight.stats.operands import draw_normal, draw_quantised, load_matrix

__all__ = [
    "DigitStatistics",
    "Statistics",
    "default_size",
    "digit_statistics",
    "draw_normal",
    "draw_quantised",
    "load_matrix",
    "measure",
]
