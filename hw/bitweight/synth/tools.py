"""Running Yosys and OpenSTA: each in a process of its own, with a log, a limit and a check."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.resources
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bitweight._version import __version__
from bitweight.sim.installation import SimulationError
from bitweight.sim.process import full_disk, run_watched
from bitweight.synth.errors import ToolError, ToolMissing

_YOSYS = (
    "import sys; sys.path = [p for p in sys.path if p]; "
    "from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1])"
)
_YOSYS_ERROR = re.compile(r"^(?:ERROR: .*|.*ABC: Error.*|.*syntax error.*)$", re.MULTILINE)
_NEXTPNR_ERROR = re.compile(r"^ERROR: (.*)$", re.MULTILINE)
_STA_ERROR = re.compile(r"^Error.*$", re.MULTILINE)


def render(template: str, folder: Path, name: str, values: dict[str, Any]) -> None:
    """Write one of the package's templates, filled in, to a file in a folder."""
    if importlib.util.find_spec("jinja2") is None:
        raise ToolMissing("jinja2 is missing: pip install 'bitweight[synth]' installs it")
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  (an optional dependency)

    source = importlib.resources.files("bitweight.synth") / "templates" / template
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    text = environment.from_string(source.read_text(encoding="utf-8"))
    (folder / name).write_text(text.render(version=__version__, **values), encoding="utf-8")


def yosys(folder: Path, script: str, timeout: float) -> str:
    """Run a Yosys script in a folder and return its log, which is kept beside the script.

    Raises
    ------
    ToolError
        Yosys is not installed, reported an error (its own or ABC's), or took too long.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise ToolMissing("Yosys is missing: pip install 'bitweight[synth]' installs pyosys")
    log = folder / Path(script).with_suffix(".log").name
    why, text = _run("Yosys", [sys.executable, "-c", _YOSYS, script], folder, log, timeout)
    error = _YOSYS_ERROR.search(text)
    if error is not None or why:
        reason = error[0].removeprefix("ERROR: ").strip() if error else why
        if error:
            reason = reason.rstrip(".") + full_disk(folder)
        raise ToolError(f"Yosys failed: {reason} (log: {log})")
    return text


def sta(folder: Path, script: str, timeout: float) -> str:
    """Run an OpenSTA script in a folder and return its log, which is kept as ``sta.log``.

    OpenSTA goes on after an error and exits with 0: an error line, or the last line not reached,
    is a failure.
    """
    if shutil.which("sta") is None:
        raise ToolMissing(
            "OpenSTA (sta) is missing: scripts/install-system installs it with apt (opensta)"
        )
    log = folder / "sta.log"
    command = ["sta", "-no_init", "-no_splash", "-exit", script]
    why, text = _run("OpenSTA", command, folder, log, timeout)
    error = _STA_ERROR.search(text)
    if error is not None:
        raise ToolError(f"OpenSTA failed: {error[0].rstrip('.')} (log: {log})")
    if why or not text.rstrip().endswith("BITWEIGHT done"):
        raise ToolError(f"OpenSTA failed: {why or 'it stopped early'} (log: {log})")
    return text


def nextpnr(folder: Path, family: str, arguments: list[str], timeout: float) -> str:
    """Place and route in a folder and return the log, which is kept as ``nextpnr.log``.

    Raises
    ------
    ToolError
        It failed or took too long.
    """
    log = folder / "nextpnr.log"
    program = f"from yowasp_nextpnr_{family} import _run_nextpnr_{family}_argv as run; run()"
    command = [sys.executable, "-c", program, *arguments]
    why, text = _run("nextpnr", command, folder, log, timeout)
    error = _NEXTPNR_ERROR.search(text)
    if why:
        reason = error[1].strip() if error else why
        raise ToolError(f"nextpnr failed: {reason.rstrip('.')} (log: {log})")
    return text


def nextpnr_version(family: str) -> str | None:
    """Return the version of a family's nextpnr, or None where it is not installed."""
    try:
        return importlib.metadata.version(f"yowasp-nextpnr-{family}")
    except importlib.metadata.PackageNotFoundError:
        return None


def yosys_versions() -> dict[str, str]:
    """Return the versions of this package and of Yosys; `ToolError` says what to install."""
    try:
        return {"bitweight": __version__, "yosys": importlib.metadata.version("pyosys")}
    except importlib.metadata.PackageNotFoundError:
        raise ToolMissing(
            "Yosys is missing: pip install 'bitweight[synth]' installs pyosys"
        ) from None


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of the tools, for the record of a run."""
    found = yosys_versions()
    if shutil.which("sta") is None:
        raise ToolMissing(
            "OpenSTA (sta) is missing: scripts/install-system installs it with apt (opensta)"
        )
    answer = subprocess.run(
        ["sta", "-version"], capture_output=True, text=True, check=False, timeout=60
    )
    found["sta"] = answer.stdout.strip().splitlines()[0] if answer.stdout.strip() else "unknown"
    return found


def _run(tool: str, command: list[str], folder: Path, log: Path, timeout: float) -> tuple[str, str]:
    """Run a command to its end, or stop it; return how it failed, if it did, and what it said."""
    with log.open("w", encoding="utf-8") as sink:
        try:
            why = run_watched(command, folder, os.environ, sink, patience=timeout)
        except OSError as error:
            raise ToolError(f"{tool} cannot be started: {error.strerror}") from None
        except SimulationError:
            raise ToolError(f"{tool} was stopped after {timeout:g} s (log: {log})") from None
    return why, log.read_text(encoding="utf-8", errors="replace")
