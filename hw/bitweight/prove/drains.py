"""Claims of what is below columns: totals over tiles of k, and the merging of partial results."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitweight.arith import ENCODINGS
from bitweight.arith.segmented import SegmentedAdder
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import chosen, family, total_of
from bitweight.prove.leaf import late_sum
from bitweight.prove.reachability import Always
from bitweight.prove.storage import Contents
from bitweight.tpe.accumulation import Accumulation, AccumulationColumn, turn
from bitweight.tpe.digit_column import DigitColumn
from bitweight.tpe.layout import BlockLayout, index_bits
from bitweight.tpe.merge import MergeColumn

__all__ = ["digit_column_claim", "merge_claim"]


@family(
    "accumulation-column", ["tpe.accumulation"],
    "result = word + the total that was read, or the word alone, stages + 1 steps later; totals "
    "are what was stored last, for any stalls",
    [
        {"depth": depth, "bits": bits, "acc": acc, "stages": stages}
        for depth, bits, acc in ((1, 2, 4), (2, 4, 6), (4, 5, 12), (16, 8, 32))
        for stages in (0, 1, 2, 3)
    ],
)  # fmt: skip
def _accumulation_column(depth: int, bits: int, acc: int, stages: int) -> Claim:
    m = Module()
    m.submodules.dut = dut = AccumulationColumn(depth, bits, acc, stages)
    en, first, store = (Signal(name=name) for name in ("en", "first", "store"))
    read, row = (Signal(index_bits(depth), name=name) for name in ("read", "row"))
    word = Signal(bits, name="word")
    m.d.comb += [
        dut.en.eq(en), dut.first.eq(first), dut.store.eq(store), dut.read.eq(read),
        dut.row.eq(row), dut.word.eq(word),
    ]  # fmt: skip
    result, known = Signal(acc, name="ideal"), Signal(name="known")
    totals = Contents(
        m, "dut.totals", max(2, depth), acc, write=en & store, address=row, data=result,
        certain=known,
    )  # fmt: skip
    got, there = Signal(acc, name="ideal_read"), Signal(name="known_read")
    x, y = Signal(acc, name="x"), Signal(acc, name="y")
    m.d.comb += [x.eq(word.as_signed()), y.eq(Mux(first, 0, got))]
    adder = SegmentedAdder(acc, stages)
    late, valid, found, expected, probes = late_sum(m, adder, x, y, first | there, en)
    now, certain = totals.read(read)
    with m.If(en):
        m.d.sync += [got.eq(now), there.eq(certain), known.eq(valid)]
        m.d.sync += result.eq((late[0] + late[1])[:acc])
    # Flags come from registers that stop as these do.
    moved, before = Signal(init=1, name="moved"), Signal(name="first_before")
    m.d.sync += [moved.eq(en), before.eq(first)]
    probe = Signal(acc, name="probe_kept")
    for names, equal in zip((found, expected), totals.equal(), strict=True):
        names.update(equal)
    found |= {"result": dut.result, "read": probe}
    expected |= {
        "result": Mux(known, result, dut.result), "read": Mux(first | there, y, probe),
    }  # fmt: skip
    probes |= {**totals.probes, "dut.kept": probe}
    inputs = [en, first, store, read, row, word]
    given = (read < max(2, depth)) & (row < max(2, depth)) & (moved | (first == before))
    return Invariant(m, inputs, found, expected, given=given, probes=probes)


@family(
    "accumulation", ["tpe.accumulation"],
    "a complete total = the sum of the words of its row from its first on; it comes once, "
    "stages + 2 steps after its flags, with `last`, for any stalls",
    [
        {"cols": cols, "depth": depth, "bits": 2, "acc": acc, "stages": stages}
        for cols, depth, acc, stages in ((1, 2, 2, 0), (1, 2, 3, 1), (2, 2, 2, 0))
    ],
)  # fmt: skip
def _accumulation(cols: int, depth: int, bits: int, acc: int, stages: int) -> Claim:
    """Follow a row that is picked; its words come ``stages + 3`` steps apart or more."""
    m = Module()
    m.submodules.dut = dut = Accumulation(cols, depth, bits, acc, stages)
    rst, en, valid, first, complete, last = (
        Signal(name=name) for name in ("rst", "en", "valid", "first", "complete", "last")
    )
    row, words = Signal(index_bits(depth), name="row"), Signal(cols * bits, name="words")
    m.d.comb += [
        dut.en.eq(en), dut.valid.eq(valid), dut.first.eq(first), dut.complete.eq(complete),
        dut.last.eq(last), dut.row.eq(row), dut.words.eq(words),
    ]  # fmt: skip
    pick, picked = chosen(m, "pick", len(row))
    of_lane, lane_picked = chosen(m, "of_lane", index_bits(cols))
    # Its flags come a step before its word.
    mine = valid & (row == picked)
    arrives, starts, ends = (Signal(name=f"late_{name}") for name in ("mine", "first", "complete"))
    ending, marked = Signal(stages + 2, name="ending"), Signal(stages + 2, name="marked")
    own = Signal(stages + 1, name="own")
    ideal = Signal(acc, name="ideal")
    due = [Signal(acc, name=f"due_{i}") for i in range(stages)]
    apart = Signal(range(turn(stages) + 1), init=turn(stages), name="apart")
    word = Const(0, bits)
    for i in range(cols):
        word = Mux(lane_picked == i, words.word_select(i, bits), word)
    with m.If(en):
        m.d.sync += [
            arrives.eq(mine), starts.eq(first), ends.eq(complete),
            ending.eq(Cat(valid & complete, ending)), marked.eq(Cat(last, marked)),
            own.eq(Cat(arrives, own)),
            apart.eq(Mux(mine, 1, Mux(apart == turn(stages), apart, apart + 1))),
            *(now.eq(before) for now, before in zip(due, [ideal, *due], strict=False)),
        ]  # fmt: skip
        with m.If(arrives):
            m.d.sync += ideal.eq((Mux(starts, 0, ideal) + word.as_signed())[:acc])
    result = Const(0, acc)
    for i in range(cols):
        result = Mux(lane_picked == i, dut.results.word_select(i, acc), result)
    # A total that is complete is not added to: its row begins once more.
    begun = Signal(name="begun_row")
    with m.If(en & mine):
        m.d.sync += begun.eq(~complete)
    given = (~mine | ((apart == turn(stages)) & (begun | first))) & (row < depth)
    given = given & (lane_picked < cols)
    follows = own[-1] & ending[-1]
    found = {
        "valid": dut.results_valid, "last": Mux(ending[-1], dut.results_last, 0), "total": result,
    }  # fmt: skip
    expected = {
        "valid": ending[-1], "last": Mux(ending[-1], marked[-1], 0),
        "total": Mux(follows, (due or [ideal])[-1], result),
    }  # fmt: skip
    inputs = [rst, en, valid, first, complete, last, row, words, pick, of_lane]
    return Always(m, inputs, found, expected, given=given)


@family(
    "merge", ["tpe.merge"],
    "a total that leaves = Σ pair × its bit-weight over the passes of its tile, PE by PE in order, "
    "each once, the first so many steps after its pair; it stays while it is stopped",
    [
        {"encoding": encoding, "passes": passes, "pes": pes, "acc": acc, "stages": stages,
         "delay": delay}
        for encoding, passes, pes, acc, stages, delay in (
            ("serial", 1, 1, 3, 0, 1), ("serial", 2, 2, 3, 0, 1), ("mbe", 2, 2, 4, 0, 2),
        )
    ],
)  # fmt: skip
def _merge(encoding: str, passes: int, pes: int, acc: int, stages: int, delay: int) -> Claim:
    digit = OneDigit(ENCODINGS[encoding])
    core = CarrySaveMac(digit, digit.bits, 2, 3)
    return merge_claim(MergeColumn(core, passes, pes, acc, stages, delay))


def merge_claim(dut: MergeColumn) -> Always:
    """Return what the drain of a column must do; the total of a PE that is picked is followed.

    Passes end at least `gap` steps apart, and none before the totals of the tile before have left.
    """
    core, pes, acc = dut.core, dut.pes, dut.acc
    gap, latency = dut.gap(pes, dut.stages), dut.latency_of(pes, dut.stages)
    m = Module()
    m.submodules.dut = dut
    rst, go, ends, first, complete = (
        Signal(name=name) for name in ("rst", "go", "ends", "first", "complete")
    )
    which = Signal(dut.passes, name="turn")
    pairs = [[Signal(len(row), name=f"pair_{pe}_{i}") for i, row in enumerate(core.rows)]
             for pe in range(pes)]  # fmt: skip
    pick, picked = chosen(m, "pick", index_bits(pes))
    # The end of a pass, and what it is, beside the pair of each PE.
    reach = [ends]
    tags = [Cat(which, first, complete)]
    for i in range(dut.delay + pes - 1):
        reach.append(Signal(name=f"reach_{i}"))
        tags.append(Signal(len(tags[0]), name=f"which_{i}"))
        m.d.sync += [reach[-1].eq(reach[-2]), tags[-1].eq(tags[-2])]
    m.d.comb += [dut.go.eq(go | ~dut.leaves), dut.ends.eq(ends), dut.turn.eq(which),
                 dut.first.eq(first), dut.complete.eq(complete)]  # fmt: skip
    for i, row in enumerate(core.rows):
        shown = (Mux(reach[dut.delay + pe], pairs[pe][i], 0)[: len(row)] for pe in range(pes))
        m.d.comb += getattr(dut, f"drain_{i}").eq(Cat(shown))
    ideal = Signal(acc, name="ideal")
    known = Signal(name="known")
    for pe in range(pes):
        rows = [core.expand(i, row) for i, row in enumerate(pairs[pe])]
        value = total_of(((row, 1) for row in rows), core.acc).as_signed()
        tag = tags[dut.delay + pe]
        weighted: Value = Const(0, acc)
        for i in range(dut.passes):
            weighted = Mux(tag[i], total_of([(value, 1 << i * dut.step_bits)], acc), weighted)
        with m.If(reach[dut.delay + pe] & (picked == pe)):
            m.d.sync += [
                ideal.eq((Mux(tag[-2], 0, ideal) + weighted)[:acc]),
                known.eq(known | tag[-2]),
            ]
    # Steps since the end before, and since that which completes a tile; totals that have left.
    since = Signal(range(gap + 1), init=gap, name="since")
    length = dut.delay + latency
    steps = Signal(range(length + 1), name="steps")
    draining = Signal(name="draining")
    left = Signal(range(pes), name="left")
    en = Signal(init=1, name="moves")
    begun = Signal(name="tile")  # a tile has begun and is not complete
    taken = dut.valid & en
    m.d.sync += [since.eq(Mux(ends, 1, Mux(since == gap, gap, since + 1)))]
    m.d.sync += en.eq(go | ~dut.leaves)
    with m.If(ends):
        m.d.sync += [begun.eq(~complete), draining.eq(complete), steps.eq(1), left.eq(0)]
    with m.Else():
        with m.If(draining & (steps != length)):
            m.d.sync += steps.eq(steps + 1)
        with m.If(taken):
            m.d.sync += left.eq(left + 1)
            with m.If(left == pes - 1):
                m.d.sync += draining.eq(0)
    # What waited in the step before.
    waited, shown_word = Signal(name="waited"), Signal(acc + 1, name="shown")
    m.d.sync += [waited.eq(dut.valid & ~en), shown_word.eq(Cat(dut.result, dut.last))]
    given = (~ends | ((since == gap) & ~draining & (first == ~begun))) & (picked < pes)
    given = given & (~ends | ((which != 0) & ((which & (which - 1)[: dut.passes]) == 0)))
    now = Cat(dut.result, dut.last)
    mine = dut.valid & (left == picked)
    due = draining & (steps == length)
    found = {
        "total": dut.result, "last": Mux(dut.valid, dut.last, 0), "stays": now,
        "valid": dut.valid, "announced": dut.valid & ~dut.leaves,
    }  # fmt: skip
    expected = {
        "total": Mux(mine, ideal, dut.result),
        "last": Mux(dut.valid, left == pes - 1, 0),
        "stays": Mux(waited, shown_word, now),
        # Totals follow each other without a gap.
        "valid": due, "announced": Const(0, 1),
    }  # fmt: skip
    inputs = [rst, go, ends, first, complete, which, pick, *(row for pair in pairs for row in pair)]
    return Always(m, inputs, found, expected, given=given)


@family(
    "digit-column", ["tpe.digit_column"],
    "a pass ends in the step after that in which nothing is left of it, the last one as all "
    "columns say, at least `gap` steps after the one before, and no later; the digits in use are "
    "those of the pass",
    [
        {"lanes": lanes, "encoding": encoding, "a_bits": a_bits, "gap": gap, "whole": whole}
        for lanes, encoding, a_bits, gap, whole in (
            (1, "mbe", 2, 3, False), (2, "serial", 3, 3, False), (4, "mbe", 8, 4, False),
            (1, "csd4", 4, 7, True),
        )
    ],
)  # fmt: skip
def _digit_column(lanes: int, encoding: str, a_bits: int, gap: int, whole: bool) -> Claim:
    layout = BlockLayout(2, lanes, 1, 2 * lanes, 2, whole)
    digit = OneDigit(ENCODINGS[encoding])
    return digit_column_claim(DigitColumn(digit, a_bits, layout, gap=gap))


def digit_column_claim(dut: DigitColumn) -> Invariant:
    """Return what a column must do with what its lanes say, whatever that is."""
    lanes, gap, passes = dut.layout.lanes, dut.gap, dut.passes
    m = Module()
    m.submodules.dut = dut
    rst, hold, all_wait = (Signal(name=name) for name in ("rst", "hold", "all_wait"))
    m.d.comb += [dut.hold.eq(hold), dut.all_wait.eq(all_wait)]
    others = []
    for name in ("write", "slot_in", "place_in", "row_in", "data_in", "more", "hit", "ahead"):
        port = getattr(dut, name)
        others.append(Signal(len(port), name=name))
        m.d.comb += port.eq(others[-1])
    finished = [Signal(name=f"probe_finished_{i}") for i in range(lanes)]
    present = [Signal(name=f"probe_present_{i}") for i in range(lanes)]
    probes = {
        **{f"dut.feeder_{i}.finished": probe for i, probe in enumerate(finished)},
        **{f"dut.requests_{i}.present": probe for i, probe in enumerate(present)},
        "dut.turn": Signal(passes, name="probe_turn"), "dut.apart": Signal(name="probe_apart"),
        "dut.gap": Signal(range(gap), name="probe_gap"), "dut.sync": Signal(name="probe_sync"),
    }  # fmt: skip
    number = Signal(range(passes), name="number")
    since = Signal(range(gap), init=gap - 1, name="since")
    ends, waits, sync = (Signal(name=f"ideal_{name}") for name in ("ends", "waits", "sync"))
    final = number == passes - 1
    none = Cat(finished).all() & (Cat(present) == 0) & (since == gap - 1) & ~hold & ~ends
    m.d.sync += [
        since.eq(Mux(ends, 1, Mux(since == gap - 1, gap - 1, since + 1))),
        waits.eq(none & final), sync.eq(all_wait & ~sync),
        ends.eq((none & ~final) | (all_wait & ~sync)),
    ]  # fmt: skip
    with m.If(ends):
        m.d.sync += number.eq(Mux(final, 0, number + 1))
    found = {
        "ends": dut.ends, "waits": dut.waits, "turn": dut.turn, "sync": probes["dut.sync"],
        "apart": probes["dut.apart"], "gap": probes["dut.gap"],
        "range": Cat(number < passes, since != 0, since < gap),
    }  # fmt: skip
    expected = {
        "ends": ends, "waits": waits, "turn": (Const(1) << number)[:passes], "sync": sync,
        "apart": since == gap - 1, "gap": gap - 1 - since, "range": Const(7, 3),
    }  # fmt: skip
    inputs = [rst, hold, all_wait, *others]
    return Invariant(m, inputs, found, expected, given=~all_wait | waits, probes=probes)
