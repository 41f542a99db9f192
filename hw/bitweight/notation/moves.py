"""Elementary moves: functions from nest to nest, each legal by itself or refused with a reason.

Named transformations (:mod:`bitweight.notation.transformations`) and arrays are sequences of
these.
"""

from __future__ import annotations

from dataclasses import replace

from bitweight.notation.integer import Int
from bitweight.notation.nest import (
    DEPENDS,
    PRODUCERS,
    IllegalMove,
    Loop,
    Nest,
    Primitive,
    Recoding,
)

__all__ = ["gemm", "hoist", "interchange", "share", "split", "unroll"]


def gemm(a: Int, b: Int, acc: int, encoding: Recoding) -> Nest:
    """Return the plain nest: one MAC after the other, its digits in parallel.

    The digits of an operand are a spatial loop because a plain multiplier has all partial
    products at once.
    """
    bw = Loop("bw", "bw", encoding.digits(a.bits), spatial=True)
    return Nest(
        loops=(Loop("m", "m"), Loop("n", "n"), Loop("k", "k"), bw),
        primitives=(
            Primitive("encode", "k"),
            Primitive("map", "bw"),
            Primitive("shift", "bw"),
            Primitive("half_reduce", "k", over=("bw",)),
            Primitive("add", "k"),
            Primitive("accumulate", "k", over=("k",)),
        ),
        a=a,
        b=b,
        acc=acc,
        encoding=encoding,
    )


def split(nest: Nest, name: str, outer: str, inner: str, extent: int) -> Nest:
    """Cut a temporal loop in two: `outer` over blocks, `inner` over the `extent` of a block."""
    loop = nest.loop(name)
    if loop.spatial:
        raise IllegalMove(f"split cuts a temporal loop, not spatial {name!r}")
    if loop.extent is not None and loop.extent % extent:
        raise IllegalMove(
            f"extent of loop {name} must be a multiple of {extent}, not {loop.extent!r}"
        )
    rest = None if loop.extent is None else loop.extent // extent
    pair = (replace(loop, name=outer, extent=rest), replace(loop, name=inner, extent=extent))
    at = nest.loops.index(loop)

    def renamed(primitive: Primitive) -> Primitive:
        over = tuple(
            new for old in primitive.over for new in ((outer, inner) if old == name else (old,))
        )
        level = inner if primitive.level == name else primitive.level
        return replace(primitive, level=level, over=over)

    return replace(
        nest,
        loops=(*nest.loops[:at], *pair, *nest.loops[at + 1 :]),
        primitives=tuple(renamed(primitive) for primitive in nest.primitives),
    )


def unroll(nest: Nest, name: str, *, hop: bool = False) -> Nest:
    """Turn a temporal loop over m or n into a spatial one: an instance for each iteration.

    Parameters
    ----------
    nest
        The nest.
    name
        The loop.
    hop
        Operands pass from instance to instance through registers.
    """
    loop = nest.loop(name)
    if loop.reduces:
        raise IllegalMove(
            f"unroll of {name}: accumulate reduces {loop.dim} over time; no move of it into "
            f"space is known for loop {name!r}"
        )
    if loop.extent is None:
        raise IllegalMove(f"unroll needs a loop of known extent (split it first), not {name!r}")
    spatial = replace(loop, spatial=True, hop=hop)
    return replace(nest, loops=tuple(spatial if lp is loop else lp for lp in nest.loops))


def interchange(nest: Nest, outer: str, inner: str) -> Nest:
    """Swap two neighbouring loops that have no primitive between them."""
    first, second = nest.loop(outer), nest.loop(inner)
    at = nest.loops.index(first)
    if nest.loops[at + 1 : at + 2] != (second,):
        raise IllegalMove(
            f"interchange swaps a loop with the next inner one: {outer} is not "
            f"directly around {inner!r}"
        )
    between = [primitive.op for primitive in nest.primitives if primitive.level == outer]
    if between:
        raise IllegalMove(
            f"interchange of {outer} and {inner}: {between[0]} runs between them, in loop {outer!r}"
        )
    loops = list(nest.loops)
    loops[at : at + 2] = [second, first]
    primitives = tuple(
        replace(primitive, level=outer) if primitive.level == inner else primitive
        for primitive in nest.primitives
    )
    return replace(nest, loops=tuple(loops), primitives=primitives)


def hoist(nest: Nest, op: str, name: str) -> Nest:
    """Move the primitive `op` out of loop `name`, to the level just outside of it.

    Raises
    ------
    IllegalMove
        If the primitive is not in that loop, or depends on it or on one inside of it.
    """
    loop = nest.loop(name)
    moved = nest.the(op)
    if loop not in nest.around(moved):
        raise IllegalMove(f"hoist of {op}: it does not run inside loop {name!r}")
    depth = nest.depth(name) - 1
    for left in nest.around(moved)[depth:]:
        if left.dim in DEPENDS[op]:
            raise IllegalMove(
                f"hoist of {op} out of {name}: {op} depends on {left.dim}, it cannot leave loop "
                f"{left.name!r}"
            )
        if left.name in moved.over:
            raise IllegalMove(
                f"hoist of {op} out of {name}: it keeps the running total over {left.dim}, it "
                f"cannot leave loop {left.name!r}"
            )
    level = nest.loops[depth - 1].name if depth else None
    others = [primitive for primitive in nest.primitives if primitive is not moved]
    # A producer goes before, a consumer after, everything that runs further inside.
    if op in PRODUCERS:
        at = next(i for i, p in enumerate(others) if nest.depth(p.level) > depth)
    else:
        at = 1 + max(i for i, p in enumerate(others) if nest.depth(p.level) > depth)
    others.insert(at, replace(moved, level=level))
    return replace(nest, primitives=tuple(others))


def share(nest: Nest, op: str, name: str) -> Nest:
    """Let the instances of `op` along the spatial loop `name` be one that they take turns on."""
    primitive = nest.the(op)
    return nest.replaced(primitive, replace(primitive, shared=(*primitive.shared, name)))
