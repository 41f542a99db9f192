"""The bit-weight notation: GEMM as loops over m, n, k and bw with primitives between them.

A :class:`Nest` is an ordered list of loops and a list of primitives in the order in which a value
passes them, each placed at a level: the innermost loop that it runs in. Primitives up to ``map``
run on the way into the nest, the others on the way out. A nest is checked when it is made, so
one that exists is legal, and a transformation (:mod:`bitweight.notation.moves`) is a function
from nest to nest. Source: HPCA 2025 (arXiv 2503.06342), sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Protocol

import numpy as np

from bitweight._check import check_choice, check_int
from bitweight.notation.counts import Counts, count
from bitweight.notation.execute import execute
from bitweight.notation.integer import Int
from bitweight.notation.pretty import pretty

__all__ = ["DEPENDS", "DIMS", "IllegalMove", "Loop", "Nest", "Primitive", "Recoding"]

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


@dataclass(frozen=True)
class Nest:
    """A legal loop nest that computes ``C[m, n] = Σ A[m, k] · B[k, n]``.

    Parameters
    ----------
    loops
        Outermost first.
    primitives
        In the order in which a value passes them.
    a, b
        Formats of the operands.
    acc
        Width of the accumulator in bits; sums wrap modulo ``2**acc``.
    encoding
        Of the operand A into digits.

    Raises
    ------
    IllegalMove
        If the nest does not compute GEMM.
    """

    loops: tuple[Loop, ...]
    primitives: tuple[Primitive, ...]
    a: Int
    b: Int
    acc: int
    encoding: Recoding

    def __post_init__(self) -> None:
        names = [loop.name for loop in self.loops]
        if len(set(names)) != len(names):
            raise IllegalMove(f"loop names must differ, not {names!r}")
        for dim in DIMS:
            if not any(loop.dim == dim for loop in self.loops):
                raise IllegalMove(f"a nest needs a loop over {dim}, not only {names!r}")
        for primitive in self.primitives:
            self._check_dependences(primitive)
        self._check_reductions()
        self._check_order()
        self.forms()

    # --- looking things up ---------------------------------------------------------------------

    def loop(self, name: str) -> Loop:
        """Return the loop called `name`."""
        for loop in self.loops:
            if loop.name == name:
                return loop
        raise ValueError(
            f"loop must be one of {', '.join(lp.name for lp in self.loops)}, not {name!r}"
        )

    def depth(self, level: str | None) -> int:
        """Return how many loops surround a primitive at `level`."""
        return 0 if level is None else self.loops.index(self.loop(level)) + 1

    def around(self, primitive: Primitive) -> tuple[Loop, ...]:
        """Return the loops that a primitive is repeated for, outermost first."""
        outer = self.loops[: self.depth(primitive.level)]
        return tuple(loop for loop in outer if loop.name not in primitive.without)

    def find(self, op: str) -> list[Primitive]:
        """Return the primitives of a kind, in the order in which a value passes them."""
        return [primitive for primitive in self.primitives if primitive.op == op]

    def the(self, op: str) -> Primitive:
        """Return the only primitive of a kind."""
        found = self.find(op)
        if len(found) != 1:
            raise IllegalMove(f"the nest must have one {op}, not {len(found)!r}")
        return found[0]

    def inside(self, op: str, dim: str, *, spatial: bool | None = None) -> bool:
        """Tell whether the only primitive of a kind runs inside a loop over `dim`."""
        return any(
            loop.dim == dim and spatial in (None, loop.spatial)
            for loop in self.around(self.the(op))
        )

    def replaced(self, old: Primitive, new: Primitive) -> Nest:
        """Return the nest with `new` in the place of `old`."""
        return replace(self, primitives=tuple(new if p is old else p for p in self.primitives))

    # --- what makes a nest legal ---------------------------------------------------------------

    def _check_dependences(self, primitive: Primitive) -> None:
        around = {loop.name for loop in self.around(primitive)}
        for loop in self.loops:
            if loop.dim in DEPENDS[primitive.op] and loop.name not in around:
                raise IllegalMove(
                    f"{primitive.op} depends on {loop.dim}: it must run inside loop {loop.name}, "
                    f"not {_place(primitive.level)!r}"
                )
        if primitive.without and primitive.op not in ("encode", "sparse"):
            raise IllegalMove(f"only encode and sparse are made ahead, not {primitive.op!r}")
        for name in primitive.shared:
            loop = self.loop(name)
            if not loop.spatial or name not in around:
                raise IllegalMove(
                    f"{primitive.op} can be shared over a spatial loop around it, not {name!r}"
                )
            within = [lp.name for lp in self.around(primitive) if lp.reduces and lp.sequential]
            if within:
                raise IllegalMove(
                    f"{primitive.op} runs in every iteration of {_kind(self.loop(within[0]))} "
                    f"loop {within[0]}: "
                    f"instances busy all the time cannot be shared over {name!r}"
                )

    def _check_order(self) -> None:
        ops = [primitive.op for primitive in self.primitives]
        if ops.count("map") != 1 or ops.count("encode") != 1:
            raise IllegalMove(f"a nest has one encode and one map, not {ops!r}")
        depths = [self.depth(primitive.level) for primitive in self.primitives]
        turn = ops.index("map")
        if any(op not in PRODUCERS for op in ops[:turn]) or depths[:turn] != sorted(depths[:turn]):
            raise IllegalMove(f"before map come encode and sparse, going inwards, not {ops!r}")
        if ops[:turn] != [op for op in ("encode", "sparse") if op in ops[:turn]]:
            raise IllegalMove(f"sparse reads the digits that encode makes, not {ops!r}")
        if any(op in PRODUCERS for op in ops[turn + 1 :]):
            raise IllegalMove(f"encode and sparse come before map, not {ops!r}")
        after = depths[turn:]
        for primitive, outer, inner in zip(
            self.primitives[turn + 1 :], after[1:], after, strict=False
        ):
            if outer > inner:
                raise IllegalMove(
                    f"{primitive.op} reads what an outer level computes: it cannot run in "
                    f"{_place(primitive.level)!r}"
                )

        for i, whole in enumerate(self.primitives):
            for name in whole.over if whole.op == "half_reduce" else ():
                for primitive in self.primitives[turn + 1 : i]:
                    if self.depth(primitive.level) < self.depth(name):
                        raise IllegalMove(
                            f"{primitive.op} reads what loop {name} has yet to be reduced to: it "
                            f"cannot run in {_place(primitive.level)!r}"
                        )
        for i, total in enumerate(self.primitives):
            for name in total.over if total.op == "accumulate" else ():
                for primitive in self.primitives[i + 1 :]:
                    if self.loop(name) in self.around(primitive):
                        raise IllegalMove(
                            f"{primitive.op} reads a total that is complete only after loop "
                            f"{name}: it cannot run in {_place(primitive.level)!r}"
                        )

    def _check_reductions(self) -> None:
        reducer: dict[str, Primitive] = {}
        for primitive in self.primitives:
            for name in primitive.over:
                loop = self.loop(name)
                wanted = "accumulate" if loop.sequential else "half_reduce"
                if not loop.reduces or primitive.op != wanted:
                    raise IllegalMove(
                        f"{_kind(loop)} loop {name} over {loop.dim} is not reduced by "
                        f"{primitive.op!r}"
                    )
                around = self.depth(name) <= self.depth(primitive.level)
                if around != loop.sequential:
                    side = "inside" if loop.sequential else "outside"
                    raise IllegalMove(
                        f"{primitive.op} over {name} must run {side} loop {name}, "
                        f"not {_place(primitive.level)!r}"
                    )
                if name in reducer:
                    raise IllegalMove(f"loop {name} is reduced once, not by both of {reducer!r}")
                reducer[name] = primitive
        for loop in self.loops:
            if loop.reduces and loop.name not in reducer:
                raise IllegalMove(f"no primitive reduces loop {loop.name} over {loop.dim!r}")

    def forms(self) -> dict[int, str]:
        """Return what leaves each primitive from ``map`` on: ``word`` or sum/carry ``pair``.

        The key is the position in `primitives`.
        """
        form, result = "word", {}
        turn = [primitive.op for primitive in self.primitives].index("map")
        for i, primitive in enumerate(self.primitives[turn:], turn):
            if primitive.op == "half_reduce":
                form = "pair"
            elif primitive.op == "add":
                if form == "word":
                    raise IllegalMove("add propagates the carries of a pair, there is only 'word'")
                form = "word"
            result[i] = form
        if form != "word":
            raise IllegalMove("the result must be added up to a word, not left as 'pair'")
        return result

    # --- what hardware reads off the nest ------------------------------------------------------

    @property
    def accumulator(self) -> str:
        """What the last ``accumulate`` keeps: ``word``, or ``pair`` for sum and carry."""
        return self.form(self.find("accumulate")[-1])

    @property
    def carry_save(self) -> bool:
        """Whether sums over k in space stay pairs: no ``add`` runs inside of such a loop."""
        around = [loop for add in self.find("add") for loop in self.around(add)]
        return not any(loop.dim == "k" and loop.spatial for loop in around)

    def form(self, primitive: Primitive) -> str:
        """Return what leaves a primitive, and what an ``accumulate`` keeps."""
        return self.forms()[self.primitives.index(primitive)]

    def reducer(self, name: str) -> Primitive:
        """Return the primitive that reduces the loop called `name`."""
        loop = self.loop(name)
        return next(p for p in self.primitives if loop.name in p.over)

    def width(self, primitive: Primitive) -> int:
        """Return the bits of a signed sum of all products that a reduction has seen.

        At most those of the accumulator; all of them where the number of products is not known.
        """
        products = 1
        for before in self.primitives[: self.primitives.index(primitive) + 1]:
            for loop in map(self.loop, before.over):
                if loop.dim == "k" and loop.extent is None:
                    return self.acc
                products *= loop.extent or 1 if loop.dim == "k" else 1
        return min(self.acc, (products * self.a.min * self.b.min).bit_length() + 1)

    def continues(self, total: Primitive) -> bool:
        """Tell whether a total over ``bw`` is that over k that it takes up, kept on and on.

        Where nothing but ``shift`` runs between them the most significant digits can come first
        (Horner's rule): before the next pass over k, the total itself is shifted by one digit.
        """
        at = self.primitives.index(total)
        before = [primitive.op for primitive in self.primitives[max(at - 2, 0) : at]]
        over = {self.loop(name).dim for name in total.over}
        return total.op == "accumulate" and before == ["accumulate", "shift"] and over == {"bw"}

    @property
    def passes(self) -> int:
        """How often operands pass by: iterations of the temporal loops over ``bw``."""
        digits = (loop for loop in self.loops if loop.dim == "bw" and not loop.spatial)
        return prod(loop.extent or 1 for loop in digits)

    def spatial(self, dim: str) -> Iterator[Loop]:
        """Yield the spatial loops over `dim`, outermost first."""
        return (loop for loop in self.loops if loop.dim == dim and loop.spatial)

    def __str__(self) -> str:
        return pretty(self)

    def execute(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Run the nest on matrices; see :func:`bitweight.notation.execute.execute`."""
        return execute(self, A, B)

    def counts(self, M: int, N: int, K: int) -> Counts:
        """Count hardware and work for one GEMM; see :func:`bitweight.notation.counts.count`."""
        return count(self, M, N, K)


def _place(level: str | None) -> str:
    return "outside all loops" if level is None else f"loop {level}"


def _kind(loop: Loop) -> str:
    if loop.spatial:
        return "hopping" if loop.sequential else "spatial"
    return "temporal"
