"""Elementary moves of the bit-slice engines: iterations left out, instances kept together."""

from __future__ import annotations

from dataclasses import replace

from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove, Primitive

__all__ = ["skip", "sync"]


def skip(nest: Nest) -> Nest:
    """Leave out the iterations over k whose digit of the current bit-weight is zero.

    A ``sparse`` beside ``encode`` passes only the others on. They are iterations of the innermost
    temporal loop over k around it; each instance of ``sparse`` leaves out its own.

    Raises
    ------
    IllegalMove
        If they are left out already, there is no such loop, or an iteration has more digits than
        that of one bit-weight: in space, or in a loop inside of it.
    """
    if nest.sparse:
        raise IllegalMove("skip: zero digits are left out already, by 'sparse'")
    encode = nest.the("encode")
    at = nest.primitives.index(encode) + 1
    added = replace(encode, op="sparse")
    return replace(nest, primitives=(*nest.primitives[:at], added, *nest.primitives[at:]))


def sync(nest: Nest, level: str | None) -> Nest:
    """Let all instances wait for the slowest at the end of each iteration of loop `level`.

    Those wait that are repeated along m or k around it (:attr:`Nest.waiting`): digits do not
    differ along n.

    Raises
    ------
    IllegalMove
        If nothing is left out, it is inside of the loop whose iterations are, or nobody waits.
    """
    depth = nest.depth(level)
    inside = [i for i, p in enumerate(nest.primitives) if nest.depth(p.level) > depth]
    at = 1 + max(inside, default=len(nest.primitives) - 1)
    added = Primitive("sync", level)
    return replace(nest, primitives=(*nest.primitives[:at], added, *nest.primitives[at:]))
