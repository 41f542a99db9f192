"""Power of every cell of a netlist from its own activity, with OpenSTA.

Two reports are taken, with no net changing but the clock, and with every net changing once per
cycle; a cell whose outputs change α times per cycle draws ``P0 + (P1 - P0)·α``. That is exact for
what an output's change costs, and leaves the clock's share, which does not depend on α, as it is.
It is the way to annotate activity that OpenSTA 2.0.17 gets right. A glitch counts like any other
two changes: as if it went from rail to rail.

The energy that charges the clock pins of flip-flops comes on top: OpenSTA counts a net's charge
with the cell that drives it, and the ideal clock has none. Nets driven by other inputs do not
count, they belong to whatever drives them.

A flip-flop behind a clock gate draws the clock's share, and charges its clock pin, only in cycles
in which the gate lets the clock through; the gate itself draws its own in all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitweight.synth import tools
from bitweight.synth.errors import TechnologyError, ToolError
from bitweight.synth.netlist import FlatNetlist
from bitweight.synth.technology import Technology
from bitweight.synth.timing import environment, link_libraries

__all__ = ["CellPower", "cell_power"]

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
class CellPower:
    """Power of every cell of a netlist in W, as arrays over its cells.

    `clock_pins` is what charging the clock pins takes; it is not part of `switching`.
    """

    internal: np.ndarray
    switching: np.ndarray
    leakage: np.ndarray
    clock_pins: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """All four together."""
        return self.internal + self.switching + self.leakage + self.clock_pins


def cell_power(
    netlist: FlatNetlist,
    rates: Sequence[np.ndarray],
    clocked: np.ndarray,
    folder: Path,
    top: str,
    technology: Technology,
    period_ns: float,
    *,
    clock: str = "clk",
    timeout: float = 600.0,
) -> list[CellPower]:
    """Return the power of every cell, for each of some activities.

    Parameters
    ----------
    netlist
        What ``netlist.v`` in `folder` holds, flat.
    rates
        Changes per cycle of every net; several, since the reports are the same for all.
    clocked
        The part of all cycles in which each cell has a clock edge.
    folder
        Holds ``netlist.v``; script, log and reports are written there.
    top
        Name of the top module.
    technology
        The library that the netlist uses. Where it states no operating conditions, the nominal
        ones are taken.
    period_ns
        The clock period.
    clock
        The clock's port.
    timeout
        Limit for OpenSTA, in seconds.

    Raises
    ------
    ToolError
        OpenSTA is missing, failed, or knows other cells than the netlist.
    TechnologyError
        The library states no voltage.
    """
    library = technology.library
    names = link_libraries(folder, technology)
    voltage = _voltage(folder, names)
    values = environment(technology, names, clock) | {
        "top": top,
        "period": f"{period_ns / library.time_unit_ns:.9g}",
    }
    tools.render("power.tcl.j2", folder, "power.tcl", values)
    tools.sta(folder, "power.tcl", timeout)
    index = {name: at for at, name in enumerate(netlist.cells)}
    quiet = _report(folder / "quiet.txt", index)
    busy = _report(folder / "busy.txt", index)
    pins = [
        library.cells[kind].inputs[netlist.clock_pins[kind]] if kind in netlist.clock_pins else 0.0
        for kind in netlist.kinds
    ]
    # A clock gate drives clock pins, which are counted where they are.
    gates = [kind in technology.clock_gate[:1] for kind in netlist.kinds]
    quiet[gates, 1] = busy[gates, 1] = 0.0
    idle = quiet * [1, 1, 0] * (1 - clocked)[:, None]
    quiet, busy = quiet - idle, busy - idle
    # Charged from the supply once per cycle: C V² of energy.
    energy = np.array(pins) * clocked * library.cap_unit_ff * 1e-15 * voltage**2
    found = []
    for rate in rates:
        internal, switching, leakage = (quiet + (busy - quiet) * activity(netlist, rate)[:, None]).T
        found.append(CellPower(internal, switching, leakage, energy / (period_ns * 1e-9)))
    return found


def activity(netlist: FlatNetlist, toggles_per_cycle: np.ndarray) -> np.ndarray:
    """Return how often the outputs of each cell change per cycle, the mean of several."""
    count = len(netlist.cells)
    pins = np.bincount(netlist.output_cell, minlength=count)
    total = np.bincount(
        netlist.output_cell, weights=toggles_per_cycle[netlist.output_net], minlength=count
    )
    return total / np.maximum(pins, 1)


def _report(path: Path, index: dict[str, int]) -> np.ndarray:
    """Return internal, switching and leakage power in W of all cells: [cells, 3].

    Rows of instances of modules are passed over.
    """
    found = np.full((len(index), 3), np.nan)
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line in text.splitlines():
        parts = line.split(maxsplit=4)
        if len(parts) == 5 and (at := index.get(parts[4].strip().replace("\\", ""))) is not None:
            found[at] = [float(part) for part in parts[:3]]
    lost = np.flatnonzero(np.isnan(found).any(axis=1))
    if len(lost):
        name = next(name for name, at in index.items() if at == lost[0])
        raise ToolError(
            f"OpenSTA gives no power for {len(lost)} of {len(index)} cells, such as {name} "
            f"(report: {path})"
        )
    return found


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
