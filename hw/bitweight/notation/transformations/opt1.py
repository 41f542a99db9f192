"""OPT1: `add` out of the temporal k loop, `accumulate` keeps sum and carry (paper, section 3.1).

Carry propagation is linear: adding up once after the last k gives the same word as adding up in
every cycle. The loop that remains is a compressor tree, whose delay does not depend on the width
of the accumulator.
"""

from __future__ import annotations

from bitweight.notation.moves import hoist
from bitweight.notation.nest import IllegalMove, Nest
from bitweight.notation.transformations.base import Transformation

__all__ = ["OPT1"]


def _apply(nest: Nest) -> Nest:
    around = nest.around(nest.the("add"))
    temporal = [loop.name for loop in around if loop.dim == "k" and not loop.spatial]
    if not temporal:
        raise IllegalMove("add runs in no temporal loop over k that it could leave")
    return hoist(nest, "add", temporal[0])


OPT1 = Transformation(
    "opt1",
    "carry-save accumulation: no carry chain in the loop, one final adder for many PEs",
    _apply,
)
