"""What the moves of the bit-slice engines refuse, and that they lead back."""

from dataclasses import replace

import numpy as np
import pytest

from bitweight import ENCODINGS, OPT1, AdderTree, Cube, IllegalMove, Int, SystolicWS
from bitweight.notation import (
    OPT3,
    OPT4C,
    OPT4E,
    Loop,
    Nest,
    Primitive,
    compress,
    gemm,
    hoist,
    interchange,
    repeat,
    roll,
    share,
    sink,
    skip,
    split,
    sync,
    unroll,
)


def plain() -> Nest:
    return gemm(Int(8), Int(8), 32, ENCODINGS["mbe"])


def placed(block: int | None = 16) -> Nest:
    nest = split(plain(), "m", "mt", "mp", 4)
    nest = interchange(split(nest, "n", "nt", "np", 3), "mp", "nt")
    nest = unroll(unroll(nest, "mp"), "np", hop=True)
    return split(nest, "k", "kb", "k", block) if block else nest


def unsynchronised() -> Nest:
    nest = OPT3(placed())
    return replace(nest, primitives=tuple(p for p in nest.primitives if p.op != "sync"))


def words(*loops: Loop) -> Nest:
    """Shift each product and add it to a total of words; bit-weights outside of all."""
    nest, level = plain(), loops[-1].name
    reduced = tuple(loop.name for loop in loops if loop.dim == "k")
    primitives = [Primitive(op, level) for op in ("encode", "map", "shift")]
    primitives.append(Primitive("accumulate", level, over=("bw", *reduced)))
    return replace(nest, loops=(Loop("bw", "bw", 4), *loops), primitives=tuple(primitives))


def side_by_side() -> Nest:
    """A total over k for each bit-weight, all of them in space."""
    nest = plain()
    m, n, k, bw = nest.loops
    primitives = [Primitive(op, "k") for op in ("encode", "map", "shift")]
    primitives.append(Primitive("accumulate", "k", over=("k",)))
    primitives += [Primitive("half_reduce", "n", over=("bw",)), Primitive("add", "n")]
    return replace(nest, loops=(m, n, bw, k), primitives=tuple(primitives))


ILLEGAL = {
    # OPT3, OPT4C, OPT4E
    "opt3 twice": (lambda: OPT3(OPT3(placed())), r"^opt3: add runs in no temporal loop over k"),
    "opt3 after opt1": (lambda: OPT3(OPT1(placed())), r"^opt3: add runs in no temporal loop"),
    "no k in time": (
        lambda: OPT3(unroll(split_whole(8), "k")),
        r"^opt3: no loop over k is temporal: there is no iteration to leave out",
    ),
    "sums hop": (
        lambda: OPT3(SystolicWS(4, 3).place(plain())),
        "opt3: accumulate over bw runs in spatial loop kp over k, not directly in a temporal loop",
    ),
    "multipliers with adders": (
        lambda: OPT3(AdderTree(4, 3).place(plain())),
        "opt3: accumulate over bw runs in spatial loop np over n, not directly in a temporal loop",
    ),
    "nothing to share": (
        lambda: OPT4C(plain()),
        r"^opt4c: encode runs in no spatial loop over n that it could leave",
    ),
    "lanes already": (
        lambda: OPT4E(Cube(3, 2, 4).place(plain())),
        r"^opt4e: lanes along k are in space already, those of loop 'kp'",
    ),
    "blocks that no group fits": (
        lambda: OPT4E(placed(6)),
        r"^opt4e: extent of loop k must be a multiple of 4, not 6",
    ),
    # sparse
    "skip twice": (lambda: skip(OPT3(placed())), "skip: zero digits are left out already"),
    "skip of digits in space": (
        lambda: skip(placed()),
        "by the digits of one bit-weight: loop bw must be temporal and outside of 'k'",
    ),
    "skip of digits side by side": (
        lambda: skip(side_by_side()),
        "by the digits of one bit-weight: loop bw must be temporal and outside of 'k'",
    ),
    "skip of digits in turn": (
        lambda: skip(roll(compress(placed(), "bw"), "bw")),
        "by the digits of one bit-weight: loop bw must be temporal and outside of 'k'",
    ),
    "skip of nothing": (
        lambda: skip(words(Loop("m", "m"), Loop("n", "n"), Loop("k", "k", 8, True, True))),
        "sparse leaves out iterations of a temporal loop over k: there is none around 'loop k'",
    ),
    "skip of rows at once": (
        lambda: skip(words(Loop("n", "n"), Loop("k", "k"), Loop("m", "m"))),
        "digits differ along temporal loop m inside of it, over 'm'",
    ),
    "skip where sums hop": (
        lambda: skip(
            words(Loop("m", "m"), Loop("n", "n"), Loop("kt", "k"), Loop("kp", "k", 4, True, True))
        ),
        "leaves out other iterations over kt in each instance, but totals hop .* along 'kp'",
    ),
    "loop that skips into space": (
        lambda: unroll(OPT3(placed()), "k"),
        "loop bw must be temporal and outside of 'kb'",
    ),
    "digits into space": (
        lambda: unroll(OPT3(placed()), "bw"),
        "unroll of bw: temporal loops run inside 'bw'",
    ),
    "sparse out of k": (lambda: hoist(OPT3(placed()), "sparse", "k"), "sparse depends on k"),
    "sparse out of m": (lambda: hoist(OPT3(placed()), "sparse", "mp"), "sparse depends on m"),
    "only sparse shared": (
        lambda: hoist(OPT3(placed()), "sparse", "np"),
        "cannot be made ahead of a loop that encode is repeated for, 'np'",
    ),
    "only encode repeated": (
        lambda: repeat(OPT4C(placed()), "encode", "np"),
        "cannot be made ahead of a loop that encode is repeated for, 'np'",
    ),
    # sync
    "sync of equals": (
        lambda: sync(OPT1(placed()), "kb"),
        "sync waits for instances that leave out iterations: no 'sparse'",
    ),
    "sync twice": (lambda: sync(OPT3(placed()), "np"), "a nest has at most one sync, not 2"),
    "sync in every iteration": (
        lambda: sync(unsynchronised(), "k"),
        "sync must run outside of loop k, whose iterations are left out, not in 'loop k'",
    ),
    "sync of one": (
        lambda: sync(OPT3(plain()), "n"),
        "those of a spatial loop over m or k: there is none around 'loop n'",
    ),
    "sync out of the columns": (
        lambda: hoist(OPT3(placed()), "sync", "mp"),
        "those of a spatial loop over m or k: there is none around 'loop nt'",
    ),
    # compress, sink, share
    "compress of pairs": (
        lambda: compress(OPT4C(placed()), "k"),
        "compress: accumulate over 'k' sums pairs already",
    ),
    "pair of a pair": (
        lambda: compress(compress(placed(), "bw"), "bw"),
        "compress: half_reduce over 'bw' sums pairs already",
    ),
    "sink of a product": (lambda: sink(placed(), "map", "bw"), "a linear step, .*, not 'map'"),
    "sink of what is there": (
        lambda: sink(OPT3(placed()), "add", "bw"),
        "sink of add: it runs inside of loop 'bw' already",
    ),
    "sink of an adder before pairs": (
        lambda: sink(OPT1(placed()), "add", "bw"),
        "add propagates the carries of a pair, there is only 'word'",
    ),
    "share of what never rests": (
        lambda: share(OPT3(placed()), "half_reduce", "np"),
        "runs in every iteration of temporal loop kb: instances busy all the time .* over 'np'",
    ),
    "interchange past the adder": (
        lambda: interchange(OPT3(placed()), "bw", "k"),
        "interchange of bw and k: add runs between them, in loop 'bw'",
    ),
}


def split_whole(extent: int) -> Nest:
    """A loop over k of known extent."""
    nest = plain()
    loops = tuple(replace(lp, extent=extent) if lp.dim == "k" else lp for lp in nest.loops)
    return replace(nest, loops=loops)


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_moves_say_why(name):
    move, reason = ILLEGAL[name]
    with pytest.raises(IllegalMove, match=reason):
        move()


def test_a_pair_is_made_of_a_word_only():
    nest = OPT3(placed())
    pair = nest.the("half_reduce")
    at = nest.primitives.index(pair)
    with pytest.raises(IllegalMove, match="over no loop makes a pair of a word, not of a 'pair'"):
        replace(nest, primitives=(*nest.primitives[:at], pair, *nest.primitives[at:]))


def test_sparse_comes_once_and_after_encode():
    nest = unsynchronised()
    encode, sparse, *others = nest.primitives
    for first in ([sparse, encode], [encode, sparse, sparse]):
        with pytest.raises(IllegalMove, match="sparse reads the digits that encode makes, not"):
            replace(nest, primitives=(*first, *others))


def test_moves_lead_back():
    nest = OPT3(placed())
    late = hoist(nest, "add", "kb")
    assert [late.form(p) for p in late.find("accumulate")] == ["pair", "pair"]
    assert sink(late, "add", "bw") == nest
    assert sync(unsynchronised(), "kb") == nest
    assert sync(hoist(unsynchronised(), "add", "kb"), "kb") == late
    assert hoist(nest, "sync", "kb") == sync(unsynchronised(), "np")


def test_sync_may_stand_anywhere_outside():
    """It reads no value: neither the order nor a total that is not complete matters."""
    nest = unsynchronised()
    for level in ("kb", "bw", "np", "mp"):
        assert [lp.name for lp in sync(nest, level).waiting] == ["mp"]
    first = Primitive("sync", "kb")
    at = [p.op for p in nest.primitives].index("map") + 1
    assert replace(nest, primitives=(*nest.primitives[:at], first, *nest.primitives[at:]))


def test_a_sync_named_last_does_not_end_the_nest(rng):
    late = hoist(unsynchronised(), "add", "kb")
    late = replace(late, primitives=(*late.primitives, Primitive("sync", "kb")))
    A, B = rng.integers(-128, 128, (5, 40)), rng.integers(-128, 128, (40, 4))
    np.testing.assert_array_equal(late.execute(A, B), A @ B)


def test_instances_that_rest_can_be_shared():
    """The adder is used once a pass, while there are sixteen iterations over k in between."""
    nest = share(OPT3(placed()), "add", "np")
    assert nest.the("add").shared == ("np",)
    with pytest.raises(IllegalMove, match="instances busy all the time cannot be shared"):
        share(placed(), "add", "np")


def test_sync_is_outside_of_the_passes():
    assert OPT3(placed(None)).the("sync").level == "np"
    assert OPT3(split(placed(), "kb", "ko", "ki", 2)).the("sync").level == "ki"
    assert OPT3(plain()).find("sync") == []  # there is one instance only
