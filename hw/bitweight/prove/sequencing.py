"""Claims of what says when: the sequencer of weights and rows, the walk through pairs of terms."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal

from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import chosen, family
from bitweight.tpe.layout import index_bits
from bitweight.tpe.sequencer import Sequencer
from bitweight.tpe.term_feed import PairWalk

__all__ = ["pair_walk_claim", "sequencer_claim"]


@family(
    "sequencer", ["tpe.sequencer"],
    "tiles of weights are used when they are whole, each once, in order, at most one waits; rows "
    "are numbered and flagged by b_last; rows of one number are `turn` steps apart; no beat waits "
    "longer than that takes",
    [
        {"lanes": lanes, "depth": depth, "turn": turn}
        for lanes, depth, turn in (
            (1, 1, 3), (1, 4, 4), (2, 2, 3), (2, 8, 6), (3, 5, 4), (4, 4, 3), (4, 16, 6),
            (16, 16, 4), (8, 3, 6),
        )
    ],
)  # fmt: skip
def _sequencer(lanes: int, depth: int, turn: int) -> Claim:
    return sequencer_claim(Sequencer(lanes, depth, turn))


def sequencer_claim(dut: Sequencer) -> Invariant:
    """Return what a sequencer must do: counts of beats and rows, and steps between rows.

    Blocks have no more than `depth` rows.
    """
    lanes, depth, turn = dut.lanes, dut.depth, dut.turn
    m = Module()
    m.submodules.dut = dut
    rst, step, a_valid, a_last, b_valid, b_last = (
        Signal(name=name) for name in ("rst", "step", "a_valid", "a_last", "b_valid", "b_last")
    )
    m.d.comb += [
        dut.step.eq(step), dut.a_valid.eq(a_valid), dut.a_last.eq(a_last),
        dut.b_valid.eq(b_valid), dut.b_last.eq(b_last),
    ]  # fmt: skip
    # Weights: the number of the next beat in its tile, and of beats that no row has used.
    number = Signal(range(lanes), name="ideal_number")
    unused = Signal(range(lanes + 1), name="ideal_unused")
    ends = Signal(name="ideal_ends")  # the tile that waits is the last of its block
    # Rows: number, whether it is the first with new weights, flags of the weights in use.
    row = Signal(range(depth), name="ideal_row")
    fresh = Signal(init=1, name="ideal_fresh")
    first, complete = Signal(name="ideal_first"), Signal(init=1, name="ideal_complete")
    # Steps since the last row was taken, and which it was; `turn` and more are the same.
    since = Signal(range(turn + 1), init=turn, name="since")
    latest = Signal(range(depth), name="latest")
    apart = since + latest >= turn
    take_a = step & a_valid & (~fresh | ((unused == lanes) & apart))
    uses = take_a & fresh
    take_b = step & b_valid & ((unused != lanes) | uses)
    m.d.sync += unused.eq(Mux(uses, 0, unused) + take_b)
    with m.If(take_b):
        m.d.sync += number.eq(Mux(number == lanes - 1, 0, number + 1))
        with m.If(number == lanes - 1):
            m.d.sync += ends.eq(b_last)
    now_first, now_complete = Mux(fresh, complete, first), Mux(fresh, ends, complete)
    with m.If(take_a):
        m.d.sync += [
            row.eq(Mux(a_last, 0, row + 1)), fresh.eq(a_last), latest.eq(row), since.eq(1),
            first.eq(now_first), complete.eq(now_complete),
        ]  # fmt: skip
    with m.Elif(step & (since != turn)):
        m.d.sync += since.eq(since + 1)
    # A row that is picked: steps since a row of that number was taken.
    pick, picked = chosen(m, "pick", len(row))
    past = Signal(range(turn + 1), init=turn, name="past")
    again = take_a & (row == picked)
    with m.If(again):
        m.d.sync += past.eq(1)
    with m.Elif(step & (past != turn)):
        m.d.sync += past.eq(past + 1)
    # How long a row with whole weights has waited.
    waits = Signal(range(turn + 1), name="waits")
    with m.If(a_valid & step & (unused == lanes) & ~take_a):
        m.d.sync += waits.eq(waits + 1)
    with m.Elif(step):
        m.d.sync += waits.eq(0)

    # After a block of one row there is no pause where weights take long enough.
    single = lanes >= turn
    sizes = {
        "count": len(dut.number), "following_complete": 1, "row": index_bits(depth),
        "fresh": 1, "first": 1, "complete": 1, "pause": (turn - 1 - single).bit_length(),
    }  # fmt: skip

    seen = {name: Signal(size, name=f"probe_{name}") for name, size in sizes.items()}
    tile = fresh & (unused == lanes)
    whole = unused == lanes
    paused = Mux(fresh & ~apart, turn - since - latest, 0)
    alone = fresh & (latest == 0) & single
    between = Mux(
        row > picked, (past == turn) | (past + picked >= row),
        past + picked + paused >= turn + row,
    )  # fmt: skip
    found = {
        "taken": Cat(dut.take_a, dut.take_b, dut.update),
        "number": Mux(take_b, dut.number, 0),
        "flags": Mux(take_a, Cat(dut.first, dut.complete, dut.row), 0),
        "apart": Mux(again, past, turn),
        "waits": waits < turn,
        # What they follow from.
        "count": seen["count"], "next": Mux(whole, seen["following_complete"], ends),
        "row": Cat(seen["row"], seen["fresh"], seen["complete"]),
        "first": Mux(fresh, first, seen["first"]),
        "pause": seen["pause"],
        "same": Mux(unused == lanes, 0, unused),
        "fresh": fresh ^ (row == 0),
        "range": Cat(row < depth, number < lanes, since != 0, past <= turn, since <= turn),
        "between": between | (picked >= depth),
        "waited": Mux(waits == 0, 1, tile & (waits + seen["pause"] < turn)),
        "loading": ~alone | (since == turn) | (unused <= since),
    }  # fmt: skip
    expected = {
        "taken": Cat(take_a, take_b, uses),
        "number": Mux(take_b, number, 0),
        "flags": Mux(take_a, Cat(now_first, now_complete, row[: len(dut.row)]), 0),
        "apart": Const(turn, len(past)),
        "waits": Const(1, 1),
        "count": unused, "next": ends,
        "row": Cat(row, Const(0, index_bits(depth) - len(row)), fresh, complete),
        "first": first,
        "pause": Mux(alone, 0, paused),
        "same": number,
        "fresh": Const(0, 1), "range": Const(31, 5),
        "between": Const(1, 1), "waited": Const(1, 1), "loading": Const(1, 1),
    }  # fmt: skip
    probes = {f"dut.{name}": probe for name, probe in seen.items()}
    inputs = [rst, step, a_valid, a_last, b_valid, b_last, pick]
    given = ~take_a | (row < depth - 1) | a_last
    return Invariant(m, inputs, found, expected, given=given, probes=probes)


@family(
    "pair-walk", ["tpe.term_feed"],
    "all pairs of terms, each once, those of A inside, then none; `ends` tells the last one a "
    "cycle before",
    [
        {"a_count": a, "b_count": b}
        for a, b in ((1, 1), (1, 3), (2, 1), (2, 2), (3, 2), (4, 4), (3, 5), (8, 8), (9, 9))
    ],
)  # fmt: skip
def _pair_walk(a_count: int, b_count: int) -> Claim:
    return pair_walk_claim(PairWalk(a_count, b_count))


def pair_walk_claim(dut: PairWalk) -> Invariant:
    """Return what a walk must do: numbers of terms, and of the present pair."""
    a_count, b_count = dut.counts
    m = Module()
    m.submodules.dut = dut
    rst, load = Signal(name="rst"), Signal(name="load")
    has_a, has_b = Signal(a_count, name="has_a"), Signal(b_count, name="has_b")
    m.d.comb += [dut.load.eq(load), dut.has_a.eq(has_a), dut.has_b.eq(has_b)]
    # Terms of both operands in use; the present pair; whether there is one.
    terms_a, terms_b = Signal(range(a_count + 1)), Signal(range(b_count + 1))
    i, j = Signal(range(a_count + 1), name="ideal_a"), Signal(range(b_count + 1), name="ideal_b")
    some = Signal(name="ideal_some")
    used = Signal(name="used")  # something was loaded since the beginning
    inner, outer = i + 1 == terms_a, j + 1 == terms_b
    rows = [has & (has + 1)[: len(has)] for has in (has_a, has_b)]
    counts = [sum(has, Const(0, 1)) for has in (has_a, has_b)]
    with m.If(load):
        m.d.sync += [
            terms_a.eq(counts[0]), terms_b.eq(counts[1]), i.eq(0), j.eq(0), used.eq(1),
            some.eq((has_a != 0) & (has_b != 0)),
        ]  # fmt: skip
    with m.Elif(some):
        m.d.sync += [
            i.eq(Mux(inner, 0, i + 1)), j.eq(Mux(inner, j + 1, j)), some.eq(~(inner & outer))
        ]  # fmt: skip
    # The present pair is the last, or the one before.
    last = inner & outer
    second = Mux(terms_a == 1, j + 2 == terms_b, (i + 2 == terms_a) & outer)
    more = []
    for name, size in (("more_a", a_count), ("more_b", b_count)):
        more.append(Signal(max(1, size - 1), name=f"probe_{name}"))
    after = [
        Cat(terms > k + 1 for k in range(len(probe)))
        for terms, probe in zip((terms_a, terms_b), more, strict=True)
    ]
    found = {
        "pair": Cat(dut.at_a, dut.at_b), "ends": dut.ends,
        "more": Mux(used, Cat(*more), 0), "range": some & ((i >= terms_a) | (j >= terms_b)),
        "counts": Cat(terms_a <= a_count, terms_b <= b_count, ~some | used),
    }  # fmt: skip
    expected = {
        "pair": Mux(some, Cat((Const(1) << i)[:a_count], (Const(1) << j)[:b_count]), 0),
        "ends": ~load & (~some | last | second),
        "more": Mux(used, Cat(*after), 0), "range": Const(0, 1), "counts": Const(7, 3),
    }  # fmt: skip
    probes = {f"dut.more_{name}": probe for name, probe in zip("ab", more, strict=True)}
    given = (rows[0] == 0) & (rows[1] == 0)
    return Invariant(m, [rst, load, has_a, has_b], found, expected, given=given, probes=probes)
