"""Claims of what brings operands to columns: where words go, and whose requests are served."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import at_most_one, chosen, family, total_of
from bitweight.prove.reachability import Always
from bitweight.tpe.banks import Arbiter
from bitweight.tpe.layout import BlockLayout
from bitweight.tpe.loader import Loader

__all__ = ["arbiter_claim", "loader_claim"]


@family(
    "arbiter", ["tpe.banks"],
    "a request is served at once by its own bank and row, unless another one that comes first (not "
    "ahead, then the lowest row) has opened another row; the next step has its row, slot, bank and "
    "payload, and nothing of the others",
    [
        {"cols": cols, "banks": banks, "rows": rows}
        for cols, banks, rows in (
            (1, 2, 3), (2, 1, 1), (2, 2, 2), (3, 2, 4), (2, 3, 5), (4, 2, 3), (4, 1, 8),
        )
    ],
)  # fmt: skip
def _arbiter(cols: int, banks: int, rows: int) -> Claim:
    return arbiter_claim(Arbiter(cols, banks, rows, 2, 3))


def arbiter_claim(dut: Arbiter) -> Invariant:
    """Return what an arbiter must do, from comparisons of every request with every other."""
    m = Module()
    m.submodules.dut = dut
    rst = Signal(name="rst")
    asks, ahead = Signal(dut.cols, name="asks"), Signal(dut.cols, name="ahead")
    slot = Signal(len(dut.slot), name="slot")
    bank = [Signal(dut.banks, name=f"bank_{c}") for c in range(dut.cols)]
    row = [Signal(dut.row_bits, name=f"row_{c}") for c in range(dut.cols)]
    payload = [Signal(dut.payload_bits, name=f"payload_{c}") for c in range(dut.cols)]
    m.d.comb += [
        dut.asks.eq(asks), dut.ahead.eq(ahead), dut.slot.eq(slot), dut.bank.eq(Cat(bank)),
        dut.row.eq(Cat(row)), dut.payload.eq(Cat(payload)),
    ]  # fmt: skip
    given: Value = Const(1, 1)
    for c in range(dut.cols):
        given = given & at_most_one(bank[c]) & (bank[c] != 0) & (row[c] < dut.rows)

    def precedes(d: int, c: int) -> Value:
        earlier = Mux(ahead[c] == ahead[d], row[d] < row[c], ahead[c])
        return asks[d] & (bank[d] == bank[c]) & earlier

    columns = range(dut.cols)
    leads, served = (Signal(dut.cols, name=name) for name in ("leads", "ideal_served"))
    for c in columns:
        same = (leads[d] & (bank[d] == bank[c]) & (row[d] == row[c]) for d in columns)
        m.d.comb += [
            leads[c].eq(asks[c] & ~Cat(precedes(d, c) for d in columns).any()),
            served[c].eq(asks[c] & Cat(same).any()),
        ]
    # The step after: what a column that was served must get.
    late_slot, late_served = Signal.like(slot), Signal(dut.cols, name="late_served")
    m.d.sync += [late_slot.eq(slot), late_served.eq(served)]
    begun = Signal(name="runs")
    m.d.sync += begun.eq(1)
    found: dict[str, Value] = {"served": dut.served, "slot": dut.slot_out}
    expected: dict[str, Value] = {"served": served, "slot": Mux(begun, late_slot, dut.slot_out)}
    for c in columns:
        late = {"row": Signal.like(row[c], name=f"late_row_{c}"),
                "payload": Signal.like(payload[c], name=f"late_payload_{c}")}  # fmt: skip
        number = Signal(dut.bank_bits, name=f"late_bank_{c}")
        number_now: Value = Const(0, dut.bank_bits)
        for i in range(dut.banks):
            number_now = Mux(bank[c][i], i, number_now)
        m.d.sync += [
            late["row"].eq(row[c]), late["payload"].eq(payload[c]), number.eq(number_now)
        ]  # fmt: skip
        got_bank = dut.bank_out.word_select(c, dut.bank_bits)
        got: Value = Const(0, dut.row_bits)
        for i in range(dut.banks):
            got = Mux(got_bank == i, dut.row_out.word_select(i, dut.row_bits), got)
        got_payload = dut.payload_out.word_select(c, dut.payload_bits)
        there = late_served[c]
        found |= {f"bank_{c}": got_bank, f"row_{c}": got, f"payload_{c}": got_payload}
        expected |= {
            f"bank_{c}": Mux(there, number, got_bank), f"row_{c}": Mux(there, late["row"], got),
            f"payload_{c}": Mux(there, late["payload"], 0),
        }  # fmt: skip
    inputs = [rst, asks, ahead, slot, *bank, *row, *payload]
    return Invariant(m, inputs, found, expected, given=given)


@family(
    "arbiter-wait", ["tpe.banks"],
    "a request that is kept up is served after at most as many steps as requests of the other "
    "columns to its bank are left in the block: (columns - 1) × passes × rows",
    [
        {"cols": cols, "banks": banks, "rows": rows, "passes": passes}
        for cols, banks, rows, passes in ((2, 1, 2, 2), (2, 2, 3, 2), (3, 1, 2, 2))
    ],
)  # fmt: skip
def _arbiter_wait(cols: int, banks: int, rows: int, passes: int) -> Claim:
    """Every column asks a bank for each row at most once a pass, the rows in their order."""
    m = Module()
    m.submodules.dut = dut = Arbiter(cols, banks, rows, 1, 1)
    rst, ends = Signal(name="rst"), Signal(name="ends")
    asks, ahead = Signal(cols, name="asks"), Signal(cols, name="ahead")
    bank = [Signal(banks, name=f"bank_{c}") for c in range(cols)]
    place = [Signal(range(passes * rows), name=f"place_{c}") for c in range(cols)]
    m.d.comb += [
        dut.asks.eq(asks), dut.ahead.eq(ahead), dut.bank.eq(Cat(bank)),
        dut.row.eq(Cat((p % rows)[: dut.row_bits] for p in place)),
    ]  # fmt: skip
    pick, column = chosen(m, "pick", max(1, (cols - 1).bit_length()))
    number, watched = chosen(m, "number", max(1, (banks - 1).bit_length()))
    # Requests that each column has left behind, at the bank that is watched.
    size = passes * rows
    past = [Signal(range(size + 1), name=f"past_{c}") for c in range(cols)]
    waits = Signal(range(cols * size + 2), name="waits")
    given: Value = (column < cols) & (watched < banks)
    waiting: Value = Const(0, 1)
    others: Value = Const(0, len(waits))
    for c in range(cols):
        here = asks[c] & (Cat(bank[c]).bit_select(watched, 1))
        given = given & at_most_one(bank[c]) & (bank[c] != 0) & (place[c] < size)
        given = given & (~here | (place[c] >= past[c]))
        with m.If(ends):
            m.d.sync += past[c].eq(0)
        with m.Elif(here & dut.served[c]):
            m.d.sync += past[c].eq(place[c] + 1)
        waiting = waiting | (here & ~dut.served[c] & (column == c))
        others = others + Mux(column == c, 0, past[c])
    with m.If(ends | ~waiting):
        m.d.sync += waits.eq(0)
    with m.Else():
        m.d.sync += waits.eq(waits + 1)
    found = {"bound": waits <= (cols - 1) * size, "left": waits <= others,
             "range": Cat(p <= size for p in past)}  # fmt: skip
    expected = {"bound": Const(1, 1), "left": Const(1, 1), "range": Const(-1, cols)}
    inputs = [rst, ends, asks, ahead, *bank, *place, pick, number]
    return Invariant(m, inputs, found, expected, given=given)


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
        "where": Cat(dut.place_out, dut.row_out), "loaded": dut.loaded, "now": dut.slot,
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
        "loaded": loaded, "now": present, "first": first,
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
