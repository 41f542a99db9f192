"""A folder that synthesises and times a design with Yosys and OpenSTA alone.

The scripts are those of :func:`bitweight.synth.synthesise`, so that the same version of Yosys makes
the same netlist. Between them large fan-outs get buffer trees: the module that does it is copied
along, and needs nothing but Python.
"""

from __future__ import annotations

import importlib.resources
import json
import tempfile
from pathlib import Path

from bitweight.files import write_files
from bitweight.synth import tools
from bitweight.synth.flow import write_scripts
from bitweight.synth.options import YosysOptions
from bitweight.synth.technology import Technology
from bitweight.synth.timing import write_script

__all__ = ["export"]


def export(
    folder: Path,
    verilog: str,
    top: str,
    technology: Technology,
    period_ns: float,
    *,
    options: YosysOptions | None = None,
    hierarchical: bool = True,
    clock: str = "clk",
    ideal: tuple[str, ...] = ("rst",),
) -> list[Path]:
    """Write Verilog, libraries and scripts; ``sh run.sh`` in the folder runs them.

    Parameters
    ----------
    folder
        Where to; made if need be. The library's files, unpacked, are copied there: mind their
        licence when the folder is passed on.
    verilog, top, technology, period_ns, options, hierarchical, clock, ideal
        As for `bitweight.synth.synthesise`.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    options = YosysOptions() if options is None else options
    library = technology.library
    names = [f"library{at}.lib" for at in range(len(library.files))]
    with tempfile.TemporaryDirectory(prefix="bitweight-export-") as place:
        work = Path(place)
        write_scripts(
            work,
            verilog,
            top,
            technology,
            period_ns,
            options,
            names,
            hierarchical=hierarchical,
            cached=False,
        )
        write_script(work, top, technology, period_ns, names, clock=clock, ideal=ideal)
        tools.render("fanout.py.j2", work, "fanout.py", {"top": top})
        yosys = f"Yosys {tools.yosys_versions()['yosys']}"
        facts = {"technology": technology.name, "period": f"{period_ns:g}", "yosys": yosys}
        tools.render("run.sh.j2", work, "run.sh", {"top": top, **facts})
        files: dict[str, str | bytes] = {path.name: path.read_text() for path in work.iterdir()}
    package = importlib.resources.files("bitweight.synth")
    files["buffers.py"] = (package / "buffers.py").read_text(encoding="utf-8")
    files["fanout.json"] = _fanout(technology, (clock, *ideal))
    for name, source in zip(names, library.files, strict=True):
        files[name] = source.read_bytes()
    return write_files(folder, files)


def _fanout(technology: Technology, ideal: tuple[str, ...]) -> str:
    """Return what `buffers` must know of a technology, as JSON."""
    named = ("buffer", "clock_gate", "driving_cell", "tie_hi", "tie_lo", "output_load")
    facts = {
        "ideal": ideal,
        "technology": {name: getattr(technology, name) for name in named},
        "cells": {
            name: {
                "inputs": dict(cell.inputs),
                "limits": dict(cell.limits),
                "sequential": cell.sequential,
            }
            for name, cell in technology.library.cells.items()
        },
    }
    return json.dumps(facts, indent=1) + "\n"
