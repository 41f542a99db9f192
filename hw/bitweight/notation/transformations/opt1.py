"""OPT1: `add` out of the k loops that wait for it; sums stay pairs until then (section 3.1).

Carry propagation is linear: adding up once after the last k gives the same word as adding up for
every product. What remains between one product and the next is a compressor tree, whose delay
does not depend on the width of the accumulator.

`add` leaves the loops over k whose next iteration needs the total at once: in time, where nothing
else is done between two iterations, and in space, where totals hop or every lane has an adder. A
total that rests while other results are worked on may have its carries propagated meanwhile.
"""

from __future__ import annotations

from bitweight.notation.moves import hoist, merge
from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove
from bitweight.notation.transformations.base import Transformation

__all__ = ["OPT1"]


def _apply(nest: Nest) -> Nest:
    waiting = []
    for loop in reversed(nest.around(nest.find("add")[0])):
        if loop.dim == "k":
            waiting.append(loop)
        elif not loop.spatial:
            break
    if waiting and not waiting[0].sequential:
        nest = merge(nest, waiting[0].name)
        return OPT1.apply(nest) if len(waiting) > 1 else nest
    if not waiting:
        raise IllegalMove(
            "add runs in no temporal loop over k that waits for it, nor inside a spatial one"
        )
    return hoist(nest, "add", waiting[-1].name)


OPT1 = Transformation(
    "opt1",
    "carry-save accumulation: no carry chain in the loop, one final adder for many PEs",
    _apply,
)
