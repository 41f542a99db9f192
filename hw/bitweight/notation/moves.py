"""Elementary moves: functions from nest to nest, each legal by itself or refused with a reason.

Named transformations (:mod:`bitweight.notation.transformations`) and arrays are sequences of
these.
"""

from __future__ import annotations

from dataclasses import replace

from bitweight.notation.integer import Int
from bitweight.notation.nest import Nest
from bitweight.notation.primitives import (
    DEPENDS,
    PRODUCERS,
    IllegalMove,
    Loop,
    Primitive,
    Recoding,
)

__all__ = [
    "compress",
    "gemm",
    "hoist",
    "interchange",
    "merge",
    "regroup",
    "resolve",
    "share",
    "split",
    "unroll",
]


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
    """Turn a temporal loop into a spatial one: an instance for each iteration.

    A reduction loop leaves its ``accumulate`` for the ``half_reduce`` of the loops inside it, and
    everything that is done with the sum moves out of it. Where the running total hops, nothing
    moves: each instance adds to what it is handed.

    Parameters
    ----------
    nest
        The nest.
    name
        The loop.
    hop
        Operands, or the running total of a reduction loop, pass from instance to instance
        through registers.
    """
    loop = nest.loop(name)
    if loop.extent is None:
        raise IllegalMove(f"unroll needs a loop of known extent (split it first), not {name!r}")
    loops = tuple(replace(lp, spatial=True, hop=hop) if lp is loop else lp for lp in nest.loops)
    if not loop.reduces:
        return replace(nest, loops=loops)
    inner = nest.loops[nest.depth(name) :]
    if any(not lp.spatial for lp in inner):
        raise IllegalMove(f"unroll of {name}: temporal loops run inside {name!r}")
    if hop:
        return replace(nest, loops=loops)
    level = nest.loops[nest.depth(name) - 2].name if nest.depth(name) > 1 else None
    primitives = []
    for primitive in nest.primitives:
        over = tuple(other for other in primitive.over if other != name)
        if primitive.op == "half_reduce" and primitive.level == name:
            primitive = replace(primitive, level=level, over=(name, *over))  # noqa: PLW2901
        elif primitive.op not in PRODUCERS and primitive.level == name:
            primitive = replace(primitive, level=level, over=over)  # noqa: PLW2901
        if primitive.op != "accumulate" or primitive.over:
            primitives.append(primitive)
    return replace(nest, loops=loops, primitives=tuple(primitives))


def interchange(nest: Nest, outer: str, inner: str) -> Nest:
    """Swap two neighbouring loops.

    Digits made between them are made ahead of both, in a loop of their own.

    Raises
    ------
    IllegalMove
        If the loops are not neighbours, or a value on its way out passes between them.
    """
    first, second = nest.loop(outer), nest.loop(inner)
    at = nest.loops.index(first)
    if nest.loops[at + 1 : at + 2] != (second,):
        raise IllegalMove(
            f"interchange swaps a loop with the next inner one: {outer} is not "
            f"directly around {inner!r}"
        )
    primitives = []
    for primitive in nest.primitives:
        if primitive.level == inner:
            primitive = replace(primitive, level=outer)  # noqa: PLW2901
        elif primitive.level == outer and primitive.op in ("encode", "sparse"):
            without = (*primitive.without, inner)
            primitive = replace(primitive, without=without)  # noqa: PLW2901
        elif primitive.level == outer:
            raise IllegalMove(
                f"interchange of {outer} and {inner}: {primitive.op} runs between them, "
                f"in loop {outer!r}"
            )
        primitives.append(primitive)
    loops = list(nest.loops)
    loops[at : at + 2] = [second, first]
    return replace(nest, loops=tuple(loops), primitives=tuple(primitives))


def regroup(nest: Nest, name: str) -> Nest:
    """Reduce over `name` first, on its own, and over the other loops of its reduction after.

    The sum over `name` is then available inside of the loops around it.
    """
    whole = next((p for p in nest.primitives if name in p.over and len(p.over) > 1), None)
    if whole is None:
        raise IllegalMove(f"regroup: nothing sums over {name!r} and another loop at once")
    level = nest.loops[nest.depth(name) - 2].name
    for other in whole.over:
        if nest.depth(other) > nest.depth(name):
            raise IllegalMove(
                f"regroup: loop {other} runs inside {name}, which cannot be summed before {other!r}"
            )
    rest = replace(whole, over=tuple(other for other in whole.over if other != name))
    first = Primitive("half_reduce", level, over=(name,))
    if whole.op == "accumulate":
        # A running total is kept inside its loop, and is complete outside of it.
        first, rest = replace(whole, over=(name,)), replace(rest, level=level)
    at = nest.primitives.index(whole)
    primitives = (*nest.primitives[:at], first, rest, *nest.primitives[at + 1 :])
    return replace(nest, loops=nest.loops, primitives=primitives)


def compress(nest: Nest, name: str) -> Nest:
    """Make a pair of each word inside of loop `name`, before words are summed over it.

    In the hardware the sum of words no longer begins with an adder: each word goes through a 3:2
    compressor together with the pair that is kept. Without loops to reduce, such a
    ``half_reduce`` is over none.

    Raises
    ------
    IllegalMove
        If pairs are what is summed.
    """
    whole = nest.reducer(name)
    at = nest.primitives.index(whole)
    if nest.forms()[at - 1] == "pair":
        raise IllegalMove(f"compress: {whole.op} over {name!r} sums pairs already")
    pair = Primitive("half_reduce", nest.primitives[at - 1].level)
    return replace(nest, primitives=(*nest.primitives[:at], pair, *nest.primitives[at:]))


def resolve(nest: Nest, name: str) -> Nest:
    """Propagate the carries of each sum inside of spatial loop `name` before they are summed.

    What was one compressor tree becomes trees inside of the loop, each with an adder, and one
    more over `name`: multipliers and an adder tree. :func:`merge` is the way back.
    """
    inner = _summed_inside(nest, name)
    whole = nest.reducer(name)
    at = nest.primitives.index(whole)
    primitives = (
        *nest.primitives[:at],
        Primitive("half_reduce", name, over=inner),
        Primitive("add", name),
        replace(whole, over=(name,)),
        *nest.primitives[at + 1 :],
    )
    return replace(nest, loops=nest.loops, primitives=primitives)


def _summed_inside(nest: Nest, name: str) -> tuple[str, ...]:
    """Return the loops inside of spatial loop `name` that are summed together with it."""
    whole = nest.reducer(name)
    inner = tuple(o for o in whole.over if nest.depth(o) > nest.depth(name))
    if whole.op != "half_reduce" or not inner or len(inner) + 1 != len(whole.over):
        raise IllegalMove(
            f"resolve: {name} must be summed in one tree with loops inside of it, not by {whole!r}"
        )
    return inner


def merge(nest: Nest, name: str) -> Nest:
    """Sum over spatial loop `name` and the loops inside of it in one compressor tree.

    The adder between them is left out: the pair goes on as it is, to the next adder.
    """
    whole = nest.reducer(name)
    at = nest.primitives.index(whole)
    before = nest.primitives[max(at - 2, 0) : at]
    if [p.op for p in (*before, whole)] != ["half_reduce", "add", "half_reduce"]:
        raise IllegalMove(
            f"merge: no carries propagate between the sum over {name!r} and one inside of it"
        )
    one = replace(whole, over=(*whole.over, *before[0].over))
    primitives = (*nest.primitives[: at - 2], one, *nest.primitives[at + 1 :])
    return replace(nest, loops=nest.loops, primitives=primitives)


def hoist(nest: Nest, op: str, name: str) -> Nest:
    """Move the primitive `op` out of loop `name`.

    A step on the way out moves to the level just outside of the loop. Digits are made ahead of
    the loop, once for all its iterations, in loops of their own.

    Raises
    ------
    IllegalMove
        If the primitive is not in that loop, or depends on it or on one inside of it.
    """
    loop = nest.loop(name)
    moved = nest.the(op)
    if loop not in nest.around(moved):
        raise IllegalMove(f"hoist of {op}: it does not run inside loop {name!r}")
    if loop.dim in DEPENDS[op]:
        raise IllegalMove(
            f"hoist of {op} out of {name}: {op} depends on {loop.dim}, it cannot leave loop "
            f"{name!r}"
        )
    if op in PRODUCERS:
        return nest.replaced(moved, replace(moved, without=(*moved.without, name)))
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
    # It reads what is computed further inside, and what loops further inside are reduced to.
    ready = [
        i
        for i, primitive in enumerate(others)
        if nest.depth(primitive.level) > depth
        or any(nest.depth(over) > depth for over in primitive.over)
    ]
    if nest.depth(others[max(ready)].level) < depth:
        raise IllegalMove(
            f"hoist of {op} out of {name}: {name} is summed only outside of it, together with "
            f"other loops: regroup {name!r} first"
        )
    others.insert(1 + max(ready), replace(moved, level=level))
    return replace(nest, primitives=tuple(others))


def share(nest: Nest, op: str, name: str) -> Nest:
    """Let the instances of `op` along the spatial loop `name` be one that they take turns on."""
    primitive = nest.the(op)
    return nest.replaced(primitive, replace(primitive, shared=(*primitive.shared, name)))
