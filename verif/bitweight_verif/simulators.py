"""Which simulators there are, whether they are complete, and cocotb runners for them.

What Verilator needs in order to work is in `bitweight.sim.installation`. Only the ports of the top
module are made visible, and blocks that occur many times are compiled once: both save most of the
build time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from bitweight.sim.hierarchy import control_file, instances
from bitweight.sim.installation import (
    SimulationError,
    SimulatorMissing,
    make_variables,
    require_verilator,
    verilator_environment,
    verilator_program,
)

__all__ = [
    "SIMULATORS",
    "SimulationError",
    "SimulatorMissing",
    "Supervised",
    "choose",
    "control_file",
    "instances",
    "make_runner",
    "reason",
    "require",
]

SIMULATORS = ("icarus", "verilator")
_POLL_SECONDS = 0.05


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
        for cmd in cmds:
            with subprocess.Popen(
                cmd,
                cwd=cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process:
                try:
                    self._watch(process, cmd[0])
                finally:
                    _end(process)
            if process.returncode:
                raise SimulationError(
                    "build", _ended(Path(cmd[0]).name, process.returncode), Path(self.log_file)
                )

    def _watch(self, process: subprocess.Popen[bytes], program: str) -> None:
        started = time.monotonic()
        while True:
            try:
                process.wait(_POLL_SECONDS)
                return
            except subprocess.TimeoutExpired:
                pass
            silence = time.monotonic() - started
            if self.alive is not None:
                silence = min(silence, self.alive())
            if silence > self.patience:
                raise SimulationError(
                    "silent",
                    f"{Path(program).name} gave no sign of life for {self.patience:g} s",
                    Path(self.log_file),
                )


def _ended(program: str, code: int) -> str:
    if code < 0:
        return f"{program} was ended by {signal.Signals(-code).name}"
    return f"{program} ended with exit status {code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program, with what it started, if it is still there."""
    if process.poll() is None:
        # It leads a session of its own, so the group holds nothing but its children.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def make_runner(sim: str, effort: str = "-O1", *, hierarchical: bool = False) -> Any:
    """Make a cocotb runner for a simulator, with the traps of its installation taken care of.

    Parameters
    ----------
    sim : {"icarus", "verilator"}
        The simulator.
    effort : str
        How hard the C++ compiler tries, for Verilator.
    hierarchical : bool
        Whether the control file has blocks that Verilator compiles apart.
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
        def __init__(self) -> None:
            super().__init__()
            self.hierarchical = hierarchical

        def _simulator_in_path_build_only(self) -> None:
            self.executable = str(verilator_program())

        def _set_env_common(self) -> None:
            super()._set_env_common()
            wanted = verilator_environment()
            self.env |= {name: wanted[name] for name in ("VERILATOR_ROOT", "PATH")}

        def _build_command(self) -> list[list[str]]:
            translate, build = super()._build_command()
            translate.remove("--public-flat-rw")
            if self.hierarchical:
                translate.append("--hierarchical")
                build = [part.replace(".mk", "_hier.mk") for part in build]
            build += [*make_variables(), f"OPT_FAST={effort}", "OPT_GLOBAL=-O1"]
            return [translate, build]

    return IcarusRunner() if sim == "icarus" else VerilatorRunner()


def _clean(env: dict[str, str]) -> None:
    """Take out what would change the run: an outer make, an outer pytest, cocotb's own knobs."""
    for name in list(env):
        if name.startswith(("MAKE", "MFLAGS", "PYTEST_", "COCOTB_")):
            del env[name]
    # A warning must not become an error inside the simulator because a test run wants that.
    env.pop("PYTHONWARNINGS", None)
