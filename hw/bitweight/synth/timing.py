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
from bitweight.synth.errors import TechnologyError, ToolError
from bitweight.synth.technology import Technology

_STEP = re.compile(r"^\s*(-?[\d.]+)\s+(-?[\d.]+) ([\^v]) (\S+) \((\S+)\)\s*$", re.MULTILINE)
_SLACK = re.compile(r"^\s*(-?[\d.]+)\s+slack \(", re.MULTILINE)
_REPORTS = ("quiet.txt", "busy.txt")
_NOMINAL = r"^\s*nom_{}\s*:\s*\"?([-+0-9.eE]+)"
_CONDITIONS = """
  operating_conditions (nominal) {{
    process : {process};
    temperature : {temperature};
    voltage : {voltage};
  }}
  default_operating_conditions : nominal;
"""


@dataclass(frozen=True)
class Step:
    """One pin of a path: where, which cell, its delay and the arrival there, in ns."""

    pin: str
    cell: str
    edge: str
    delay_ns: float
    arrival_ns: float


@dataclass(frozen=True)
class CellReports:
    """OpenSTA's power of every cell at one clock period, as it prints it.

    Attributes
    ----------
    period_ns, voltage
        The clock period, and the supply in V.
    quiet, busy
        With no net changing but the clock (flip-flops and clock gates alone), and with every net
        changing once per cycle.
    """

    period_ns: float
    voltage: float
    quiet: str
    busy: str


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
    cells
        The power of its cells, where it was asked for.
    """

    slack_ns: float
    min_period_ns: float
    register_period_ns: float | None
    path: tuple[Step, ...]
    cells: CellReports | None = None


def analyse(
    folder: Path,
    top: str,
    technology: Technology,
    period_ns: float,
    *,
    clock: str = "clk",
    ideal: tuple[str, ...] = ("rst",),
    cells: bool = False,
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
    cells
        Report the power of every cell as well: delays, which take most of the time, are there.
    timeout
        Limit in seconds.

    Raises
    ------
    ToolError
        OpenSTA is missing or failed.
    TechnologyError
        `cells` is asked for, and the library states no voltage.
    """
    unit = technology.library.time_unit_ns
    names = link_libraries(folder, technology)
    voltage = _voltage(folder, names) if cells else 0.0
    for report in _REPORTS:
        (folder / report).unlink(missing_ok=True)
    write_script(folder, top, technology, period_ns, names, clock=clock, ideal=ideal, cells=cells)
    text = tools.sta(folder, "sta.tcl", timeout)
    whole, _, registers = text.partition("BITWEIGHT registers")
    slack = _slack(whole, folder) * unit
    found = _SLACK.search(registers)
    inside = float(found[1]) * unit if found else None
    if "BITWEIGHT same" in registers:
        inside = slack
    reports = (_text(folder / name) for name in _REPORTS)
    return Timing(
        slack_ns=round(slack, 6),
        min_period_ns=round(period_ns - slack, 6),
        register_period_ns=None if inside is None else round(period_ns - inside, 6),
        path=tuple(
            Step(pin, cell, "rise" if edge == "^" else "fall", round(float(delay) * unit, 6),
                 round(float(arrival) * unit, 6))
            for delay, arrival, edge, pin, cell in _STEP.findall(whole.partition("\n---")[2]
                                                                 .partition("data arrival")[0])
        ),
        cells=CellReports(period_ns, voltage, *reports) if cells else None,
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
    cells: bool = False,
) -> None:
    """Write ``sta.tcl``; `libraries` are the Liberty files' names in the folder."""
    values = environment(technology, libraries, clock) | {
        "top": top,
        "ideal": ideal,
        "cells": cells,
        "gated": technology.clock_gate[3] if technology.clock_gate else "",
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


def _voltage(folder: Path, names: list[str]) -> float:
    """Return the supply in V; give libraries without operating conditions the nominal ones.

    OpenSTA takes the voltage from the operating conditions, and without any counts with 0 V.
    """
    voltage = 0.0
    for name in names:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        nominal = {
            key: match[1] if (match := re.search(_NOMINAL.format(key), text, re.M)) else default
            for key, default in (("process", "1"), ("temperature", "25"), ("voltage", "0"))
        }
        if float(nominal["voltage"]) <= 0:
            raise TechnologyError(f"Liberty file {path.resolve().name} must state nom_voltage")
        voltage = voltage or float(nominal["voltage"])
        if not re.search(r"^\s*default_operating_conditions\s*:", text, re.M):
            line = re.search(_NOMINAL.format("voltage") + r".*$", text, re.M)
            assert line is not None
            path.unlink()  # a link to the cache, whose file stays as it is
            path.write_text(
                text[: line.end()] + _CONDITIONS.format(**nominal) + text[line.end() :],
                encoding="utf-8",
            )
    return voltage


def _text(path: Path) -> str:
    """Return a report; it is empty where OpenSTA had nothing to write."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""
