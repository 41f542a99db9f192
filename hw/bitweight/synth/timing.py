"""Static timing with OpenSTA: the minimum period and the path that sets it.

The clock is ideal and so is the reset; inputs arrive at its edge (delay 0) from the technology's
driving cell; outputs must be there at the next edge (delay 0) and carry the technology's output
load. There is no wire load but what the library itself asks for.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitweight.synth import tools
from bitweight.synth.errors import ToolError
from bitweight.synth.technology import Technology

_STEP = re.compile(r"^\s*(-?[\d.]+)\s+(-?[\d.]+) ([\^v]) (\S+) \((\S+)\)\s*$", re.MULTILINE)
_SLACK = re.compile(r"^\s*(-?[\d.]+)\s+slack \(", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One pin of a path: where, which cell, its delay and the arrival there, in ns."""

    pin: str
    cell: str
    edge: str
    delay_ns: float
    arrival_ns: float


@dataclass(frozen=True)
class Timing:
    """What OpenSTA says of a netlist at one clock period, in ns.

    Attributes
    ----------
    slack_ns, min_period_ns
        Of all paths, inputs and outputs included; the period is the target less the slack.
    register_period_ns
        The minimum period if only paths from register to register counted; None without any.
    path
        The critical path, from its start to its end.
    """

    slack_ns: float
    min_period_ns: float
    register_period_ns: float | None
    path: tuple[Step, ...]


def analyse(
    folder: Path,
    top: str,
    technology: Technology,
    period_ns: float,
    *,
    clock: str = "clk",
    ideal: tuple[str, ...] = ("rst",),
    timeout: float = 600.0,
) -> Timing:
    """Time the ``netlist.v`` of a folder.

    Parameters
    ----------
    folder
        Holds ``netlist.v``; script and log are written there.
    top
        Name of the top module.
    technology
        The library that the netlist uses.
    period_ns
        The clock period that slack is counted from.
    clock
        The clock's port; a module without it is timed from inputs to outputs.
    ideal
        Inputs whose paths do not count (reset: a layout gives it a tree of its own).
    timeout
        Limit in seconds.
    """
    unit = technology.library.time_unit_ns
    names = link_libraries(folder, technology)
    write_script(folder, top, technology, period_ns, names, clock=clock, ideal=ideal)
    text = tools.sta(folder, "sta.tcl", timeout)
    whole, _, registers = text.partition("BITWEIGHT registers")
    slack = _slack(whole, folder) * unit
    found = _SLACK.search(registers)
    return Timing(
        slack_ns=round(slack, 6),
        min_period_ns=round(period_ns - slack, 6),
        register_period_ns=round(period_ns - float(found[1]) * unit, 6) if found else None,
        path=tuple(
            Step(pin, cell, "rise" if edge == "^" else "fall", round(float(delay) * unit, 6),
                 round(float(arrival) * unit, 6))
            for delay, arrival, edge, pin, cell in _STEP.findall(whole.partition("\n---")[2]
                                                                 .partition("data arrival")[0])
        ),
    )  # fmt: skip


def write_script(
    folder: Path,
    top: str,
    technology: Technology,
    period_ns: float,
    libraries: list[str],
    *,
    clock: str,
    ideal: tuple[str, ...],
) -> None:
    """Write ``sta.tcl``; `libraries` are the Liberty files' names in the folder."""
    values = environment(technology, libraries, clock) | {
        "top": top,
        "ideal": ideal,
        "period": f"{period_ns / technology.library.time_unit_ns:.9g}",
    }
    tools.render("sta.tcl.j2", folder, "sta.tcl", values)


def environment(technology: Technology, libraries: list[str], clock: str) -> dict[str, Any]:
    """Return what every OpenSTA script is filled in with: libraries, clock, what ports see."""
    return {
        "libraries": libraries,
        "clock": clock,
        "driving_cell": technology.driving_cell[0],
        "driving_pin": technology.driving_cell[1],
        "load": f"{technology.output_load:.9g}",
    }


def link_libraries(folder: Path, technology: Technology) -> list[str]:
    """Put links to the library's files into a folder, and return their names."""
    names = []
    for at, source in enumerate(technology.library.files):
        link = folder / f"library{at}.lib"
        link.unlink(missing_ok=True)
        link.symlink_to(source.resolve())
        names.append(link.name)
    return names


def _slack(text: str, folder: Path) -> float:
    """Return the worst slack in library units: the number itself where it agrees with the path."""
    log = folder / "sta.log"
    said = re.search(r"^BITWEIGHT slack (\S+)$", text, re.MULTILINE)
    path = _SLACK.search(text)
    if said is None or path is None:
        raise ToolError(
            f"OpenSTA found no path to time: is the netlist without logic? (log: {log})"
        )
    slack = float(said[1])
    if not math.isclose(slack, float(path[1]), rel_tol=1e-4, abs_tol=1e-5):
        raise ToolError(f"OpenSTA gives two worst slacks, {said[1]} and {path[1]} (log: {log})")
    return slack
