"""Which simulators there are, whether they are complete, and cocotb runners for them.

What Verilator needs in order to work is in `bitweight.sim`, which compiles its models. Only the
ports of the top module are made visible, and blocks that occur many times are compiled once: both
save most of the build time.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from bitweight.sim.cache import Cache
from bitweight.sim.hierarchy import control_file, instances
from bitweight.sim.installation import SimulationError, SimulatorMissing, require_verilator
from bitweight.sim.process import run_watched
from bitweight.sim.verilated import CONTROL, Recipe, make_model

__all__ = [
    "SIMULATORS",
    "SimulationError",
    "SimulatorMissing",
    "Supervised",
    "build_program",
    "choose",
    "control_file",
    "instances",
    "make_runner",
    "reason",
    "require",
]

SIMULATORS = ("icarus", "verilator")
_WITHOUT = ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")


def choose(sim: str) -> tuple[str, ...]:
    """Turn the name of a simulator, or "all", into a tuple of names."""
    if sim == "all":
        return SIMULATORS
    if sim in SIMULATORS:
        return (sim,)
    raise ValueError(f'sim must be "all", "icarus" or "verilator", not {sim!r}')


def require(sim: str) -> str:
    """Check that a simulator is complete.

    Returns
    -------
    str
        Its version.

    Raises
    ------
    SimulatorMissing
        In one line, with what to install.
    """
    if importlib.util.find_spec("cocotb_tools") is None:
        raise SimulatorMissing("cocotb is missing: install it with pip install 'bitweight[sim]'")
    if sim == "icarus":
        if shutil.which("iverilog") is None or shutil.which("vvp") is None:
            raise SimulatorMissing(
                "Icarus Verilog is missing: install it with scripts/install-system"
            )
        run = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False)
        found = re.search(r"version (\S+)", run.stdout)
        return found[1] if found else "unknown"
    return require_verilator()


def reason(log: Path) -> str:
    """Give the exception that a Python module inside the simulator ended with, if there is one."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    found: list[str] = re.findall(r"\b\w*Error: .*", text)
    return found[0].strip() if found else ""


class Supervised:
    """Mixed into a cocotb runner: its programs are watched, and write to a log.

    Attributes
    ----------
    alive : callable or None
        Called while a program runs; returns the seconds since it last gave a sign of life.
    patience : float
        Seconds without a sign of life after which the program is ended.
    """

    alive: Callable[[], float] | None = None
    patience: float = 1800.0  # of a compiler, which says nothing while it works on a large file
    log_file: Any
    env: dict[str, str]
    log: logging.Logger

    def _execute_cmds(
        self, cmds: Sequence[list[str]], cwd: Any, stdout: TextIO | None = None
    ) -> None:
        self.log.setLevel(logging.CRITICAL + 1)
        log = Path(self.log_file)
        for cmd in cmds:
            try:
                why = run_watched(
                    cmd, cwd, self.env, stdout, patience=self.patience, alive=self.alive
                )
            except SimulationError as error:
                raise SimulationError(error.category, str(error), log) from None
            if why:
                raise SimulationError("build", why, log)


def make_runner(sim: str) -> Any:
    """Make a cocotb runner for a simulator, with the traps of its installation taken care of.

    Parameters
    ----------
    sim : {"icarus", "verilator"}
        The simulator; a model for Verilator is built by `build_program`, not by the runner.
    """
    from cocotb_tools import runner  # noqa: PLC0415

    class Plain(Supervised):
        def _set_env_common(self) -> None:
            super()._set_env_common()  # type: ignore[misc]
            _clean(self.env)
            # WAVES and GUI in the environment would ask for what was not built.
            self.waves = self.gui = False

    class IcarusRunner(Plain, runner.Icarus):  # type: ignore[misc]
        pass

    class VerilatorRunner(Plain, runner.Verilator):  # type: ignore[misc]
        pass

    return IcarusRunner() if sim == "icarus" else VerilatorRunner()


def build_program(verilog: str, top: str, ports: Sequence[str], folder: Path, log: Path) -> None:
    """Build a program of Verilator and cocotb, named as the top module.

    Parameters
    ----------
    verilog : str
        All modules.
    top : str
        Name of the top module.
    ports : sequence of str
        Its ports, which cocotb is to see.
    folder : Path
        Where to build.
    log : Path
        Takes what the programs say.

    Raises
    ------
    SimulationError
        If they do not accept the Verilog.
    """
    from cocotb_tools import config  # noqa: PLC0415

    libraries = str(config.libs_dir)
    recipe = Recipe(
        prefix="Vtop",
        translate=("--vpi", "-Wno-fatal", "-Wno-lint", "-Wno-style", "--no-timing"),
        options=("-DVERILATOR=1", *(f"-DVM_{name}=0" for name in _WITHOUT), "-w"),
        # Most of the time goes into Python: a quick model is less worth than one quickly built.
        effort=("-O1",),
        runtime=("verilated", "verilated_dpi", "verilated_threads", "verilated_vpi"),
        runtime_effort=("-O1",),
        own=Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp",
        link=(f"-Wl,-rpath,{libraries}", f"-L{libraries}", "-lcocotbvpi_verilator"),
    )
    control, _ = control_file(verilog, top, ports)
    sources = {"design.v": verilog, CONTROL: control}
    make_model(recipe, sources, top, folder / top, folder, Cache(), log)


def _clean(env: dict[str, str]) -> None:
    """Take out what would change the run: an outer make, an outer pytest, cocotb's own knobs."""
    for name in list(env):
        if name.startswith(("MAKE", "MFLAGS", "PYTEST_", "COCOTB_")):
            del env[name]
    # A warning must not become an error inside the simulator because a test run wants that.
    env.pop("PYTHONWARNINGS", None)
