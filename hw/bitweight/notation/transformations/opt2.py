"""OPT2: `shift` out of the spatial k reduction, and OPT1 (paper, section 3.2).

With the bit-weights outside of the lanes along k, all partial products of one bit-weight are
added before they are shifted: the compressors of that sum are as narrow as one partial product
and the logarithm of the lanes, and one shift serves all lanes. Digits are made ahead, once.
"""

from __future__ import annotations

from bitweight.notation.moves import hoist, interchange, regroup
from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove
from bitweight.notation.transformations.base import Transformation
from bitweight.notation.transformations.opt1 import OPT1

__all__ = ["OPT2"]


def _apply(nest: Nest) -> Nest:
    around = nest.around(nest.the("shift"))
    lanes = [loop.name for loop in around if loop.dim == "k" and not loop.sequential]
    if not lanes:
        raise IllegalMove(
            "shift runs in no spatial loop over k that it could leave: a PE adds one product at "
            "a time"
        )
    name = lanes[-1]
    return hoist(regroup(interchange(OPT1.apply(nest), name, "bw"), name), "shift", name)


OPT2 = Transformation(
    "opt2",
    "one narrow sum for each bit-weight, shifted once for all lanes; sum and carry are kept",
    _apply,
)
