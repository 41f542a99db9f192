"""OPT2 with the bit-weights in time, and the moves that lead there."""

import numpy as np
import pytest

from bitweight import (
    ARRAYS,
    ENCODINGS,
    MAC,
    OPT1,
    OPT2,
    OPT2_TEMPORAL,
    Cube,
    IllegalMove,
    Int,
    Matrix2D,
)
from bitweight.notation import (
    Nest,
    fuse,
    gemm,
    hoist,
    interchange,
    regroup,
    repeat,
    roll,
    split,
    unroll,
)


def plain(a=8, b=8, acc=32, encoding="mbe") -> Nest:
    return gemm(Int(a), Int(b), acc, ENCODINGS[encoding])


def placed(rows=3, cols=2, lanes=4, **parameters) -> Nest:
    return Cube(rows, cols, lanes).place(plain(**parameters))


def alone() -> Nest:
    """One product at a time, without lanes."""
    return Matrix2D(3, 2).place(plain())


def cut() -> Nest:
    """Two temporal loops over k outside of the lanes, which pass over them one in the other."""
    return split(placed(), "kt", "ko", "ki", 3)


def rolled() -> Nest:
    """OPT2 with the bit-weights of a group of lanes one after the other."""
    return roll(OPT2(placed()), "bw")


NESTS = {
    "temporal": lambda: OPT2_TEMPORAL(placed()),
    "other widths": lambda: OPT2_TEMPORAL(placed(a=5, b=11, acc=40)),
    "one digit": lambda: OPT2_TEMPORAL(placed(a=2)),
    "k cut twice": lambda: OPT2_TEMPORAL(cut()),
    "rolled": rolled,
    "fused": lambda: fuse(rolled(), "bw"),
    "lanes in time": lambda: roll(placed(), "kp"),
    "lanes in time, opt1": lambda: roll(OPT1(placed()), "kp"),
    "digits in time": lambda: roll(interchange(placed(), "kp", "bw"), "bw"),
    "rows in time": lambda: roll(placed(), "mp"),
    **{
        f"temporal, {name}": lambda name=name: OPT2_TEMPORAL(placed(encoding=name))
        for name in ENCODINGS
    },
}


@pytest.mark.parametrize("name", NESTS)
def test_every_nest_multiplies(name, rng):
    nest = NESTS[name]()
    for M, N, K in [(1, 1, 1), (4, 3, 9), (3, 5, 26)]:
        A = rng.integers(nest.a.min, nest.a.max + 1, (M, K))
        B = rng.integers(nest.b.min, nest.b.max + 1, (K, N))
        np.testing.assert_array_equal(nest.execute(A, B), A @ B)


def test_the_loop_over_bit_weights_is_around_that_over_k():
    nest = OPT2_TEMPORAL(placed())
    assert [loop.name for loop in nest.loops] == ["mt", "nt", "mp", "np", "bw", "kt", "kp"]
    assert [loop.name for loop in nest.loops if loop.spatial] == ["mp", "np", "kp"]
    assert [(p.op, p.level, p.over, p.without) for p in nest.primitives] == [
        ("encode", "kp", (), ("np",)),
        ("map", "kp", (), ()),
        ("half_reduce", "kt", ("kp",), ()),
        ("accumulate", "kt", ("kt",), ()),
        ("shift", "bw", (), ()),
        ("accumulate", "bw", ("bw",), ()),
        ("add", "np", (), ()),
    ]
    assert nest.passes == 4 and OPT2(placed()).passes == 1


def test_counts_say_what_is_made_again_and_what_is_kept_once():
    """A GEMM of one tile, 16 groups of lanes, four bit-weights."""
    before, after = (mac(placed()).counts(3, 2, 64) for mac in (OPT2, OPT2_TEMPORAL))
    uses = {(c.op, c.level): (c.instances, c.uses) for c in after.primitives}
    assert uses == {
        ("encode", "kp"): (3 * 4, 4 * 16),  # shared along n, made again in each pass
        ("map", "kp"): (6 * 4, 4 * 16),
        ("half_reduce", "kt"): (6, 4 * 16),
        ("accumulate", "kt"): (6, 4 * 16),
        ("shift", "bw"): (6, 4),
        ("accumulate", "bw"): (6, 4),
        ("add", "np"): (6, 1),
    }
    # The total over k goes on as that over the bit-weights: one pair for each element of C.
    assert before.accumulator_bits == after.accumulator_bits == 6 * 2 * 32
    assert (before.cycles, after.cycles) == (16, 64)


def test_a_total_between_whose_uses_others_run_is_a_total_of_its_own():
    """Bit-weights inside of the loop over k: the total over k must wait, it is not shifted."""
    counts = rolled().counts(3, 2, 64)
    assert counts.accumulator_bits == 6 * 2 * (32 + 18)  # four products fit in 18 bits
    assert not any(rolled().continues(p) for p in rolled().find("accumulate"))


def test_printing_shows_the_passes():
    lines = [line.split("#")[0].rstrip() for line in str(OPT2_TEMPORAL(placed())).splitlines()]
    start = lines.index("            par np in 2:")
    assert lines[start + 1 : start + 9] == [
        "                for bw in 4:",
        "                    for kt in K/4:",
        "                        par kp in 4:",
        "                            p = map(d[bw], B[k, n])",
        "                        sum, carry = half_reduce(p over kp)",
        "                        sum, carry = accumulate(sum, carry over kt)",
        "                    sum, carry = shift(sum, carry, 4**bw)",
        "                    sum, carry = accumulate(sum, carry over bw)",
    ]
    assert lines[start - 4 : start] == [
        "            for bw in 4:",
        "                for kt in K/4:",
        "                    par kp in 4:",
        "                        d[bw] = encode(A[m, k])",
    ]


def test_moves_lead_back():
    once = hoist(placed(), "encode", "np")
    assert repeat(once, "encode", "np") == placed()
    cut_apart = split(plain(), "k", "kt", "ki", 4)
    assert fuse(regroup(cut_apart, "ki"), "ki") == cut_apart
    hopping = unroll(split(plain(), "k", "kt", "kp", 4), "kp", hop=True)
    assert roll(hopping, "kp") == split(plain(), "k", "kt", "kp", 4)


ILLEGAL = {
    "roll of time": (lambda: roll(placed(), "kt"), "roll turns a spatial loop .*, not 'kt'"),
    "roll of a sum of words": (
        lambda: roll(alone(), "bw"),
        "roll of bw: half_reduce makes pairs of words, .* over 'bw' stays a word",
    ),
    "roll of instances that take turns": (
        lambda: roll(Cube(3, 2, 4).drain(OPT1(placed())), "mp"),
        "roll of mp: its instances share one add, .* over 'mp'",
    ),
    "fuse of a sum in space": (
        lambda: fuse(placed(), "kp"),
        "fuse: no running total over 'kp' is taken up",
    ),
    "fuse of the last total": (
        lambda: fuse(placed(), "kt"),
        "fuse: no running total over 'kt' is taken up",
    ),
    "fuse past a shift": (
        lambda: fuse(OPT2_TEMPORAL(placed()), "kt"),
        "fuse of kt: shift runs between its total and that over bw, in loop 'bw'",
    ),
    "repeat of what is not made ahead": (
        lambda: repeat(placed(), "encode", "np"),
        "repeat of encode: it is not made ahead of loop 'np'",
    ),
    "repeat of a product": (
        lambda: repeat(placed(), "map", "kp"),
        "repeat of map: it is not made ahead of loop 'kp'",
    ),
    "interchange before the totals are one": (
        lambda: interchange(rolled(), "kt", "bw"),
        "accumulate runs between them, in loop 'kt'",
    ),
    "twice": (lambda: OPT2_TEMPORAL(OPT2_TEMPORAL(placed())), "opt2-temporal: shift runs in no"),
    "no lanes": (
        lambda: OPT2_TEMPORAL(alone()),
        "opt2-temporal: shift runs in no spatial loop over k that it could leave",
    ),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_moves_say_why(name):
    move, reason = ILLEGAL[name]
    with pytest.raises(IllegalMove, match=reason):
        move()


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_it_does_not_suit_says_which_loop(name):
    """Legal for those with lanes in space whose products are summed over k before anything else."""
    nest = MAC(ARRAYS[name]().place(plain()))
    if name == "cube":
        assert OPT2_TEMPORAL(nest).passes == 4
        return
    with pytest.raises(IllegalMove, match=r"^opt2-temporal: .* loop .*over (k|n)"):
        OPT2_TEMPORAL(nest)


def test_all_loops_over_k_have_one_total():
    nest = OPT2_TEMPORAL(cut())
    totals = [(p.over, p.level) for p in nest.find("accumulate")]
    assert totals == [(("ko", "ki"), "ki"), (("bw",), "bw")]
    assert nest.counts(3, 2, 24).accumulator_bits == 6 * 2 * 32
