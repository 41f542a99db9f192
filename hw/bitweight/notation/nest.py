"""The bit-weight notation: GEMM as loops over m, n, k and bw with primitives between them.

A :class:`Nest` is an ordered list of loops and a list of primitives in the order in which a value
passes them, each placed at a level: the innermost loop that it runs in. Primitives up to ``map``
run on the way into the nest, the others on the way out. A nest is checked when it is made
(:mod:`bitweight.notation.legality`), so one that exists is legal, and a transformation
(:mod:`bitweight.notation.moves`) is a function from nest to nest. Source: HPCA 2025
(arXiv 2503.06342), sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from bitweight.notation.counts import Counts, count
from bitweight.notation.execute import execute
from bitweight.notation.integer import Int
from bitweight.notation.legality import check, forms
from bitweight.notation.pretty import pretty
from bitweight.notation.primitives import DEPENDS, IllegalMove, Loop, Primitive, Recoding

__all__ = ["Nest"]


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
        check(self)

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

    # --- what hardware reads off the nest ------------------------------------------------------

    def forms(self) -> dict[int, str]:
        """Return what leaves each primitive; see :func:`bitweight.notation.legality.forms`."""
        return forms(self)

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

        Where the bit-weights follow each other in time, a sum that has not been shifted is one of
        products of digits: of ``P`` of them, it lies in ``P · [min d·b, max d·b]`` over all digits
        d and operands b. Where they are side by side in space their sums are parts of one heap,
        and the width is that of the whole; a total that another one continues
        (:meth:`continues`) is as wide as that.

        A pair is a sum modulo that width: only the word that ``add`` makes of it can be extended.

        At most the width of the accumulator, modulo which the result is meant; that width itself
        where the number of products is not known because a loop has no extent.
        """
        at = self.primitives.index(primitive)
        following = self.primitives[at + 1 :]
        if primitive.op == "accumulate" and any(self.continues(p) for p in following):
            return self.width(next(p for p in following if self.continues(p)))
        products = 1
        for before in self.primitives[: at + 1]:
            for loop in map(self.loop, before.over):
                if loop.dim == "k" and loop.extent is None:
                    return self.acc
                products *= loop.extent or 1 if loop.dim == "k" else 1
        low, high = self.a.min, self.a.max
        shifted = any(p.op == "shift" for p in self.primitives[:at])
        if not shifted and not any(self.spatial("bw")):
            low, high = self.encoding.digit_min, self.encoding.digit_max
        extremes = [products * a * b for a in (low, high) for b in (self.b.min, self.b.max)]
        return min(
            self.acc, 1 + max(e.bit_length() if e >= 0 else (~e).bit_length() for e in extremes)
        )

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

    @property
    def sparse(self) -> bool:
        """Whether zero digits are left out, so that cycles depend on A."""
        return bool(self.find("sparse"))

    @property
    def skipped(self) -> Loop | None:
        """The loop whose iterations ``sparse`` leaves out: the innermost temporal one over k."""
        around = self.around(self.the("sparse")) if self.sparse else ()
        return next((lp for lp in reversed(around) if lp.dim == "k" and not lp.spatial), None)

    @property
    def waiting(self) -> tuple[Loop, ...]:
        """The spatial loops whose instances ``sync`` keeps together: digits differ along them."""
        around = self.around(self.the("sync")) if self.find("sync") else ()
        return tuple(lp for lp in around if lp.spatial and lp.dim in DEPENDS["sparse"])

    @property
    def shared_digits(self) -> bool:
        """Whether digits are made once for all instances along n, not again in each of them."""
        return not self.inside("encode", "n", spatial=True)

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
