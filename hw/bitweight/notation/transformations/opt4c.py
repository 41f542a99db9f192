"""OPT4C: digits made once for all processing elements along n (paper, section 3.4).

What depends on m and k alone need not be repeated in space along n: `encode` and `sparse` leave
the spatial loops over n. A column of processing elements has one encoder and is sent digits and
their positions; what is left of each is the choice of a product, a 3:2 compressor and the
registers of a pair. B is fetched by position, ahead, for all elements of the column at once.
"""

from __future__ import annotations

from bitweight.notation.moves import hoist
from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove
from bitweight.notation.transformations.base import Transformation
from bitweight.notation.transformations.opt3 import OPT3

__all__ = ["OPT4C"]


def _apply(nest: Nest) -> Nest:
    nest = OPT3.apply(nest)
    shared = [loop.name for loop in nest.spatial("n") if loop in nest.around(nest.the("encode"))]
    if not shared:
        raise IllegalMove("encode runs in no spatial loop over n that it could leave")
    for name in shared:
        nest = hoist(hoist(nest, "encode", name), "sparse", name)
    return nest


OPT4C = Transformation(
    "opt4c",
    "opt3 with one encoder for a column of PEs, which share digits and their positions",
    _apply,
)
