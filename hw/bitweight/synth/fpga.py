"""What a design takes of an FPGA: resources counted by Yosys, a clock estimated by nextpnr.

Counts are of the whole design, flat, mapped by Yosys' own flow for the family. The clock is that of
a placed and routed design on one device of the family, between registers on all ports; nextpnr is
an optional package, and places what fits.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bitweight.synth import tools
from bitweight.synth.errors import ToolError

__all__ = ["FPGAS", "Fpga", "FpgaResult", "synthesise_fpga"]

SCHEMA = 1
"""Number of the record's layout."""


@dataclass(frozen=True)
class Fpga:
    """A family of FPGAs.

    Parameters
    ----------
    name
        On the command line.
    description
        The family.
    command
        Yosys' flow for it, without the name of the top.
    luts, registers, carries, dsps, memories
        Patterns of cells and what each counts for.
    device
        Arguments of nextpnr; empty where there is none.
    place
        Name of the nextpnr, after ``nextpnr-``.
    """

    name: str
    description: str
    command: str
    luts: Mapping[str, int]
    registers: Mapping[str, int]
    carries: Mapping[str, int]
    dsps: Mapping[str, int]
    memories: Mapping[str, int]
    place: str = ""
    device: tuple[str, ...] = ()

    def count(self, kinds: Mapping[str, int]) -> dict[str, int]:
        """Return the resources of cells by kind, those that are asked for by patterns."""
        return {
            what: sum(
                weight * number
                for pattern, weight in getattr(self, what).items()
                for kind, number in kinds.items()
                if fnmatch.fnmatchcase(kind, pattern)
            )
            for what in ("luts", "registers", "carries", "dsps", "memories")
        }


FPGAS: Mapping[str, Fpga] = MappingProxyType(
    {
        family.name: family
        for family in (
            Fpga(
                "xilinx",
                "Xilinx 7 series, LUTs of 6 inputs",
                "synth_xilinx -flatten -noiopad -noclkbuf",
                # Shift registers and distributed memories are made of LUTs too.
                luts={"LUT[1-6]": 1, "SRL*": 1, "RAM32X1D": 2, "RAM32M": 4, "RAM64M": 4},
                registers={"FD[RSCP]E*": 1},
                carries={"CARRY4": 1},
                dsps={"DSP48*": 1},
                memories={"RAMB18*": 1, "RAMB36*": 2},
            ),
            Fpga(
                "ecp5",
                "Lattice ECP5, LUTs of 4 inputs",
                "synth_ecp5",
                # A carry cell sits in two LUTs, a memory of 16 words in four, and two for writing.
                luts={"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
                registers={"TRELLIS_FF": 1},
                carries={"CCU2C": 1},
                dsps={"MULT18X18D": 1},
                memories={"DP16KD": 1, "PDPW16KD": 1},
                place="ecp5",
                device=("--85k", "--package", "CABGA756", "--speed", "6"),
            ),
            Fpga(
                "ice40",
                "Lattice iCE40 HX, LUTs of 4 inputs, without DSPs",
                "synth_ice40",
                luts={"SB_LUT4": 1},
                registers={"SB_DFF*": 1},
                carries={"SB_CARRY": 1},
                dsps={"SB_MAC16": 1},
                memories={"SB_RAM40_4K*": 1},
                place="ice40",
                device=("--hx8k", "--package", "ct256"),
            ),
        )
    }
)
"""The families, by name."""


@dataclass(frozen=True)
class FpgaResult:
    """What a design takes of an FPGA.

    Attributes
    ----------
    luts, registers, carries, dsps, memories
        Resources; carries are carry cells, memories block RAMs of the family's smaller size.
    cells
        Cells by kind, as Yosys calls them.
    target_ns
        Clock target of place and route.
    min_period_ns
        The shortest period after place and route; None without.
    unplaced
        Why there is no period, in words; empty where there is one.
    """

    design: str
    params: Mapping[str, Any]
    technology: str
    device: str
    luts: int
    registers: int
    carries: int
    dsps: int
    memories: int
    cells: Mapping[str, int]
    target_ns: float
    min_period_ns: float | None
    unplaced: str
    tools: Mapping[str, str]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {"schema": SCHEMA, **asdict(self)}


def synthesise_fpga(
    verilog: str,
    top: str,
    family: str,
    period_ns: float = 10.0,
    *,
    place: bool = True,
    params: Mapping[str, Any] | None = None,
    clock: str = "clk",
    timeout: float = 3600.0,
    progress: Callable[[int, int, str], None] | None = None,
) -> FpgaResult:
    """Count a design's resources on an FPGA, and estimate its clock.

    Parameters
    ----------
    verilog
        The text of the design, all its modules.
    top
        Name of the top module.
    family
        A key of `FPGAS`.
    period_ns
        Clock target of place and route. Its result depends on it, and on chance, by some percent.
    place
        Whether to place and route where nextpnr is installed; without, there is no clock.
    params
        Goes into the record as it is.
    clock
        The clock's port.
    timeout
        Limit for each tool, in seconds.
    progress
        Called with steps done, all steps, and what was done.

    Raises
    ------
    ValueError
        If there is no such family.
    ToolError
        Yosys is missing or failed, or nextpnr failed at a design that fits.
    """
    if family not in FPGAS:
        raise ValueError(f"family must be one of {', '.join(FPGAS)}, not {family!r}")
    fpga = FPGAS[family]
    started = time.monotonic()
    versions = tools.yosys_versions()
    say = progress or (lambda _done, _total, _label: None)
    folder = Path(tempfile.mkdtemp(prefix="bitweight-fpga-"))
    say(0, 3, "synthesis")
    (folder / "design.v").write_text(verilog, encoding="utf-8")
    tools.render("fpga.ys.j2", folder, "fpga.ys", {"command": fpga.command, "top": top})
    tools.yosys(folder, "fpga.ys", timeout)
    say(1, 3, "placement")
    stat = json.loads((folder / "stat.json").read_text(encoding="utf-8"))
    kinds = {
        kind: number
        for kind, number in sorted(stat["design"]["num_cells_by_type"].items())
        if not kind.startswith("$")  # notes, such as where a module was before it was made flat
    }
    period, unplaced = None, "not asked for"
    if not fpga.place:
        unplaced = "there is no nextpnr for this family"
    elif place and tools.nextpnr_version(fpga.place) is None:
        unplaced = f"nextpnr is missing: pip install yowasp-nextpnr-{fpga.place}"
    elif place:
        versions[f"nextpnr-{fpga.place}"] = str(tools.nextpnr_version(fpga.place))
        period, unplaced = _place(folder, top, fpga, period_ns, clock, timeout)
    say(3, 3, "")
    shutil.rmtree(folder, ignore_errors=True)
    return FpgaResult(
        design=top,
        params=dict(params or {}),
        technology=fpga.name,
        device=" ".join(fpga.device).replace("--", "") or fpga.description,
        **fpga.count(kinds),
        cells=kinds,
        target_ns=float(period_ns),
        min_period_ns=period,
        unplaced=unplaced,
        tools=versions,
        seconds=round(time.monotonic() - started, 3),
    )


def _place(
    folder: Path, top: str, fpga: Fpga, period_ns: float, clock: str, timeout: float
) -> tuple[float | None, str]:
    """Return the shortest period after place and route, or why there is none."""
    ports = json.loads((folder / "mapped.json").read_text(encoding="utf-8"))["modules"][top][
        "ports"
    ]
    if clock not in ports:
        return None, f"{top} has no clock called {clock}"
    bits = {"input": 0, "output": 0}
    connections = [f".{clock}({clock})"]
    for name, port in ports.items():
        if name != clock:
            low = bits[port["direction"]] + 1
            high = bits[port["direction"]] = low + len(port["bits"]) - 1
            wire = "source" if port["direction"] == "input" else "result"
            connections.append(f".{name}({wire}[{high}:{low}])")
    values = {
        "top": top,
        "clock": clock,
        "inputs": bits["input"],
        "outputs": bits["output"],
        "connections": connections,
    }
    tools.render("harness.v.j2", folder, "harness.v", values)
    tools.render("harness.ys.j2", folder, "harness.ys", {"command": fpga.command})
    tools.yosys(folder, "harness.ys", timeout)
    arguments = ["--json", "harness.json", "--report", "report.json", "--timing-allow-fail"]
    arguments += ["--freq", f"{1000 / period_ns:.6g}", "--seed", "1", *fpga.device]
    try:
        tools.nextpnr(folder, fpga.place, arguments, timeout)
    except ToolError as error:
        if re.search(r"(?:nable|ailed) to (?:find (?:a )?)?(?:legal )?place|no BELs", str(error)):
            return None, f"it does not fit: {error}"
        raise
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    found = [entry["achieved"] for entry in report["fmax"].values()]
    if not found:
        return None, "nextpnr found no path from register to register"
    return round(1000 / min(found), 4), ""
