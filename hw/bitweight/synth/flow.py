"""From Verilog to a measured netlist: Yosys and ABC map it, OpenSTA times it."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitweight.files import write_files
from bitweight.synth import timing, tools
from bitweight.synth.buffers import buffer_fanout
from bitweight.synth.errors import ToolError
from bitweight.synth.liberty import cache_folder
from bitweight.synth.options import LEAST_GATED, YosysOptions
from bitweight.synth.report import SynthesisResult, inventory
from bitweight.synth.technology import Technology, find_technology

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_RESETS_WITH_ENABLE = tuple(itertools.product("PN", (0, 1), "PN"))
"""Flip-flops whose reset works without their enable: polarity, value; polarity of the enable."""
_OUTPUTS = (
    "netlist.v",
    "stat.json",
    "mapped.json",
    "result.json",
    "yosys.log",
    "buffered.log",
    "sta.log",
    "sta.tcl",
    "quiet.txt",
    "busy.txt",
)


def synthesise(
    verilog: str,
    top: str,
    technology: Technology | str,
    period_ns: float,
    *,
    options: YosysOptions | None = None,
    hierarchical: bool = True,
    params: Mapping[str, Any] | None = None,
    clock: str = "clk",
    ideal: tuple[str, ...] = ("rst",),
    cell_reports: bool = False,
    workdir: Path | None = None,
    timeout: float = 600.0,
) -> SynthesisResult:
    """Synthesise a design and time the netlist.

    Parameters
    ----------
    verilog
        The text of the design, all its modules.
    top
        Name of the top module.
    technology
        A technology, or the name of one.
    period_ns
        Clock target: ABC sizes for it, and slack is counted from it.
    options
        How Yosys and ABC are to work; `YosysOptions()` when not given.
    hierarchical
        Each module is synthesised once and stays a module. Without it everything is flattened.
        `options.keep`, where given, decides instead.
    params
        Goes into the record as it is: what tells this design from others.
    clock, ideal
        The clock's port, and the inputs whose paths are not timed.
    cell_reports
        Have OpenSTA report the power of every cell, too: `bitweight.synth.power` then need not run
        it again.
    workdir
        Folder for scripts, logs, ``netlist.v`` and ``result.json``; made if it is not there.
        Without it a temporary folder is used, which stays only after a failure, for its logs.
    timeout
        Limit for each tool, in seconds.

    Raises
    ------
    ToolError
        A tool is missing, failed or took too long; the message names its log.
    TechnologyError
        The technology is unknown or its files are missing or damaged.
    """
    started = time.monotonic()
    options = YosysOptions() if options is None else options
    technology = _checked(verilog, top, technology, period_ns, timeout)
    versions = tools.versions()
    folder = _folder(workdir)
    _map(
        folder,
        verilog,
        top,
        technology,
        period_ns,
        options,
        hierarchical=hierarchical,
        clock=clock,
        ideal=ideal,
        timeout=timeout,
    )
    timed = timing.analyse(
        folder, top, technology, period_ns, clock=clock, ideal=ideal, cells=cell_reports,
        timeout=timeout,
    )  # fmt: skip
    library = technology.library
    stat = _written(folder, "stat.json")
    cells = inventory(stat, top, library.cells, technology.clock_gate[:1])
    result = SynthesisResult(
        design=top,
        params=dict(params or {}),
        technology=technology.name,
        liberty_sha256=library.sha256,
        area_unit=technology.area_unit,
        target_ns=float(period_ns),
        min_period_ns=timed.min_period_ns,
        register_period_ns=timed.register_period_ns,
        slack_ns=timed.slack_ns,
        fo4_ns=technology.fo4_ns,
        area=cells.area,
        combinational_area=round(cells.area - cells.sequential_area, 6),
        sequential_area=cells.sequential_area,
        nand2_equivalents=round(cells.area / technology.nand2_area, 3),
        flip_flops=cells.flip_flops,
        cells=cells.cells,
        modules=cells.modules,
        critical_path=timed.path,
        hierarchical=hierarchical,
        options=options,
        tools=versions,
        seconds=round(time.monotonic() - started, 3),
        netlist=(folder / "netlist.v").read_text(encoding="utf-8"),
        cell_reports=timed.cells,
    )
    if workdir is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        write_files(folder, {"result.json": result.dumps()})
    return result


def _checked(
    verilog: str, top: str, technology: Technology | str, period_ns: float, timeout: float
) -> Technology:
    if not isinstance(verilog, str):
        raise TypeError(f"verilog must be the text of a design, not {verilog!r}")
    if not isinstance(top, str):
        raise TypeError(f"top must be the name of a module, not {top!r}")
    if not _IDENTIFIER.fullmatch(top):
        raise ValueError(f"top must be the name of a module, not {top!r}")
    for name, value in (("period_ns", period_ns), ("timeout", timeout)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number, not {value!r}")
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be above 0, not {value!r}")
    return technology if isinstance(technology, Technology) else find_technology(technology)


def _folder(workdir: Path | None) -> Path:
    """Return an empty place to work in: no file of an earlier run can be taken for a result."""
    if workdir is None:
        return Path(tempfile.mkdtemp(prefix="bitweight-synth-"))
    folder = Path(workdir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _OUTPUTS:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(
            f"workdir must be a writable folder ({error.strerror}), not {str(folder)!r}"
        ) from None
    return folder


def _map(
    folder: Path,
    verilog: str,
    top: str,
    technology: Technology,
    period_ns: float,
    options: YosysOptions,
    *,
    hierarchical: bool,
    clock: str,
    ideal: tuple[str, ...],
    timeout: float,
) -> None:
    """Run Yosys and ABC: ``design.v`` becomes ``netlist.v`` and ``stat.json``."""
    names = timing.link_libraries(folder, technology)
    write_scripts(
        folder, verilog, top, technology, period_ns, options, names, hierarchical=hierarchical
    )
    _link_abc_cache(folder, technology)
    tools.yosys(folder, "yosys.ys", timeout)
    design = _written(folder, "mapped.json")
    _check_clock(design, top, technology, clock)
    if buffer_fanout(design, top, technology, (clock, *ideal)):
        (folder / "mapped.json").write_text(json.dumps(design), encoding="utf-8")
        for name in ("netlist.v", "stat.json"):
            (folder / name).unlink()
        tools.yosys(folder, "buffered.ys", timeout)
    for name in ("netlist.v", "stat.json"):
        if not (folder / name).is_file():
            raise ToolError(f"Yosys failed: it wrote no {name} (log: {folder / 'yosys.log'})")


def write_scripts(
    folder: Path,
    verilog: str,
    top: str,
    technology: Technology,
    period_ns: float,
    options: YosysOptions,
    libraries: list[str],
    *,
    hierarchical: bool,
    cached: bool = True,
) -> None:
    """Write ``design.v``, the scripts of Yosys and what they give to ABC.

    Parameters
    ----------
    folder
        Where to.
    verilog, top, technology, period_ns, options, hierarchical
        As for `synthesise`.
    libraries
        The Liberty files' names in the folder.
    cached
        Whether Yosys keeps what ABC makes of the libraries, in ``abc-cache``.
    """
    unused = list(technology.dont_use)
    if not options.enable_flops:
        unused += technology.enable_flops
    arguments = [f"-liberty {name}" for name in libraries]
    arguments += [f"-dont_use {name}" for name in unused]
    load_ff = technology.output_load * technology.library.cap_unit_ff
    (folder / "design.v").write_text(verilog, encoding="utf-8")
    (folder / "abc.script").write_text(options.abc_script(period_ns * 1000), encoding="utf-8")
    if options.fast:
        (folder / "fast.script").write_text(
            options.abc_script(period_ns * 1000, "fast"), encoding="utf-8"
        )
    (folder / "abc.constr").write_text(
        f"set_driving_cell {technology.driving_cell[0]}\nset_load {load_ff:.9g}\n",
        encoding="utf-8",
    )
    values = {
        "top": top,
        "cached": cached,
        "keep": options.keep or (),
        "fast": options.fast,
        "flatten": options.keep is not None or not hierarchical,
        "synth_arguments": options.synth_arguments,
        "liberty": " ".join(arguments),
        "clock_gate": _clock_gate(technology) if options.clock_gating else "",
        "least_gated": LEAST_GATED,
        "tie_hi": " ".join(technology.tie_hi),
        "tie_lo": " ".join(technology.tie_lo),
    }
    tools.render("yosys.ys.j2", folder, "yosys.ys", values)
    tools.render("reset_enable.v.j2", folder, "reset_enable.v", {"kinds": _RESETS_WITH_ENABLE})
    tools.render("buffered.ys.j2", folder, "buffered.ys", values)


def _check_clock(design: dict[str, Any], top: str, technology: Technology, clock: str) -> None:
    """Refuse a design with flip-flops whose clock is not where it is said to be."""
    modules = design["modules"]
    ports = [name for name, port in modules[top]["ports"].items() if port["direction"] == "input"]
    cells = technology.library.cells
    kinds = {cell["type"] for module in modules.values() for cell in module["cells"].values()}
    if clock not in ports and any(kind in cells and cells[kind].sequential for kind in kinds):
        raise ValueError(
            f"clock of {top} must be one of its inputs ({', '.join(ports)}), not {clock!r}"
        )


def _clock_gate(technology: Technology) -> str:
    """Return the arguments of Yosys' ``clockgate``; empty where no cell is known."""
    if not technology.clock_gate:
        return ""
    cell, enable, clock, gated = technology.clock_gate
    unused = sorted(technology.library.cells[cell].inputs.keys() - {enable, clock})
    return " ".join([f"{cell} {enable}:{clock}:{gated}", *(f"-tie_lo {pin}" for pin in unused)])


def _link_abc_cache(folder: Path, technology: Technology) -> None:
    """Give Yosys' cache of libraries for ABC a place of its own for each library and use of it.

    Its own place in the temporary folder is keyed by file names, and ours are always the same.
    """
    library = technology.library
    text = json.dumps([sorted(library.sha256.items()), technology.dont_use])
    cache = cache_folder() / f"abc-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    cache.mkdir(exist_ok=True)
    link = folder / "abc-cache"
    link.unlink(missing_ok=True)
    link.symlink_to(cache)


def _written(folder: Path, name: str) -> dict[str, Any]:
    """Return a JSON file that Yosys is to have written."""
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ToolError(
            f"Yosys failed: it wrote no whole {name} (log: {folder / 'yosys.log'})"
        ) from None
