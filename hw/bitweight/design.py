"""A design: one description from which reference, notation, cycles and hardware come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from amaranth.lib import wiring

from bitweight._check import check_choice, check_int, check_matrix
from bitweight.arith import ENCODINGS
from bitweight.block import Block
from bitweight.notation import (
    MAC,
    TRANSFORMATIONS,
    IllegalMove,
    Int,
    Nest,
    Transformation,
    gemm,
    wrap,
)
from bitweight.pe import STYLES
from bitweight.tpe import ARRAYS, Array
from bitweight.tpe.activity import Activity
from bitweight.tpe.array import StreamShape
from bitweight.tpe.stream import Beats

__all__ = ["Design", "Operands"]


@dataclass(frozen=True)
class Operands:
    """The beats of both operand streams of one GEMM."""

    a: Beats
    b: Beats


@dataclass(frozen=True)
class Design:
    """An array with a transformation, an encoding and widths.

    Parameters
    ----------
    array
        The array and its sizes.
    mac
        What is done to the plain MAC.
    a, b
        Operand formats; an ``int`` is taken for a width in bits.
    acc
        Width of the accumulator in bits, from ``a.bits + b.bits`` to 64.
    encoding
        How A is recoded into digits, one of :data:`bitweight.arith.ENCODINGS`.
    style
        How a MAC that propagates carries every cycle is made, one of
        :data:`bitweight.pe.STYLES`. Without effect where it keeps sum and carry.
    name
        Of the top module and in reports; made from array and transformation by default.

    Raises
    ------
    TypeError, ValueError
        For a parameter of the wrong kind or out of range, or a transformation that is not legal
        for the array (:class:`bitweight.notation.IllegalMove`).
    """

    array: Array
    mac: Transformation = MAC
    a: Int = Int(8)  # noqa: RUF009 - it is frozen
    b: Int = Int(8)  # noqa: RUF009
    acc: int = 32
    encoding: str = "mbe"
    style: str = "operator"
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.array, Array):
            raise TypeError(f"array must be one of {', '.join(ARRAYS)}, not {self.array!r}")
        if not isinstance(self.mac, Transformation):
            raise TypeError(f"mac must be one of {', '.join(TRANSFORMATIONS)}, not {self.mac!r}")
        for operand in ("a", "b"):
            value = getattr(self, operand)
            if not isinstance(value, Int):
                object.__setattr__(
                    self, operand, Int(check_int(f"width of {operand}", value, 2, 16))
                )
        object.__setattr__(self, "acc", check_int("acc", self.acc, self.a.bits + self.b.bits, 64))
        check_choice("encoding", self.encoding, ENCODINGS)
        check_choice("style", self.style, STYLES)
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a string, not {self.name!r}")
        if not self.name:
            object.__setattr__(self, "name", f"{self.array.name}-{self.mac.name}")
        if not all(part.isalnum() and part.isascii() for part in self.name.split("-")):
            raise ValueError(
                f"name must be letters and digits, in parts joined by '-', not {self.name!r}"
            )
        self.nest  # noqa: B018 - an illegal transformation is refused here

    # --- the description as data ---------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the parameters as JSON has them; :meth:`from_dict` is the way back."""
        return {
            "name": self.name,
            "array": self.array.name,
            **self.array.sizes,
            "mac": self.mac.name,
            "a": self.a.bits,
            "b": self.b.bits,
            "acc": self.acc,
            "encoding": self.encoding,
            "style": self.style,
        }

    @classmethod
    def from_dict(cls, parameters: Mapping[str, Any]) -> Design:
        """Return the design with these parameters; those left out have their defaults."""
        rest = dict(parameters)
        kind = ARRAYS[check_choice("array", rest.pop("array", None), ARRAYS)]
        sizes = {name: rest.pop(name) for name in kind.size_names() if name in rest}
        if "mac" in rest:
            rest["mac"] = TRANSFORMATIONS[check_choice("mac", rest["mac"], TRANSFORMATIONS)]
        allowed = ("name", "mac", "a", "b", "acc", "encoding", "style")
        for name in rest:
            check_choice("parameter", name, ("array", *kind.size_names(), *allowed))
        return cls(array=kind(**sizes), **rest)

    def with_(self, **changes: Any) -> Design:
        """Return the design with some parameters of :meth:`to_dict` changed."""
        return Design.from_dict(self.to_dict() | changes)

    @property
    def top(self) -> str:
        """The name of the top module."""
        return self.name.replace("-", "_")

    # --- the description as a nest, software and hardware --------------------------------------

    @cached_property
    def nest(self) -> Nest:
        """The loop notation: the plain GEMM, placed on the array and transformed."""
        plain = gemm(self.a, self.b, self.acc, ENCODINGS[self.encoding])
        nest = self.mac(self.array.place(plain))
        try:
            if nest.sparse and not self.array.skips:
                raise IllegalMove(
                    f"sparse leaves out other digits in every row of A, but all rows keep the same "
                    f"pace in {self.array.name}"
                )
            return self.array.drain(nest)
        except IllegalMove as error:
            raise IllegalMove(f"{self.mac.name}: {error}") from None

    @property
    def max_k(self) -> int:
        """The longest reduction for which no operands can make the accumulator wrap."""
        return ((1 << (self.acc - 1)) - 1) // (self.a.min * self.b.min)

    @property
    def streams(self) -> Mapping[str, StreamShape]:
        """The streams of the component, by port."""
        return self.array.streams(self.nest)

    @property
    def lanes(self) -> int:
        """Products that the whole array works on at a time: its loops over m, n, k in space."""
        return prod(
            loop.extent or 1 for loop in self.nest.loops if loop.spatial and loop.dim != "bw"
        )

    @property
    def macs_per_cycle(self) -> float:
        """Products that the whole array adds in a cycle; at least, where zeros are left out.

        A product whose bit-weights follow each other takes a cycle for each of them.
        """
        steps = self.array.steps(self.nest)
        whole, rest = divmod(self.lanes, steps)
        return self.lanes / steps if rest else whole

    @property
    def register_bits(self) -> int:
        """Register bits of all processing elements: operands, accumulators, control."""
        return self.array.register_bits(self.nest, self.style)

    def create(self) -> wiring.Component:
        """Return the Amaranth component."""
        return self.array.component(self.nest, self.style)

    def create_pe(self) -> Block:
        """Return one processing element of the component."""
        return self.array.pe(self.nest, self.style)

    def reference(self, A: np.ndarray, B: np.ndarray, *, wrap: bool = False) -> np.ndarray:
        """Return what the hardware computes for ``A @ B``.

        Parameters
        ----------
        A, B
            Integer matrices [M, K] and [K, N] within the operand ranges.
        wrap
            Allow K beyond :attr:`max_k`; sums are modulo ``2**acc``.

        Returns
        -------
        numpy.ndarray
            int32 [M, N] for accumulators of up to 32 bits, else int64.
        """
        A, B = self._operands(A, B, wrap)
        return self._result(A @ B)

    def pack(self, A: np.ndarray, B: np.ndarray, *, wrap: bool = False) -> Operands:
        """Return the beats to send for ``A @ B``; see :meth:`reference` for the parameters."""
        beats = self.array.pack(*self._operands(A, B, wrap))
        return Operands(*(operand.repeated(self._repeats) for operand in beats))

    @property
    def _repeats(self) -> int:
        """How often beats are sent: for every bit-weight, unless buffers keep the operands."""
        return 1 if self.array.skips else self.nest.passes

    @property
    def packing(self) -> Mapping[str, str]:
        """For the manifest: by stream, what a beat holds and in which order beats come."""
        passes = self._repeats
        again = f"; all beats of a tile {passes} times over, last: the last k of each time"
        return {
            name: text + (again if passes > 1 and self.streams[name].direction == "in" else "")
            for name, text in self.array.packing.items()
        }

    def unpack(self, beats: np.ndarray, M: int, N: int) -> np.ndarray:
        """Return the matrix [M, N] from the result beats [beats, lanes] in arrival order."""
        expected = self.output_beats(M, N)
        if beats.shape != (expected, self.streams["c"].lanes):
            shape = (expected, self.streams["c"].lanes)
            raise ValueError(f"result beats of {M} × {N} must be {shape}, not {beats.shape!r}")
        return self._result(self.array.unpack(beats, M, N))

    def output_last(self, M: int, N: int) -> np.ndarray:
        """Return the ``last`` flag of every result beat of an M × N result."""
        return self.array.output_last(check_int("M", M, 1), check_int("N", N, 1))

    def output_beats(self, M: int, N: int) -> int:
        """Return the number of result beats of an M × N result."""
        return len(self.output_last(M, N))

    def cycles(self, A: np.ndarray, B: np.ndarray, *, wrap: bool = False) -> int:
        """Return the clock cycles of ``A @ B`` when no stream is ever stalled.

        Counted from the cycle in which the first operand beat is taken to that in which the
        last result beat is taken, both included.
        """
        return self.array.cycles(self.nest, *self._operands(A, B, wrap))

    def activity(self, A: np.ndarray, B: np.ndarray, *, wrap: bool = False) -> Activity:
        """Return on what each unit of the array spends the :meth:`cycles` of ``A @ B``."""
        return self.array.activity(self.nest, *self._operands(A, B, wrap))

    def _operands(
        self, A: np.ndarray, B: np.ndarray, allow_wrap: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        A = check_matrix("A", A, self.a.min, self.a.max)
        B = check_matrix("B", B, self.b.min, self.b.max)
        if A.shape[1] != B.shape[0]:
            raise ValueError(f"B must have {A.shape[1]} rows, as A has columns, not {B.shape[0]!r}")
        if A.shape[1] > self.max_k and not allow_wrap:
            raise ValueError(
                f"K must be at most {self.max_k} for {self.acc} accumulator bits "
                f"(unless wrapping is asked for), not {A.shape[1]!r}"
            )
        return A, B

    def _result(self, C: np.ndarray) -> np.ndarray:
        return wrap(C, self.acc).astype(np.int32 if self.acc <= 32 else np.int64)

    def renamed(self, name: str) -> Design:
        """Return the same design under another name."""
        return replace(self, name=name)
