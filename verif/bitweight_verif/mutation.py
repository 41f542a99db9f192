"""Mutation testing: which faults of a netlist the conformance bench finds, and which it cannot.

The bench runs on the RTL once and is written down; every mutant of the netlist replays it. What is
not found gets a soak, short products and resets first, and reductions that are long enough to fill
accumulators only where a quick proof does not show that the mutant is equivalent. Proofs that may
take minutes are for what is left then.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bitweight._check import check_int
from bitweight.emit import emit
from bitweight.evidence.record import MUTANTS, enter, load, verilog_digest
from bitweight.sources import sources_digest
from bitweight.synth.faults import Copies, Fault, run_faults
from bitweight_verif.equivalence import States, equivalent_late, equivalent_soon
from bitweight_verif.mutants import Mutant, Mutants
from bitweight_verif.netlists import FASTEST_NS, flat_netlist, mapped
from bitweight_verif.record import record
from bitweight_verif.soaking import LATE, SOON, soak

if TYPE_CHECKING:
    from bitweight import Design
    from bitweight.synth import Technology
    from bitweight.synth.netlist import FlatNetlist

__all__ = ["MutationResult", "mutate", "on_record", "put_on_record"]

_STATES = 40_000_000
"""Registers times cycles that are simulated to find candidates for a proof."""

_SOURCES = (
    *(f"synth/{name}" for name in ("episodes.py", "faults.py", "faults.c", "netlist.py")),
    "prove/circuit.py",
    "prove/solver.py",
)
_BENCHES = (
    "beats.py", "bench.py", "cases.py", "control.py", "equivalence.py", "miter.py", "mutants.py",
    "mutation.py", "reachability.py", "record.py", "recorder.py", "soaking.py", "streams.py",
)  # fmt: skip

Progress = Callable[[str, int, int], None]


@dataclass
class MutationResult:
    """What became of the mutants of one netlist.

    Parameters
    ----------
    design, technology, period_ns
        What was synthesised.
    verilog, netlist, tools : str
        Checksums of the RTL, of the netlist, and of what makes, runs and judges mutants.
    seed : int
        Of mutants, operands and stalls.
    count, asked : int
        Mutants, and how many were asked for: a small netlist has no more.
    cells : int
        Cells of the netlist.
    cycles, soaked : int
        Clock cycles of the bench, and of all soaks.
    killed : int
        Mutants that were found.
    killed_by : dict
        The same by the port that showed it.
    killed_in : dict
        The same by the kind of the bench's case.
    faults : dict
        Mutants by kind of fault.
    equivalent : int
        Mutants that are proven to do what the netlist does.
    proven_by : dict
        The same by how.
    survivors : list of dict
        Cell, module, library cell, fault and detail of all others.
    seconds : float
        For all but the synthesis.
    """

    design: str
    technology: str
    period_ns: float
    verilog: str
    netlist: str
    tools: str
    seed: int
    count: int
    cells: int
    asked: int = 0
    cycles: int = 0
    soaked: int = 0
    killed: int = 0
    killed_by: dict[str, int] = field(default_factory=dict)
    killed_in: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    equivalent: int = 0
    proven_by: dict[str, int] = field(default_factory=dict)
    survivors: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every mutant was found or proven equivalent."""
        return not self.survivors

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-able record."""
        return {"passed": self.passed, **asdict(self)}


def mutate(
    design: Design,
    technology: Technology,
    count: int = 200,
    seed: int = 0,
    period_ns: float = FASTEST_NS,
    *,
    known: Mapping[str, Any] | None = None,
    progress: Progress = lambda *_: None,
) -> MutationResult:
    """Run the bench on mutants of a design's netlist.

    Parameters
    ----------
    design : Design
        The design.
    technology : Technology
        What it is mapped to.
    count : int
        Mutants; fewer are made only where the netlist has no more.
    seed : int
        Of mutants, operands and stalls.
    period_ns : float
        Clock target of the netlist.
    known : dict, optional
        An earlier result as `to_dict` gives it: returned where it is of the same netlist, count
        and seed, and of the same tools.
    progress : callable, optional
        Called with what is being done, how much of it is done, and of how much.

    Raises
    ------
    ToolError
        A tool is missing or failed, or the netlist itself differs from the RTL.
    SimulationError
        The bench fails on the RTL.
    """
    count, seed = check_int("count", count, 1), check_int("seed", seed, 0)
    synthesis = mapped(design, technology, period_ns)
    emission = emit(design)
    result = MutationResult(
        design.name, technology.name, period_ns, verilog_digest(emission.verilog),
        verilog_digest(synthesis.netlist), _tools(), seed, count,
        sum(kind.count for kind in synthesis.cells.values()), asked=count,
    )  # fmt: skip
    same = ("design", "technology", "period_ns", "verilog", "netlist", "tools", "seed", "asked")
    if known is not None and all(known.get(name) == getattr(result, name) for name in same):
        old = dict(known)
        old.pop("passed", None)
        return MutationResult(**old)
    started = time.monotonic()
    netlist = flat_netlist(synthesis, technology)
    mutants = Mutants(netlist).draw(count, np.random.default_rng(seed))
    result.count = len(mutants)
    result.faults = dict(Counter(mutant.fault for mutant in mutants))
    progress("bench", 0, 1)
    seen = record(design, emission, seed)
    run_faults(netlist, seen.trace, (), seed=seed)
    found = run_faults(netlist, seen.trace, [one.tables for one in mutants], seed=seed)
    shown = [one for one in found if one is not None]
    result.cycles = seen.trace.cycles
    result.killed = len(shown)
    _count(result.killed_by, (port for _, port in shown))
    _count(result.killed_in, (seen.kind(cycle).partition("-")[0] for cycle, _ in shown))
    left = [mutant for mutant, one in zip(mutants, found, strict=True) if one is None]
    left = _soaked(result, design, netlist, left, SOON, progress)
    states = States.random(netlist, max(1000, min(6000, _STATES // len(netlist.flops))), seed)
    left = _unproven(result, states, left, equivalent_soon, progress)
    left = _soaked(result, design, netlist, left, LATE, progress)
    left = _unproven(result, states, left, equivalent_late, progress)
    result.survivors = [
        {name: getattr(one, name) for name in ("cell", "module", "kind", "fault", "detail")}
        for one in left
    ]
    result.seconds = round(time.monotonic() - started, 1)
    return result


def on_record(folder: Path, design: Design) -> dict[str, Any] | None:
    """Return what a folder's record says of a design, if anything."""
    return load(folder, MUTANTS).get(design.name)


def put_on_record(folder: Path, result: MutationResult) -> None:
    """Enter a result into a folder's record."""
    enter(folder, MUTANTS, {result.design: result.to_dict()})


def _soaked(
    result: MutationResult,
    design: Design,
    netlist: FlatNetlist,
    mutants: list[Mutant],
    kinds: tuple[str, ...],
    progress: Progress,
) -> list[Mutant]:
    """Take out what a soak finds."""
    left = []
    for at in range(0, len(mutants), Copies.most):
        some = mutants[at : at + Copies.most]
        tables = [one.tables for one in some]
        found, cycles = soak(design, netlist, tables, result.seed, kinds, progress)
        result.soaked += cycles
        for mutant, shown in zip(some, found, strict=True):
            if shown:
                kind, port = shown.split()
                result.killed += 1
                _count(result.killed_by, [port])
                _count(result.killed_in, [kind])
            else:
                left.append(mutant)
    return left


def _unproven(
    result: MutationResult,
    states: States,
    mutants: list[Mutant],
    prove: Callable[[States, Fault], str],
    progress: Progress,
) -> list[Mutant]:
    """Take out what is proven to be equivalent."""
    left = []
    for done, mutant in enumerate(mutants, 1):
        how = prove(states, mutant.tables)
        if how:
            result.equivalent += 1
            _count(result.proven_by, [how])
        else:
            left.append(mutant)
        progress("proofs", done, len(mutants))
    return left


def _count(table: dict[str, int], names: Any) -> None:
    for name, number in Counter(names).items():
        table[name] = table.get(name, 0) + number


def _tools() -> str:
    """Return a checksum over what mutants and their verdicts come from."""
    digest = hashlib.sha256(sources_digest(*_SOURCES).encode())
    for name in _BENCHES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()[:16]
