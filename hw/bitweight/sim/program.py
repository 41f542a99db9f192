"""A running model: a program of its own, which is told through a pipe what to do.

A model that crashes, or an evaluation of it that never ends, then takes nobody with it: it is ended
by Ctrl-C, by its time limit, and with this process. A command is sent once for thousands of clock
cycles, so that its cost does not count; beginning a program takes some milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import select
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np

from bitweight.sim.installation import SimulationError

__all__ = ["Reply", "Simulation", "Status"]

_POLL_MILLISECONDS = 500


class Status(enum.IntEnum):
    """Why a run has returned."""

    CYCLES = 0
    WANTS_A = 1
    WANTS_B = 2
    FULL = 3
    PROTOCOL = 4
    STOPPED = 5


class _Command(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int64), ("count", ctypes.c_int64))


class _Stalls(ctypes.Structure):
    _fields_ = (
        ("threshold", ctypes.c_uint64),
        ("state", ctypes.c_uint64),
        ("cycles", ctypes.c_int64),
        ("waits", ctypes.c_int64),
    )


class Reply(ctypes.Structure):
    """What a run tells; the same as in harness.cpp.

    Attributes
    ----------
    status
        A :class:`Status`.
    cycle
        Clock cycles since the reset.
    first, final
        The cycle of the first operand beat taken, and of the last result beat so far.
    idle
        Cycles in which nothing moved, up to the present one.
    a, b, c
        Stalls of the streams: `cycles` in which one held up a beat, and `waits` of the operands, in
        which the design did not take a beat.
    """

    _fields_ = (
        ("status", ctypes.c_int64),
        ("cycle", ctypes.c_int64),
        ("first", ctypes.c_int64),
        ("final", ctypes.c_int64),
        ("idle", ctypes.c_int64),
        ("a", _Stalls),
        ("b", _Stalls),
        ("c", _Stalls),
        ("length", ctypes.c_int64),
    )


class Simulation:
    """One running model, after its reset. It is a context manager.

    Parameters
    ----------
    program
        The model.
    trace
        File of the trace, for a model that writes one.
    patience
        Seconds that some clock cycles, 64 at most, may take.

    Attributes
    ----------
    reply
        What the last run has told.

    Raises
    ------
    SimulationError
        If the model cannot be made.
    """

    def __init__(self, program: Path, trace: Path | None, patience: float) -> None:
        self.reply = Reply()
        self._patience = patience
        self._wanted = (np.empty((0, 0), np.int64), np.empty(0, np.bool_))
        self._process = subprocess.Popen(
            [program, repr(patience), "" if trace is None else trace],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for this process; the model is ended by it.
            start_new_session=True,
        )
        try:
            self._answer()
        except BaseException:
            self._end()
            raise

    def stall(self, chances: Mapping[str, float], seed: int) -> None:
        """Set with which probability beats of `a`, `b` and `c` are held up in a cycle."""
        states = np.random.SeedSequence(seed).generate_state(len(chances), np.uint64)
        stalls = (_Stalls * len(chances))()
        for one, chance, state in zip(stalls, chances.values(), states.tolist(), strict=True):
            one.threshold, one.state = int(chance * 2**64), state
        self._tell("s", 0, bytes(stalls))

    def offer(self, stream: str, data: np.ndarray, last: np.ndarray) -> None:
        """Send the beats that come next: int16 [beats, lanes] and bool [beats]."""
        assert data.dtype == np.int16 and data.flags.c_contiguous
        assert last.dtype == np.bool_ and last.flags.c_contiguous
        self._tell(stream, len(data), data, last)

    def finish(self, stream: str) -> None:
        """Tell that no more beats will come."""
        self._tell(stream, 0)

    def collect(self, data: np.ndarray, last: np.ndarray) -> None:
        """Set where results go: int64 [beats, lanes] and bool [beats]."""
        assert data.dtype == np.int64 and data.flags.c_contiguous
        assert last.dtype == np.bool_ and last.flags.c_contiguous
        self._wanted = (data, last)
        self._tell("c", len(data))

    def run(self, cycles: int) -> Status:
        """Go on for a number of clock cycles, or until the caller has something to do.

        After `FULL` the results are where :meth:`collect` wanted them.

        Raises
        ------
        SimulationError
            If the design breaks a rule of its streams, or the model stops or does not come back.
        """
        self._tell("r", cycles)
        status = self._answer()
        if status == Status.FULL:
            for part in self._wanted:
                self._read(part)
        return status

    def close(self) -> None:
        """Let the model finish its trace, and end."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._patience)
        self._end()

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What was interrupted may be in the middle of something that never ends.
        if kind is None or issubclass(kind, Exception):
            self.close()
        else:
            self._end()

    def _tell(self, kind: str, count: int, *parts: bytes | np.ndarray) -> None:
        assert self._process.stdin is not None
        for part in (bytes(_Command(ord(kind), count)), *parts):
            left = _raw(part)
            while left:
                try:
                    left = left[self._process.stdin.write(left) :]
                except BrokenPipeError:
                    raise self._ended() from None

    def _answer(self) -> Status:
        """Read what a run has to say."""
        told = bytearray(ctypes.sizeof(Reply))
        self._read(told)
        self.reply = Reply.from_buffer(told)
        status = Status(self.reply.status)
        if status in (Status.PROTOCOL, Status.STOPPED):
            text = bytearray(self.reply.length)
            self._read(text)
            category = "protocol" if status == Status.PROTOCOL else "crash"
            raise SimulationError(category, text.decode(errors="replace") + self._where())
        return status

    def _read(self, into: bytearray | np.ndarray) -> None:
        assert self._process.stdout is not None
        left = _raw(into)
        answers = select.poll()
        answers.register(self._process.stdout, select.POLLIN)
        while left:
            # A signal that the system gave to another thread does not end a read of this one, and
            # Python acts on it here only: Ctrl-C would be lost on a model that never answers.
            while not answers.poll(_POLL_MILLISECONDS):
                pass
            size = self._process.stdout.readinto(left)  # type: ignore[attr-defined]
            if not size:
                raise self._ended()
            left = left[size:]

    def _ended(self) -> SimulationError:
        """Return how the model, which was not told to, has ended."""
        code = self._process.wait()
        if code == -signal.SIGALRM:
            return SimulationError(
                "silent",
                f"the model gave no sign of life for {self._patience:g} s{self._where('after')}",
            )
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else "ended by itself"
        return SimulationError("crash", f"the model {how}{self._where('after')}")

    def _where(self, when: str = "in") -> str:
        return f" {when} clock cycle {self.reply.cycle}" if self.reply.cycle else ""

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _raw(part: bytes | bytearray | np.ndarray) -> memoryview:
    """Return the bytes of something, not copied."""
    return memoryview(part) if not isinstance(part, np.ndarray) else part.reshape(-1).view("B").data
