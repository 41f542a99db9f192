"""A nest as indented pseudo-code, in the manner of the paper's listings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitweight.notation.nest import Nest
    from bitweight.notation.primitives import Loop, Primitive

__all__ = ["pretty"]

SYMBOL = {"m": "M", "n": "N", "k": "K", "bw": "BW"}


def pretty(nest: Nest) -> str:
    """Return the loops and primitives of a nest, one a line, indented by level.

    ``for`` is a temporal loop, ``par`` a spatial one; a primitive below a deeper loop runs when
    that loop has ended. A loop over ``nonzero(d[bw])`` leaves out the iterations whose digit is
    zero; where it does so by itself, the digit is looked at inside of it.
    """
    forms = nest.forms()
    turn = [primitive.op for primitive in nest.primitives].index("map")
    lines: list[str] = []

    def place(primitive: Primitive) -> int:
        """Return the depth at which it is printed: ahead of the loops that it is without."""
        return min(
            (nest.depth(n) - 1 for n in primitive.without), default=nest.depth(primitive.level)
        )

    def primitives(depth: int, *, inwards: bool) -> None:
        opened: list[Loop] = []
        for i, primitive in enumerate(nest.primitives):
            if place(primitive) == depth and (i <= turn) == inwards:
                own = [loop for loop in nest.around(primitive) if nest.depth(loop.name) > depth]
                for step, loop in enumerate(own if own != opened else ()):
                    lines.append("    " * (depth + step) + _head(nest, loop))
                opened = own
                text = _statement(nest, primitive, forms, i, ahead=bool(own))
                lines.append("    " * (depth + len(own)) + text)

    for depth, loop in enumerate(nest.loops):
        primitives(depth, inwards=True)
        skips = loop == nest.skipped and place(nest.the("sparse")) < depth
        lines.append("    " * depth + _head(nest, loop, skips=skips))
    for depth in range(len(nest.loops), -1, -1):
        if depth == len(nest.loops):
            primitives(depth, inwards=True)
        primitives(depth, inwards=False)
    lines.append("C[m, n] = result")
    return "\n".join(lines)


def _head(nest: Nest, loop: Loop, *, skips: bool = False) -> str:
    extent = str(loop.extent)
    if loop.extent is None:
        inner = [str(o.extent) for o in nest.loops if o.dim == loop.dim and o.extent is not None]
        extent = SYMBOL[loop.dim] + "".join(f"/{size}" for size in inner)
    values = "nonzero(d[bw])" if skips else extent
    head = f"{'par' if loop.spatial else 'for'} {loop.name} in {values}:"
    parts = [other.name for other in nest.loops if other.dim == loop.dim]
    notes = [f"of {extent}"] if skips else []
    notes += [f"part of {loop.dim}"] if len(parts) > 1 else []
    notes += ["sums hop" if loop.reduces else "operands hop"] if loop.hop else []
    return f"{head:<20}  # {', '.join(notes)}" if notes else head


def _statement(
    nest: Nest, primitive: Primitive, forms: dict[int, str], index: int, *, ahead: bool
) -> str:
    reads = "sum, carry" if forms.get(index - 1) == "pair" else "p"
    writes = "sum, carry" if forms.get(index) == "pair" else "p"
    over = " over " + ", ".join(primitive.over) if primitive.over else ""
    skipped = nest.skipped.name if nest.skipped else ""
    waiting = ", ".join(loop.name for loop in nest.waiting)
    statement = {
        "encode": f"d[bw] = encode(A[m, k])  # {nest.encoding.name}",
        "sparse": f"if d[bw] != 0: send d[bw], {skipped}  # sparse"
        if ahead
        else f"if d[bw] == 0: next {skipped}  # sparse, takes no cycle",
        "map": "p = map(d[bw], B[k, n])",
        "shift": f"{writes} = shift({reads}, {nest.encoding.radix}**bw)",
        "half_reduce": f"{writes} = half_reduce({reads}{over})",
        "add": "p = add(sum, carry)",
        "accumulate": f"{writes} = accumulate({reads}{over})",
        "sync": f"sync()  # all {waiting} wait for the slowest",
    }[primitive.op]
    if primitive.shared:
        statement += f"  # one for all {', '.join(primitive.shared)}"
    return statement
