"""Laconic: walking through pairs of terms, its cycle model, and the array against its bench."""

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Const, Module
from amaranth.sim import Simulator

from bitweight import MAC, OPT1, Design, IllegalMove
from bitweight.emit import emit
from bitweight.pe.laconic import LaconicPE
from bitweight.pe.term_sum import TermSum
from bitweight.pe.terms import Terms
from bitweight.tpe.laconic import Laconic
from bitweight.tpe.laconic_engine import LaconicEngine
from bitweight.tpe.term_feed import PairWalk, TermFeed
from bitweight_verif import verify


def laconic(*sizes: int, a: int = 8, b: int = 8, acc: int = 32, **options: int) -> Design:
    return Design(Laconic(*sizes, **options), MAC, a, b, acc, name="laconic-test")


SMALL = laconic(2, 3, 4)


def terms_of(values: np.ndarray) -> np.ndarray:
    """Count the digits of the non-adjacent form, where 3x differs from x (8 bits)."""
    return sum((3 * values ^ values) >> i & 1 for i in range(1, 10))


def normal(rng, rows: int, cols: int) -> np.ndarray:
    values = rng.standard_normal((rows, cols))
    return np.round(values / abs(values).max() * 127).astype(np.int64)


# --- walking through the pairs of terms ---------------------------------------------------------


@pytest.mark.parametrize("counts", [(4, 4), (1, 1), (3, 1), (1, 2), (8, 5)])
def test_a_walk_meets_every_pair_once_and_says_when_it_ends(counts, rng):
    walk = PairWalk(*counts)
    groups = [(i, j) for i in range(counts[0] + 1) for j in range(counts[1] + 1)]
    rng.shuffle(groups)

    async def bench(ctx):
        for number, (i, j) in enumerate(groups):
            assert ctx.get(walk.ends) == 1
            await ctx.tick()
            ctx.set(walk.load, 1)
            ctx.set(walk.has_a, (1 << i) - 1)
            ctx.set(walk.has_b, (1 << j) - 1)
            seen = []
            for cycle in range(max(2, i * j)):
                # It ends in the cycle after: the next group can be loaded in that one.
                await ctx.delay(1e-8)
                assert ctx.get(walk.ends) == (cycle == max(2, i * j) - 1)
                await ctx.tick()
                ctx.set(walk.load, 0)
                ctx.set(walk.has_a, int(rng.integers(1 << counts[0])))
                seen.append((ctx.get(walk.at_a), ctx.get(walk.at_b)))
            expected = [(1 << x, 1 << y) for y in range(j) for x in range(i)]
            assert seen == expected + [(0, 0)] * (2 - len(expected)), (i, j)
            for _ in range(number % 3):  # nobody has the next group yet
                await ctx.tick()
                assert ctx.get(walk.at_a) == ctx.get(walk.at_b) == 0

    simulator = Simulator(walk)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


CORNERS = {
    "random": lambda rng, shape: rng.integers(-128, 128, shape),
    "lowest": lambda rng, shape: np.full(shape, -128),
    "highest": lambda rng, shape: np.full(shape, 127),
    "most terms": lambda rng, shape: np.full(shape, 85),
    "zeros": lambda rng, shape: np.zeros(shape, dtype=int),
    "one dense lane": lambda rng, shape: -86 * (np.arange(shape[1]) == 1) * np.ones(shape, int),
}


@pytest.mark.parametrize("a_kind", CORNERS)
@pytest.mark.parametrize("b_kind", ["random", "lowest", "one dense lane"])
def test_one_element_fed_with_groups_without_a_gap(a_kind, b_kind, rng):
    """Feeds, walks and an element, put together by hand: exact sums in exactly the cycles."""
    lanes, groups, bits = 3, 6, 8
    terms = Terms(bits)
    a, b = (CORNERS[kind](rng, (groups, lanes)) for kind in (a_kind, b_kind))
    feeds = TermFeed(bits, lanes), TermFeed(bits, lanes)
    walks = [PairWalk(terms.count, terms.count) for _ in range(lanes)]
    pe = LaconicPE(terms, terms, TermSum(lanes, 2 * terms.top, 32))
    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules += [*feeds, *walks, pe]
    n = terms.count
    for lane, walk in enumerate(walks):
        own = slice(lane * n, (lane + 1) * n)
        m.d.comb += [walk.load.eq(feeds[0].load), feeds[1].load.eq(feeds[0].load)]
        m.d.comb += [walk.has_a.eq(feeds[0].has_out[own]), walk.has_b.eq(feeds[1].has_out[own])]
        m.d.comb += [feeds[0].at_in[own].eq(walk.at_a), feeds[1].at_in[own].eq(walk.at_b)]
    m.d.comb += [pe.a_in.eq(feeds[0].terms_out), pe.b_in.eq(feeds[1].terms_out)]
    m.d.comb += pe.drain_in.eq(1)
    needed = np.maximum(2, (terms_of(a) * terms_of(b)).max(axis=1))

    starts = 1 + np.concatenate([[0], np.cumsum(needed)])  # cycles in which groups are loaded
    # Loaded, then handed out, then at the element's inputs, then in its accumulator.
    totals = dict(zip(starts[1:] + 1 + pe.core.latency, (a * b).sum(axis=1), strict=True))

    async def bench(ctx):
        for cycle in range(starts[-1] + pe.core.latency + 2):
            ctx.set(feeds[0].load, int(cycle in starts[:-1]))
            ctx.set(pe.first_in, int(cycle - 2 in starts[:-1]))
            following = np.flatnonzero(np.append(0, starts)[: groups + 1] == cycle)[-1:]
            for feed, operands in zip(feeds, (a, b), strict=True):
                ctx.set(feed.take, len(following))
                for group in following[following < groups]:
                    word = sum((int(x) & 255) << i * bits for i, x in enumerate(operands[group]))
                    ctx.set(feed.operands_in, word)
            await ctx.delay(1e-8)
            # In the cycle before the last pairs of a group, or while nothing is there.
            ends = all(ctx.get(walk.ends) for walk in walks)
            assert ends == (cycle + 1 in starts or cycle >= starts[-1])
            if cycle in totals:
                rows = [ctx.get(pe.drain_0), ctx.get(pe.drain_1)]
                value = sum(
                    (row >> i & 1) << j
                    for row, columns in zip(rows, pe.core.rows, strict=True)
                    for i, j in enumerate(columns)
                )
                assert value % (1 << 32) == int(totals.pop(cycle)) % (1 << 32)
            await ctx.tick()
        assert not totals

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


# --- the cycle model ----------------------------------------------------------------------------


def test_a_group_takes_the_pairs_of_its_slowest_lane():
    array, nest = SMALL.array, SMALL.nest
    for x, y, cycles in [
        (85, 85, 16),
        (1, 85, 4),
        (127, 127, 4),
        (0, 85, 2),
        (3, 7, 4),
        (-128, 1, 2),
    ]:
        A, B = np.zeros((2, 4), dtype=int), np.ones((4, 3), dtype=int)
        A[1, 2], B[2, 0] = x, y
        assert array.group_cycles(nest, A, B).tolist() == [[[cycles]]], (x, y)
    # In step, a row with many terms and a column with many terms of the same lane meet.
    A, B = np.array([[85, 0, 0, 0], [0, 1, 0, 0]]), np.array([[85, 1, 1]] + [[1, 1, 1]] * 3)
    assert array.group_cycles(nest, A, B).item() == 16
    assert array.pe_cycles(nest, A, B).tolist() == [[16, 4, 4], [1, 1, 1]]


def test_cycles_of_groups_and_elements_are_those_of_the_definition(rng):
    array = SMALL.array
    A, B = rng.integers(-128, 128, (5, 11)), rng.integers(-128, 128, (11, 4))
    a = terms_of(np.pad(A, ((0, 1), (0, 1)))).reshape(3, 2, 3, 4)  # [mt, row, group, lane]
    b = terms_of(np.pad(B.T, ((0, 2), (0, 1)))).reshape(2, 3, 3, 4)
    whole = np.einsum("migl,njgl->mnijgl", a, b)
    groups = np.maximum(2, whole.max(axis=(2, 3, 5)))
    np.testing.assert_array_equal(array.group_cycles(SMALL.nest, A, B), groups)
    own = whole.max(axis=5).sum(axis=(0, 1, 4))
    np.testing.assert_array_equal(array.pe_cycles(SMALL.nest, A, B), own)
    assert array.pairs(SMALL.nest, A, B) == whole.sum()
    activity = SMALL.activity(A, B)
    assert activity.cycles == SMALL.cycles(A, B) and activity.units == 6
    np.testing.assert_array_equal(activity.kinds["work"], own.ravel())
    np.testing.assert_array_equal(activity.kinds["sync"], groups.sum() - own.ravel())
    assert set(activity.kinds["fill"]) == {3}


def test_cycles_of_groups_with_operands_from_a_normal_distribution(rng):
    """What the choice of elements in step rests on."""
    A, B = normal(rng, 1024, 1024), normal(rng, 1024, 1024)
    for size, cycles in [(1, 9.4), (2, 10.8), (4, 12.2), (8, 13.5)]:
        design = laconic(size, size, 16)
        mean = design.array.group_cycles(design.nest, A[: 16 * size], B[:, : 4 * size]).mean()
        assert abs(mean - cycles) < 0.5, size


def test_more_rows_or_products_cost_what_they_should():
    zeros = laconic(3, 2, 4), laconic(4, 2, 4)
    few, many = np.zeros((1, 4), dtype=int), np.zeros((1, 8), dtype=int)
    for design in zeros:
        assert design.cycles(many, many.T) == design.cycles(few, few.T) + 2
    assert zeros[1].cycles(few, few.T) == zeros[0].cycles(few, few.T) + 1
    assert zeros[0].cycles(few, few.T) == zeros[0].array.latency(zeros[0].nest) + 3


# --- the array ----------------------------------------------------------------------------------


def test_the_notation_places_three_loops_and_keeps_pairs():
    text = str(SMALL.nest)
    for line in ("par mp in 2", "par np in 3", "par kp in 4", "accumulate(sum, carry over kt)"):
        assert line in text
    assert SMALL.nest.accumulator == "pair"
    assert (SMALL.lanes, SMALL.nest.passes) == (24, 1)
    assert SMALL.macs_per_cycle == 24 / 16  # four terms of each operand at most
    assert SMALL.register_bits == 6 * LaconicPE.register_bits(SMALL.array.core(SMALL.nest))
    with pytest.raises(IllegalMove, match="opt1: add runs in no temporal loop"):
        Design(Laconic(2, 2, 2), OPT1)


def test_packed_beats_hold_every_product(rng):
    for M, N, K in [(1, 1, 1), (5, 7, 9), (2, 3, 4)]:
        A, B = rng.integers(-128, 128, (M, K)), rng.integers(-128, 128, (K, N))
        beats = SMALL.pack(A, B)
        ends = np.flatnonzero(beats.a.last) + 1
        np.testing.assert_array_equal(beats.a.last, beats.b.last)
        a = np.split(beats.a.data.reshape(-1, 2, 4), ends[:-1])
        b = np.split(beats.b.data.reshape(-1, 3, 4), ends[:-1])
        tiles = [np.einsum("kil,kjl->ij", x, y) for x, y in zip(a, b, strict=True)]
        np.testing.assert_array_equal(SMALL.unpack(np.concatenate(tiles), M, N), A @ B)
        np.testing.assert_array_equal(SMALL.nest.execute(A, B), A @ B)
        assert SMALL.output_last(M, N).sum() == len(ends)


def test_each_block_is_one_module():
    modules = emit(laconic(3, 2, 4)).modules
    assert sorted(name.removeprefix("laconic_test_") for name in modules) == [
        "column",
        "laconic_test",
        "pair_walk",
        "pe",
        "skid_buffer",
        "term_feed_8",
    ]


def test_bad_sizes():
    with pytest.raises(ValueError, match=r"lanes of laconic must be .* 1 to 1024, not 0"):
        Laconic(2, 2, 0)
    with pytest.raises(TypeError, match=r"rows of laconic must be .*, not '2'"):
        Laconic("2")


SHAPES = {
    "one element, one lane": laconic(1, 1, 1, adder_stages=0),
    "broadcast through registers": laconic(4, 3, 2, broadcast_stages=2, adder_stages=2),
    "odd widths": laconic(2, 3, 3, a=5, b=11, acc=20),
    "narrowest": laconic(3, 1, 2, a=2, b=2, acc=4),
}


@pytest.mark.parametrize("name", SHAPES)
def test_arrays_of_other_sizes_pass_the_bench(name, tmp_path):
    design = SHAPES[name]
    size = (3, min(5, design.max_k), 4)
    result = verify(design, "icarus", size, 1, 7, build_dir=tmp_path)
    assert result.passed, [case.message for case in result.failures]


def a_lane_that_stops_early():
    def more(self, m, name, has):
        return [*sound(self, m, name, has)[:-2], Const(0, 1), Const(0, 1)]

    sound = PairWalk._more
    return PairWalk, "_more", more


def a_drain_that_starts_early():
    return Laconic, "pipeline", lambda self, nest: sound(self, nest) - 1


sound = Laconic.pipeline


def a_sign_that_is_lost():
    def code(self, term):
        return original(self, term)[:-1]

    original = TermSum.code
    return TermSum, "code", code


def a_constant_too_few():
    def last(self, carries):
        self.lanes -= 1
        try:
            return original(self, carries)
        finally:
            self.lanes += 1

    original = TermSum._last
    return TermSum, "_last", last


def no_wait_for_totals():
    def feed(self, m, room, load, ends):
        return original(self, m, room, room, ends)

    original = LaconicEngine._feed
    return LaconicEngine, "_feed", feed


FAULTS = {
    "a lane stops early": (a_lane_that_stops_early, "element|cycles"),
    "the drain starts early": (a_drain_that_starts_early, "element|cycles"),
    "a sign is lost": (a_sign_that_is_lost, "element"),
    "a constant too few": (a_constant_too_few, "element"),
    "groups are loaded when they come": (no_wait_for_totals, "element|cycles|timeout"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_bench_finds_what_is_broken(name, monkeypatch, tmp_path):
    make, category = FAULTS[name]
    design = laconic(2, 2, 3)
    monkeypatch.setattr("bitweight.tpe.laconic._term_sum", TermSum)
    monkeypatch.setattr(*make())
    broken = emit(design)
    monkeypatch.undo()
    assert broken.verilog != emit(design).verilog
    result = verify(design, "icarus", seed=7, emission=broken, build_dir=tmp_path, max_failures=1)
    assert [case.category in category.split("|") for case in result.failures] == [True], (
        result.failures
    )
