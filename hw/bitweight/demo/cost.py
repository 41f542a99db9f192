"""What the designs cost: each against the best plain MAC that the flow can make."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bitweight import Design
from bitweight.emit import emit
from bitweight.pe import STYLES
from bitweight.synth import (
    Candidate,
    Comparison,
    Measured,
    SynthesisResult,
    YosysOptions,
    best_of,
    find_technology,
    synthesise,
    technologies,
    winner,
)

__all__ = ["ArrayPoint", "Cost", "available_technologies", "measure"]

#: Called with runs done, runs to do, and the last one.
Hook = Callable[[int, int, str], None]

#: Clock targets, as multiples of the shortest period that the design under test was seen to reach.
STRETCH = (1.0, 1.5)
#: How Yosys may build `*` and `+` of the plain MAC: arithmetic, then its adder.
OPERATORS = (
    ("default", "brent-kung"),
    ("booth", "brent-kung"),
    ("booth", "sklansky"),
    ("arith_tree", "brent-kung"),
)
_FASTEST = 0.001


@dataclass(frozen=True)
class ArrayPoint:
    """A whole array at the point where its processing element is most area-efficient."""

    label: str
    pes: float
    result: SynthesisResult


@dataclass(frozen=True)
class Cost:
    """A design and its baseline in one technology: processing elements, then arrays.

    `baseline` holds every way to make the plain MAC, `design` the design under test; `arrays` is
    the baseline's array and the design's, or nothing where arrays were not asked for.
    """

    technology: str
    area_unit: str
    targets: tuple[float, ...]
    baseline: Comparison
    design: Comparison
    arrays: tuple[ArrayPoint, ...]

    @property
    def pe_ratio(self) -> float:
        """Area efficiency of the design's processing element over the best baseline's."""
        return self.design.best.result.efficiency / self.baseline.best.result.efficiency

    @property
    def array_ratio(self) -> float | None:
        """The same for the whole arrays."""
        if not self.arrays:
            return None
        base, design = self.arrays
        return design.result.efficiency / base.result.efficiency


def available_technologies() -> list[str]:
    """Return `generic`, then those that BITWEIGHT_TECH_PATH leads to."""
    if not os.environ.get("BITWEIGHT_TECH_PATH"):
        return ["generic"]
    return ["generic", *(name for name in ("sky130hd", "asap7") if name in technologies())]


def measure(
    plain: Design,
    design: Design,
    technology: str,
    *,
    arrays: bool = True,
    stretch: Sequence[float] = STRETCH,
    operators: Sequence[tuple[str, str]] = OPERATORS,
    progress: Hook | None = None,
) -> Cost:
    """Measure a design against the best plain MAC.

    Parameters
    ----------
    plain
        The design with the plain MAC; its processing element is tried in every style of
        `bitweight.pe.STYLES`, and the operator style with every one of `operators`.
    design
        The design under test.
    technology
        Name of a technology.
    arrays
        Synthesise both whole arrays too, each as at its element's most area-efficient point.
    stretch
        Clock targets as multiples of the design's own shortest period.

    Raises
    ------
    bitweight.synth.TechnologyError, bitweight.synth.ToolError
        A library or a tool is missing, or failed.
    """
    tech = find_technology(technology)
    tested = _candidate(design, design.mac.name, YosysOptions(premap=False))
    rivals = [
        _candidate(plain.with_(style=style), label, options)
        for style in STYLES
        for label, options in _ways(style, operators)
    ]
    total = 1 + (len(rivals) + 1) * len(stretch) + (2 if arrays else 0)
    done = 0

    def ticked(_: int, __: int, label: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total, f"{technology}: {label}")

    fastest = synthesise(tested.verilog, tested.top, tech, _FASTEST, options=tested.options)
    ticked(0, 0, f"{tested.label}, as fast as can be")
    targets = tuple(float(f"{fastest.min_period_ns * factor:.3g}") for factor in stretch)
    found = best_of([*rivals, tested], tech, targets, progress=ticked)
    ours = [one for one in found.measured if one.label == tested.label]
    theirs = [one for one in found.measured if one.label != tested.label]
    baseline, mine = _comparison(theirs, targets), _comparison(ours, targets)
    points: list[ArrayPoint] = []
    if arrays:
        chosen = next(one for one in rivals if one.label == baseline.best.label)
        style = str((chosen.params or {})["style"])
        pairs = (
            (plain.with_(style=style), chosen, baseline.best),
            (design, tested, mine.best),
        )

        def whole(pair: tuple[Design, Candidate, Measured]) -> ArrayPoint:
            array, candidate, point = pair
            made = emit(array)
            target = point.result.target_ns
            result = synthesise(
                made.verilog,
                made.top,
                tech,
                target,
                options=candidate.options,
                params=array.to_dict(),
            )
            ticked(0, 0, f"array, {candidate.label} at {target:g} ns")
            return ArrayPoint(candidate.label, array.macs_per_cycle, result)

        with ThreadPoolExecutor(2) as pool:
            points = list(pool.map(whole, pairs))
    return Cost(technology, tech.area_unit, targets, baseline, mine, tuple(points))


def _ways(style: str, operators: Sequence[tuple[str, str]]) -> list[tuple[str, YosysOptions]]:
    """Return labels and options for one style.

    Only operators leave Yosys a choice of arithmetic. Fused MACs, and the design under test, come
    out better where Yosys does not optimise on plain gates first (`premap`); operators do not.
    """
    if style != "operator":
        return [(style, YosysOptions(premap=False))]
    return [
        (f"{style}/{arithmetic}/{adder}", YosysOptions(arithmetic=arithmetic, adder=adder))
        for arithmetic, adder in operators
    ]


def _candidate(design: Design, label: str, options: YosysOptions) -> Candidate:
    # The element is the same in every size of the array; a small one is quick to emit.
    small = design.with_(rows=2, cols=2)
    made = emit(small)
    return Candidate(label, made.verilog, f"{small.top}_pe", options, design.to_dict())


def _comparison(measured: Sequence[Measured], targets: Sequence[float]) -> Comparison:
    return Comparison(tuple(measured), {target: winner(measured, target) for target in targets})
