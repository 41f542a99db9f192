"""What a nest is made of: loops, and primitives placed in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bitweight._check import check_choice, check_int

__all__ = [
    "DEPENDS",
    "DIMS",
    "PRODUCERS",
    "REDUCED",
    "IllegalMove",
    "Loop",
    "Primitive",
    "Recoding",
]

DIMS = ("m", "n", "k", "bw")
REDUCED = ("k", "bw")

DEPENDS: dict[str, tuple[str, ...]] = {
    "encode": ("m", "k"),
    "sparse": ("m", "k"),
    "map": ("m", "n", "k", "bw"),
    "shift": ("bw",),
    "half_reduce": (),
    "accumulate": (),
    "add": (),
    "sync": (),
}
"""The loops that a primitive reads an index of: it must run inside all of them. A reduction
depends on the loops that it reduces over (`Primitive.over`); ``add`` is linear and depends on
none."""

PRODUCERS = ("encode", "sparse", "map")
"""Primitives that run on the way into the nest."""


class IllegalMove(ValueError):
    """A nest that does not compute GEMM, or a move that would lead to one."""


class Recoding(Protocol):
    """What the notation needs of an encoding of A (see :mod:`bitweight.arith.encoding`)."""

    @property
    def name(self) -> str:
        """The name in the catalog of encodings."""

    @property
    def radix(self) -> int:
        """The ratio of the weights of neighbouring digits."""

    @property
    def digit_min(self) -> int:
        """The smallest digit."""

    @property
    def digit_max(self) -> int:
        """The largest digit."""

    def digits(self, bits: int) -> int:
        """Return the number of digits of an operand of `bits` bits."""

    def recode(self, values: np.ndarray, bits: int) -> np.ndarray:
        """Return the digits, least significant first, on a new last axis."""


@dataclass(frozen=True)
class Loop:
    """One loop of a nest.

    Parameters
    ----------
    name
        Unique in its nest, such as ``kt``.
    dim
        The dimension that it runs over, or a part of: ``m``, ``n``, ``k`` or ``bw``.
    extent
        Number of iterations. ``None`` for the rest of the dimension, known when the matrices are.
    spatial
        True for many instances in one cycle, False for one instance in many cycles.
    hop
        Of a spatial loop: values pass from instance to instance through registers. Along m and n
        they are operands, which are broadcast to all otherwise; along a reduction the running
        total, which is handed on instead of being summed in a tree.
    """

    name: str
    dim: str
    extent: int | None = None
    spatial: bool = False
    hop: bool = False

    def __post_init__(self) -> None:
        check_choice("loop dimension", self.dim, DIMS)
        if self.extent is not None:
            check_int(f"extent of loop {self.name}", self.extent, 1)
        if self.spatial and self.extent is None:
            raise ValueError(f"extent of spatial loop {self.name} must be an integer, not None")

    @property
    def reduces(self) -> bool:
        """True when its iterations add up to one result."""
        return self.dim in REDUCED

    @property
    def sequential(self) -> bool:
        """True when its iterations follow each other, as a running total needs them to.

        That is so in time, and in space where the total hops along.
        """
        return not self.spatial or (self.hop and self.reduces)


@dataclass(frozen=True)
class Primitive:
    """One step of a MAC, placed in a nest.

    Parameters
    ----------
    op
        One of the keys of :data:`DEPENDS`.
    level
        Name of the innermost loop that it runs in; ``None`` outside of all loops.
    over
        The loops that a ``half_reduce`` (spatial) or ``accumulate`` (sequential) reduces.
    shared
        Spatial loops around it whose iterations take turns on one instance.
    without
        Loops around it that it is not repeated for: its result does not depend on them and is
        made once, ahead of them.
    """

    op: str
    level: str | None
    over: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choice("primitive", self.op, DEPENDS)
