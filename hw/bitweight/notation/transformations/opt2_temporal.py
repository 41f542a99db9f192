"""OPT2 with the bit-weights in time: one pass over k for each of them (paper, section 3.2).

All lanes add partial products of the same bit-weight in a cycle: one narrow tree is enough, where
OPT2 has one for each bit-weight side by side. The loop over `bw` goes out of all loops over k, so
that `shift` follows the whole sum over k and is used once in a pass. Digits are made again in
each pass, in one place for all instances along n: nothing is kept of an operand between passes.
"""

from __future__ import annotations

from bitweight.notation.inverse import fuse, repeat, roll
from bitweight.notation.moves import hoist, interchange, regroup
from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove
from bitweight.notation.transformations.base import Transformation
from bitweight.notation.transformations.opt2 import OPT2

__all__ = ["OPT2_TEMPORAL"]


def _apply(nest: Nest) -> Nest:
    nest = roll(OPT2.apply(nest), "bw")
    # Out of the temporal loops over k, innermost first; what they sum is summed before the shift.
    passed: list[str] = []
    while (around := nest.loops[: nest.depth("bw") - 1]) and around[-1].dim == "k":
        name = around[-1].name
        nest = interchange(nest if passed else fuse(nest, "bw"), name, "bw")
        nest = hoist(regroup(nest, name), "shift", name)
        nest = fuse(nest, passed[-1]) if passed else nest
        passed.append(name)
    if not passed:
        place = f"loop {around[-1].name} over {around[-1].dim}" if around else "no other loop"
        raise IllegalMove(
            f"accumulate over bw runs in {place}, not directly in a temporal loop over k that bw "
            f"could leave"
        )
    nest = repeat(nest, "encode", "bw")
    for loop in nest.spatial("n"):
        if loop in nest.around(nest.the("encode")):
            nest = hoist(nest, "encode", loop.name)
    return nest


OPT2_TEMPORAL = Transformation(
    "opt2-temporal",
    "one bit-weight of all lanes per cycle, a narrow sum; a pass over k for each bit-weight",
    _apply,
)
