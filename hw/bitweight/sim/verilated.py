"""Makes a program or a library from Verilog: Verilator, the C++ compiler, the linker.

Verilator's own makefile is not used. It needs Perl and Python, and compiles for every model what
is the same for all: Verilator's own library, which takes several times as long as a small design,
and headers, twice each. Here that library is compiled once for each recipe and kept in the cache,
and the files of a model are joined to few. A cocotb model of a 4 × 4 array with a plain MAC takes
2 s of processor time instead of 15.

A precompiled header would take another half second from each unit, and 70 MB of cache.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from bitweight.sim.cache import Cache, content_key
from bitweight.sim.installation import (
    SimulationError,
    require_verilator,
    verilator_environment,
    verilator_program,
    verilator_root,
)
from bitweight.sim.process import WatchedPool, run_watched

__all__ = ["COMPILER", "CONTROL", "Recipe", "make_model", "recipe_key"]

COMPILER = "g++"
CONTROL, _VERILOG = "design.vlt", "design.v"

_SLOW = ("-O0",)
"""For what runs once, when a model is made."""

_JOINED = 100_000
"""Characters of such code up to which it is compiled with the rest: reading the headers once more
takes longer."""

_BRIEF = 300_000
"""Characters of C++, all units together, that a compiler can take its time for."""

_LARGE = ("-O1", "-fdisable-rtl-combine")
"""For what runs in every cycle, where there is more of it: half the time or less. The combiner
alone would take 40 s for one expression of a bit-slice array's arbiter, and gains nothing there."""

_UNIT = 1_000_000
"""Characters of C++ that are compiled at a time."""

_FUNCTION = 1000
"""Nodes of a generated function, beyond which it is cut. The time that GCC's combiner takes grows
with the square of a function: the largest file of a small adder tree takes 2 s instead of 24."""

_PATIENCE = 3600.0
"""Seconds that one program may take; the largest units need some minutes."""


@dataclass(frozen=True)
class Recipe:
    """What models of one kind have in common.

    Parameters
    ----------
    prefix
        Of the names of generated classes and files.
    translate
        Options of Verilator.
    options
        Of the C++ compiler, for everything.
    effort
        Its optimisation of what runs in every cycle, unless there is much of it.
    runtime
        Files of Verilator's own library that the model needs, without their ending.
    runtime_effort
        How these are optimised.
    own
        C++ file that is compiled with the model.
    includes
        Folders of headers, before Verilator's.
    link
        Options of the linker, after the objects.
    """

    prefix: str
    translate: tuple[str, ...]
    options: tuple[str, ...]
    effort: tuple[str, ...]
    runtime: tuple[str, ...]
    runtime_effort: tuple[str, ...]
    own: Path
    includes: tuple[Path, ...] = ()
    link: tuple[str, ...] = ()


def recipe_key(recipe: Recipe) -> str:
    """Return a key that is another one whenever models of the recipe may be."""
    parts = {name: value for name, value in asdict(recipe).items() if name not in ("own", "link")}
    parts["includes"] = _texts(path for folder in recipe.includes for path in folder.iterdir())
    own = _texts([recipe.own])
    common = [_SLOW, _JOINED, _BRIEF, _LARGE, _UNIT, _FUNCTION]
    return content_key(**parts, own=own, link=recipe.link, common=common, **_tools())


def make_model(
    recipe: Recipe,
    sources: dict[str, str],
    top: str,
    target: Path,
    work: Path,
    cache: Cache,
    log: Path | None = None,
) -> None:
    """Make a program or library in a folder.

    Parameters
    ----------
    recipe
        How.
    sources
        Texts by file name: the Verilog, :data:`CONTROL`, and headers for the recipe's own file.
    top
        Name of the top module.
    target
        File that is made.
    work
        Folder of everything in between. It is the caller's to remove.
    cache
        Where Verilator's library is kept.
    log
        File that takes what the programs say.

    Raises
    ------
    SimulationError
        If one of the programs fails; in one line, with its first error.
    OSError
        If a folder cannot be written.
    """
    for name, text in sources.items():
        (work / name).write_text(text, encoding="utf-8")
    hierarchical = "hier_block" in sources[CONTROL]
    _run(
        [
            str(verilator_program()),
            "--cc",
            "--prefix",
            recipe.prefix,
            *recipe.translate,
            "--output-split-cfuncs",
            str(_FUNCTION),
            *(["--hierarchical"] if hierarchical else []),
            "--top-module",
            top,
            "--Mdir",
            ".",
            CONTROL,
            _VERILOG,
        ],
        work,
        log,
    )
    # Modules that are compiled apart have a folder each.
    apart = sorted(path for path in work.glob("V*") if path.is_dir())
    units = [unit for folder in apart for unit in _units(recipe, folder, "")]
    units = _units(recipe, work, str(recipe.own)) + units
    _compile_all(recipe, units, [work, *apart], work, log)
    runtime = cache.entry("runtime", _runtime_key(recipe), partial(_make_runtime, recipe))
    objects = sorted(str(path) for folder in (work, runtime) for path in folder.glob("*.o"))
    _run([COMPILER, "-o", str(target), *objects, *recipe.link, "-pthread"], work, log)


def _runtime_key(recipe: Recipe) -> str:
    return content_key(
        **_tools(),
        options=[*recipe.options, *recipe.runtime_effort],
        files=recipe.runtime,
        includes=_texts(path for folder in recipe.includes for path in folder.iterdir()),
    )


def _make_runtime(recipe: Recipe, folder: Path) -> None:
    """Compile Verilator's own library, which takes longer than a small design."""
    include = verilator_root() / "include"
    files = [(include / f"{name}.cpp", recipe.runtime_effort) for name in recipe.runtime]
    _compile_all(recipe, files, [], folder, None)


def _units(recipe: Recipe, folder: Path, own: str) -> list[tuple[Path, tuple[str, ...]]]:
    """Join generated files, so that headers, which are most of a small one, are read less often.

    Returns
    -------
    list of (Path, options)
        What is to be compiled and how, the largest first; the recipe's own file is with what runs
        often.
    """
    files = sorted(folder.glob("*.cpp"), key=lambda path: -path.stat().st_size)
    slow = [path for path in files if "Slow" in path.stem]
    fast = [path for path in files if "Slow" not in path.stem]
    if sum(path.stat().st_size for path in slow) <= _JOINED:
        fast, slow = fast + slow, []
    large = sum(path.stat().st_size for path in fast) > _BRIEF
    effort = _LARGE if large else recipe.effort
    units: list[tuple[Path, tuple[str, ...]]] = []
    for kind, some, how in (("fast", fast, effort), ("slow", slow, _SLOW)):
        groups: list[list[str]] = [[own] if own and kind == "fast" else []]
        room = _UNIT
        for path in some:
            if path.stat().st_size > room:
                groups.append([])
                room = _UNIT
            groups[-1].append(str(path))
            room -= path.stat().st_size
        for number, names in enumerate(groups):
            if names:
                unit = folder / f"unit_{kind}_{number}.cpp"
                text = "".join(f'#include "{name}"\n' for name in names)
                unit.write_text(text, encoding="utf-8")
                units.append((unit, how))
    return units


def _compile_all(
    recipe: Recipe,
    files: list[tuple[Path, tuple[str, ...]]],
    includes: list[Path],
    folder: Path,
    log: Path | None,
) -> None:
    """Compile files to objects in a folder, as many at a time as there are processors."""
    include = verilator_root() / "include"
    folders = [*includes, *recipe.includes, include, include / "vltstd"]
    with WatchedPool(len(os.sched_getaffinity(0))) as pool:
        jobs = [
            pool.submit(
                _run,
                [
                    COMPILER,
                    *recipe.options,
                    *effort,
                    *(f"-I{path}" for path in folders),
                    "-c",
                    str(path),
                    "-o",
                    str(folder / f"{number:03}_{path.stem}.o"),
                ],
                folder,
                log,
            )
            for number, (path, effort) in enumerate(files)
        ]
        for job in jobs:
            job.result()


def _run(command: list[str], folder: Path, log: Path | None) -> None:
    with tempfile.TemporaryFile() as output:
        env = verilator_environment()
        why = run_watched(command, folder, env, output, patience=_PATIENCE)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if log is not None:
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"{shlex.join(command)}\n{text}")
    if why:
        errors = [line.strip() for line in text.splitlines() if "rror" in line]
        gist = f"{Path(command[0]).name}: {errors[0][:300]}" if errors else why
        raise SimulationError("build", gist, log)


def _texts(paths: Iterable[Path]) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(paths)}


def _tools() -> dict[str, Any]:
    """Return what tells one installation of Verilator and its compiler from another."""
    # The size changes when another build of the same version is installed.
    size = verilator_program().stat().st_size
    return {"verilator": require_verilator([COMPILER]), "size": size, "compiler": _compiler()}


@lru_cache
def _compiler() -> str:
    command = [COMPILER, "--version"]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    machine = subprocess.run(
        [COMPILER, "-dumpmachine"], capture_output=True, encoding="utf-8", check=False
    )
    if run.returncode:
        raise SimulationError("build", f"{shlex.join(command)} failed: {run.stderr.strip()[:200]}")
    return f"{run.stdout.splitlines()[0]}, {machine.stdout.strip()}"
