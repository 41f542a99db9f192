"""Between NumPy arrays and the bit strings that a simulator takes and gives.

The payload of every stream is a packed struct: `lanes` elements, lane 0 in the least significant
bits, then the flag `last` in the most significant one. A cocotb handle is set and read fastest
as a string of binary digits, so whole matrices become such strings at once, before the simulation
loop starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_CHUNK_BITS = 1 << 22


class UnknownBitsError(ValueError):
    """A payload held digits other than 0 and 1."""


@dataclass(frozen=True)
class StreamShape:
    """What one beat of a stream carries.

    Parameters
    ----------
    lanes : int
        Elements in a beat.
    bits : int
        Width of one element.
    signed : bool
        Whether an element is two's complement.
    """

    lanes: int
    bits: int
    signed: bool = True

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any], name: str) -> StreamShape:
        """Read the shape of stream `name` from an emission's manifest."""
        entry = manifest["streams"][name]
        return cls(int(entry["lanes"]), int(entry["bits"]), bool(entry.get("signed", True)))

    @property
    def width(self) -> int:
        """Bits of the whole payload, `last` included."""
        return self.lanes * self.bits + 1

    def encode(self, data: ArrayLike, last: ArrayLike) -> Iterator[str]:
        """Give the payload of every beat as a string, most significant digit first.

        Parameters
        ----------
        data : int array [T, lanes]
            Elements; only the lowest `bits` of each are used.
        last : bool array [T]
            The flag of each beat.

        Yields
        ------
        str
            `width` binary digits. Work is done in blocks of many beats, when they are asked for.
        """
        values = np.asarray(data, dtype=np.int64)
        flags = np.asarray(last, dtype=bool)
        if values.ndim != 2 or values.shape[1] != self.lanes:
            raise ValueError(f"data must have the shape [T, {self.lanes}], not {values.shape!r}")
        if flags.shape != values.shape[:1]:
            raise ValueError(f"last must have the shape [{len(values)}], not {flags.shape!r}")
        return self._encode(values, flags)

    def _encode(self, values: NDArray[np.int64], flags: NDArray[np.bool_]) -> Iterator[str]:
        width = self.width
        step = max(1, _CHUNK_BITS // width)
        # An arithmetic shift by 63 at most gives the sign for every digit beyond the 64th.
        shifts = np.minimum(np.arange(self.bits), 63)
        for start in range(0, len(values), step):
            block = values[start : start + step]
            digits = np.empty((len(block), width), dtype=np.uint8)
            digits[:, -1] = flags[start : start + step]
            elements = (block[:, :, None] >> shifts) & 1
            digits[:, :-1] = elements.reshape(len(block), -1)
            text = (digits[:, ::-1] + np.uint8(ord("0"))).tobytes().decode("ascii")
            for position in range(0, len(text), width):
                yield text[position : position + width]

    def decode(self, beats: Sequence[str]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Undo `encode`.

        Parameters
        ----------
        beats : sequence of str
            Payloads in order of arrival.

        Returns
        -------
        data : array [T, lanes]
            The elements, as int64 (as Python integers when they are wider than that).
        last : bool array [T]
            The flags.

        Raises
        ------
        UnknownBitsError
            If a payload holds X or Z.
        """
        wide = self.bits > (64 if self.signed else 63)
        dtype: Any = object if wide else np.int64
        data = np.empty((len(beats), self.lanes), dtype=dtype)
        last = np.empty(len(beats), dtype=bool)
        values = [1 << i for i in range(self.bits)]
        if self.signed:
            values[-1] = -values[-1]
        weights = np.array(values, dtype=dtype)
        step = max(1, _CHUNK_BITS // self.width)
        for start in range(0, len(beats), step):
            block = beats[start : start + step]
            codes = np.frombuffer("".join(block).encode("ascii"), dtype=np.uint8)
            digits = codes.reshape(len(block), self.width)[:, ::-1] - np.uint8(ord("0"))
            if (digits > 1).any():
                bad = int(np.argmax((digits > 1).any(axis=1)))
                raise UnknownBitsError(f"beat {start + bad} holds unknown bits: {block[bad]}")
            elements = digits[:, :-1].reshape(len(block), self.lanes, self.bits)
            data[start : start + step] = elements.astype(dtype) @ weights
            last[start : start + step] = digits[:, -1]
        return data, last
