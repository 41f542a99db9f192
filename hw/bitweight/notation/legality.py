"""What makes a nest legal: dependences, reductions, and the order in which a value passes.

Everything is checked when a nest is made (:func:`check`), so that no move has to.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from bitweight.notation.primitives import DEPENDS, DIMS, PRODUCERS, IllegalMove, Loop, Primitive

if TYPE_CHECKING:
    from bitweight.notation.nest import Nest

__all__ = ["check", "forms"]


def check(nest: Nest) -> None:
    """Raise :class:`IllegalMove` with the reason if `nest` does not compute GEMM."""
    names = [loop.name for loop in nest.loops]
    if len(set(names)) != len(names):
        raise IllegalMove(f"loop names must differ, not {names!r}")
    for dim in DIMS:
        if not any(loop.dim == dim for loop in nest.loops):
            raise IllegalMove(f"a nest needs a loop over {dim}, not only {names!r}")
    for primitive in nest.primitives:
        _check_dependences(nest, primitive)
        _check_sharing(nest, primitive)
    _check_reductions(nest)
    _check_digits(nest)
    _check_order(nest)
    _check_totals(nest)
    _check_skipping(nest)
    forms(nest)


def _check_dependences(nest: Nest, primitive: Primitive) -> None:
    around = {loop.name for loop in nest.around(primitive)}
    for loop in nest.loops:
        if loop.dim in DEPENDS[primitive.op] and loop.name not in around:
            raise IllegalMove(
                f"{primitive.op} depends on {loop.dim}: it must run inside loop {loop.name}, "
                f"not {_place(primitive.level)!r}"
            )
    if primitive.without and primitive.op not in ("encode", "sparse"):
        raise IllegalMove(f"only encode and sparse are made ahead, not {primitive.op!r}")


def _check_sharing(nest: Nest, primitive: Primitive) -> None:
    """Let instances take turns only if they rest in between, while loops inside of them run."""
    around = nest.around(primitive)
    inside = nest.loops[nest.depth(primitive.level) :]
    rests = any(not loop.spatial for loop in inside)
    for name in primitive.shared:
        loop = nest.loop(name)
        if not loop.spatial or loop not in around:
            raise IllegalMove(
                f"{primitive.op} can be shared over a spatial loop around it, not {name!r}"
            )
        within = [lp.name for lp in around if lp.reduces and lp.sequential]
        if within and not rests:
            raise IllegalMove(
                f"{primitive.op} runs in every iteration of {_kind(nest.loop(within[0]))} "
                f"loop {within[0]}: "
                f"instances busy all the time cannot be shared over {name!r}"
            )


def _check_digits(nest: Nest) -> None:
    """Let digits be made before they are looked at, and both before they are multiplied."""
    ops = [primitive.op for primitive in nest.primitives]
    if ops.count("map") != 1 or ops.count("encode") != 1:
        raise IllegalMove(f"a nest has one encode and one map, not {ops!r}")
    turn = ops.index("map")
    depths = [nest.depth(primitive.level) for primitive in nest.primitives[:turn]]
    if any(op not in PRODUCERS for op in ops[:turn]) or depths != sorted(depths):
        raise IllegalMove(f"before map come encode and sparse, going inwards, not {ops!r}")
    if ops[:turn] != [op for op in ("encode", "sparse") if op in ops[:turn]]:
        raise IllegalMove(f"sparse reads the digits that encode makes, not {ops!r}")
    if any(op in PRODUCERS for op in ops[turn + 1 :]):
        raise IllegalMove(f"encode and sparse come before map, not {ops!r}")
    if "sparse" in ops:
        around = nest.around(nest.the("sparse"))
        for loop in nest.around(nest.the("encode")):
            if loop not in around:
                raise IllegalMove(
                    f"sparse reads the digits that encode makes: it cannot be made ahead of a "
                    f"loop that encode is repeated for, {loop.name!r}"
                )


def _check_order(nest: Nest) -> None:
    """Let values pass outwards only; ``sync`` reads none and may stand anywhere."""
    ops = [primitive.op for primitive in nest.primitives]
    passed = [p for p in nest.primitives[ops.index("map") :] if p.op != "sync"]
    for before, primitive in pairwise(passed):
        if nest.depth(primitive.level) > nest.depth(before.level):
            raise IllegalMove(
                f"{primitive.op} reads what an outer level computes: it cannot run in "
                f"{_place(primitive.level)!r}"
            )
    for i, whole in enumerate(passed):
        for name in whole.over if whole.op == "half_reduce" else ():
            for primitive in passed[1:i]:
                if nest.depth(primitive.level) < nest.depth(name):
                    raise IllegalMove(
                        f"{primitive.op} reads what loop {name} has yet to be reduced to: it "
                        f"cannot run in {_place(primitive.level)!r}"
                    )


def _check_totals(nest: Nest) -> None:
    """Let totals be read only outside of the loops that they run over."""
    for i, total in enumerate(nest.primitives):
        for name in total.over if total.op == "accumulate" else ():
            for primitive in nest.primitives[i + 1 :]:
                if primitive.op != "sync" and nest.loop(name) in nest.around(primitive):
                    raise IllegalMove(
                        f"{primitive.op} reads a total that is complete only after loop "
                        f"{name}: it cannot run in {_place(primitive.level)!r}"
                    )


def _check_reductions(nest: Nest) -> None:
    reducer: dict[str, Primitive] = {}
    for primitive in nest.primitives:
        for name in primitive.over:
            loop = nest.loop(name)
            wanted = "accumulate" if loop.sequential else "half_reduce"
            if not loop.reduces or primitive.op != wanted:
                raise IllegalMove(
                    f"{_kind(loop)} loop {name} over {loop.dim} is not reduced by {primitive.op!r}"
                )
            around = nest.depth(name) <= nest.depth(primitive.level)
            if around != loop.sequential:
                side = "inside" if loop.sequential else "outside"
                raise IllegalMove(
                    f"{primitive.op} over {name} must run {side} loop {name}, "
                    f"not {_place(primitive.level)!r}"
                )
            if name in reducer:
                raise IllegalMove(f"loop {name} is reduced once, not by both of {reducer!r}")
            reducer[name] = primitive
    for loop in nest.loops:
        if loop.reduces and loop.name not in reducer:
            raise IllegalMove(f"no primitive reduces loop {loop.name} over {loop.dim!r}")


def _check_skipping(nest: Nest) -> None:
    """Let iterations be left out of one temporal loop over k, for one bit-weight at a time."""
    waits = nest.find("sync")
    if not nest.sparse:
        if waits:
            raise IllegalMove("sync waits for instances that leave out iterations: no 'sparse'")
        return
    skipped = nest.skipped
    if skipped is None:
        raise IllegalMove(
            "sparse leaves out iterations of a temporal loop over k: there is none around "
            f"{_place(nest.the('sparse').level)!r}"
        )
    for loop in nest.loops:
        within = nest.depth(loop.name) > nest.depth(skipped.name)
        if loop.dim == "bw" and (loop.spatial or within):
            raise IllegalMove(
                f"sparse leaves out iterations over {skipped.name} by the digits of one "
                f"bit-weight: loop {loop.name} must be temporal and outside of {skipped.name!r}"
            )
        if within and not loop.spatial and loop.dim in DEPENDS["sparse"]:
            raise IllegalMove(
                f"sparse leaves out whole iterations over {skipped.name}, but digits differ along "
                f"temporal loop {loop.name} inside of it, over {loop.dim!r}"
            )
        if within and loop.spatial and loop.sequential:
            raise IllegalMove(
                f"sparse leaves out other iterations over {skipped.name} in each instance, but "
                f"totals hop between those along {loop.name!r}"
            )
    if len(waits) > 1:
        raise IllegalMove(f"a nest has at most one sync, not {len(waits)!r}")
    for primitive in waits:
        if skipped in nest.around(primitive):
            raise IllegalMove(
                f"sync must run outside of loop {skipped.name}, whose iterations are left out, "
                f"not in {_place(primitive.level)!r}"
            )
        if not nest.waiting:
            raise IllegalMove(
                "sync waits for instances with other digits, those of a spatial loop over m or k: "
                f"there is none around {_place(primitive.level)!r}"
            )


def forms(nest: Nest) -> dict[int, str]:
    """Return what leaves each primitive from ``map`` on: ``word`` or sum/carry ``pair``.

    The key is the position in `primitives`.
    """
    form, result = "word", {}
    turn = [primitive.op for primitive in nest.primitives].index("map")
    for i, primitive in enumerate(nest.primitives[turn:], turn):
        if primitive.op == "half_reduce":
            if form == "pair" and not primitive.over:
                raise IllegalMove(
                    "half_reduce over no loop makes a pair of a word, not of a 'pair'"
                )
            form = "pair"
        elif primitive.op == "add":
            if form == "word":
                raise IllegalMove("add propagates the carries of a pair, there is only 'word'")
            form = "word"
        result[i] = form
    if form != "word":
        raise IllegalMove("the result must be added up to a word, not left as 'pair'")
    return result


def _place(level: str | None) -> str:
    return "outside all loops" if level is None else f"loop {level}"


def _kind(loop: Loop) -> str:
    if loop.spatial:
        return "hopping" if loop.sequential else "spatial"
    return "temporal"
