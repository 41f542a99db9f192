"""Episodes: beats are streamed through faulty copies of a netlist, as fast as the copies run.

A sound copy among them moves the streams and says what is right, so that nothing has to be known
before but the operands: millions of clock cycles cost minutes (``faults.c``).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bitweight.synth.errors import ToolError
from bitweight.synth.faults import Copies, Fault, fault_library
from bitweight.synth.netlist import FlatNetlist

__all__ = ["Episode", "Soak"]

_PORTS = ("a__ready", "b__ready", "c__valid", "c__payload")
_PACE = 1 << 16


@dataclass(frozen=True)
class Episode:
    """A reset and what is streamed after it.

    Parameters
    ----------
    a, b
        Beats of the operands, uint8 [beats, payload], bit 0 first.
    results
        Beats that come out; the episode ends with the last one.
    paces
        How often each stream would move, of a, b and c: 0 to 1.
    cycles
        Clock cycles after which it ends at the latest.
    resets
        Clock cycles of the reset.
    seed
        Of the stalls.
    awake
        Bits that all registers have before the reset, as after power-up; they keep what they have
        where none are given.
    interrupted
        Whether it is to end before all results are there.
    """

    a: np.ndarray
    b: np.ndarray
    results: int
    paces: tuple[float, float, float] = (1.0, 1.0, 1.0)
    cycles: int = 1 << 40
    resets: int = 2
    seed: int = 1
    awake: np.ndarray | None = None
    interrupted: bool = False


class _Stream(ctypes.Structure):
    _fields_ = (
        ("width", ctypes.c_int64),
        ("beats", ctypes.c_int64),
        ("moved", ctypes.c_int64),
        ("payload", ctypes.c_void_p),
        ("valid", ctypes.c_int32),
        ("ready", ctypes.c_int32),
        ("bits", ctypes.c_void_p),
        ("pace", ctypes.c_uint32),
    )


class Soak:
    """Faulty copies of a netlist that go through one episode after the other.

    Parameters
    ----------
    netlist
        The sound one, with streams a, b and c and the reset rst as ports.
    faults
        One for each copy, no more than `Copies.most`.
    seed
        Of the values that flip-flops have at first.
    """

    def __init__(self, netlist: FlatNetlist, faults: Sequence[Fault], seed: int = 0) -> None:
        if len(faults) > Copies.most:
            raise ValueError(f"faults must be {Copies.most} at most, not {len(faults)!r}")
        self.netlist = netlist
        self.copies = Copies(netlist, faults, seed)
        self.cycles = 0

    def run(self, episode: Episode) -> np.ndarray:
        """Run an episode; return the beats that came out of the sound copy.

        Returns
        -------
        numpy.ndarray
            uint8 [beats, payload]; fewer than `results` where `cycles` were over, or all faults
            have shown.
        """
        width = len(self.netlist.ports["c__payload"])
        out = np.zeros((episode.results, width), dtype=np.uint8)
        kept: list[np.ndarray] = []
        streams = [
            self._stream(name, bits, pace, kept)
            for name, bits, pace in zip(
                "abc", (episode.a, episode.b, out), episode.paces, strict=True
            )
        ]
        # Before a first reset outputs say nothing.
        blind = int(episode.awake is not None or not self.cycles)
        if episode.awake is not None:
            self.copies.wake(episode.awake)
        self.cycles += fault_library().run_episode(
            ctypes.byref(self.copies.handle),
            int(self.netlist.ports["rst"][0]),
            episode.resets,
            blind,
            episode.cycles,
            (_Stream * 2)(*streams[:2]),
            ctypes.byref(streams[2]),
            episode.seed or 1,
            *self.copies.verdicts,
        )
        return out[: streams[2].moved]

    def found(self) -> list[tuple[int, str] | None]:
        """Return of each fault the cycle of its episode and the port that showed it, or None."""
        return self.copies.found(_PORTS)

    def _stream(self, name: str, bits: np.ndarray, pace: float, kept: list[np.ndarray]) -> _Stream:
        payload, valid, ready = (
            self.netlist.ports[f"{name}__{part}"].astype(np.int32)
            for part in ("payload", "valid", "ready")
        )
        if bits.shape[1:] != payload.shape:
            raise ToolError(f"{name}__payload must have {bits.shape[1]} bits, not {len(payload)!r}")
        data = bits if name == "c" else np.ascontiguousarray(bits, dtype=np.uint8)
        kept += [payload, data]
        return _Stream(
            len(payload), len(data), 0, payload.ctypes.data, int(valid[0]), int(ready[0]),
            data.ctypes.data, round(pace * _PACE),
        )  # fmt: skip
