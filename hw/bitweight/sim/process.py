"""Runs programs under watch: none outlives its caller, or is silent for ever."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bitweight.sim.installation import SimulationError

__all__ = ["run_watched"]

_POLL_SECONDS = 0.05


def run_watched(
    command: Sequence[str],
    folder: Path | str,
    env: Mapping[str, str],
    output: Any,
    *,
    patience: float,
    alive: Callable[[], float] | None = None,
    stop: threading.Event | None = None,
) -> str:
    """Run a program to its end.

    Parameters
    ----------
    command, folder, env
        What to run, where, and its environment.
    output
        File that takes what it writes, errors as well; ``None`` for this process's own.
    patience
        Seconds without a sign of life after which it is ended, with all that it started.
    alive
        Returns the seconds since its last sign of life; without it the start is the only one.
    stop
        When set, the program is ended too.

    Returns
    -------
    str
        How it failed; empty where it did not.

    Raises
    ------
    SimulationError
        Of category `silent`, if it was ended for its silence.
    """
    program = Path(command[0]).name
    with subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            _watch(process, program, patience, alive, stop)
        finally:
            _end(process)
    code = process.returncode
    if code < 0:
        return f"{program} was ended by {signal.Signals(-code).name}"
    return f"{program} ended with exit status {code}" if code else ""


def _watch(
    process: subprocess.Popen[bytes],
    program: str,
    patience: float,
    alive: Callable[[], float] | None,
    stop: threading.Event | None,
) -> None:
    started = time.monotonic()
    while stop is None or not stop.is_set():
        try:
            process.wait(_POLL_SECONDS)
            return
        except subprocess.TimeoutExpired:
            pass
        silence = time.monotonic() - started
        if alive is not None:
            silence = min(silence, alive())
        if silence > patience:
            raise SimulationError("silent", f"{program} gave no sign of life for {patience:g} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program, with what it started, if it is still there."""
    if process.poll() is None:
        # It leads a session of its own, so the group holds nothing but its children.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
