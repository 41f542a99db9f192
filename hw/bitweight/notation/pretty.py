"""A nest as indented pseudo-code, in the manner of the paper's listings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitweight.notation.nest import Loop, Nest, Primitive

__all__ = ["pretty"]

SYMBOL = {"m": "M", "n": "N", "k": "K", "bw": "BW"}


def pretty(nest: Nest) -> str:
    """Return the loops and primitives of a nest, one a line, indented by level.

    ``for`` is a temporal loop, ``par`` a spatial one; a primitive below a deeper loop runs when
    that loop has ended.
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
        for i, primitive in enumerate(nest.primitives):
            if place(primitive) == depth and (i <= turn) == inwards:
                own = [loop for loop in nest.around(primitive) if nest.depth(loop.name) > depth]
                for step, loop in enumerate(own):
                    lines.append("    " * (depth + step) + _head(nest, loop))
                text = _statement(nest, primitive, forms, i)
                lines.append("    " * (depth + len(own)) + text)

    for depth, loop in enumerate(nest.loops):
        primitives(depth, inwards=True)
        lines.append("    " * depth + _head(nest, loop))
    for depth in range(len(nest.loops), -1, -1):
        if depth == len(nest.loops):
            primitives(depth, inwards=True)
        primitives(depth, inwards=False)
    lines.append("C[m, n] = result")
    return "\n".join(lines)


def _head(nest: Nest, loop: Loop) -> str:
    extent = str(loop.extent)
    if loop.extent is None:
        inner = [str(o.extent) for o in nest.loops if o.dim == loop.dim and o.extent is not None]
        extent = SYMBOL[loop.dim] + "".join(f"/{size}" for size in inner)
    head = f"{'par' if loop.spatial else 'for'} {loop.name} in {extent}:"
    parts = [other.name for other in nest.loops if other.dim == loop.dim]
    notes = [f"part of {loop.dim}"] if len(parts) > 1 else []
    notes += ["sums hop" if loop.reduces else "operands hop"] if loop.hop else []
    return f"{head:<22}# {', '.join(notes)}" if notes else head


def _statement(nest: Nest, primitive: Primitive, forms: dict[int, str], index: int) -> str:
    reads = "sum, carry" if forms.get(index - 1) == "pair" else "p"
    writes = "sum, carry" if forms.get(index) == "pair" else "p"
    over = ", ".join(primitive.over)
    statement = {
        "encode": f"d[bw] = encode(A[m, k])  # {nest.encoding.name}",
        "sparse": "bw in nonzero(d)",
        "map": "p = map(d[bw], B[k, n])",
        "shift": f"{writes} = shift({reads}, {nest.encoding.radix}**bw)",
        "half_reduce": f"{writes} = half_reduce({reads} over {over})",
        "add": "p = add(sum, carry)",
        "accumulate": f"{writes} = accumulate({reads} over {over})",
        "sync": "sync()",
    }[primitive.op]
    if primitive.shared:
        statement += f"  # one for all {', '.join(primitive.shared)}"
    return statement
