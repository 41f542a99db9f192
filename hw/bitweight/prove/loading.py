"""Claims of what brings operands to columns: where words go, and which rows banks open."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import at_most_one, family, total_of
from bitweight.prove.reachability import Always
from bitweight.tpe.arbiter import Arbiter
from bitweight.tpe.layout import BlockLayout
from bitweight.tpe.loader import Loader

__all__ = ["arbiter_claim", "code_of", "loader_claim"]


@family(
    "arbiter", ["tpe.arbiter", "tpe.layout"],
    "a request may be served three steps later, unless another one to its bank that comes first "
    "(not late, then the lowest row) has opened another row; a step after that its bank has its "
    "row",
    [
        {"cols": cols, "group": group, "block": block, "whole": whole}
        for cols, group, block, whole in (
            (1, 1, 3, False), (2, 2, 4, False), (2, 1, 4, False), (3, 1, 8, False),
            (4, 2, 8, False), (2, 2, 16, False), (4, 2, 8, True), (3, 1, 24, True),
        )
    ],
)  # fmt: skip
def _arbiter(cols: int, group: int, block: int, whole: bool) -> Claim:
    return arbiter_claim(Arbiter(BlockLayout(cols, 1, group, block, 1, whole)))


def code_of(layout: BlockLayout, one_hot: Value) -> Value:
    """Return a bank's code: the number of its place, and which of its positions, one-hot."""
    code: Value = Const(0, layout.bank_bits)
    for i in range(layout.banks):
        place, position = divmod(i, layout.positions)
        above = 1 << layout.place_bits + position if layout.positions > 1 else 0
        code = Mux(one_hot[i], place | above, code)
    return code


def arbiter_claim(dut: Arbiter) -> Invariant:
    """Return what an arbiter must do, from comparisons of every request with every other."""
    layout, cols = dut.layout, dut.cols
    m = Module()
    m.submodules.dut = dut
    asks, late = Signal(cols, name="asks"), Signal(cols, name="late")
    bank = [Signal(dut.banks, name=f"bank_{c}") for c in range(cols)]
    row = [Signal(dut.row_bits, name=f"row_{c}") for c in range(cols)]
    m.d.comb += [
        dut.asks.eq(asks), dut.late.eq(late), dut.bank.eq(Cat(bank)), dut.row.eq(Cat(row)),
    ]  # fmt: skip
    given: Value = Const(1, 1)
    for c in range(cols):
        given = given & at_most_one(bank[c]) & (bank[c] != 0) & (row[c] < dut.rows)

    def precedes(d: int, c: int) -> Value:
        earlier = Mux(late[c] == late[d], row[d] < row[c], late[c])
        return asks[d] & (bank[d] == bank[c]) & earlier

    columns = range(cols)
    leads, served = (Signal(cols, name=name) for name in ("leads", "ideal_served"))
    for c in columns:
        same = (leads[d] & (bank[d] == bank[c]) & (row[d] == row[c]) for d in columns)
        m.d.comb += [
            leads[c].eq(asks[c] & ~Cat(precedes(d, c) for d in columns).any()),
            served[c].eq(asks[c] & Cat(same).any()),
        ]

    def delayed(value: Value, name: str, steps: int) -> list[Value]:
        chain = [value]
        for step in range(steps):
            chain.append(Signal(len(value), name=f"{name}_{step}"))
            m.d.sync += chain[-1].eq(chain[-2])
        return chain

    asked, let = delayed(asks, "asked", 4), delayed(served, "let", 4)
    found: dict[str, Value] = {"hit": dut.hit & asked[3]}
    expected: dict[str, Value] = {"hit": let[3]}
    for c in columns:
        banks = delayed(bank[c], f"late_bank_{c}", 4)
        rows = delayed(row[c], f"late_row_{c}", 4)
        m.d.comb += [
            dut.code.word_select(c, layout.bank_bits).eq(code_of(layout, banks[2])),
            dut.code_row.word_select(c, dut.row_bits).eq(rows[2]),
        ]
        got: Value = Const(0, dut.row_bits)
        for i in range(dut.banks):
            got = Mux(banks[4][i], dut.row_out.word_select(i, dut.row_bits), got)
        found[f"row_{c}"] = Mux(let[4][c], got, 0)
        expected[f"row_{c}"] = Mux(let[4][c], rows[4], 0)
    # What is found depends on the inputs of the last four steps alone.
    return Invariant(m, [asks, late, *bank, *row], found, expected, given=given, depth=5)


@family(
    "loader", ["tpe.loader", "tpe.layout"],
    "words go to lanes, places and rows in turn, into the next slot, never into one in use; where "
    "the last words are; blocks counted, first and complete as their tiles say",
    [
        {
            "cols": cols, "lanes": lanes, "group": group, "block": block, "depth": depth,
            "release": release,
        }
        for cols, lanes, group, block, depth, release in (
            (1, 1, 1, 2, 1, 1), (2, 1, 1, 4, 2, 2), (2, 2, 1, 6, 2, 1), (4, 1, 2, 8, 2, 4),
            (2, 4, 1, 16, 2, 2), (3, 1, 1, 7, 3, 3),
        )
    ],
)  # fmt: skip
def _loader(cols: int, lanes: int, group: int, block: int, depth: int, release: int) -> Claim:
    return loader_claim(Loader(BlockLayout(cols, lanes, group, block, depth), release))


def loader_claim(dut: Loader) -> Always:
    """Return what a loader must do, from the number of a word in its block by `/` and `%`.

    A beat is taken where there is room; a block ends that is complete, and so many steps after
    the one before.
    """
    layout, release = dut.layout, dut.release
    lanes, places, depth, beats = layout.lanes, layout.places, layout.depth, layout.beats
    m = Module()
    m.submodules.dut = dut
    rst, take, last, sync = (Signal(name=name) for name in ("rst", "take", "last", "sync"))
    m.d.comb += [dut.take.eq(take), dut.last.eq(last), dut.sync.eq(sync)]
    number = Signal(range(beats), name="ideal_number")
    ends = last | (number == beats - 1)
    with m.If(take):
        m.d.sync += number.eq(Mux(ends, 0, number + 1))
    # The step after: the word that was taken.
    late = {
        "valid": Signal(name="late_valid"), "number": Signal.like(number, name="late_number"),
        "ends": Signal(name="late_ends"), "last": Signal(name="late_last"),
    }  # fmt: skip
    m.d.sync += [
        late["valid"].eq(take), late["number"].eq(number), late["ends"].eq(ends),
        late["last"].eq(last),
    ]  # fmt: skip
    whole = late["valid"] & late["ends"]
    slot, present = Signal(range(depth), name="ideal_slot"), Signal(range(depth), name="ideal_now")
    loaded = Signal(range(depth + 1), name="ideal_loaded")
    first = Signal(init=1, name="ideal_first")
    tile = Signal(depth, name="ideal_tile")
    freed = Signal(release, name="freed")  # ends of blocks, the latest lowest
    m.d.sync += [freed.eq(Cat(sync, freed)), loaded.eq(loaded + whole - sync)]
    with m.If(whole):
        m.d.sync += slot.eq(Mux(slot == depth - 1, 0, slot + 1))
    # Words of each slot, and whether that is known.
    words = [Signal(range(beats + 1), name=f"words_{j}") for j in range(depth)]
    known = [Signal(name=f"known_{j}") for j in range(depth)]
    complete: Value = Const(0, 1)
    for j in range(depth):
        complete = Mux(present == j, tile[j], complete)
        with m.If(late["valid"] & (slot == j)):
            m.d.sync += [words[j].eq(late["number"] + 1), known[j].eq(1)]
            with m.If(late["ends"]):
                m.d.sync += tile[j].eq(late["last"])
    with m.If(sync):
        m.d.sync += [present.eq(Mux(present == depth - 1, 0, present + 1)), first.eq(complete)]
    spread = total_of(((freed[i], 1) for i in range(release)), release.bit_length())
    occupied = loaded + whole + spread
    given = (~take | dut.room) & (~sync | ((loaded != 0) & ~freed[: release - 1].any()))

    valid, at = late["valid"], Signal.like(number, name="at")
    m.d.comb += at.eq(Mux(valid, late["number"], number))
    sizes = {
        "count": (beats - 1).bit_length(), "occupied": depth.bit_length(),
        "pause": release.bit_length(), "taken": 1, "ended": 1, "tile": 1, "lane": lanes,
        "place": layout.place_bits, "row": layout.row_bits, "opens": 1,
    }  # fmt: skip
    seen = {name: Signal(size, name=f"probe_{name}") for name, size in sizes.items()}
    found: dict[str, Value] = {
        "room": dut.room, "write": dut.write, "slot": dut.slot_out,
        "where": Cat(dut.place_out, dut.row_out), "more": dut.more, "now": dut.slot,
        "first": dut.first, "complete": dut.complete,
        "count": seen["count"], "occupied": seen["occupied"], "pause": seen["pause"],
        "late": Cat(seen["taken"], valid & seen["ended"], valid & seen["tile"]),
        "lane": seen["lane"], "opens": seen["opens"],
    }  # fmt: skip
    row = at // (lanes * places)
    gap: Value = Const(0, release.bit_length())
    for i in reversed(range(release)):
        gap = Mux(freed[i], release - i, gap)
    expected: dict[str, Value] = {
        "room": occupied != depth,
        "write": Mux(valid, (Const(1) << (late["number"] % lanes))[:lanes], 0),
        "slot": slot,
        "where": Cat(
            ((at // lanes) % places + Const(0, layout.place_bits))[: layout.place_bits],
            (row + Const(0, layout.row_bits))[: layout.row_bits],
        ),
        "more": whole, "now": present, "first": first,
        "complete": Mux(loaded != 0, complete, dut.complete),
        "count": number, "occupied": occupied, "pause": gap,
        "late": Cat(valid, whole, valid & late["last"]),
        "lane": (Const(1) << (at % lanes))[:lanes], "opens": at == 0,
    }  # fmt: skip
    for j in range(depth):
        used = ((j + depth - present) % depth) < loaded
        leaving = freed.any() & (((j + 1) % depth) == present)
        # No word goes where one is that can still be read.
        found[f"free_{j}"] = valid & (slot == j) & (used | leaving)
        expected[f"free_{j}"] = Const(0, 1)
        found[f"used_{j}"] = used & (~known[j] | (words[j] == 0))
        expected[f"used_{j}"] = Const(0, 1)
        for i in range(lanes):
            flag = dut.filled[i * depth + j]
            there = (slot == j) & (at == 0)  # its next words are not there yet
            counts = known[j] & ~(there & ~used & ~leaving)
            some = words[j] > i
            index = ((words[j] - 1 - i)[: len(words[j])] // lanes)[: len(words[j])]
            names = {
                f"filled_{i}_{j}": (flag, some),
                f"place_{i}_{j}": (
                    dut.last_places.word_select(i * depth + j, layout.place_bits),
                    Mux(some, index % places, dut.last_places.word_select(
                        i * depth + j, layout.place_bits)),
                ),
                f"row_{i}_{j}": (
                    dut.last_rows.word_select(i * depth + j, layout.row_bits),
                    Mux(some, index // places, 0),
                ),
            }  # fmt: skip
            for name, (is_, should) in names.items():
                found[name], expected[name] = is_, Mux(counts, should, is_)
    found["ring"] = (slot + depth - present) % depth
    expected["ring"] = loaded % depth
    found["range"] = Cat(occupied <= depth, at < beats, slot < depth, present < depth,
                         at_most_one(freed),
                         ~whole | (loaded < depth),
                         ~valid | late["ends"] | (number == late["number"] + 1),
                         ~whole | (number == 0))  # fmt: skip
    expected["range"] = Const(-1, 8)
    probes = {f"dut.{name}": probe for name, probe in seen.items()}
    return Always(m, [rst, take, last, sync], found, expected, given=given, probes=probes)
