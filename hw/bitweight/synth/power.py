"""Power from real activity: a mapped netlist multiplies matrices, and its nets are counted.

A design is synthesised for a clock period; the netlist, every gate of it, runs a stated GEMM
(:mod:`bitweight.synth.gate_level`) and must give the product bit for bit, in the cycles that the
design promises; OpenSTA then turns each cell's own activity into power
(:mod:`bitweight.synth.cell_power`). Nothing is estimated without activity, and a netlist that is
wrong has no power.

The whole array is simulated and not a sample of it: a 16 × 16 array takes some milliseconds for a
clock cycle. So every instance has its own activity at its own place,
and the power of a block is the sum over its instances.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Fragment

from bitweight.design import Design
from bitweight.emit import emit
from bitweight.synth.cell_power import CellPower, cell_power
from bitweight.synth.delays import cell_delays
from bitweight.synth.flow import synthesise
from bitweight.synth.gate_level import Run, run_gemm
from bitweight.synth.netlist import FlatNetlist, read_netlist
from bitweight.synth.options import YosysOptions
from bitweight.synth.report import SynthesisResult
from bitweight.synth.technology import Technology, find_technology
from bitweight.synth.timing import analyse

__all__ = ["METHOD", "BlockPower", "Power", "power", "simulated"]

METHOD = (
    "Activity from a gate-level simulation of the stated GEMM on the mapped netlist, checked bit "
    "for bit. Every gate follows its inputs after its own delay, and glitches count from rail to "
    "rail, but for those that are shorter than a gate's delay. Operands are offered and results "
    "taken in every cycle. Cells, and the charge of the flip-flops' clock pins; no clock tree (the "
    "clock is ideal), and no wires but a wire load that the library itself asks for."
)
"""What the figures hold, in words, for reports."""

_PE_GRID = 4
"""Rows and columns of the array that stands for a processing element."""
_PE_GRID_SKIPPING = 2
"""The same for arrays that skip digits, whose operand buffers outweigh their elements by far."""


@dataclass(frozen=True)
class BlockPower:
    """All instances of one module together, without the modules inside them; W.

    `switching` has `clock_pins` in it, the charge of the clock pins.
    """

    instances: int
    cells: int
    internal: float
    switching: float
    clock_pins: float
    leakage: float

    @property
    def total(self) -> float:
        """All of it, in W."""
        return self.internal + self.switching + self.leakage


@dataclass(frozen=True)
class Power:
    """Power of a design, or of the processing elements of one, while it does a GEMM.

    Attributes
    ----------
    design, params
        Name, and parameters as `Design.to_dict` has them, of the array that was simulated.
    pe
        Whether the figures are those of all its processing elements alone.
    pes
        Processing elements in the array.
    technology, target_ns, period_ns
        The clock that the netlist was made for and that at which it runs: longer where the
        netlist does not reach its target.
    gemm
        M, K, N.
    operands, seed
        Where the operands come from, and the seed of what was drawn.
    cycles
        Clock cycles from the first operand to the last result, as simulated.
    internal, switching, leakage
        W. Switching has the charge of the clock pins in it.
    clock_pins
        That charge's part of `switching`.
    glitches
        What all three would have less, in W, if every net changed at most once per cycle.
    activity
        Mean changes per cycle of all nets that cells drive.
    blocks
        By module, without the design's name in front; all of the array.
    tools, seconds
        Versions, and how long it took.
    """

    design: str
    params: Mapping[str, Any]
    pe: bool
    pes: int
    technology: str
    target_ns: float
    period_ns: float
    gemm: tuple[int, int, int]
    operands: str
    seed: int | None
    cycles: int
    internal: float
    switching: float
    clock_pins: float
    leakage: float
    glitches: float
    activity: float
    blocks: Mapping[str, BlockPower]
    tools: Mapping[str, str]
    seconds: float

    @property
    def total(self) -> float:
        """Power in W."""
        return self.internal + self.switching + self.leakage

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates: M·K·N."""
        M, K, N = self.gemm
        return M * K * N

    @property
    def energy_per_mac_pj(self) -> float:
        """Energy of all cycles over the useful multiply-accumulates, in pJ."""
        return self.total * self.cycles * self.period_ns * 1e3 / self.macs

    @property
    def tops_per_watt(self) -> float:
        """10¹² operations per second and W; a multiply-accumulate is two."""
        return 2.0 / self.energy_per_mac_pj

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON has it, with what follows from it."""
        table = asdict(self)
        table["gemm"] = list(self.gemm)
        table["blocks"] = {name: asdict(block) for name, block in sorted(self.blocks.items())}
        return table | {
            "total": self.total,
            "macs": self.macs,
            "energy_per_mac_pj": self.energy_per_mac_pj,
            "tops_per_watt": self.tops_per_watt,
            "method": METHOD,
        }


def simulated(design: Design, *, pe: bool = False) -> Design:
    """Return the array that is simulated for a design.

    It is the design itself. For the power of a processing element alone, rows and columns are
    reduced to 4 (2 where digits are skipped) as long as the element stays the same: the operands
    that it sees are those of a real array, as its neighbours pass them on.
    """
    if not pe:
        return design
    found = design
    grid = _PE_GRID_SKIPPING if design.array.skips else _PE_GRID
    for size in ("rows", "cols"):
        if found.array.sizes.get(size, 0) > grid:
            smaller = found.with_(**{size: grid})
            if _same_element(design, smaller):
                found = smaller
    return found


def _same_element(one: Design, other: Design) -> bool:
    """Return whether the processing elements of two designs have the same ports."""
    ports = []
    for element in (one.create_pe(), other.create_pe()):
        Fragment.get(element, None)  # Amaranth warns of what is made and never used
        ports.append(
            [(path, member.flow, member.shape)
             for path, member, _ in element.signature.flatten(element)]
        )  # fmt: skip
    return ports[0] == ports[1]


def power(
    design: Design,
    technology: Technology | str,
    period_ns: float,
    A: np.ndarray,
    B: np.ndarray,
    *,
    pe: bool = False,
    options: YosysOptions | None = None,
    synthesis: SynthesisResult | None = None,
    operands: str = "given",
    seed: int | None = None,
    workdir: Path | None = None,
    timeout: float = 600.0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Power:
    """Measure the power of a design while it multiplies two matrices.

    Parameters
    ----------
    design
        What is measured.
    technology
        A technology, or the name of one.
    period_ns
        Clock target of the synthesis. The clock runs at it, or as fast as the netlist does.
    A, B
        Integer matrices [M, K] and [K, N] within the operand ranges.
    pe
        The processing elements alone, in a small array (`simulated`).
    options
        How Yosys and ABC are to work.
    synthesis
        A netlist that is there already, of ``simulated(design, pe=pe)``; nothing is synthesised.
        OpenSTA runs again if it holds no `cell_reports`.
    operands, seed
        For the record: what the operands are, and the seed of what was drawn.
    workdir
        Folder for scripts, logs and reports. Without it a temporary folder is used, which stays
        only after a failure.
    timeout
        Limit for each tool, in seconds.
    progress
        Called with the steps done, the number of all, and what comes next.

    Raises
    ------
    ToolError
        A tool is missing or failed, or the netlist does not compute what the design does.
    TechnologyError
        The technology is unknown, or its files are missing or damaged.
    TypeError, ValueError
        For operands that do not fit, or a period that is no number above 0.
    """
    started = time.monotonic()

    def step(done: int, label: str) -> None:
        if progress is not None:
            progress(done, 5, label)

    if isinstance(period_ns, bool) or not isinstance(period_ns, (int, float)):
        raise TypeError(f"period_ns must be a number above 0, not {period_ns!r}")
    if not (math.isfinite(period_ns) and period_ns > 0):
        raise ValueError(f"period_ns must be above 0, not {period_ns!r}")
    tech = technology if isinstance(technology, Technology) else find_technology(technology)
    made = simulated(design, pe=pe)
    made.reference(A, B)  # operands that do not fit are refused before anything runs
    top = made.top
    folder = Path(tempfile.mkdtemp(prefix="bitweight-power-")) if workdir is None else Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    if synthesis is None:
        step(0, "synthesis")
        synthesis = synthesise(
            emit(made).verilog, top, tech, period_ns, options=options, params=made.to_dict(),
            cell_reports=True, workdir=folder / "synthesis", timeout=timeout,
        )  # fmt: skip
    elif synthesis.design != top or not synthesis.netlist:
        raise ValueError(
            f"synthesis must hold a netlist of {top}, not {synthesis.design!r} "
            f"({len(synthesis.netlist)} characters of netlist)"
        )
    step(1, "delays")
    delays = cell_delays(synthesis.netlist, folder, tech, timeout=timeout)
    step(2, "netlist")
    netlist = read_netlist(synthesis.netlist, top, tech, folder, delays=delays, timeout=timeout)
    step(3, "gate-level simulation")
    run = run_gemm(netlist, made, A, B, seed=seed or 0)
    step(4, "power of the cells")
    period = max(float(period_ns), synthesis.min_period_ns)
    reports = (
        synthesis.cell_reports
        or analyse(folder, top, tech, synthesis.target_ns, cells=True, timeout=timeout).cells
    )
    assert reports is not None
    rates = (run.toggles / run.cycles, run.settled / run.cycles)
    cells, settled = cell_power(netlist, reports, rates, run.clocked / run.cycles, tech, period)
    step(5, "")
    if workdir is None:
        shutil.rmtree(folder, ignore_errors=True)
    found = _summed(made, netlist, run, cells, settled, pe=pe)
    return replace(
        found,
        technology=tech.name,
        target_ns=synthesis.target_ns,
        period_ns=period,
        gemm=(A.shape[0], A.shape[1], B.shape[1]),
        operands=operands,
        seed=seed,
        tools=dict(synthesis.tools),
        seconds=round(time.monotonic() - started, 3),
    )


def _summed(
    design: Design,
    netlist: FlatNetlist,
    run: Run,
    cells: CellPower,
    settled: CellPower,
    *,
    pe: bool,
) -> Power:
    """Add up cells to blocks and to the whole; what the caller knows is filled in by it."""
    element = f"{design.top}_pe"
    elements = [path for path, module in netlist.instances if module == element]
    if pe and not elements:
        raise ValueError(f"design must have processing elements of their own, not {design.name!r}")
    inside = np.ones(len(netlist.cells), dtype=bool)
    if pe:
        inside = np.array([name.startswith(tuple(elements)) for name in netlist.cells])
    number = {module: at for at, module in enumerate(dict.fromkeys(netlist.modules))}
    module = np.array([number[name] for name in netlist.modules])

    def by_module(weights: np.ndarray) -> np.ndarray:
        return np.bincount(module, weights=weights, minlength=len(number))

    switching = cells.switching + cells.clock_pins
    sums = {
        "cells": by_module(np.ones(len(module))),
        "internal": by_module(cells.internal),
        "switching": by_module(switching),
        "clock_pins": by_module(cells.clock_pins),
        "leakage": by_module(cells.leakage),
    }
    instances = [module for _, module in netlist.instances]
    blocks = {
        _short(name, design): BlockPower(
            instances=instances.count(name),
            cells=int(sums["cells"][at]),
            **{key: float(sums[key][at]) for key in sums if key != "cells"},
        )
        for name, at in number.items()
    }
    driven = np.unique(netlist.output_net[inside[netlist.output_cell]])
    return Power(
        design=design.name,
        params=design.to_dict(),
        pe=pe,
        pes=len(elements),
        technology="",
        target_ns=0.0,
        period_ns=0.0,
        gemm=(0, 0, 0),
        operands="",
        seed=None,
        cycles=run.cycles,
        internal=float(cells.internal[inside].sum()),
        switching=float(switching[inside].sum()),
        clock_pins=float(cells.clock_pins[inside].sum()),
        leakage=float(cells.leakage[inside].sum()),
        glitches=float((cells.total - settled.total)[inside].sum()),
        activity=float(run.toggles[driven].mean() / run.cycles),
        blocks=blocks,
        tools={},
        seconds=0.0,
    )


def _short(module: str, design: Design) -> str:
    """Return a module's name without the design's; the top has the design's alone."""
    return module.removeprefix(f"{design.top}_") if module != design.top else module
