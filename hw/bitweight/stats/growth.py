"""How the utilisation of bit-slice arrays grows with K, since columns wait for each other less."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from bitweight.design import Design
from bitweight.stats.measure import measure
from bitweight.stats.operands import draw_quantised

__all__ = ["TILES", "Point", "grow", "picture"]

TILES = 4
"""Tiles of C, of other rows of A each, so that no single one decides on the figure."""


@dataclass(frozen=True)
class Point:
    """A design's cycles with operands N(0,1), quantised by their maximum.

    Attributes
    ----------
    design, block
        Name, and operands along k between two waits.
    K
        Length of the reduction.
    cycles, shares
        As :class:`~bitweight.tpe.activity.Activity` has them; ``shares["work"]`` is the mean
        utilisation of all columns and lanes.
    """

    design: str
    block: int
    K: int
    cycles: int
    shares: dict[str, float]


def grow(designs: Iterable[Design], lengths: Sequence[int], seed: int) -> list[Point]:
    """Return a point for each design and K, with blocks as they are and with blocks of K.

    Blocks of K are made only where they are longer than the design's own: there is one wait for
    each tile of C then.
    """
    points = []
    for design in designs:
        own = design.array.sizes["block"]
        m, n = TILES * design.streams["c"].lanes, design.array.sizes["rows"]
        for K in lengths:
            rng = np.random.default_rng([seed, K])
            A, B = draw_quantised(rng, (m, K), design.a), draw_quantised(rng, (K, n), design.b)
            for block in dict.fromkeys((own, max(own, K))):
                activity = measure(design.with_(block=block), A, B).activity
                points.append(Point(design.name, block, K, activity.cycles, activity.shares))
    return points


def picture(points: Sequence[Point]) -> bytes:
    """Return a plot of utilisation over K as a PNG file."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to import
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    figure = Figure(figsize=(8, 4.8), dpi=150, layout="constrained")
    axes: Any = figure.subplots()
    colours = ("#0072B2", "#D55E00", "#009E73")
    for colour, name in zip(colours, dict.fromkeys(p.design for p in points), strict=False):
        own = min(p.block for p in points if p.design == name)
        for longer, style in ((True, "o-"), (False, "s--")):
            line = [
                p
                for p in points
                if p.design == name and p.block == (max(own, p.K) if longer else own)
            ]
            axes.plot(
                [p.K for p in line],
                [p.shares["work"] for p in line],
                style,
                color=colour,
                fillstyle="full" if longer else "none",
                label=f"{name}, wait after {'K' if longer else f'every {own} k'}",
            )
    axes.set_xscale("log", base=2)
    lengths = sorted({p.K for p in points})
    axes.set_xticks(lengths, [str(K) for K in lengths])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("K")
    axes.set_ylabel("cycles in which a column or lane works")
    axes.set_title("N(0,1) operands, quantised by their maximum", fontsize=11)
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    file = BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
