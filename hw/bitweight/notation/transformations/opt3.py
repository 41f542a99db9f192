"""OPT3: bit-weights in time, and only the non-zero digits of each (paper, section 3.3).

The loop over `bw` goes out of the innermost temporal loop over k: a pass over a block of k for
each bit-weight. Digits are made again in each pass, and iterations whose digit is zero are left
out, so that a pass takes as many cycles as there are others. All products of a pass have the same
weight. What adds them up is a 3:2 compressor as narrow as their sum; carries are propagated and
the sum is shifted once in a pass, on its way to the total of all bit-weights. Where lanes along k
are in space, a compressor takes up the products of all of them (OPT4E).

Instances with other digits need other times: they wait for the slowest once they have done the
passes of a block, which is an iteration of the loop outside of `bw`.
"""

from __future__ import annotations

from bitweight.notation.inverse import fuse, repeat, roll, sink
from bitweight.notation.moves import compress, hoist, interchange, regroup
from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove
from bitweight.notation.skipping import skip, sync
from bitweight.notation.transformations.base import Transformation
from bitweight.notation.transformations.opt1 import OPT1
from bitweight.notation.transformations.opt2 import OPT2

__all__ = ["OPT3"]


def _apply(nest: Nest) -> Nest:
    if all(loop.spatial for loop in nest.loops if loop.dim == "k"):
        raise IllegalMove("no loop over k is temporal: there is no iteration to leave out")
    around = nest.around(nest.the("shift"))
    if any(loop.dim == "k" and not loop.sequential for loop in around):
        nest = OPT2.apply(nest)
    else:
        nest = compress(OPT1.apply(nest), "bw")
    nest = roll(nest, "bw")
    outer = nest.loops[: nest.depth("bw") - 1]
    if not outer or outer[-1].dim != "k" or outer[-1].spatial:
        kind = "spatial" if outer and outer[-1].spatial else "temporal"
        place = f"{kind} loop {outer[-1].name} over {outer[-1].dim}" if outer else "no other loop"
        raise IllegalMove(
            f"accumulate over bw runs in {place}, not directly in a temporal loop over k that bw "
            f"could leave"
        )
    name = outer[-1].name
    nest = regroup(interchange(fuse(nest, "bw"), name, "bw"), name)
    nest = sink(hoist(nest, "shift", name), "add", "bw")
    nest = skip(repeat(nest, "encode", "bw"))
    if any(loop.spatial and loop.dim == "m" for loop in outer):
        nest = sync(nest, outer[-2].name)
    return nest


OPT3 = Transformation(
    "opt3",
    "one non-zero digit per cycle, a 3:2 compressor; sums of one bit-weight, shifted once a pass",
    _apply,
)
