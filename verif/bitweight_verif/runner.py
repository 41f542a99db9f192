"""Builds a design's Verilog for a simulator and runs a cocotb module on it.

A `Model` is a built simulation that can run many times. Models are kept for the life of the
process, so that the same Verilog is built once, and not longer: what is verified was built from
the Verilog given. Verilator's own library, which takes longer to compile than a small design, is
in the user's cache. Nothing else is written outside the build folder; without one it is a
temporary folder that goes when the process ends, unless a run in it failed.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bitweight.files import keep, temporary_folder
from bitweight_verif.simulators import SimulationError, build_program, make_runner, require

ProgressHook = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

_SIGNALS = ("payload", "valid", "ready")
_models: dict[str, Model] = {}
_kept: set[Path] = set()
_scratch: Path | None = None


def scratch() -> Path:
    """Give the temporary folder of this process."""
    global _scratch  # noqa: PLW0603
    if _scratch is None:
        stack = contextlib.ExitStack()
        _scratch = stack.enter_context(temporary_folder("verify"))
        atexit.register(_sweep, _scratch, stack, os.getpid())
    return _scratch


def _sweep(folder: Path, stack: contextlib.ExitStack, owner: int) -> None:
    """Remove what nobody needs any more; what failed stays for its log."""
    if os.getpid() != owner:
        return
    children = set(folder.iterdir())
    if children & _kept:
        keep(folder)
        for child in children - _kept:
            shutil.rmtree(child, ignore_errors=True)
    stack.close()


class Model:
    """A design built for one simulator.

    Use `build`, which finds models that exist already.

    Parameters
    ----------
    sim : str
        "icarus" or "verilator".
    top : str
        Name of the top module.
    folder : Path
        The build folder.
    """

    def __init__(self, sim: str, top: str, folder: Path) -> None:
        self.sim = sim
        self.top = top
        self.folder = folder
        self.build_seconds = 0.0
        self.runs = 0

    def compile(self, verilog: str, streams: Mapping[str, Any]) -> None:
        """Build the model in its folder."""
        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "build.log"
        log.unlink(missing_ok=True)
        try:
            if self.sim == "verilator":
                ports = [f"{name}__{signal}" for name in streams for signal in _SIGNALS]
                build_program(verilog, self.top, ["clk", "rst", *ports], self.folder, log)
            else:
                self._compile_icarus(verilog, log)
        except SimulationError:
            self.keep()
            raise
        self.build_seconds = time.monotonic() - started

    def _compile_icarus(self, verilog: str, log: Path) -> None:
        source = self.folder / "design.v"
        source.write_text(verilog, encoding="utf-8")
        runner = make_runner(self.sim)
        try:
            runner.build(
                sources=[source],
                hdl_toplevel=self.top,
                build_dir=self.folder,
                always=True,
                log_file=log,
            )
        except SimulationError as error:
            gist = _gist(log)
            if error.category == "build" and gist:
                raise SimulationError("build", gist, log) from None
            raise

    def keep(self) -> None:
        """Do not remove the build folder at the end of the process."""
        _kept.add(self.folder)

    def run(
        self,
        module: str,
        spec: Mapping[str, Any],
        progress: ProgressHook | None = None,
        patience: float = 300.0,
    ) -> Path:
        """Run a cocotb module.

        Parameters
        ----------
        module : str
            Dotted name; it reads the specification named by `BITWEIGHT_BENCH`.
        spec : dict
            JSON-able. The paths `results` and `progress` are added.
        progress : callable, optional
            Called with what is done and what there is to do, whenever that changes.
        patience : float
            Seconds without a sign of life after which the simulation counts as hung.

        Returns
        -------
        Path
            The folder of the run, with `results.json` (if the module wrote it), cocotb's own
            `results.xml` and `simulation.log`.

        Raises
        ------
        SimulationError
            If the simulator crashed, hung, or left no results file of cocotb.
        """
        self.runs += 1
        folder = self.folder / f"run-{self.runs:03}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        alive = folder / "progress"
        full = {**spec, "results": str(folder / "results.json"), "progress": str(alive)}
        (folder / "spec.json").write_text(json.dumps(full), encoding="utf-8")
        runner = make_runner(self.sim)
        runner.patience = patience
        runner.alive = _follow(alive, progress)
        log = folder / "simulation.log"
        xml = folder / "results.xml"
        try:
            runner.test(
                test_module=module,
                hdl_toplevel=self.top,
                hdl_toplevel_lang="verilog",
                build_dir=self.folder,
                test_dir=folder,
                results_xml=str(xml),
                extra_env={"BITWEIGHT_BENCH": str(folder / "spec.json")},
                log_file=log,
            )
        except SystemExit:
            # Under pytest, cocotb's runner exits where a test of the bench has failed; what
            # failed is read from the results below, here as anywhere else.
            pass
        except SimulationError as error:
            self.keep()
            error.category = "crash" if error.category == "build" else error.category
            raise
        runner.alive()
        if not xml.is_file():
            self.keep()
            raise SimulationError("crash", "the simulation left no results", log)
        return folder


def _follow(path: Path, progress: ProgressHook | None) -> Callable[[], float]:
    """Watch a progress file; give the seconds since it last changed."""
    size, changed = 0, time.monotonic()

    def alive() -> float:
        nonlocal size, changed
        try:
            now = path.stat().st_size
        except OSError:
            now = 0
        if now != size:
            size, changed = now, time.monotonic()
            if progress is not None:
                lines = path.read_text(encoding="ascii").splitlines(keepends=True)
                whole = [line for line in lines[-2:] if line.endswith("\n")]
                if whole:
                    done, total = whole[-1].split()
                    progress(int(done), int(total))
        return time.monotonic() - changed

    return alive


def _gist(log: Path) -> str:
    """Give the first line of a log that speaks of an error."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    found = re.search(r"^.*\berror\b.*$", text, re.MULTILINE | re.IGNORECASE)
    return found[0].strip()[:160] if found else ""


def build(
    verilog: str,
    top: str,
    streams: Mapping[str, Any],
    sim: str,
    *,
    build_dir: Path | str | None = None,
) -> Model:
    """Build Verilog for a simulator, or find it built already.

    Parameters
    ----------
    verilog : str
        All modules.
    top : str
        Name of the top module.
    streams : dict
        The streams of the manifest; their names are the prefixes of the ports.
    sim : str
        "icarus" or "verilator".
    build_dir : path, optional
        Where to build; a temporary folder otherwise.

    Raises
    ------
    SimulatorMissing
        If the simulator is not installed.
    SimulationError
        If it does not accept the Verilog.
    """
    require(sim)
    text = "\0".join([sim, top, *streams, str(build_dir), verilog])
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    model = _models.get(key)
    if model is not None and model.folder.is_dir():
        return model
    folder = scratch() / key if build_dir is None else Path(build_dir).resolve() / f"{sim}-{key}"
    model = Model(sim, top, folder)
    model.compile(verilog, streams)
    _models[key] = model
    return model
