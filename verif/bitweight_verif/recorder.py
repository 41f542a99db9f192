"""Writes down all ports of a design, cycle by cycle, while a bench runs on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bitweight_verif.streams import StreamSink, StreamSource

__all__ = ["DRIVEN", "RECORD", "WATCHED", "Recorder"]

RECORD = "record.npz"

DRIVEN = ("rst", "a__valid", "a__payload", "b__valid", "b__payload", "c__ready")
WATCHED = ("a__ready", "b__ready", "c__valid", "c__payload")


class Recorder:
    """Called with the reset when all ports were sampled, once in every clock cycle."""

    def __init__(self) -> None:
        self._rows: dict[str, list[str]] = {name: [] for name in (*DRIVEN, *WATCHED)}
        self._kinds: list[str] = []
        self._starts: list[int] = []

    def begin(self, kind: str, a: StreamSource, b: StreamSource, c: StreamSink) -> None:
        """Note that a case of the bench begins, and its drivers."""
        self._kinds.append(kind)
        self._starts.append(len(self._rows["rst"]))
        self._a, self._b, self._c = a, b, c
        self._unknown = "x" * c.port.width

    def __call__(self, rst: int) -> None:
        """Write down one cycle; results have a payload only where they are valid."""
        a, b, c = self._a, self._b, self._c
        row = (
            *(str(rst), a.port.valid, a.payload, b.port.valid, b.payload, c.port.ready),
            *(a.port.ready, b.port.ready, c.port.valid, c.port.payload or self._unknown),
        )
        for rows, bits in zip(self._rows.values(), row, strict=True):
            rows.append(bits)

    def save(self, path: Path) -> None:
        """Write bits [cycles, width] of each port, bit 0 first, as characters of Verilog."""
        arrays: dict[str, Any] = {
            "kinds": np.array(self._kinds),
            "starts": np.array(self._starts),
        }
        arrays |= {
            name: np.frombuffer("".join(rows).encode(), dtype=np.uint8)
            .reshape(len(rows), -1)[:, ::-1]
            for name, rows in self._rows.items()
        }  # fmt: skip
        np.savez_compressed(path, **arrays)
