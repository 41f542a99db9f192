"""Claims of what feeds digits to columns: every one that is not zero, once, in order."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitweight.arith import ENCODINGS
from bitweight.pe.bit_serial import OneDigit
from bitweight.prove.claim import Claim
from bitweight.prove.family import family
from bitweight.prove.leaf import wires_of
from bitweight.prove.reachability import Always
from bitweight.tpe.digit_feeder import DigitFeeder
from bitweight.tpe.layout import BlockLayout

__all__ = ["feeder_claim"]


@family(
    "digit-feeder", ["tpe.digit_feeder", "tpe.layout"],
    "what is passed on = the next digit that is not zero (or word that has one) of the present "
    "pass, or behind that, marked, of the following one, in order, each once; finished = none is "
    "left; one or the other within so many steps as the pass has words, and 6",
    [
        {
            "encoding": encoding, "a_bits": a_bits, "cols": cols, "group": group, "block": block,
            "depth": depth, "start": start, "whole": whole,
        }
        for encoding, a_bits, cols, group, block, depth, start, whole in (
            ("mbe", 2, 1, 1, 1, 1, 0, False),
            ("mbe", 2, 2, 1, 2, 1, 1, False),
            ("mbe", 2, 1, 1, 1, 1, 0, True),
            ("serial", 2, 2, 1, 2, 2, 1, False),
            ("mbe", 2, 1, 1, 2, 2, 0, False),
            ("serial", 2, 2, 2, 2, 2, 0, False),
            ("serial", 2, 2, 2, 2, 2, 0, True),
        )
    ],
)  # fmt: skip
def _feeder(
    encoding: str, a_bits: int, cols: int, group: int, block: int, depth: int, start: int,
    whole: bool,
) -> Claim:  # fmt: skip
    layout = BlockLayout(cols, 1, group, block, depth, whole)
    digit = OneDigit(ENCODINGS[encoding])
    return feeder_claim(DigitFeeder(digit, a_bits, layout), start)


def feeder_claim(dut: DigitFeeder, start: int) -> Always:
    """Return what a feeder must do whose column starts at a place.

    A slot is written, and its ends change, while no complete block is in it; a pass ends where it
    is finished, the last one together with the block.
    """
    layout, group, a_bits = dut.layout, dut.layout.group, dut.a_bits
    whole = layout.whole
    places, rows, depth, passes = layout.places, layout.rows, layout.depth, dut.passes
    m = Module()
    m.submodules.dut = dut
    rst, write, more, ends, served, closes = (
        Signal(name=name) for name in ("rst", "write", "more", "ends", "served", "closes")
    )
    slot_in, place_in, row_in, data_in = (
        Signal(len(port), name=name)
        for name, port in (
            ("slot_in", dut.slot_in), ("place_in", dut.place_in), ("row_in", dut.row_in),
            ("data_in", dut.data_in),
        )
    )  # fmt: skip
    inputs = [rst, write, more, ends, served, closes, slot_in, place_in, row_in, data_in]
    # Complete blocks, the slot of the present one, its pass.
    loaded = Signal(range(depth + 1), name="blocks")
    present = Signal(range(depth), name="present")
    turn = Signal(range(passes), name="ideal_turn")
    sync = ends & (turn == passes - 1)
    m.d.sync += loaded.eq(loaded + more - sync)
    with m.If(ends):
        m.d.sync += turn.eq(Mux(turn == passes - 1, 0, turn + 1))
    with m.If(sync):
        m.d.sync += present.eq(Mux(present == depth - 1, 0, present + 1))
    used = [((j + depth - present) % depth) < loaded for j in range(depth)]
    begun = Signal(name="begins", reset_less=True)
    m.d.sync += begun.eq(1)

    # Where the last words of each slot are.
    names, sizes = ("row", "at", "any"), (layout.row_bits, layout.place_bits, 1)
    limits = [
        [Signal(size, name=f"{name}_{j}") for name, size in zip(names, sizes, strict=True)]
        for j in range(depth)
    ]  # fmt: skip
    for j, registers in enumerate(limits):
        for register in registers:
            value = Signal.like(register, name=f"new_{register.name}")
            inputs.append(value)
            with m.If(closes & ~used[j]):
                m.d.sync += register.eq(value)
    # What was written where, whatever its address in the buffer is.
    words, seen, probes = {}, {}, {}
    found: dict[str, Value] = {}
    expected: dict[str, Value] = {}
    bits = dut.word_bits
    for j in range(depth):
        for row in range(rows):
            for place in range(places):
                key = j, row, place
                address = (j * rows + row) * places + (place - start) % places
                words[key] = Signal(bits, name=f"word_{j}_{row}_{place}", reset_less=True)
                seen[key] = Signal(bits, name=f"probe_{j}_{row}_{place}")
                part = f"[{bits - 1}:0]" if bits > 1 else "[0]"
                probes[f"dut.buffer.words[{address}]{part}"] = seen[key]
                with m.If(~begun):
                    m.d.sync += words[key].eq(seen[key])
                with m.If(write & (slot_in == j) & (row_in == row) & (place_in == place)):
                    m.d.sync += words[key].eq(data_in)
                found[f"word_{j}_{row}_{place}"] = Mux(begun, seen[key], words[key])
                expected[f"word_{j}_{row}_{place}"] = words[key]

    # The digits of a pass in their order, and the first of them that is left: of the present pass,
    # and of the one after it, which may be in the next block.
    order = [(row, (start + k) % places) for row in range(rows) for k in range(places)]
    last = turn == passes - 1
    count = len(order) * (1 if whole else group)

    def first_of(label: str, slot: Value, weight: Value, cursor: Value) -> dict[str, Signal]:
        items = []
        for number, (row, place) in enumerate(order):
            word: Value = Const(0, bits)
            inside: Value = Const(0, 1)
            for j, (last_row, last_place, some) in enumerate(limits):
                here = some & ((last_row > row) | ((last_row == row) & (last_place >= place)))
                word = Mux(slot == j, words[j, row, place], word)
                inside = Mux(slot == j, here, inside)
            now = Signal(bits, name=f"{label}_now_{number}")
            m.d.comb += now.eq(word)
            digits, nonzero = [], []
            for i in range(group):
                chosen: Value = Const(0, 3)
                made = wires_of(m, dut.digit.base.encode(now.word_select(i, a_bits).as_signed()))
                for t, each in enumerate(made):
                    chosen = Mux(weight == t, Cat(each.negative, each.one, each.two), chosen)
                digit = Signal(3, name=f"{label}_digit_{number}_{i}")
                m.d.comb += digit.eq(chosen)
                digits.append(digit)
                nonzero.append(inside & (digit[1:] != 0))
            if whole:
                items.append((Cat(nonzero) != 0, row, 1 << place, now, Cat(nonzero)))
            else:
                items += [
                    (some, row, 1 << (place * group + i), digits[i], Const(1, 1))
                    for i, some in enumerate(nonzero)
                ]
        sizes = {"some": 1, "row": len(dut.row), "bank": len(dut.bank),
                 "what": bits if whole else 3, "left": group,
                 "after": count.bit_length()}  # fmt: skip
        wanted = {key: Signal(size, name=f"{label}_{key}") for key, size in sizes.items()}
        with m.If(Const(0, 1)):
            pass
        for number, (some, row, bank, what, left) in enumerate(items):
            with m.Elif(some & (cursor <= number)):
                m.d.comb += [
                    wanted["some"].eq(1), wanted["row"].eq(row), wanted["bank"].eq(bank),
                    wanted["what"].eq(what), wanted["after"].eq(number + 1),
                    wanted["left"].eq(left),
                ]  # fmt: skip
        return wanted

    cursor, beyond = (Signal(range(count + 1), name=name) for name in ("cursor", "beyond"))
    later = Signal(range(depth), name="later")
    after = Signal(range(passes), name="after")
    m.d.comb += [
        later.eq(Mux(last, Mux(present == depth - 1, 0, present + 1), present)),
        after.eq(Mux(last, 0, turn + 1)),
    ]
    this = first_of("this", present, turn, cursor)
    that = first_of("that", later, after, beyond)
    there = ~last | (loaded > 1)
    ahead = dut.following
    taken = dut.asks & served
    moved = Mux(taken & ahead, that["after"], beyond)
    m.d.sync += [
        cursor.eq(Mux(ends, moved, Mux(taken & ~ahead, this["after"], cursor))),
        beyond.eq(Mux(ends, 0, moved)),
    ]
    # Steps in which there is a block, and neither a request nor an end.
    idle = Signal(range(len(order) + 8), name="idle")
    with m.If((loaded != 0) & ~dut.asks & ~dut.finished):
        m.d.sync += idle.eq(idle + 1)
    with m.Else():
        m.d.sync += idle.eq(0)

    m.d.comb += [
        dut.write.eq(write), dut.slot_in.eq(slot_in),
        dut.place_in.eq(Mux(place_in < start, place_in + places, place_in) - start),
        dut.row_in.eq(row_in), dut.data_in.eq(data_in), dut.start.eq(start),
        dut.last_rows.eq(Cat(row for row, _, _ in limits)),
        dut.last_places.eq(Cat(place for _, place, _ in limits)),
        dut.filled.eq(Cat(some for _, _, some in limits)),
        dut.more.eq(more), dut.ends.eq(ends), dut.served.eq(served),
    ]  # fmt: skip
    free: Value = Const(0, 1)
    for j in range(depth):
        free = free | ((slot_in == j) & ~used[j])
    given = (~write | (free & (place_in < places) & (row_in < rows))) & (~ends | dut.finished)
    given = given & (~more | (loaded != depth))
    for last_row, last_place, _ in limits:
        given = given & (last_row < rows) & (last_place < places)
    asks, what = dut.asks, dut.word_out if whole else dut.digit_out
    none = Mux(ahead, this["some"] | ~there | ~that["some"], ~this["some"] | (loaded == 0))
    found |= {
        "asks": asks & none, "row": Mux(asks, dut.row, 0), "bank": Mux(asks, dut.bank, 0),
        "what": Mux(asks, what, 0),
        "finished": dut.finished & (this["some"] | (asks & ~ahead)),
        "idle": idle <= len(order) + 6,
    }  # fmt: skip
    expected |= {
        "asks": Const(0, 1), "finished": Const(0, 1), "idle": Const(1, 1),
        **{
            name: Mux(asks, Mux(ahead, that[name], this[name]), 0)
            for name in ("row", "bank", "what")
        },
    }  # fmt: skip
    if whole:
        one = (Const(1) << Mux(ahead, after, turn))[:passes]
        found["turn"], expected["turn"] = Mux(asks, dut.turn_out, 0), Mux(asks, one, 0)
        found["left"] = Mux(asks, dut.left, 0)
        expected["left"] = Mux(asks, Mux(ahead, that["left"], this["left"]), 0)
    return Always(m, inputs, found, expected, given=given, probes=probes)
