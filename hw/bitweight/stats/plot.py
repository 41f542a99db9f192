"""The statistics as a picture: the digits of the operands, and where the cycles go."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from bitweight.stats.measure import Statistics

__all__ = ["draw", "picture"]

#: By kind, from the palette of Okabe and Ito, which is told apart whatever colours one sees.
COLOURS = {
    "work": "#0072B2",
    "sync": "#E69F00",
    "conflict": "#D55E00",
    "drain": "#999999",
    "fill": "#56B4E9",
}
MOST_LABELLED = 10
"""Bars with their figures above; of more, the figures would overlap."""

MOST_SEPARATE = 64
"""Units with a gap between their bars; of more, a gap would be less than a pixel or two."""


def draw(statistics: Statistics, operands: str) -> bytes:
    """Return the :func:`picture` as a PNG file, the same bytes for the same statistics."""
    file = BytesIO()
    picture(statistics, operands).savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def picture(statistics: Statistics, operands: str) -> Figure:
    """Return two plots side by side.

    Parameters
    ----------
    statistics
        What is drawn.
    operands
        Where the operands come from, for the title.
    """
    design, (M, K, N) = statistics.design, statistics.size
    figure = Figure(figsize=(11, 4.8), dpi=150, layout="constrained")
    title = f"{design.name}, C[{M}×{N}] = A[{M}×{K}] · B[{K}×{N}]\n{operands}"
    figure.suptitle(title, fontsize=11, parse_math=False)  # a file's name may hold dollar signs
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    _digits(left, statistics)
    _cycles(right, statistics)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color="0.9")
    return figure


def _digits(axes: Axes, statistics: Statistics) -> None:
    """Draw how many operands have how many digits."""
    digits = statistics.digits
    shares = digits.distribution / digits.operands
    bars = axes.bar(np.arange(len(shares)), shares, color=COLOURS["work"])
    if len(shares) <= MOST_LABELLED:
        axes.bar_label(bars, labels=[f"{share:.1%}" for share in shares], padding=2, fontsize=8)
    axes.text(
        digits.mean,
        1,
        f"mean {digits.mean:.2f}\n▾",
        transform=axes.get_xaxis_transform(),
        ha="center",
        va="center",
        fontsize=10,
        linespacing=0.9,
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(0, 1.12 * shares.max())
    axes.set_xlabel(f"non-zero digits of an operand ({digits.encoding.name})")
    axes.set_ylabel(f"share of the {digits.operands:,} operands of A")


def _cycles(axes: Axes, statistics: Statistics) -> None:
    """Draw the cycles of each unit by kind, work at the bottom, without kinds that none has."""
    activity = statistics.activity
    at, below = np.arange(activity.units), np.zeros(activity.units, dtype=np.int64)
    for kind, counts in activity.kinds.items():
        if counts.any():
            axes.bar(
                at,
                counts,
                bottom=below,
                width=0.8 if activity.units <= MOST_SEPARATE else 1.0,
                color=COLOURS[kind],
                label=f"{kind} {activity.shares[kind]:.1%}",
            )
        below = below + counts
    if activity.units == 1:
        axes.set_xlim(-1.5, 1.5)
        axes.set_xticks([0], ["the whole array, one pace"])
    else:
        axes.set_xlim(-0.6, activity.units - 0.4)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("unit: column or lane with a pace of its own")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylabel("clock cycles")
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
        ncols=5,
        frameon=False,
        fontsize=8.5,
        handlelength=1,
        columnspacing=1.2,
    )
