"""Builds the program of a design: its Verilog through Verilator, with one C++ harness.

What it was tried with, on `systolic-os` 16 × 16 with a plain MAC and with OPT1 (bit by bit, as its
compressors are), is noted at the settings below.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitweight._check import check_choice
from bitweight.sim.cache import Cache, content_key
from bitweight.sim.hierarchy import control_file
from bitweight.sim.installation import require_verilator
from bitweight.sim.verilated import COMPILER, CONTROL, Recipe, make_model, recipe_key
from bitweight.sim.widening import WIDENING, require_yosys, widened
from bitweight.sources import sources_digest

if TYPE_CHECKING:
    from bitweight.emit import Emission

__all__ = ["TRACES", "build_program", "ports_header"]

TRACES = ("fst", "vcd")
"""Formats of traces; a model that can trace is another one, since it is slower even if it does
not."""

PROGRAM = "model"

_INLINED = 16_000
"""Characters up to which a module that there are many of is inlined.

A PE with `*` and `+` has 1 600 of them and its column 12 000, a PE whose compressors are written
bit by bit 50 000. Measured for 16 × 16 `systolic-os`, in clock cycles per second of processor time
and seconds of it to build: plain MAC inlined 594 000 and 13 s, not inlined 474 000 and 14 s; OPT1
not inlined 39 000 and 60 s with -O1. Inlined OPT1 becomes 51 MB of C++, and Verilator alone takes
29 s. Making the ports of its PE public, so that all might share their code, does the opposite:
27 000 and 190 s with -O2.
"""

_HERE = Path(__file__).parent


def _recipe(trace: str) -> Recipe:
    values = {
        "VM_COVERAGE": 0,
        "VM_SC": 0,
        "VM_TIMING": 0,
        "VM_TRACE": int(bool(trace)),
        "VM_TRACE_FST": int(trace == "fst"),
        "VM_TRACE_VCD": int(trace == "vcd"),
        "VM_TRACE_SAIF": 0,
    }
    return Recipe(
        prefix="Vdut",
        translate=(
            "-O3",
            "--x-assign",
            "fast",
            "--x-initial",
            "fast",
            "--noassert",
            "--no-timing",
            "-Wno-fatal",
            "-Wno-lint",
            "-Wno-style",
            *([f"--trace-{trace}"] if trace else []),
        ),
        options=(
            "-std=gnu++17",
            "-w",
            *(f"-D{name}={value}" for name, value in values.items()),
            # The harness has its own: Verilator's end the process.
            "-DVL_USER_FATAL",
            "-DVL_USER_STOP",
            "-DVL_USER_FINISH",
        ),
        effort=("-O2",),
        runtime=("verilated", "verilated_threads", *([f"verilated_{trace}_c"] if trace else [])),
        runtime_effort=("-O2",),
        own=_HERE / "harness.cpp",
        # Headers in place of LZ4 and zlib, which few machines have: FST files want them.
        includes=(_HERE / "compat",),
    )


def ports_header(manifest: dict[str, Any], trace: str = "") -> str:
    """Return the text of `ports.h`: what of the harness depends on the design.

    Parameters
    ----------
    manifest
        Of the emission.
    trace
        One of :data:`TRACES`, or empty.
    """
    lines = [
        f"constexpr int {name.upper()}_{size.upper()} = {stream[size]};"
        for name, stream in manifest["streams"].items()
        for size in ("lanes", "bits")
    ]
    number = 1 + TRACES.index(trace) if trace else 0
    return "\n".join([*lines, f"#define BITWEIGHT_TRACE {number}"]) + "\n"


def build_program(emission: Emission, trace: str = "", cache: Cache | None = None) -> Path:
    """Return the program of a design's Verilog, from the cache or newly built.

    Parameters
    ----------
    emission
        Verilog, top and manifest.
    trace
        One of :data:`TRACES`, or empty for a model that cannot trace.
    cache
        Where built models are kept; by default the user's.

    Raises
    ------
    SimulatorMissing
        If Verilator or the C++ compiler is not installed.
    SimulationError
        If they do not accept the Verilog.
    OSError
        If the cache cannot be written.
    """
    if trace:
        check_choice("trace", trace, TRACES)
    store = Cache() if cache is None else cache
    require_verilator([COMPILER])
    require_yosys()
    recipe = _recipe(trace)
    ports = ports_header(emission.manifest, trace)

    def build(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        # What a trace shows is to be found in the Verilog: there every block stays.
        verilog = emission.verilog if trace else widened(emission.verilog, emission.top, work)
        control, _ = control_file(verilog, emission.top, allow_apart=False, inlined=_INLINED)
        sources = {"design.v": verilog, CONTROL: control, "ports.h": ports}
        make_model(recipe, sources, emission.top, folder / PROGRAM, work, store)
        shutil.rmtree(work)

    key = content_key(
        recipe=recipe_key(recipe),
        verilog=emission.verilog,
        ports=ports,
        top=emission.top,
        made_by=sources_digest("sim/model.py", *WIDENING),
        yosys=importlib.metadata.version("pyosys"),
    )
    return store.entry("models", key, build) / PROGRAM
