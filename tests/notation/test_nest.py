import numpy as np
import pytest

from bitweight import ENCODINGS, MAC, OPT1, OPT2, IllegalMove, Int, SystolicOS
from bitweight.notation import (
    Loop,
    Nest,
    Primitive,
    gemm,
    hoist,
    interchange,
    merge,
    regroup,
    resolve,
    share,
    split,
    unroll,
)


def plain(a=8, b=8, acc=32) -> Nest:
    return gemm(Int(a), Int(b), acc, ENCODINGS["mbe"])


def placed(rows=4, cols=3, **widths) -> Nest:
    return SystolicOS(rows, cols).place(plain(**widths))


def drained() -> Nest:
    return share(OPT1(placed()), "add", "mp")


def encode_shared() -> Nest:
    return hoist(OPT1(placed()), "encode", "np")


def lanes() -> Nest:
    """Four lanes along k, summed in space."""
    return unroll(split(placed(), "k", "kt", "kp", 4), "kp")


def opt2() -> Nest:
    """One sum over the lanes for each bit-weight, shifted and merged after."""
    return hoist(regroup(interchange(OPT1(lanes()), "kp", "bw"), "kp"), "shift", "kp")


def stationary() -> Nest:
    """Tiles of four rows and three columns of B stay while five rows of A stream past."""
    nest = split(split(split(plain(), "n", "nt", "np", 3), "m", "mt", "mi", 5), "k", "kt", "kp", 4)
    for outer, inner in [("mi", "nt"), ("mt", "nt"), ("np", "kt"), ("mi", "kt")]:
        nest = interchange(nest, outer, inner)
    return unroll(nest, "np", hop=True)


def hopping() -> Nest:
    """Totals hop along k and are added to those of earlier tiles."""
    return regroup(unroll(stationary(), "kp", hop=True), "kp")


def tree() -> Nest:
    """Multipliers with an adder each, and a tree of adders."""
    return resolve(unroll(stationary(), "kp"), "kp")


NESTS = {
    "plain": plain,
    "placed": placed,
    "opt1-unplaced": lambda: OPT1(plain()),
    "opt1": lambda: OPT1(placed()),
    "opt1-drained": drained,
    "k-split": lambda: OPT1(split(placed(), "k", "kt", "ki", 4)),
    "encode-shared": encode_shared,
    "lanes": lanes,
    "lanes-opt1": lambda: OPT1(lanes()),
    "opt2": opt2,
    "hopping-together": lambda: unroll(stationary(), "kp", hop=True),
    "hopping": hopping,
    "hopping-opt1": lambda: OPT1(hopping()),
    "tree": tree,
    "tree-opt1": lambda: OPT1(tree()),
    "tree-opt2": lambda: hoist(OPT2(tree()), "encode", "np"),
}


@pytest.mark.parametrize("name", NESTS)
def test_every_nest_multiplies(name, rng):
    nest = NESTS[name]()
    for M, N, K in [(1, 1, 1), (6, 5, 9), (4, 3, 8)]:
        A = rng.integers(-128, 128, (M, K))
        B = rng.integers(-128, 128, (K, N))
        np.testing.assert_array_equal(nest.execute(A, B), A @ B)


def test_execution_wraps_as_a_register_does():
    A = np.full((1, 40), -8)
    C = OPT1(placed(a=4, b=4, acc=8)).execute(A, A.T)
    assert C == (40 * 64 + 128) % 256 - 128


def test_a_lost_carry_gives_a_wrong_product(monkeypatch):
    from bitweight.notation import execute

    monkeypatch.setattr(execute._Run, "_wrap", lambda self, v: v & 0x3FF)
    A = np.full((2, 30), 100)
    assert (drained().execute(A, A.T) != A @ A.T).all()


def test_opt1_moves_the_adder_and_keeps_pairs():
    before, after = placed(), drained()
    assert (before.accumulator, after.accumulator) == ("word", "pair")
    assert before.inside("add", "k") and not after.inside("add", "k")
    counted = [nest.counts(8, 6, 10) for nest in (before, after)]
    adders = [next(c for c in count.primitives if c.op == "add") for count in counted]
    # 12 adders that work in each of 40 cycles; 3 that resolve 4 rows of 4 tiles.
    assert [(c.instances, c.uses) for c in adders] == [(12, 40), (3, 16)]
    assert [count.accumulator_bits for count in counted] == [12 * 32, 12 * 64]
    assert [count.operand_bits for count in counted] == [12 * 16] * 2
    assert [count.cycles for count in counted] == [40, 40]


def test_work_does_not_depend_on_the_order_of_loops():
    counts = placed().counts(8, 6, 10).primitives
    for primitive in counts:
        products = 8 * 6 * 10 * (4 if primitive.op in ("map", "shift") else 1)
        assert primitive.instances * primitive.uses == products, primitive


ILLEGAL = {
    "opt1 twice": (lambda: OPT1(OPT1(plain())), "opt1: add runs in no temporal loop over k"),
    "encode out of k": (lambda: hoist(plain(), "encode", "k"), "encode depends on k"),
    "map out of n": (lambda: hoist(placed(), "map", "np"), "map depends on n"),
    "shift out of bw": (lambda: hoist(plain(), "shift", "bw"), "shift depends on bw"),
    "accumulate out of k": (lambda: hoist(plain(), "accumulate", "k"), "running total over k"),
    "not inside": (lambda: hoist(OPT1(plain()), "add", "k"), "does not run inside loop 'k'"),
    "add half way out": (
        lambda: hoist(split(plain(), "k", "kt", "ki", 4), "add", "ki"),
        "add reads a total that is complete only after loop kt",
    ),
    "opt1 twice, hopping": (lambda: OPT1(OPT1(hopping())), "opt1: add runs in no temporal loop"),
    "opt1 twice, tree": (lambda: OPT1(OPT1(tree())), "opt1: add runs in no temporal loop"),
    "opt2 of a hop": (lambda: OPT2(hopping()), "opt2: shift runs in no spatial loop over k"),
    "merge of one": (lambda: merge(OPT1(tree()), "kp"), "no carries propagate between"),
    "resolve twice": (lambda: resolve(tree(), "kp"), "must be summed in one tree with"),
    "hopping adder shared": (
        lambda: share(hopping(), "add", "np"),
        "every iteration of temporal loop kt",
    ),
    "busy adder shared": (lambda: share(placed(), "add", "mp"), "every iteration of temporal"),
    "shift out of k inside": (lambda: hoist(lanes(), "shift", "kp"), "shift depends on bw"),
    "shift before the sum": (
        lambda: hoist(interchange(lanes(), "kp", "bw"), "shift", "kp"),
        "kp is summed only outside of it",
    ),
    "regroup of one": (lambda: regroup(plain(), "bw"), "nothing sums over 'bw' and"),
    "regroup outside in": (lambda: regroup(lanes(), "kp"), "loop bw runs inside kp"),
    "unknown extent unrolled": (lambda: unroll(plain(), "m"), "split it first"),
    "loops with work between": (
        lambda: interchange(plain(), "k", "bw"),
        "half_reduce runs between",
    ),
    "loops apart": (lambda: interchange(plain(), "m", "k"), "not directly around 'k'"),
    "split of space": (lambda: split(placed(), "mp", "x", "y", 2), "temporal loop"),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_moves_say_why(name):
    move, reason = ILLEGAL[name]
    with pytest.raises(IllegalMove, match=reason):
        move()


def _changed(*primitives: Primitive) -> Nest:
    nest = plain()
    return Nest(nest.loops, primitives, nest.a, nest.b, nest.acc, nest.encoding)


WRONG = {
    "no reduction of k": (
        [("half_reduce", "k", ("bw",)), ("add", "k", ())],
        "no primitive reduces loop k",
    ),
    "pair left": (
        [("half_reduce", "k", ("bw",)), ("accumulate", "k", ("k",))],
        "must be added up to a word",
    ),
    "word added": (
        [("add", "bw", ()), ("half_reduce", "k", ("bw",)), ("accumulate", "k", ("k",))],
        "there is only 'word'",
    ),
    "space accumulated": (
        [("accumulate", "bw", ("bw",)), ("accumulate", "k", ("k",))],
        "spatial loop bw over bw is not reduced by 'accumulate'",
    ),
    "reduced inside its loop": (
        [("half_reduce", "bw", ("bw",)), ("add", "k", ()), ("accumulate", "k", ("k",))],
        "must run outside loop bw",
    ),
    "reduced twice": (
        [("half_reduce", "k", ("bw",)), ("half_reduce", "k", ("bw",)), ("add", "k", ())],
        "reduced once",
    ),
    "outward, then inward": (
        [("half_reduce", "n", ("bw",)), ("add", "k", ()), ("accumulate", "k", ("k",))],
        "cannot run in 'loop k'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_nest_that_is_not_gemm_is_refused(name):
    primitives, reason = WRONG[name]
    start = [Primitive("encode", "k"), Primitive("map", "bw"), Primitive("shift", "bw")]
    with pytest.raises(IllegalMove, match=reason):
        _changed(*start, *(Primitive(*p) for p in primitives))


def test_loops_are_checked():
    with pytest.raises(ValueError, match="extent of spatial loop x must be an integer, not None"):
        Loop("x", "m", spatial=True)
    with pytest.raises(ValueError, match="must be one of m, n, k, bw, not 'q'"):
        Loop("x", "q")


def test_opt2_shifts_once_for_all_lanes():
    before, after = (nest.counts(4, 3, 8).primitives for nest in (OPT1(lanes()), opt2()))
    count = {c.op: c.instances for c in before}
    assert (count["shift"], count["encode"]) == (12 * 4 * 4, 12 * 4)
    count = {c.op: c.instances for c in after}
    assert (count["shift"], count["encode"]) == (12 * 4, 12 * 4)
    assert "            d[bw] = encode" in str(opt2())


def test_printing_shows_where_carries_propagate():
    mac, opt1 = str(placed()).splitlines(), str(drained()).splitlines()
    indent = {
        name: next(len(t) - len(t.lstrip()) for t in lines if "add(sum" in t)
        for name, lines in {"mac": mac, "opt1": opt1}.items()
    }
    k = next(len(t) - len(t.lstrip()) for t in mac if "for k" in t)
    assert indent == {"mac": k + 4, "opt1": k}
    assert any("sum, carry = accumulate(sum, carry over k)" in line for line in opt1)
    assert MAC(placed()) == placed()


def test_a_total_that_hops_is_handed_on():
    mac, opt1 = (nest.counts(5, 3, 4) for nest in (hopping(), OPT1(hopping())))
    adders = [next(c for c in counts.primitives if c.op == "add") for counts in (mac, opt1)]
    # One adder in each of 12 PEs, or one at the end of each of 3 columns.
    assert [(c.instances, c.uses) for c in adders] == [(12, 5), (3, 5)]
    # Four products need 18 bits; five totals of each column rest in words.
    assert mac.accumulator_bits == 12 * 18 + 3 * 5 * 32
    assert opt1.accumulator_bits == 12 * 2 * 18 + 3 * 5 * 32
    # A hops; two weights stay in each PE.
    assert mac.operand_bits == 12 * 8 + 12 * 2 * 8
    assert mac.cycles == 5 and hopping().counts(6, 4, 9).cycles == 2 * 2 * 3 * 5
    assert "par kp in 4:          # part of k, sums hop" in str(hopping())
    assert "sum, carry = accumulate(sum, carry over kp)" in str(OPT1(hopping()))


def test_opt1_leaves_a_total_that_rests():
    """Between two additions to a total lie those to all others: its carries may propagate."""
    nest = OPT1(hopping())
    assert nest.accumulator == "word" and nest.form(nest.reducer("kp")) == "pair"
    assert nest.inside("add", "k") and nest.carry_save and not hopping().carry_save
    at_once = OPT1(unroll(split(plain(), "k", "kt", "kp", 4), "kp", hop=True))
    assert at_once.accumulator == "pair" and not at_once.inside("add", "k")


def test_opt1_leaves_one_adder_for_a_tree():
    count = [
        [c.instances for c in nest.counts(1, 1, 1).primitives if c.op == "add"]
        for nest in (tree(), OPT1(tree()))
    ]
    assert count == [[12, 3], [3]]
    assert merge(tree(), "kp") == OPT1(tree()) == unroll(stationary(), "kp")


def test_digits_made_ahead_are_made_once():
    nest = hoist(OPT2(tree()), "encode", "np")
    encoders = next(c for c in nest.counts(5, 3, 4).primitives if c.op == "encode")
    assert (encoders.instances, encoders.uses) == (4, 5)


@pytest.mark.parametrize(("a", "b", "lanes"), [(8, 8, 1), (8, 8, 4), (8, 8, 16), (3, 7, 5)])
def test_widths_are_enough_and_no_more(a, b, lanes):
    nest = unroll(split(plain(a, b), "k", "kt", "kp", lanes), "kp", hop=True)
    nest = regroup(nest, "kp")
    bits = nest.width(nest.reducer("kp"))
    extremes = [lanes * x * y for x in (nest.a.min, nest.a.max) for y in (nest.b.min, nest.b.max)]
    assert all(-(1 << (bits - 1)) <= value < 1 << (bits - 1) for value in extremes)
    assert not all(-(1 << (bits - 2)) <= value < 1 << (bits - 2) for value in extremes)
    assert nest.width(nest.reducer("kt")) == 32


def test_a_total_that_is_not_handed_on_gives_a_wrong_product(monkeypatch):
    from bitweight.notation import execute

    sound = execute._Run._accumulate

    def forgetful(self, position, primitive, value):
        if primitive.over == ("kp",):
            self.totals = {k: v for k, v in self.totals.items() if k[0] != position}
        return sound(self, position, primitive, value)

    A = np.full((2, 8), 100)
    nest = OPT1(hopping())
    np.testing.assert_array_equal(nest.execute(A, A.T), A @ A.T)
    monkeypatch.setattr(execute._Run, "_accumulate", forgetful)
    assert (nest.execute(A, A.T) != A @ A.T).all()
