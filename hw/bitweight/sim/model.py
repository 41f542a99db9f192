"""Builds the shared library of a design: its Verilog through Verilator, with one C++ harness.

What it was tried with, on `systolic-os` 16 × 16 with a plain MAC and with OPT1 (bit by bit, as its
compressors are), is noted at the settings below. Verilator's own makefile is not used: it needs
Perl and Python, and compiles less at a time than there are processors.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitweight._check import check_choice
from bitweight.sim.cache import Cache, content_key
from bitweight.sim.hierarchy import control_file
from bitweight.sim.installation import (
    SimulationError,
    require_verilator,
    verilator_environment,
    verilator_program,
    verilator_root,
)

if TYPE_CHECKING:
    from bitweight.emit import Emission

__all__ = ["TRACES", "build_library", "ports_header"]

TRACES = ("fst", "vcd")
"""Formats of traces; a model that can trace is another one, since it is slower even if it does
not."""

LIBRARY = "model.so"

_INLINED = 16_000
"""Characters up to which a module that there are many of is inlined.

A PE with `*` and `+` has 1 600 of them and its column 12 000, a PE whose compressors are written
bit by bit 50 000. Measured for 16 × 16 `systolic-os`, in clock cycles per second of processor time
and seconds of it to build: plain MAC inlined 594 000 and 13 s, not inlined 474 000 and 14 s; OPT1
not inlined 39 000 and 60 s with -O1. Inlined OPT1 becomes 51 MB of C++, and Verilator alone takes
29 s. Making the ports of its PE public, so that all might share their code, does the opposite:
27 000 and 190 s with -O2.
"""

_FAST = ("-O2",)
_LARGE = ("-O1",)
"""For a model of more C++ than :data:`_BRIEF`: the compiler takes half the time or less."""
_SLOW = ("-O0",)
"""For what runs once, when a model is made."""

_BRIEF = 300_000
"""Characters of C++, all units together, that a compiler can take its time for."""

_UNIT = 1_000_000
"""Characters of C++ that are compiled at a time."""

_PREFIX = "Vdut"
_HARNESS = Path(__file__).with_name("harness.cpp")
_COMPILER = "g++"

_TRANSLATE = (
    "--cc",
    "--prefix",
    _PREFIX,
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
)
_COMPILE = ("-std=gnu++17", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-w")
_RUNTIME = ("-O2",)
_RUNTIME_FILES = {
    "": ("verilated", "verilated_threads"),
    "fst": ("verilated", "verilated_threads", "verilated_fst_c"),
    "vcd": ("verilated", "verilated_threads", "verilated_vcd_c"),
}
_COMPAT = Path(__file__).with_name("compat")
"""Headers in place of LZ4 and zlib, which few machines have: FST files want them."""


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


def build_library(emission: Emission, trace: str = "", cache: Cache | None = None) -> Path:
    """Return the shared library of a design's Verilog, from the cache or newly built.

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
    cache = Cache() if cache is None else cache
    tools = {"verilator": require_verilator([_COMPILER]), "compiler": _compiler()}
    defines = _defines(trace)
    runtime_key = content_key(
        **tools,
        flags=[*_COMPILE, *_RUNTIME, *defines],
        files=_RUNTIME_FILES[trace],
        program=_stamp(),
        compat={path.name: path.read_text(encoding="utf-8") for path in sorted(_COMPAT.iterdir())},
    )
    control, _ = control_file(emission.verilog, emission.top, allow_apart=False, inlined=_INLINED)
    sources = {
        "design.v": emission.verilog,
        "design.vlt": control,
        "ports.h": ports_header(emission.manifest, trace),
        "harness.cpp": _HARNESS.read_text(encoding="utf-8"),
    }
    flags = [*_TRANSLATE, *_COMPILE, *_FAST, *_LARGE, *_SLOW, _UNIT, _BRIEF, *defines]
    key = content_key(runtime=runtime_key, sources=sources, top=emission.top, flags=flags)

    def build(folder: Path) -> None:
        runtime = cache.entry("runtime", runtime_key, partial(_build_runtime, trace))
        _build_model(sources, emission.top, trace, runtime, folder)

    return cache.entry("models", key, build) / LIBRARY


def _build_runtime(trace: str, folder: Path) -> None:
    """Compile Verilator's own library, which takes longer than a small design."""
    include = verilator_root() / "include"
    _compile_all(
        [(include / f"{name}.cpp", _RUNTIME) for name in _RUNTIME_FILES[trace]],
        folder,
        trace,
        folder,
    )


def _build_model(
    sources: dict[str, str], top: str, trace: str, runtime: Path, folder: Path
) -> None:
    work = folder / "work"
    work.mkdir()
    for name, text in sources.items():
        (work / name).write_text(text, encoding="utf-8")
    tracing = [f"--trace-{trace}"] if trace else []
    _run(
        [
            str(verilator_program()),
            *_TRANSLATE,
            *tracing,
            "--top-module",
            top,
            "--Mdir",
            ".",
            "design.vlt",
            "design.v",
        ],
        work,
    )
    _compile_all(_units(work), work, trace, work)
    objects = sorted(str(path) for path in [*work.glob("*.o"), *runtime.glob("*.o")])
    _run(
        [_COMPILER, "-shared", "-o", str(folder / LIBRARY), *objects, "-pthread"],
        work,
    )
    for path in work.iterdir():
        path.unlink()
    work.rmdir()


def _units(work: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """Join generated files, so that headers, which are most of a small one, are read less often.

    Returns
    -------
    list of (Path, options)
        What is to be compiled and how, the largest first; the harness is with what runs often.
    """
    files = sorted(work.glob(f"{_PREFIX}*.cpp"), key=lambda path: -path.stat().st_size)
    slow = [path for path in files if "Slow" in path.stem]
    fast = [path for path in files if "Slow" not in path.stem]
    large = sum(path.stat().st_size for path in fast) > _BRIEF
    units: list[tuple[Path, tuple[str, ...]]] = []
    for kind, some, effort in (("fast", fast, _LARGE if large else _FAST), ("slow", slow, _SLOW)):
        groups: list[list[str]] = [["harness.cpp"] if kind == "fast" else []]
        room = _UNIT
        for path in some:
            if path.stat().st_size > room:
                groups.append([])
                room = _UNIT
            groups[-1].append(path.name)
            room -= path.stat().st_size
        for number, names in enumerate(groups):
            unit = work / f"unit_{kind}_{number}.cpp"
            text = "".join(f'#include "{name}"\n' for name in names)
            unit.write_text(text, encoding="utf-8")
            units.append((unit, effort))
    return units


def _compile_all(
    files: list[tuple[Path, tuple[str, ...]]], folder: Path, trace: str, includes: Path
) -> None:
    include = verilator_root() / "include"
    commands = [
        [
            _COMPILER,
            *_COMPILE,
            *effort,
            *_defines(trace),
            f"-I{includes}",
            f"-I{_COMPAT}",
            f"-I{include}",
            f"-I{include / 'vltstd'}",
            "-c",
            str(path),
            "-o",
            str(folder / f"{path.stem}.o"),
        ]
        for path, effort in files
    ]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = [pool.submit(_run, command, folder) for command in commands]
        try:
            for job in jobs:
                job.result()
        finally:
            # After a failure or an interrupt those that have not begun are not wanted.
            pool.shutdown(wait=True, cancel_futures=True)


def _run(command: list[str], folder: Path) -> None:
    run = subprocess.run(
        command,
        cwd=folder,
        env=verilator_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if run.returncode:
        text = f"{run.stderr}\n{run.stdout}".strip()
        lines = [line.strip() for line in text.splitlines() if "rror" in line] or text.splitlines()
        why = lines[0][:300] if lines else f"exit status {run.returncode}"
        raise SimulationError("build", f"{Path(command[0]).name}: {why}")


def _defines(trace: str) -> list[str]:
    values = {
        "VM_COVERAGE": 0,
        "VM_SC": 0,
        "VM_TIMING": 0,
        "VM_TRACE": int(bool(trace)),
        "VM_TRACE_FST": int(trace == "fst"),
        "VM_TRACE_VCD": int(trace == "vcd"),
        "VM_TRACE_SAIF": 0,
    }
    # The harness has its own: Verilator's end the process.
    own = ["-DVL_USER_FATAL", "-DVL_USER_STOP", "-DVL_USER_FINISH"]
    return [*(f"-D{name}={value}" for name, value in values.items()), *own]


@lru_cache
def _compiler() -> str:
    """Return what tells one compiler from another."""
    command = [_COMPILER, "--version"]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    machine = subprocess.run(
        [_COMPILER, "-dumpmachine"], capture_output=True, encoding="utf-8", check=False
    )
    if run.returncode:
        raise SimulationError("build", f"{shlex.join(command)} failed: {run.stderr.strip()[:200]}")
    return f"{run.stdout.splitlines()[0]}, {machine.stdout.strip()}"


def _stamp() -> list[int]:
    """Return what changes when another build of the same version of Verilator is installed."""
    state = verilator_program().stat()
    return [state.st_size]
