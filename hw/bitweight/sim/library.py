"""The binding of a model's shared library: ctypes, since its three calls take no more.

A binding of its own would have to be compiled with every model; a call is made once for thousands
of clock cycles, so that its cost does not count. The library runs without Python's lock.
"""

from __future__ import annotations

import ctypes
import enum
import os
from pathlib import Path

import numpy as np

from bitweight.sim.installation import SimulationError

__all__ = ["Exchange", "Simulation", "Status"]


class Status(enum.IntEnum):
    """Why a run has returned."""

    CYCLES = 0
    WANTS_A = 1
    WANTS_B = 2
    FULL = 3
    PROTOCOL = 4
    STOPPED = 5


class _Stalls(ctypes.Structure):
    _fields_ = (
        ("threshold", ctypes.c_uint64),
        ("state", ctypes.c_uint64),
        ("cycles", ctypes.c_int64),
        ("waits", ctypes.c_int64),
    )


class _Source(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("last", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("at", ctypes.c_int64),
        ("more", ctypes.c_int64),
        ("stalls", _Stalls),
    )

    def offer(self, data: np.ndarray, last: np.ndarray, *, more: bool) -> None:
        """Set the beats that come next: int16 [beats, lanes] and bool [beats], both kept alive."""
        assert data.dtype == np.int16 and data.flags.c_contiguous
        assert last.dtype == np.bool_ and last.flags.c_contiguous
        self.data, self.last = data.ctypes.data, last.ctypes.data
        self.count, self.at, self.more = len(data), 0, more


class _Sink(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("last", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("at", ctypes.c_int64),
        ("stalls", _Stalls),
    )

    def collect(self, data: np.ndarray, last: np.ndarray) -> None:
        """Set where results go: int64 [beats, lanes] and bool [beats], both kept alive."""
        assert data.dtype == np.int64 and data.flags.c_contiguous
        assert last.dtype == np.bool_ and last.flags.c_contiguous
        self.data, self.last = data.ctypes.data, last.ctypes.data
        self.count, self.at = len(data), 0


class Exchange(ctypes.Structure):
    """What a run takes and gives; the same as in harness.cpp.

    Attributes
    ----------
    a, b, c
        The streams.
    cycle
        Clock cycles since the reset.
    first, final
        The cycle of the first operand beat taken, and of the last result beat so far.
    idle
        Cycles in which nothing moved, up to the present one.
    """

    _fields_ = (
        ("a", _Source),
        ("b", _Source),
        ("c", _Sink),
        ("cycle", ctypes.c_int64),
        ("first", ctypes.c_int64),
        ("final", ctypes.c_int64),
        ("idle", ctypes.c_int64),
    )


class Simulation:
    """One running model, after its reset. It is a context manager.

    Parameters
    ----------
    library
        The shared library.
    trace
        File of the trace, for a library that writes one.

    Raises
    ------
    SimulationError
        If the model cannot be made.
    """

    def __init__(self, library: Path, trace: Path | None = None) -> None:
        # Of its own for each library: the names are the same in all of them.
        self._library = ctypes.CDLL(str(library))
        self._library.bitweight_new.restype = ctypes.c_void_p
        self._library.bitweight_new.argtypes = [ctypes.c_char_p]
        self._library.bitweight_run.argtypes = [
            ctypes.c_void_p,
            ctypes.POINTER(Exchange),
            ctypes.c_int64,
        ]
        self._library.bitweight_message.restype = ctypes.c_char_p
        self._library.bitweight_message.argtypes = [ctypes.c_void_p]
        self._library.bitweight_delete.restype = None
        self._library.bitweight_delete.argtypes = [ctypes.c_void_p]
        self._model = self._library.bitweight_new(b"" if trace is None else os.fsencode(trace))
        if not self._model:
            raise SimulationError("crash", self._message(None))

    def _message(self, model: int | None) -> str:
        return str(self._library.bitweight_message(model).decode(errors="replace"))

    def run(self, exchange: Exchange, cycles: int) -> Status:
        """Go on for a number of clock cycles, or until the caller has something to do.

        Raises
        ------
        SimulationError
            If the design breaks a rule of its streams, or the model stops.
        """
        status = Status(self._library.bitweight_run(self._model, exchange, cycles))
        if status in (Status.PROTOCOL, Status.STOPPED):
            category = "protocol" if status == Status.PROTOCOL else "crash"
            where = f"in clock cycle {exchange.cycle}"
            raise SimulationError(category, f"{self._message(self._model)} {where}")
        return status

    def close(self) -> None:
        """Free the model, and finish its trace."""
        if self._model:
            self._library.bitweight_delete(self._model)
            self._model = None

    def __enter__(self) -> Simulation:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
