"""Simulation of many faulty copies of a netlist at once, each with other truth tables somewhere.

The copies are bits of one word (``faults.c``), so that 255 of them cost little more than one, and a
fault is a change of an array: nothing is built. That is parallel fault simulation, after Seshu
("On an improved diagnosis program", 1965), on compiled code.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bitweight.synth.errors import ToolError
from bitweight.synth.gate_level import compiled
from bitweight.synth.netlist import ONE, FlatNetlist

__all__ = ["ANY", "Copies", "Fault", "Trace", "fault_library", "run_faults"]

ANY = 2
"""An expected bit that may be anything."""

_COPIES = 256
"""As in ``faults.c``; the first copy has no fault."""

Fault = Mapping[int, np.ndarray]
"""Truth tables, uint8, in place of those of some gates, by the gate's place in the netlist."""


@dataclass(frozen=True)
class Trace:
    """What goes into a netlist, and what must come out, cycle by cycle.

    Parameters
    ----------
    inputs
        By port, uint8 [cycles, width], bit 0 first.
    expected
        By port, uint8 [cycles, width]: 0, 1 or :data:`ANY`.
    """

    inputs: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]

    @property
    def cycles(self) -> int:
        """Clock cycles."""
        return len(next(iter(self.inputs.values())))


class _Copies(ctypes.Structure):
    _fields_ = (
        ("runs", ctypes.c_int64),
        ("flops", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in (
            "run_gates", "run_inputs", "inputs", "output", "table", "tables", "next", "state",
            "value", "taken", "first", "following", "copy", "faulty", "faulty_tables",
        )),
    )  # fmt: skip


def run_faults(
    netlist: FlatNetlist, trace: Trace, faults: Sequence[Fault], *, seed: int = 0
) -> list[tuple[int, str] | None]:
    """Run faulty copies of a netlist until each of them has shown a difference.

    Parameters
    ----------
    netlist
        The sound one. It is run too, and must do what is expected.
    trace
        What all copies get, and what is expected of them.
    faults
        One for each copy.
    seed
        Of the values that flip-flops have at first, the same in all copies.

    Returns
    -------
    list
        For each fault the cycle and the port that showed it, or None.

    Raises
    ------
    ToolError
        The netlist without a fault differs from what is expected, or there is no C compiler.
    """
    found: list[tuple[int, str] | None] = []
    for at in range(0, len(faults), _COPIES - 1):
        found += _run(netlist, trace, faults[at : at + _COPIES - 1], seed)
    if not faults:
        _run(netlist, trace, (), seed)
    return found


def _run(
    netlist: FlatNetlist, trace: Trace, faults: Sequence[Fault], seed: int
) -> list[tuple[int, str] | None]:
    copies = Copies(netlist, faults, seed)
    drive, values = _columns(netlist, trace.inputs)
    watch, expected = _columns(netlist, trace.expected)
    fault_library().run_faults(
        ctypes.byref(copies.handle), trace.cycles, len(drive), drive.ctypes.data,
        values.ctypes.data, len(watch), watch.ctypes.data, expected.ctypes.data,
        *copies.verdicts,
    )  # fmt: skip
    return copies.found([name for name in trace.expected for _ in netlist.ports[name]])


class Copies:
    """Up to 255 faulty copies of a netlist and a sound one, with their state.

    Parameters
    ----------
    netlist
        The sound one.
    faults
        One for each copy.
    seed
        Of the values that flip-flops have at first, the same in all copies.
    """

    most = _COPIES - 1

    def __init__(self, netlist: FlatNetlist, faults: Sequence[Fault], seed: int) -> None:
        arity = netlist.arity
        cut = np.flatnonzero((np.diff(netlist.levels) != 0) | (np.diff(arity) != 0)) + 1
        starts = np.concatenate([[0], cut]) if len(arity) else np.zeros(0, dtype=np.int64)
        inputs = netlist.gates[:, 2:]
        value = np.zeros((netlist.nets, _COPIES // 64), dtype=np.uint64)
        value[ONE] = ~np.uint64(0)
        self._states = netlist.flops[:, 1]
        self._value = value
        self.wake(np.random.default_rng(seed).integers(2, size=len(netlist.flops), dtype=np.uint8))
        self._count = len(faults)
        self._arrays = {
            "run_gates": np.diff([*starts, len(arity)]).astype(np.int64),
            "run_inputs": arity[starts].astype(np.int64),
            "inputs": inputs[inputs >= 0].astype(np.int32),
            "output": np.ascontiguousarray(netlist.gates[:, 0], dtype=np.int32),
            "table": np.ascontiguousarray(netlist.gates[:, 1], dtype=np.int32),
            "tables": netlist.tables,
            "next": np.ascontiguousarray(netlist.flops[:, 0], dtype=np.int32),
            "state": np.ascontiguousarray(netlist.flops[:, 1], dtype=np.int32),
            "value": value,
            "taken": np.zeros((len(netlist.flops), _COPIES // 64), dtype=np.uint64),
            **_changes(arity, faults),
        }
        self.handle = _Copies(
            runs=len(starts),
            flops=len(netlist.flops),
            **{name: array.ctypes.data for name, array in self._arrays.items()},
        )
        # With no faults a second sound copy keeps the run going to its end.
        copies = np.arange(_COPIES) <= max(1, len(faults))
        self._alive = np.packbits(copies, bitorder="little").view(np.uint64)
        self._cycle = np.full(_COPIES, -1, dtype=np.int64)
        self._bit = np.full(_COPIES, -1, dtype=np.int64)

    def wake(self, bits: np.ndarray) -> None:
        """Give the flip-flops of all copies the same values."""
        self._value[self._states] = np.where(bits[:, None] == 1, ~np.uint64(0), np.uint64(0))

    @property
    def verdicts(self) -> tuple[int, int, int]:
        """Where the C program says which copies are left, and which differed when and where."""
        return self._alive.ctypes.data, self._cycle.ctypes.data, self._bit.ctypes.data

    def found(self, ports: Sequence[str]) -> list[tuple[int, str] | None]:
        """Return of each fault the cycle and the port that showed it, or None."""
        if self._cycle[0] >= 0:
            raise ToolError(
                f"the netlist is wrong: {ports[self._bit[0]]} in cycle {int(self._cycle[0])} is "
                "not that of the RTL"
            )
        return [
            None if self._cycle[at] < 0 else (int(self._cycle[at]), ports[self._bit[at]])
            for at in range(1, self._count + 1)
        ]

    @property
    def left(self) -> int:
        """Faults that have not shown yet."""
        return int((self._cycle[1 : self._count + 1] < 0).sum())


def _changes(arity: np.ndarray, faults: Sequence[Fault]) -> dict[str, np.ndarray]:
    """Return faults as the C program takes them: by gate, as lists that are linked."""
    first = np.full(len(arity), -1, dtype=np.int32)
    changes = [
        (copy, gate, table) for copy, fault in enumerate(faults, 1) for gate, table in fault.items()
    ]
    following = np.full(len(changes), -1, dtype=np.int32)
    for at, (_, gate, table) in enumerate(changes):
        if len(table) != 1 << arity[gate]:
            raise ValueError(f"the table of gate {gate} must have {1 << arity[gate]} entries, "
                             f"not {len(table)!r}")  # fmt: skip
        following[at], first[gate] = first[gate], at
    tables = [np.zeros(0, dtype=np.uint8), *(table for _, _, table in changes)]
    return {
        "first": first,
        "following": following,
        "copy": np.array([copy for copy, _, _ in changes], dtype=np.int32),
        "faulty": np.cumsum([0, *(len(table) for table in tables[1:-1])]).astype(np.int32),
        "faulty_tables": np.concatenate(tables).astype(np.uint8),
    }


def _columns(netlist: FlatNetlist, bits: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the nets of ports, and their bits side by side."""
    for name in bits:
        if name not in netlist.ports:
            raise ValueError(f"port must be one of {', '.join(netlist.ports)}, not {name!r}")
    nets = np.concatenate([netlist.ports[name] for name in bits]).astype(np.int32)
    values = np.ascontiguousarray(np.concatenate(list(bits.values()), axis=1), dtype=np.uint8)
    if values.shape[1] != len(nets):
        raise ValueError(f"ports must have {len(nets)} bits per cycle, not {values.shape[1]!r}")
    return nets, values


@cache
def fault_library() -> ctypes.CDLL:
    """Return the compiled C program."""
    library = compiled("faults")
    library.run_faults.restype = ctypes.c_int64
    library.run_faults.argtypes = [
        ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_void_p,
    ]  # fmt: skip
    library.run_episode.restype = ctypes.c_int64
    library.run_episode.argtypes = [
        ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_void_p,
    ]  # fmt: skip
    return library
