"""Elementary moves that lead back: from space into time, from two totals to one.

Each undoes one of :mod:`bitweight.notation.moves`, and is legal by itself or refused with a
reason.
"""

from __future__ import annotations

from dataclasses import replace

from bitweight.notation.nest import Nest
from bitweight.notation.primitives import PRODUCERS, IllegalMove, Primitive

__all__ = ["fuse", "repeat", "roll", "sink"]


def roll(nest: Nest, name: str) -> Nest:
    """Turn a spatial loop into a temporal one: one instance, used for each iteration in turn.

    What was summed over the loop in space becomes a running total: loops inside of it are summed
    first, and those outside of it after. :func:`bitweight.notation.moves.unroll` is the way back.

    Parameters
    ----------
    nest
        The nest.
    name
        The loop.

    Raises
    ------
    IllegalMove
        If it is no spatial loop, its instances share a primitive, or its sum is what makes pairs
        of words.
    """
    loop = nest.loop(name)
    if not loop.spatial:
        raise IllegalMove(f"roll turns a spatial loop into a temporal one, not {name!r}")
    for primitive in nest.primitives:
        if name in primitive.shared:
            raise IllegalMove(
                f"roll of {name}: its instances share one {primitive.op}, they take turns already "
                f"over {name!r}"
            )
    loops = tuple(replace(lp, spatial=False, hop=False) if lp is loop else lp for lp in nest.loops)
    if not loop.reduces or loop.hop:
        return replace(nest, loops=loops)
    whole = nest.reducer(name)
    at = nest.primitives.index(whole)
    inner = tuple(o for o in whole.over if nest.depth(o) > nest.depth(name))
    outer = tuple(o for o in whole.over if nest.depth(o) < nest.depth(name))
    if not inner and not outer and nest.forms()[at - 1] == "word":
        raise IllegalMove(
            f"roll of {name}: {whole.op} makes pairs of words, but a total of words that is kept "
            f"over {name!r} stays a word"
        )
    steps = [Primitive("half_reduce", name, over=inner)] if inner else []
    steps.append(Primitive("accumulate", name, over=(name,)))
    steps += [replace(whole, over=outer)] if outer else []
    primitives = (*nest.primitives[:at], *steps, *nest.primitives[at + 1 :])
    return replace(nest, loops=loops, primitives=primitives)


def fuse(nest: Nest, name: str) -> Nest:
    """Keep one running total for `name` and the loops of the total that takes up its sums.

    :func:`bitweight.notation.moves.regroup` is the way back.

    Raises
    ------
    IllegalMove
        If there are not two totals, or something is done to a value on its way between them.
    """
    first = nest.reducer(name)
    following = nest.primitives[nest.primitives.index(first) + 1 :]
    later = next((p for p in following if p.op == "accumulate"), None)
    if first.op != "accumulate" or later is None:
        raise IllegalMove(f"fuse: no running total over {name!r} is taken up by another one")
    between = following[0]
    if between is not later:
        raise IllegalMove(
            f"fuse of {name}: {between.op} runs between its total and that over "
            f"{', '.join(later.over)}, in loop {between.level!r}"
        )
    one = replace(first, over=(*later.over, *first.over))
    primitives = tuple(one if p is first else p for p in nest.primitives if p is not later)
    return replace(nest, primitives=primitives)


def repeat(nest: Nest, op: str, name: str) -> Nest:
    """Make digits again in every iteration of loop `name`, instead of once and ahead of it.

    That takes more work and no memory: :func:`bitweight.notation.moves.hoist` is the way back.
    """
    moved = nest.the(op)
    if op not in PRODUCERS or name not in moved.without:
        raise IllegalMove(f"repeat of {op}: it is not made ahead of loop {name!r}")
    without = tuple(other for other in moved.without if other != name)
    return nest.replaced(moved, replace(moved, without=without))


def sink(nest: Nest, op: str, name: str) -> Nest:
    """Move the linear step `op` into loop `name`, ahead of what sums over the loop.

    It runs as early in an iteration as the loops inside of `name` allow.
    :func:`bitweight.notation.moves.hoist` is the way back.

    Raises
    ------
    IllegalMove
        If the step is not linear, runs inside of the loop already, or what it would read or
        leave there is no longer the same.
    """
    moved = nest.the(op)
    if op not in ("add", "shift"):
        raise IllegalMove(f"sink moves a linear step, add or shift, not {op!r}")
    depth = nest.depth(name)
    if nest.depth(moved.level) >= depth:
        raise IllegalMove(f"sink of {op}: it runs inside of loop {name!r} already")
    others = [primitive for primitive in nest.primitives if primitive is not moved]
    ready = [
        i
        for i, primitive in enumerate(others)
        if primitive.op == "map"
        or nest.depth(primitive.level) > depth
        or any(nest.depth(over) > depth for over in primitive.over)
    ]
    others.insert(1 + max(ready), replace(moved, level=name))
    return replace(nest, primitives=tuple(others))
