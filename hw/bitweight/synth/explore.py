"""Many runs at once: sweeps over clock targets, and the best of several candidates."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitweight.synth.flow import synthesise
from bitweight.synth.options import YosysOptions
from bitweight.synth.report import SynthesisResult
from bitweight.synth.technology import Technology, find_technology

#: Called after each run with the number done, the number of all, and a label.
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Candidate:
    """One way to make the same thing: a label, its Verilog, and the options for it."""

    label: str
    verilog: str
    top: str
    options: YosysOptions = field(default_factory=YosysOptions)
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Measured:
    """A candidate's label with what one run of it found."""

    label: str
    result: SynthesisResult


@dataclass(frozen=True)
class Comparison:
    """Everything measured, and the winner for each clock target."""

    measured: tuple[Measured, ...]
    winners: Mapping[float, Measured]

    @property
    def best(self) -> Measured:
        """The winner over all clock targets, by area efficiency."""
        return max(self.measured, key=lambda one: one.result.efficiency)


def sweep(
    verilog: str,
    top: str,
    technology: Technology | str,
    periods: Iterable[float],
    *,
    options: YosysOptions | None = None,
    params: Mapping[str, Any] | None = None,
    hierarchical: bool = True,
    workdir: Path | None = None,
    timeout: float = 600.0,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> list[SynthesisResult]:
    """Synthesise for several clock targets, on all cores.

    Returns
    -------
    list of SynthesisResult
        One for each target, in the order given.
    """
    candidate = Candidate(top, verilog, top, options or YosysOptions(), params)
    found = best_of(
        [candidate],
        technology,
        periods,
        hierarchical=hierarchical,
        workdir=workdir,
        timeout=timeout,
        progress=progress,
        jobs=jobs,
    )
    return [one.result for one in found.measured]


def best_of(
    candidates: Sequence[Candidate | tuple[str, str, str, YosysOptions]],
    technology: Technology | str,
    periods: Iterable[float],
    *,
    hierarchical: bool = True,
    workdir: Path | None = None,
    timeout: float = 600.0,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Comparison:
    """Synthesise every candidate for every clock target, and pick the winners.

    A target's winner is the smallest netlist that runs at it; whichever target a netlist was made
    for, it counts wherever it is fast enough. Where none is, the fastest wins.

    Returns
    -------
    Comparison
        Everything measured (candidates in the order given, targets inside), and the winners.
    """
    made = [one if isinstance(one, Candidate) else Candidate(*one) for one in candidates]
    targets = [float(period) for period in periods]
    for name, given in (("candidates", made), ("periods", targets)):
        if not given:
            raise ValueError(f"{name} must hold at least one, not {given!r}")
    tech = technology if isinstance(technology, Technology) else find_technology(technology)
    _ = tech.library  # a damaged library is found before any run starts
    work = [(candidate, target) for candidate in made for target in targets]

    def run(at: int) -> SynthesisResult:
        candidate, target = work[at]
        folder = None if workdir is None else workdir / f"{at:03d}-{target:g}ns"
        return synthesise(
            candidate.verilog,
            candidate.top,
            tech,
            target,
            options=candidate.options,
            params=candidate.params,
            hierarchical=hierarchical,
            workdir=folder,
            timeout=timeout,
        )

    results: dict[int, SynthesisResult] = {}
    with ThreadPoolExecutor(jobs or cores()) as pool:
        running = {pool.submit(run, at): at for at in range(len(work))}
        try:
            for done in as_completed(running):
                at = running[done]
                results[at] = done.result()
                if progress is not None:
                    candidate, target = work[at]
                    progress(len(results), len(work), f"{candidate.label} at {target:g} ns")
        except BaseException:
            for waiting in running:
                waiting.cancel()
            raise
    measured = tuple(Measured(work[at][0].label, results[at]) for at in range(len(work)))
    return Comparison(measured, {target: winner(measured, target) for target in targets})


def winner(measured: Sequence[Measured], target_ns: float) -> Measured:
    """Return the smallest netlist that runs at a clock target, or the fastest where none does."""
    able = [one for one in measured if one.result.min_period_ns <= target_ns]
    if able:
        return min(able, key=lambda one: (one.result.area, one.result.min_period_ns))
    return min(measured, key=lambda one: (one.result.min_period_ns, one.result.area))


def best_point(results: Sequence[SynthesisResult]) -> SynthesisResult:
    """Return the result with the best area efficiency, 1 / (area · minimum period)."""
    if not results:
        raise ValueError(f"results must hold at least one, not {results!r}")
    return max(results, key=lambda one: one.efficiency)


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
