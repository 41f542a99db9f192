"""The conformance bench on the RTL, written down: what every port did in every clock cycle.

A netlist, or a faulty copy of it, that gets the same inputs must give the same outputs. So the
bench runs once, under Icarus Verilog, and what it saw can be replayed on any number of copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bitweight.synth.faults import ANY, Trace
from bitweight_verif.cases import plan
from bitweight_verif.recorder import DRIVEN, RECORD, WATCHED
from bitweight_verif.runner import build
from bitweight_verif.simulators import SimulationError

if TYPE_CHECKING:
    from bitweight import Design
    from bitweight.emit import Emission

__all__ = ["Record", "record"]

_UNSETTLED = 1
"""Cycles of the first reset in which registers may still have any value."""


@dataclass(frozen=True)
class Record:
    """What a run of the bench saw.

    Parameters
    ----------
    trace : Trace
        Inputs, and expected outputs; the payload of results where they are valid.
    kinds : tuple of str
        Kinds of the cases, in their order.
    starts : ndarray
        The cycle in which each of them began.
    """

    trace: Trace
    kinds: tuple[str, ...]
    starts: np.ndarray

    def kind(self, cycle: int) -> str:
        """Give the kind of the case that a cycle belongs to."""
        return self.kinds[int(np.searchsorted(self.starts, cycle, side="right")) - 1]


def record(design: Design, emission: Emission, seed: int, trials: int = 1) -> Record:
    """Run the conformance bench on a design's RTL and write down what it does.

    Parameters
    ----------
    design : Design
        The design.
    emission : Emission
        Its Verilog.
    seed : int
        Of operands and stalls.
    trials : int
        Runs of each random kind and size.

    Raises
    ------
    SimulatorMissing
        If Icarus Verilog is not installed.
    SimulationError
        If the bench fails: there is nothing to compare with then.
    """
    streams: Mapping[str, Any] = emission.manifest["streams"]
    cases = plan(design, streams, seed, trials)
    model = build(emission.verilog, emission.top, streams, "icarus")
    spec = {
        "design": design.to_dict(),
        "manifest": {"streams": streams},
        "seed": seed,
        "cases": [case.to_dict() for case in cases],
        "max_failures": 1,
        "record": True,
    }
    folder = model.run("bitweight_verif.bench", spec)
    if '"category": "passed"' not in (folder / "results.json").read_text(encoding="utf-8"):
        raise SimulationError("crash", f"the bench failed on the RTL of {design.name}", folder)
    with np.load(folder / RECORD) as file:
        bits = {name: file[name] for name in (*DRIVEN, *WATCHED)}
        kinds, starts = tuple(map(str, file["kinds"])), file["starts"]
    values = {name: np.where(rows == ord("0"), 0, np.where(rows == ord("1"), 1, ANY))
              .astype(np.uint8) for name, rows in bits.items()}  # fmt: skip
    for name in WATCHED:
        values[name][:_UNSETTLED] = ANY
    return Record(
        Trace({name: values[name] for name in DRIVEN}, {name: values[name] for name in WATCHED}),
        kinds,
        starts,
    )
