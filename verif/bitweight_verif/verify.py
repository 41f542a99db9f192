"""Verifies a design: the conformance bench under one or both simulators."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitweight._check import check_int
from bitweight.evidence.record import verilog_digest
from bitweight_verif.cases import Case, Size, plan, size_text
from bitweight_verif.kept import bench_digest
from bitweight_verif.runner import build
from bitweight_verif.simulators import SimulationError, choose, reason, require

if TYPE_CHECKING:
    from bitweight import Design


@dataclass(frozen=True)
class CaseResult:
    """What became of one case under one simulator.

    Parameters
    ----------
    sim : str
        The simulator.
    kind : str
        Kind of the case, such as "corner-one-hot".
    size : str
        Its base size as MxKxN; empty when the failure belongs to no case.
    trial : int
        Its number among those of the same kind and size.
    cycles : int
        Clock cycles of its first run; 0 when it failed.
    category : str
        "passed", or what was wrong: `element`, `last`, `count`, `extra`, `cycles`, `protocol`,
        `timeout`, `build`, `crash` or `silent`.
    message : str
        Design, seed, case, expected, got, and the command that repeats it; empty when it passed.
    """

    sim: str
    kind: str
    size: str
    trial: int
    cycles: int
    category: str
    message: str

    @property
    def passed(self) -> bool:
        """Whether the case found nothing wrong."""
        return self.category == "passed"


@dataclass
class VerifyResult:
    """What a verification found.

    Parameters
    ----------
    design : str
        Name of the design.
    parameters : dict
        Its description.
    simulators : dict
        Version of each simulator used.
    seed, trials, gemm
        As asked for, or drawn.
    verilog : str
        Checksum of the Verilog, as the record of benches has it.
    planned : int
        Cases planned over all simulators; after many failures the rest is left out.
    spent : dict
        Seconds that building and running took under each simulator.
    """

    design: str
    parameters: dict[str, Any]
    simulators: dict[str, str]
    seed: int
    trials: int
    gemm: Size | None
    verilog: str
    planned: int = 0
    cases: list[CaseResult] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def failures(self) -> list[CaseResult]:
        """The cases that did not pass."""
        return [case for case in self.cases if not case.passed]

    @property
    def passed(self) -> bool:
        """Whether every planned case ran and passed."""
        return not self.failures and len(self.cases) == self.planned > 0

    def runs(self) -> dict[str, dict[str, Any]]:
        """Give what each simulator found in short, as the record of benches has it."""
        found = {}
        for sim, version in self.simulators.items():
            cases = [case for case in self.cases if case.sim == sim]
            failed = [case.message for case in cases if not case.passed]
            found[sim] = {
                "passed": not failed and len(cases) * len(self.simulators) == self.planned > 0,
                "cases": len(cases),
                "failed": len(failed),
                "seconds": round(self.spent[sim], 1),
                "seed": self.seed,
                "trials": self.trials,
                "gemm": None if self.gemm is None else size_text(self.gemm),
                "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
                "version": version,
                "verilog": self.verilog,
                "bench": bench_digest(),
                "messages": failed,
            }
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-able record."""
        record = asdict(self)
        record["gemm"] = None if self.gemm is None else size_text(self.gemm)
        for entry, case in zip(record["cases"], self.cases, strict=True):
            entry["passed"] = case.passed
        return {"passed": self.passed, **record}


def _size(gemm: Any, design: Design) -> Size:
    try:
        m, k, n = gemm
    except (TypeError, ValueError):
        raise ValueError(f"gemm must be three integers M, K, N, not {gemm!r}") from None
    size = (
        check_int("M of gemm", m, 1),
        check_int("K of gemm", k, 1),
        check_int("N of gemm", n, 1),
    )
    if size[1] > design.max_k:
        raise ValueError(
            f"K of gemm must be 1 to {design.max_k}, so that the accumulator of {design.acc} bits "
            f"does not overflow, not {k!r}"
        )
    return size


def verify(
    design: Design,
    sim: str = "all",
    gemm: Size | None = None,
    trials: int = 2,
    seed: int | None = None,
    *,
    emission: Any = None,
    verilog: str | None = None,
    build_dir: Path | str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    spelled: str | None = None,
    max_failures: int = 10,
    patience: float = 300.0,
) -> VerifyResult:
    """Run the conformance bench on a design.

    Parameters
    ----------
    design : Design
        What to verify.
    sim : {"all", "icarus", "verilator"}
        Under which simulators.
    gemm : tuple of int, optional
        M, K and N; the only size to use, instead of several that suit the array.
    trials : int
        Runs of each random kind and size.
    seed : int, optional
        Drawn, and printed on stderr, when not given.
    emission : Emission, optional
        Verilog with its top and manifest; `emit(design)` otherwise.
    verilog : str, optional
        Text to use instead of the emission's own.
    build_dir : path, optional
        Where to build and to keep logs; a temporary folder otherwise.
    progress : callable, optional
        Called with the simulator, the cases done and the cases planned for it.
    spelled : str, optional
        How the user named the design on the command line, for the commands that repeat a failure.
    max_failures : int
        After so many failures under a simulator its other cases are left out.
    patience : float
        Seconds without a sign of life after which a simulation counts as hung.

    Returns
    -------
    VerifyResult
        Failures are in the result; they raise nothing.

    Raises
    ------
    SimulatorMissing
        If a simulator asked for is not installed.
    """
    started = time.monotonic()
    sims = choose(sim)
    trials = check_int("trials", trials, 1)
    size = None if gemm is None else _size(gemm, design)
    versions = {name: require(name) for name in sims}
    if seed is None:
        seed = secrets.randbelow(1 << 32)
        print(f"seed {seed}", file=sys.stderr)
    seed = check_int("seed", seed, 0)
    if emission is None:
        from bitweight.emit import emit  # noqa: PLC0415

        emission = emit(design)
    streams = emission.manifest["streams"]
    cases = plan(design, streams, seed, trials, size)
    text = emission.verilog if verilog is None else verilog
    result = VerifyResult(
        design.name, design.to_dict(), versions, seed, trials, size, verilog_digest(text)
    )
    result.planned = len(cases) * len(sims)
    spec = {
        "design": design.to_dict(),
        "manifest": {"streams": streams},
        "seed": seed,
        "cases": [case.to_dict() for case in cases],
        "max_failures": max_failures,
    }
    for name in sims:
        began = time.monotonic()
        story = _Story(design.name, name, seed, spelled or design.name)
        hook = None if progress is None else _named(progress, name)
        folder: Path | None = None
        error: SimulationError | None = None
        try:
            model = build(text, emission.top, streams, name, build_dir=build_dir)
            folder = model.folder / f"run-{model.runs + 1:03}"
            model.run("bitweight_verif.bench", spec, hook, patience)
        except SimulationError as caught:
            error = caught
        found = [] if folder is None else story.read(folder / "results.json", error)
        if folder is None and error is not None:
            found = [story.broken(None, error.category, str(error))]
        if folder is not None and not all(case.passed for case in found):
            model.keep()
        complete = len(found) == len(cases) or any(not case.passed for case in found)
        if folder is not None and not complete:
            model.keep()
            message = f"the bench ended early; see {folder / 'simulation.log'}"
            found.append(story.broken(None, "crash", message))
        result.cases += found
        result.spent[name] = time.monotonic() - began
    result.seconds = time.monotonic() - started
    return result


def _named(progress: Callable[[str, int, int], None], name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


@dataclass(frozen=True)
class _Story:
    """Turns what the bench left into case results."""

    design: str
    sim: str
    seed: int
    spelled: str

    def read(self, path: Path, error: SimulationError | None) -> list[CaseResult]:
        """Read the results file; a case that started and did not end has failed."""
        results = []
        running: Case | None = None
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for line in lines:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                break
            if "started" in entry:
                running = Case.from_dict(entry["started"])
                continue
            case, running = Case.from_dict(entry), None
            if entry["category"] == "passed":
                size = size_text(case.size)
                results.append(
                    CaseResult(self.sim, case.kind, size, case.trial, entry["cycles"], "passed", "")
                )
            else:
                results.append(self.broken(case, entry["category"], entry["message"]))
        if error is not None:
            results.append(self.broken(running, error.category, str(error)))
        elif running is not None:
            log = path.with_name("simulation.log")
            why = reason(log) or "the bench itself failed"
            results.append(self.broken(running, "crash", f"{why}; see {log}"))
        return results

    def broken(self, case: Case | None, category: str, message: str) -> CaseResult:
        """Say what went wrong and how to see it again."""
        head = f"{self.design} under {self.sim}, seed {self.seed}"
        command = f"bitweight verify {self.spelled} --sim {self.sim}"
        if case is None:
            text = f"{head}: {message}; repeat: {command} --seed {self.seed}"
            return CaseResult(self.sim, "", "", 0, 0, category, text)
        size = size_text(case.size)
        text = (
            f"{head}, {case.kind} {size} trial {case.trial}: {message}; repeat: "
            f"{command} --gemm {size} --trials {case.trial + 1} --seed {self.seed}"
        )
        return CaseResult(self.sim, case.kind, size, case.trial, 0, category, text)
