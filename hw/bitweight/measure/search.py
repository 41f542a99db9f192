"""Finding a design's best point: ways and recipes at its own pace, then further clock targets.

A search is the same for a baseline and for what is compared with it. It does not try everything:
first each way as fast as it can be; then, for the best few ways, the other recipes; then the best
of all at further targets. Every run is a point of the design's curve, whatever it was made for.

The most area-efficient point is where the target is the tightest, for plain MACs and for those that
keep sum and carry: relaxed to 1.25 times the pace, both lose a tenth and more on sky130hd and 4 to
6 % on asap7, since sizing gates down saves little area.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bitweight.measure.store import Store
from bitweight.measure.subjects import RECIPES, Way
from bitweight.synth import SynthesisResult, Technology, YosysOptions

__all__ = ["FASTEST_NS", "Point", "Search", "best", "best_at", "fastest", "rounded"]

FASTEST_NS = 0.001
"""A target that nothing reaches: what comes out is as fast as the flow can make it."""

FURTHER = (0.85, 1.1, 1.6)
"""Targets for the best way and recipe, as multiples of its own pace. ABC does not count what a
flip-flop takes of a period: from about 0.7 on it makes use of the time."""

_FINALISTS = 2


@dataclass(frozen=True)
class Point:
    """One run: which way, with which options, and what came out."""

    way: Way
    options: YosysOptions
    result: SynthesisResult

    @property
    def label(self) -> str:
        """The way, and the recipe that the netlist was made with."""
        return f"{self.way.label}+{self.options.recipe}"


def best(points: Sequence[Point]) -> Point:
    """Return the point with the best area efficiency, 1 / (area · minimum period)."""
    return max(points, key=lambda one: one.result.efficiency)


def fastest(points: Sequence[Point]) -> Point:
    """Return the point with the shortest period, the smaller of two that are equal."""
    return min(points, key=lambda one: (one.result.min_period_ns, one.result.area))


def best_at(points: Sequence[Point], target_ns: float) -> Point:
    """Return the smallest netlist that runs at a clock target, or the fastest where none does."""
    able = [one for one in points if one.result.min_period_ns <= target_ns]
    if able:
        return min(able, key=lambda one: (one.result.area, one.result.min_period_ns))
    return fastest(points)


class Search:
    """The search for the best points of one processing element.

    Parameters
    ----------
    store
        Runs, or remembers.
    technology
        For all runs.
    ways
        What is tried; several are rivals, and the best wins.
    tick
        Called after every run with its label and target.
    """

    def __init__(
        self,
        store: Store,
        technology: Technology,
        ways: Sequence[Way],
        tick: Callable[[str], None] = lambda _: None,
    ) -> None:
        if not ways:
            raise ValueError(f"ways must hold at least one, not {ways!r}")
        self.store = store
        self.technology = technology
        self.ways = list(ways)
        self.tick = tick
        self.points: list[Point] = []

    @staticmethod
    def runs(ways: int) -> int:
        """Return how many runs a search takes, for progress."""
        return ways + min(_FINALISTS, ways) * len(RECIPES) + len(FURTHER)

    def __call__(self) -> list[Point]:
        """Search, and return all points."""
        for way in self.ways:
            self.run(way, way.options, FASTEST_NS)
        finalists = sorted(self.points, key=lambda one: -one.result.efficiency)[:_FINALISTS]
        for point in finalists:
            for recipe in RECIPES:
                self.run(point.way, replace(point.options, recipe=recipe), FASTEST_NS)
        champion = best(self.points)
        for factor in FURTHER:
            self.run(champion.way, champion.options, factor * champion.result.min_period_ns)
        return self.points

    def run(self, way: Way, options: YosysOptions, target_ns: float) -> Point:
        """Add a point for a clock target."""
        small = self.store.element(way.design)
        result = self.store.synthesis(
            small, self.technology, rounded(target_ns), options, top=f"{small.top}_pe"
        )
        point = Point(way, options, result)
        self.points.append(point)
        self.tick(f"{small.name}, {point.label} at {result.target_ns:g} ns")
        return point


def rounded(target_ns: float) -> float:
    """Return a target to three digits: reproduced from a report, it is the same."""
    return float(f"{target_ns:.3g}")
