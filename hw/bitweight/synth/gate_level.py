"""Gate-level simulation: what a mapped netlist computes, and how often each net changes.

A small C program that the system's compiler makes once (``gate_level.c``) runs the netlist, clock
cycle by clock cycle. Where gates have delays, each follows its inputs after its own delay, and all
changes on the way to the settled values count, glitches included; a pulse shorter than a gate's
delay does not pass it. Without delays the gates are evaluated once per cycle in the order of their
levels. There is nothing to build: a 16 × 16 array (230 000 cells) does some hundred cycles in a
second.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.resources
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bitweight.design import Design
from bitweight.synth.errors import ToolError
from bitweight.synth.liberty import cache_folder
from bitweight.synth.netlist import ONE, FlatNetlist
from bitweight.tpe.stream import Beats

__all__ = ["Run", "beat_bits", "beat_values", "run_gemm", "run_trace"]

_COMPILERS = ("cc", "gcc", "clang", "g++")
_RESETS = 3
_TICKS = 4096
"""As in ``gate_level.c``: a tick is the longest delay over one less."""
_SLACK = 1000
"""Clock cycles beyond the design's own count after which a netlist counts as hung."""


@dataclass(frozen=True)
class Run:
    """What a gate-level simulation saw.

    Attributes
    ----------
    cycles
        Clock cycles that were counted.
    toggles
        Changes of each net in them, int64 [nets].
    settled
        The same of the values at the ends of cycles alone; the rest of the toggles are glitches.
    clocked
        Cycles at whose ends each cell had a clock edge, int64 [cells]: all but for flip-flops whose
        clock is gated.
    """

    cycles: int
    toggles: np.ndarray
    settled: np.ndarray
    clocked: np.ndarray


class _Netlist(ctypes.Structure):
    _fields_ = (
        ("nets", ctypes.c_int64),
        ("runs", ctypes.c_int64),
        ("flops", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in (
            "run_gates", "run_inputs", "inputs", "output", "table", "tables", "next", "state",
            "value", "before", "taken", "toggles", "settled",
        )),
        ("gates", ctypes.c_int64),
        ("enable", ctypes.c_void_p),
        ("enabled", ctypes.c_void_p),
        ("timed", ctypes.c_int64),
        ("pending", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in (
            "timed_gates", "sink_at", "sinks", "first",
        )),
    )  # fmt: skip


class _Stream(ctypes.Structure):
    _fields_ = (
        ("width", ctypes.c_int64),
        ("beats", ctypes.c_int64),
        ("payload", ctypes.c_void_p),
        ("valid", ctypes.c_int32),
        ("ready", ctypes.c_int32),
        ("bits", ctypes.c_void_p),
    )


_TIMED_GATE = np.dtype(
    [("table", "u4"), ("index", "u2"), ("value", "u2"), ("output", "i4"), ("delay", "u2", 2),
     ("due", "i4"), ("ahead", "i4"), ("behind", "i4")]
)  # fmt: skip
_SINK = np.dtype([("gate", "i4"), ("inputs", "u4")])


class _Simulation:
    """A netlist as the C program takes it, with its state."""

    def __init__(self, netlist: FlatNetlist, seed: int) -> None:
        arity = netlist.arity
        cut = np.flatnonzero((np.diff(netlist.levels) != 0) | (np.diff(arity) != 0)) + 1
        starts = np.concatenate([[0], cut]) if len(arity) else np.zeros(0, dtype=np.int64)
        inputs = netlist.gates[:, 2:]
        value = np.zeros(netlist.nets, dtype=np.uint8)
        value[ONE] = 1
        # Flip-flops wake up with any value: a netlist that needs a particular one is wrong.
        value[netlist.flops[:, 1]] = np.random.default_rng(seed).integers(
            2, size=len(netlist.flops), dtype=np.uint8
        )
        self.settled = np.zeros(netlist.nets, dtype=np.uint32)
        self.timed = bool(netlist.delays.any())
        self.toggles = np.zeros(netlist.nets, dtype=np.uint32) if self.timed else self.settled
        enable, self._enable = np.unique(netlist.enables, return_inverse=True)
        self._enabled = np.zeros(len(enable), dtype=np.uint32)
        tick = netlist.delays.max(initial=0.0) / (_TICKS - 1) or 1.0
        timed = np.zeros(len(arity), dtype=_TIMED_GATE)
        timed["table"], timed["output"] = netlist.gates[:, 1], netlist.gates[:, 0]
        timed["delay"] = np.rint(netlist.delays / tick)[:, ::-1]
        for name in ("due", "ahead", "behind"):
            timed[name] = -1
        sinks, sink_at = _sinks(inputs, netlist.nets)
        self.arrays = {
            "run_gates": np.diff([*starts, len(arity)]).astype(np.int64),
            "run_inputs": arity[starts].astype(np.int64),
            "inputs": inputs[inputs >= 0].astype(np.int32),
            "output": np.ascontiguousarray(netlist.gates[:, 0], dtype=np.int32),
            "table": np.ascontiguousarray(netlist.gates[:, 1], dtype=np.int32),
            "tables": netlist.tables,
            "next": np.ascontiguousarray(netlist.flops[:, 0], dtype=np.int32),
            "state": np.ascontiguousarray(netlist.flops[:, 1], dtype=np.int32),
            "value": value,
            "before": np.zeros(netlist.nets, dtype=np.uint8),
            "taken": np.zeros(len(netlist.flops), dtype=np.uint8),
            "toggles": self.toggles,
            "settled": self.settled,
            "enable": enable.astype(np.int32),
            "enabled": self._enabled,
            "timed_gates": timed,
            "sink_at": sink_at,
            "sinks": sinks,
            "first": np.full(_TICKS, -1, dtype=np.int32),
        }
        self.handle = _Netlist(
            nets=netlist.nets,
            runs=len(starts),
            flops=len(netlist.flops),
            gates=len(enable),
            timed=self.timed,
            pending=0,
            **{name: array.ctypes.data for name, array in self.arrays.items()},
        )

    def run(self, cycles: int) -> Run:
        """Return what was counted."""
        clocked = self._enabled.astype(np.int64)[self._enable]
        return Run(cycles, self.toggles.astype(np.int64), self.settled.astype(np.int64), clocked)


def _sinks(inputs: np.ndarray, nets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where each net goes to, net by net, and where those of each net begin.

    A gate that has a net at several inputs is there once, as all of them change at once.
    """
    gate, which = np.nonzero(inputs >= 0)
    net = inputs[gate, which]
    order = np.lexsort((gate, net))
    gate, which, net = gate[order], which[order], net[order]
    starts = np.flatnonzero(np.diff(gate, prepend=-1) | np.diff(net, prepend=-1))
    sinks = np.zeros(len(starts), dtype=_SINK)
    sinks["gate"] = gate[starts]
    if len(starts):
        sinks["inputs"] = np.bitwise_or.reduceat(1 << which, starts)
    return sinks, np.searchsorted(net[starts], np.arange(nets + 1)).astype(np.int32)


def run_gemm(
    netlist: FlatNetlist, design: Design, A: np.ndarray, B: np.ndarray, *, seed: int = 0
) -> Run:
    """Multiply two matrices on a mapped netlist, and count toggles while it does.

    Operands are offered and results taken in every cycle. The results must equal
    ``design.reference(A, B)`` bit for bit, the ``last`` flags those of the design, and the cycles
    ``design.cycles(A, B)``.

    Parameters
    ----------
    netlist
        Of the whole design, with its streams as ports.
    design
        What it is said to be.
    A, B
        Integer matrices [M, K] and [K, N] within the operand ranges.
    seed
        Of the values that flip-flops have before the reset.

    Returns
    -------
    Run
        Counted from the cycle in which the first operand is taken to that in which the last result
        is, both included.

    Raises
    ------
    ToolError
        The netlist is wrong: a result, a flag or the number of cycles differs, or it hangs. Or
        there is no C compiler.
    """
    library = _library()
    expected = design.reference(A, B)
    cycles = design.cycles(A, B)
    beats = design.pack(A, B)
    shapes = design.streams
    M, N = expected.shape
    simulation = _Simulation(netlist, seed)
    kept: list[np.ndarray] = []
    sources = [
        _stream(netlist, name, beat_bits(sent, shapes[name].bits), kept)
        for name, sent in (("a", beats.a), ("b", beats.b))
    ]
    width = shapes["c"].lanes * shapes["c"].bits + 1
    out = np.zeros((design.output_beats(M, N), width), dtype=np.uint8)
    sink = _stream(netlist, "c", out, kept)
    spent = library.run_streams(
        ctypes.byref(simulation.handle),
        int(netlist.ports["rst"][0]),
        _RESETS,
        (_Stream * 2)(*sources),
        ctypes.byref(sink),
        2 * cycles + _SLACK,
    )
    if spent < 0:
        raise ToolError(f"the netlist of {design.name} is wrong: it hangs")
    found = design.unpack(beat_values(out[:, :-1], shapes["c"].lanes), M, N)
    wrong = np.argwhere(found != expected)
    if len(wrong):
        m, n = (int(at) for at in wrong[0])
        raise ToolError(
            f"the netlist of {design.name} is wrong: C[{m},{n}] must be {expected[m, n]}, "
            f"not {int(found[m, n])!r} ({len(wrong)} of {expected.size} elements differ)"
        )
    if (out[:, -1] != design.output_last(M, N)).any():
        raise ToolError(f"the netlist of {design.name} is wrong: last is not where it must be")
    if spent != cycles:
        raise ToolError(
            f"the netlist of {design.name} is wrong: it must take {cycles} cycles, not {spent!r}"
        )
    return simulation.run(spent)


def run_trace(
    netlist: FlatNetlist,
    inputs: Mapping[str, np.ndarray],
    outputs: tuple[str, ...] = (),
    *,
    seed: int = 0,
) -> tuple[Run, dict[str, np.ndarray]]:
    """Drive a netlist's inputs cycle by cycle.

    Parameters
    ----------
    netlist
        Any netlist; inputs that are not driven stay 0.
    inputs
        By port, its bits in every cycle: uint8 [cycles, width], bit 0 first.
    outputs
        Ports to be watched.
    seed
        Of the values that flip-flops have at first.

    Returns
    -------
    Run and dict
        Cycles less the first one, which has nothing to be compared with, and the toggles in them;
        and the settled bits of each output in every cycle, uint8 [cycles, width].
    """
    library = _library()
    for name in (*inputs, *outputs):
        if name not in netlist.ports:
            raise ValueError(f"port must be one of {', '.join(netlist.ports)}, not {name!r}")
    simulation = _Simulation(netlist, seed)
    drive = np.concatenate([netlist.ports[name] for name in inputs]).astype(np.int32)
    values = np.ascontiguousarray(np.concatenate(list(inputs.values()), axis=1), dtype=np.uint8)
    widths = [len(netlist.ports[name]) for name in outputs]
    watch = np.concatenate([np.zeros(0), *(netlist.ports[name] for name in outputs)]).astype(
        np.int32
    )
    if values.shape[1] != len(drive):
        raise ValueError(f"inputs must have {len(drive)} bits per cycle, not {values.shape[1]!r}")
    seen = np.zeros((len(values), len(watch)), dtype=np.uint8)
    library.run_trace(
        ctypes.byref(simulation.handle),
        len(values), len(drive), drive.ctypes.data, values.ctypes.data,
        len(watch), watch.ctypes.data, seen.ctypes.data,
    )  # fmt: skip
    cuts = np.cumsum([0, *widths])
    watched = {
        name: seen[:, start:end]
        for name, start, end in zip(outputs, cuts[:-1], cuts[1:], strict=True)
    }
    return simulation.run(len(values) - 1), watched


def beat_bits(beats: Beats, width: int) -> np.ndarray:
    """Return beats as bits [beats, payload]: element 0 lowest, `last` on top."""
    data = np.asarray(beats.data, dtype=np.int64)
    bits = (data[:, :, None] >> np.arange(width)) & 1
    last = np.asarray(beats.last, dtype=np.int64)[:, None]
    return np.concatenate([bits.reshape(len(data), -1), last], axis=1).astype(np.uint8)


def beat_values(bits: np.ndarray, lanes: int) -> np.ndarray:
    """Return signed elements [beats, lanes] of up to 64 bits."""
    digits = bits.reshape(len(bits), lanes, -1).astype(np.int64)
    width = digits.shape[2]
    sign = 64 - width
    return ((digits << np.arange(width)).sum(axis=2) << sign) >> sign


def _stream(netlist: FlatNetlist, name: str, bits: np.ndarray, kept: list[np.ndarray]) -> _Stream:
    """Return a stream of the C program; `kept` keeps its arrays alive."""
    payload, valid, ready = (
        netlist.ports[f"{name}__{part}"].astype(np.int32) for part in ("payload", "valid", "ready")
    )
    if len(payload) != bits.shape[1]:
        raise ToolError(f"{name}__payload must have {bits.shape[1]} bits, not {len(payload)!r}")
    data = np.ascontiguousarray(bits)
    kept += [payload, data]
    return _Stream(
        bits.shape[1],
        len(bits),
        payload.ctypes.data,
        int(valid[0]),
        int(ready[0]),
        data.ctypes.data,
    )


def compiled(name: str) -> ctypes.CDLL:
    """Return a C program of this package, compiled the first time it is asked for.

    Raises
    ------
    ToolError
        There is no C compiler.
    """
    source = importlib.resources.files("bitweight.synth") / f"{name}.c"
    text = source.read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = cache_folder() / f"{name.replace('_', '-')}-{platform.machine()}-{digest}.so"
    if not path.is_file():
        _compile(text, path)
    return ctypes.CDLL(str(path))


@cache
def _library() -> ctypes.CDLL:
    """Return the program that runs one netlist."""
    library = compiled("gate_level")
    library.run_streams.restype = ctypes.c_int64
    library.run_streams.argtypes = [
        ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_int64,
    ]  # fmt: skip
    library.run_trace.restype = None
    library.run_trace.argtypes = [
        ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    return library


def _compile(text: str, path: Path) -> None:
    compiler = next((found for name in _COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise ToolError(
            "a C compiler (gcc) is missing: scripts/install-system installs it with apt (g++)"
        )
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        source, made = Path(folder, "gate_level.c"), Path(folder, "gate_level.so")
        source.write_text(text, encoding="utf-8")
        run = subprocess.run(
            [compiler, "-x", "c", "-O2", "-ftree-vectorize", "-shared", "-fPIC",
             "-o", str(made), str(source)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if run.returncode:
            gist = " ".join(run.stderr.split())[:200]
            raise ToolError(f"{Path(compiler).name} could not compile gate_level.c: {gist}")
        os.replace(made, path)  # noqa: PTH105 - other processes see all of it or nothing
