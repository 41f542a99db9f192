"""OPT4E: OPT4C with lanes along k that share a compressor and a register (paper, section 3.4).

The innermost temporal loop over k is cut into groups of :data:`GROUP` and these are put side by
side. The products of a group and the pair that is kept go through one compressor, 6:2 for four
lanes: one pair of registers for the group, where OPT4C has one for each product. Every lane leaves
out its own zero digits; a lane that has no more of them adds zero until the pass is over.
"""

from __future__ import annotations

from bitweight.notation.moves import split, unroll
from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove
from bitweight.notation.transformations.base import Transformation
from bitweight.notation.transformations.opt4c import OPT4C

__all__ = ["GROUP", "OPT4E"]

GROUP = 4
"""Lanes along k of one group."""


def _apply(nest: Nest) -> Nest:
    for loop in nest.spatial("k"):
        raise IllegalMove(f"lanes along k are in space already, those of loop {loop.name!r}")
    loops = [loop.name for loop in nest.loops if loop.dim == "k"]
    name = loops[-1]
    lanes = f"{name}p"
    return OPT4C.apply(unroll(split(nest, name, f"{name}t", lanes, GROUP), lanes))


OPT4E = Transformation(
    "opt4e",
    f"opt4c, {GROUP} lanes along k share a {GROUP + 2}:2 compressor and one pair of registers",
    _apply,
)
