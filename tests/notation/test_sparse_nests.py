"""OPT3, OPT4C and OPT4E: the nests of the bit-slice engines, as far as they are run and counted."""

from dataclasses import replace

import numpy as np
import pytest

from bitweight import ENCODINGS, Int
from bitweight.notation import (
    OPT2,
    OPT2_TEMPORAL,
    OPT3,
    OPT4C,
    OPT4E,
    Loop,
    Nest,
    Primitive,
    execute,
    gemm,
    hoist,
    interchange,
    repeat,
    roll,
    share,
    skip,
    split,
    unroll,
)
from bitweight.notation.transformations.opt4e import GROUP

MOVES = {move.name: move for move in (OPT3, OPT4C, OPT4E)}


def plain(a=8, b=8, acc=32, encoding="mbe") -> Nest:
    return gemm(Int(a), Int(b), acc, ENCODINGS[encoding])


def placed(columns=4, rows=3, block: int | None = 16, **parameters) -> Nest:
    """Columns along m of PEs along n; k in blocks, if it is cut."""
    nest = split(plain(**parameters), "m", "mt", "mp", columns)
    nest = interchange(split(nest, "n", "nt", "np", rows), "mp", "nt")
    nest = unroll(unroll(nest, "mp"), "np", hop=True)
    return split(nest, "k", "kb", "k", block) if block else nest


def lanes() -> Nest:
    """OPT3 with lanes along k in space."""
    return unroll(split(placed(), "k", "kt", "kp", 8), "kp")


def around_n() -> Nest:
    """All of a row of B for each digit: a temporal loop over n inside of the one that skips."""
    nest = plain()
    loops = [nest.loop("m"), replace(nest.loop("bw"), spatial=False), nest.loop("k")]
    primitives = [Primitive("encode", "k"), Primitive("map", "n"), Primitive("shift", "n")]
    primitives.append(Primitive("accumulate", "n", over=("bw", "k")))
    return replace(nest, loops=(*loops, nest.loop("n")), primitives=tuple(primitives))


NESTS = {
    **{name: lambda move=move: move(placed()) for name, move in MOVES.items()},
    **{
        f"{name}, k in one": lambda move=move: move(placed(block=None))
        for name, move in MOVES.items()
    },
    **{
        f"{name}, one column": lambda move=move: move(placed(1, 5, 8))
        for name, move in MOVES.items()
    },
    **{
        f"{name}, {encoding}": lambda move=move, encoding=encoding: move(placed(encoding=encoding))
        for name, move in MOVES.items()
        for encoding in ENCODINGS
    },
    **{
        f"{name}, other widths": lambda move=move: move(placed(2, 2, 4, a=5, b=11, acc=40))
        for name, move in MOVES.items()
    },
    "one digit": lambda: OPT4E(placed(a=2)),
    "not placed": lambda: OPT3(plain()),
    "not placed, k in blocks": lambda: OPT3(split(plain(), "k", "kb", "k", 4)),
    "two blocks, one in the other": lambda: OPT4C(split(placed(), "kb", "ko", "ki", 2)),
    "eight lanes": lambda: OPT3(lanes()),
    "eight lanes, encoder shared": lambda: OPT4C(lanes()),
    "only encode shared": lambda: hoist(OPT3(placed()), "encode", "np"),
    "adder shared": lambda: share(OPT4C(placed()), "add", "np"),
    "carries kept until all is added": lambda: hoist(OPT3(placed()), "add", "kb"),
    "lanes cut after": lambda: split(OPT3(placed()), "k", "kt", "ki", 4),
    "digits kept for all passes": lambda: hoist(
        hoist(OPT3(placed()), "encode", "bw"), "sparse", "bw"
    ),
    "sync once a tile": lambda: hoist(OPT4C(placed()), "sync", "kb"),
    "a row of B for a digit": lambda: skip(around_n()),
}


@pytest.mark.parametrize("name", NESTS)
def test_every_nest_multiplies(name, rng):
    nest = NESTS[name]()
    for M, N, K, dense in [(1, 1, 1, 1), (6, 5, 37, 1), (4, 3, 32, 0.2), (2, 2, 5, 0)]:
        A = rng.integers(nest.a.min, nest.a.max + 1, (M, K)) * (rng.random((M, K)) < dense)
        B = rng.integers(nest.b.min, nest.b.max + 1, (K, N))
        np.testing.assert_array_equal(nest.execute(A, B), A @ B)
    A, B = np.full((2, 40), nest.a.min), np.full((40, 2), nest.b.min)
    np.testing.assert_array_equal(nest.execute(A, B), A @ B)


def _steps(nest: Nest, monkeypatch, A, B) -> int:
    """Return how often products were made."""
    steps = []
    sound = execute._Run._map
    monkeypatch.setattr(execute._Run, "_map", lambda run: steps.append(1) or sound(run))
    np.testing.assert_array_equal(nest.execute(A, B), A @ B)
    return len(steps)


@pytest.mark.parametrize("name", MOVES)
def test_iterations_without_a_digit_are_left_out(name, monkeypatch, rng):
    """A pass takes as many steps as the lane with most digits has, and at least one."""
    nest = MOVES[name](placed(columns=4, rows=3, block=16))
    A = rng.integers(-128, 128, (8, 64)) * (rng.random((8, 64)) < 0.4)
    B = rng.integers(-128, 128, (64, 3))
    digits = ENCODINGS["mbe"].recode(A, 8)
    lanes = GROUP if name == "opt4e" else 1
    # Rows, blocks and groups of lanes; positions are the iterations that may be left out.
    digits = digits.reshape(2, 4, 4, 16 // lanes, lanes, 4)
    expected = np.maximum((digits != 0).sum(axis=3).max(axis=(1, 3)), 1).sum()
    assert _steps(nest, monkeypatch, A, B) == expected < nest.counts(8, 3, 64).cycles


def test_a_digit_that_is_left_out_is_noticed(monkeypatch, rng):
    A, B = rng.integers(1, 128, (4, 16)), rng.integers(1, 128, (16, 3))
    nest = OPT4C(placed())
    sound = execute._Run._nonzero
    monkeypatch.setattr(execute._Run, "_nonzero", lambda run, loop: sound(run, loop)[:-1])
    assert (nest.execute(A, B) != A @ B).any()
    monkeypatch.undo()
    largest = np.argsort
    A[:, ::2] = 0
    monkeypatch.setattr(execute.np, "argsort", lambda zero, **how: largest(~zero, **how))
    with pytest.raises(AssertionError, match="left out what is not zero"):
        nest.execute(A, B)


def test_what_the_moves_make():
    opt3, opt4c, opt4e = (move(placed()) for move in MOVES.values())
    assert [loop.name for loop in opt3.loops] == ["mt", "nt", "mp", "np", "kb", "bw", "k"]
    assert [loop.name for loop in opt3.loops if loop.spatial] == ["mp", "np"]
    assert [(p.op, p.level, p.over, p.without) for p in opt3.primitives] == [
        ("encode", "k", (), ()),
        ("sparse", "k", (), ()),
        ("map", "k", (), ()),
        ("half_reduce", "k", (), ()),
        ("accumulate", "k", ("k",), ()),
        ("add", "bw", (), ()),
        ("shift", "bw", (), ()),
        ("accumulate", "bw", ("kb", "bw"), ()),
        ("sync", "kb", (), ()),
    ]
    without = {p.op: p.without for p in opt4c.primitives if p.without}
    assert without == {"encode": ("np",), "sparse": ("np",)}
    assert opt4c == hoist(hoist(opt3, "encode", "np"), "sparse", "np")
    assert opt3 == repeat(repeat(opt4c, "sparse", "np"), "encode", "np")
    assert [loop.name for loop in opt4e.loops if loop.spatial] == ["mp", "np", "kp"]
    assert opt4e.loop("kp").extent == GROUP and opt4e.loop("kt").extent == 16 // GROUP
    whole = opt4e.the("half_reduce")
    assert (whole.level, whole.over) == ("kt", ("kp",))
    assert [opt4e.form(p) for p in opt4e.find("accumulate")] == ["pair", "word"]
    assert [nest.shared_digits for nest in (opt3, opt4c, opt4e)] == [False, True, True]
    assert [nest.skipped.name for nest in (opt3, opt4c, opt4e)] == ["k", "k", "kt"]
    assert all([lp.name for lp in nest.waiting] == ["mp"] for nest in (opt3, opt4c, opt4e))
    assert all(nest.sparse and nest.passes == 4 for nest in (opt3, opt4c, opt4e))
    assert not placed().sparse and placed().skipped is None and placed().waiting == ()


def test_counts():
    """Two tiles of 4 × 3, four blocks of 16, four bit-weights; INT8 and an accumulator of 32."""
    opt3, opt4c, opt4e = (move(placed()).counts(8, 3, 64) for move in MOVES.values())
    uses = {(c.op, c.level): (c.instances, c.uses) for c in opt3.primitives}
    steps, passes = 2 * 64 * 4, 2 * 4 * 4
    assert uses == {
        ("encode", "k"): (12, steps),
        ("sparse", "k"): (12, steps),
        ("map", "k"): (12, steps),
        ("half_reduce", "k"): (12, steps),
        ("accumulate", "k"): (12, steps),
        ("add", "bw"): (12, passes),
        ("shift", "bw"): (12, passes),
        ("accumulate", "bw"): (12, passes),
        ("sync", "kb"): (1, 2 * 4),
    }
    encoders = [
        [(c.instances, c.uses) for c in counts.primitives if c.op in ("encode", "sparse")]
        for counts in (opt4c, opt4e)
    ]
    assert encoders == [[(4, steps)] * 2, [(4 * GROUP, steps // GROUP)] * 2]
    # 16 products of at most 2 · 128 need 14 bits: a pair of them, and a word for all bit-weights.
    assert opt3.accumulator_bits == opt4c.accumulator_bits == 12 * (2 * 14 + 32)
    assert opt4e.accumulator_bits == 12 * (2 * 14 + 32)
    assert [c.cycles for c in (opt3, opt4c, opt4e)] == [steps, steps, steps // GROUP]


def test_one_adder_for_the_array():
    for move in MOVES.values():
        nest = share(move(placed()), "add", "np")
        adder = next(c for c in nest.counts(8, 3, 64).primitives if c.op == "add")
        assert (adder.instances, adder.uses) == (4, 3 * 2 * 4 * 4)
        adder = (
            share(nest, "add", "mp")
            .counts(8, 3, 64)
            .primitives[nest.primitives.index(nest.the("add"))]
        )
        assert (adder.op, adder.instances, adder.uses) == ("add", 1, 12 * 2 * 4 * 4)


@pytest.mark.parametrize(
    ("encoding", "a", "b", "block", "bits"),
    [
        ("mbe", 8, 8, 65536, 26),
        ("mbe", 8, 8, 64, 16),
        ("mbe", 8, 8, 1, 10),
        ("mbe", 8, 8, 3, None),
        ("mbe", 4, 11, 100, None),
    ],
)
@pytest.mark.parametrize("move", [OPT3, OPT4C, OPT4E])
def test_sums_of_one_bit_weight_are_as_wide_as_they_can_get(move, encoding, a, b, block, bits):
    if move is OPT4E:
        block, bits = block * GROUP, bits and bits + 2
    nest = move(placed(block=block, a=a, b=b, acc=40, encoding=encoding))
    total = nest.find("accumulate")[0]
    width = nest.width(total)
    code = nest.encoding
    extremes = [
        block * digit * operand
        for digit in (code.digit_min, code.digit_max)
        for operand in (nest.b.min, nest.b.max)
    ]
    assert all(-(1 << (width - 1)) <= value < 1 << (width - 1) for value in extremes)
    assert not all(-(1 << (width - 2)) <= value < 1 << (width - 2) for value in extremes)
    assert bits is None or width == bits
    assert nest.width(nest.find("accumulate")[1]) == 40


def test_digits_of_one_sign_need_no_more_bits_than_they_fill():
    """{-1, 0, 1}, {0, 1} and {-1, 0} with operands of 8 bits, eight of them."""

    class Narrow:
        name, radix = "narrow", 4

        def __init__(self, low: int, high: int) -> None:
            self.digit_min, self.digit_max = low, high

        def digits(self, bits: int) -> int:
            return -(-bits // 2)

    def width(low: int, high: int) -> int:
        nest = OPT3(replace(placed(block=8), encoding=Narrow(low, high)))
        return nest.width(nest.find("accumulate")[0])

    # 8 · 128 = 1024 itself does not fit in 11 bits, -1024 does.
    assert (width(-1, 1), width(0, 1), width(-1, 0)) == (12, 11, 12)


def test_widths_of_sums_that_are_not_of_one_bit_weight():
    """Four lanes of INT8 × INT8: 18 bits for products, 12 for those of digits."""
    nest = unroll(split(placed(block=None), "k", "kt", "kp", 4), "kp")
    together = OPT2(nest)
    assert together.width(together.reducer("kp")) == 18  # all bit-weights in one heap
    turns = roll(together, "bw")
    assert turns.width(turns.reducer("kp")) == 12
    assert turns.width(turns.reducer("bw")) == 18  # shifted
    passes = OPT2_TEMPORAL(nest)
    loops = [replace(lp, extent=4) if lp.name == "kt" else lp for lp in passes.loops]
    passes = replace(passes, loops=tuple(loops))
    # Sixteen products; the total over k goes on as that over the bit-weights.
    assert [passes.width(p) for p in passes.find("accumulate")] == [20, 20]


def test_widths_without_a_known_block_are_those_of_the_accumulator():
    nest = OPT3(placed(block=None))
    assert [nest.width(p) for p in nest.find("accumulate")] == [32, 32]
    narrow = OPT3(placed(block=1 << 20, acc=20))
    assert [narrow.width(p) for p in narrow.find("accumulate")] == [20, 20]


def test_printing_opt3_looks_at_each_digit():
    lines = [line.split("#")[0].strip() for line in str(OPT3(placed())).splitlines()]
    at = lines.index("for k in 16:")
    assert lines[at + 1 : at + 4] == [
        "d[bw] = encode(A[m, k])",
        "if d[bw] == 0: next k",
        "p = map(d[bw], B[k, n])",
    ]
    mixed = str(hoist(OPT3(placed()), "encode", "np"))
    assert mixed.count("for k in 16:") == 2 and mixed.count("if d[bw] == 0: next k") == 1


OPT4C_TEXT = """\
for mt in M/4:        # part of m
    for nt in N/3:        # part of n
        par mp in 4:          # part of m
            for kb in K/16:       # part of k
                for bw in 4:
                    for k in 16:          # part of k
                        d[bw] = encode(A[m, k])  # mbe
                        if d[bw] != 0: send d[bw], k  # sparse
            par np in 3:          # part of n, operands hop
                for kb in K/16:       # part of k
                    for bw in 4:
                        for k in nonzero(d[bw]):  # of 16, part of k
                            p = map(d[bw], B[k, n])
                            sum, carry = half_reduce(p)
                            sum, carry = accumulate(sum, carry over k)
                        p = add(sum, carry)
                        p = shift(p, 4**bw)
                        p = accumulate(p over kb, bw)
                    sync()  # all mp wait for the slowest
C[m, n] = result"""

OPT4E_TEXT = """\
for mt in M/4:        # part of m
    for nt in N/3:        # part of n
        par mp in 4:          # part of m
            for bw in 4:
                for kt in K/4:        # part of k
                    par kp in 4:          # part of k
                        d[bw] = encode(A[m, k])  # mbe
                        if d[bw] != 0: send d[bw], kt  # sparse
            par np in 3:          # part of n, operands hop
                for bw in 4:
                    for kt in nonzero(d[bw]):  # of K/4, part of k
                        par kp in 4:          # part of k
                            p = map(d[bw], B[k, n])
                        sum, carry = half_reduce(p over kp)
                        sum, carry = accumulate(sum, carry over kt)
                    p = add(sum, carry)  # one for all np
                    p = shift(p, 4**bw)
                    p = accumulate(p over bw)
                sync()  # all mp wait for the slowest
C[m, n] = result"""


def test_printed_form():
    assert str(OPT4C(placed())) == OPT4C_TEXT
    assert str(share(OPT4E(placed(block=None)), "add", "np")) == OPT4E_TEXT


def test_a_loop_of_the_nest_may_have_any_name():
    nest = OPT4E(split(placed(block=None), "k", "ko", "ki", 8))
    assert [loop.name for loop in nest.loops if loop.dim == "k"] == ["ko", "kit", "kip"]
    assert isinstance(nest.skipped, Loop) and nest.skipped.name == "kit"
