"""OPT4P: OPT4C with pairs of lanes along k that share a 4:2 compressor."""

from __future__ import annotations

from bitweight.notation.moves import split, unroll
from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove
from bitweight.notation.transformations.base import Transformation
from bitweight.notation.transformations.opt4c import OPT4C

__all__ = ["OPT4P"]


def _apply(nest: Nest) -> Nest:
    for loop in nest.spatial("k"):
        raise IllegalMove(f"lanes along k are in space already, those of loop {loop.name!r}")
    name = [loop.name for loop in nest.loops if loop.dim == "k"][-1]
    lanes = f"{name}p"
    return OPT4C.apply(unroll(split(nest, name, f"{name}t", lanes, 2), lanes))


OPT4P = Transformation(
    "opt4p",
    "opt4c, 2 lanes along k share a 4:2 compressor and one pair of registers",
    _apply,
)
