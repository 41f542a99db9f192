"""Runs programs under watch: none outlives its caller, or is silent for ever."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from bitweight.sim.installation import SimulationError

__all__ = ["WatchedPool", "full_disk", "run_watched"]

_POLL_SECONDS = 0.05

_LITTLE = 1 << 20
"""Bytes of free space below which a program that failed has probably wanted more."""

_thread = threading.local()


class WatchedPool(ThreadPoolExecutor):
    """A pool whose threads do not go on when an exception, or an interrupt, leaves its block.

    The programs that they run by :func:`run_watched` are ended, and no others begun; those of pools
    that they make themselves as well.
    """

    def __init__(self, threads: int) -> None:
        self._stop = threading.Event()
        self._stops = (*_stops(), self._stop)
        super().__init__(threads, initializer=self._adopt)

    def _adopt(self) -> None:
        _thread.stops = self._stops

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stop.set()
        self.shutdown(wait=True, cancel_futures=kind is not None)


def _stops() -> tuple[threading.Event, ...]:
    return getattr(_thread, "stops", ())


def run_watched(
    command: Sequence[str],
    folder: Path | str,
    env: Mapping[str, str],
    output: Any,
    *,
    patience: float,
    alive: Callable[[], float] | None = None,
) -> str:
    """Run a program to its end.

    It ends when this process does, by whatever means, and earlier when the :class:`WatchedPool`
    whose thread this is has no use for it any more. Its temporary files are made in its folder.

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
        _bound(command),
        cwd=folder,
        env={**env, "TMPDIR": str(Path(folder).absolute())},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            _watch(process, program, patience, alive)
        finally:
            _end(process)
    code = process.returncode
    if not code:
        return ""
    how = f"ended with exit status {code}"
    if code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
    return f"{program} {how}{full_disk(folder)}"


def _bound(command: Sequence[str]) -> list[str]:
    """Return a command whose program the system ends when the thread that began it ends."""
    # A function between fork and exec would do it too, but is not safe where there are threads.
    helper = shutil.which("setpriv")
    return [helper, "--pdeathsig", "KILL", "--", *command] if helper else list(command)


def full_disk(folder: Path | str) -> str:
    """Return what to add where a program has failed for want of space, as few say clearly."""
    if shutil.disk_usage(folder).free > _LITTLE:
        return ""
    return f" (the disk of {folder} is full)"


def _watch(
    process: subprocess.Popen[bytes],
    program: str,
    patience: float,
    alive: Callable[[], float] | None,
) -> None:
    started = time.monotonic()
    while not any(stop.is_set() for stop in _stops()):
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
