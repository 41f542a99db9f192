"""How long the outputs of a netlist's cells take to change, with OpenSTA.

Delays are those of the library at the load that is there, written as SDF, for every module apart:
instances of a module differ only in what lies outside of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitweight.emit import modules_of
from bitweight.synth import tools
from bitweight.synth.technology import Technology
from bitweight.synth.timing import environment, link_libraries

__all__ = ["Delays", "cell_delays"]

#: By module, then by cell and output pin: rising and falling, in ns.
Delays = Mapping[str, Mapping[tuple[str, str], tuple[float, float]]]

_CELL = re.compile(
    r'\(CELLTYPE "([^"]+)"\)\s*\(INSTANCE ([^)]+)\)(.*?)(?=\(CELLTYPE|\Z)', re.DOTALL
)
_PATH = re.compile(r"\(IOPATH (?:\([a-z]+ \S+\)|\S+) (\S+) \(([^)]*)\)(?: \(([^)]*)\))?", re.DOTALL)
_UNIT = re.compile(r"\(TIMESCALE (\d+)\s*(\w+)\)")
_NANOSECONDS = {"ns": 1.0, "ps": 1e-3, "fs": 1e-6, "us": 1e3}


def cell_delays(
    netlist: str,
    folder: Path,
    technology: Technology,
    *,
    clock: str = "clk",
    timeout: float = 600.0,
) -> Delays:
    """Return the delay of every output of every cell, the mean over the inputs.

    OpenSTA gives none where a library asks for wire loads and a net leads into other modules
    alone: such a cell gets the mean of its kind.

    Parameters
    ----------
    netlist
        Verilog of a mapped netlist, hierarchical or flat.
    folder
        Where script, log and SDF files go.
    technology
        The library that it uses; its driving cell and output load are at the modules' ports.
    clock
        The clock's port.
    timeout
        Limit for OpenSTA, in seconds.

    Raises
    ------
    ToolError
        OpenSTA is missing or failed.
    """
    modules = modules_of(netlist)
    names = "|".join(map(re.escape, sorted(modules, key=len, reverse=True)))
    instance = re.compile(rf"^( +)(?=(?:{names})\s+\S+\s*\($)", re.MULTILINE)
    for at, text in enumerate(modules.values()):
        # A module that was a black box before it is read ends OpenSTA 2.0.17 now and then.
        apart = instance.sub(r"\1box_", text)
        (folder / f"delays{at}.v").write_text(apart + "\n", encoding="utf-8")
    libraries = link_libraries(folder, technology)
    values = environment(technology, libraries, clock) | {"modules": list(modules)}
    tools.render("delays.tcl.j2", folder, "delays.tcl", values)
    tools.sta(folder, "delays.tcl", timeout)
    found = {
        module: _read((folder / f"delays{at}.sdf").read_text(encoding="utf-8"))
        for at, module in enumerate(modules)
    }
    known = [output for outputs in found.values() for output in outputs if output.known]
    whole = _mean(known)
    by_kind: dict[str, list[_Output]] = {}
    for output in known:
        by_kind.setdefault(output.kind, []).append(output)
    means = {kind: _mean(outputs) for kind, outputs in by_kind.items()}
    return {
        module: {
            (output.cell, output.pin): output.delays
            if output.known
            else means.get(output.kind, whole)
            for output in outputs
        }
        for module, outputs in found.items()
    }


@dataclass(frozen=True)
class _Output:
    """An output pin of a cell; its delays are not known where only black boxes load it."""

    cell: str
    kind: str
    pin: str
    delays: tuple[float, float]

    @property
    def known(self) -> bool:
        return not np.isnan(self.delays).any()


def _mean(outputs: list[_Output]) -> tuple[float, float]:
    rise, fall = np.mean([output.delays for output in outputs] or [(0.0, 0.0)], axis=0)
    return float(rise), float(fall)


def _read(sdf: str) -> list[_Output]:
    """Return the outputs of cells in an SDF file, with the mean over their inputs."""
    found = _UNIT.search(sdf)
    unit = int(found[1]) * _NANOSECONDS[found[2]] if found else 1.0
    outputs = []
    for kind, cell, body in _CELL.findall(sdf):
        arcs: dict[str, list[tuple[float, float]]] = {}
        for pin, *texts in _PATH.findall(body):
            # An arc may have but one of the two.
            rise, fall = (_largest(text) for text in texts)
            if rise is not None or fall is not None:
                both = (rise if rise is not None else fall, fall if fall is not None else rise)
                arcs.setdefault(pin, []).append(both)  # type: ignore[arg-type]
        for pin, values in arcs.items():
            rise, fall = np.mean(values, axis=0) * unit
            outputs.append(_Output(cell.replace("\\", ""), kind, pin, (float(rise), float(fall))))
    return outputs


def _largest(triple: str) -> float | None:
    """Return the last value of ``min:typ:max``, None for an empty triple."""
    values = [value for value in triple.split(":") if value]
    return float(values[-1]) if values else None
