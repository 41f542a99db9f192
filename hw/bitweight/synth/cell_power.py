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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bitweight.synth.errors import ToolError
from bitweight.synth.netlist import FlatNetlist
from bitweight.synth.technology import Technology
from bitweight.synth.timing import CellReports

__all__ = ["CellPower", "cell_power"]


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
    reports: CellReports,
    rates: Sequence[np.ndarray],
    clocked: np.ndarray,
    technology: Technology,
    period_ns: float,
) -> list[CellPower]:
    """Return the power of every cell, for each of some activities.

    Parameters
    ----------
    netlist
        The netlist, flat.
    reports
        What OpenSTA says of its cells, at any clock period.
    rates
        Changes per cycle of every net; several, since the reports are the same for all.
    clocked
        The part of all cycles in which each cell has a clock edge.
    technology
        The library that the netlist uses.
    period_ns
        The clock period.

    Raises
    ------
    ToolError
        OpenSTA knows other cells than the netlist.
    """
    library = technology.library
    index = {name: at for at, name in enumerate(netlist.cells)}
    still = np.array([kind not in netlist.clock_pins for kind in netlist.kinds], dtype=bool)
    busy = _read(reports.busy, index)
    quiet = _read(reports.quiet, index)
    quiet[still] = busy[still] * [0, 0, 1]
    for report in (busy, quiet):
        lost = np.flatnonzero(np.isnan(report).any(axis=1))
        if len(lost):
            raise ToolError(
                f"OpenSTA gives no power for {len(lost)} of {len(index)} cells, such as "
                f"{netlist.cells[lost[0]]}"
            )
    # What is drawn per cycle is drawn more often where cycles are shorter; leakage is not.
    for report in (quiet, busy):
        report[:, :2] *= reports.period_ns / period_ns
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
    energy = np.array(pins) * clocked * library.cap_unit_ff * 1e-15 * reports.voltage**2
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


def _read(report: str, index: dict[str, int]) -> np.ndarray:
    """Return internal, switching and leakage power in W: [cells, 3], NaN for those without.

    Rows of instances of modules are passed over.
    """
    found = np.full((len(index), 3), np.nan)
    for line in report.splitlines():
        parts = line.split(maxsplit=4)
        if len(parts) == 5 and (at := index.get(parts[4].strip().replace("\\", ""))) is not None:
            found[at] = [float(part) for part in parts[:3]]
    return found
