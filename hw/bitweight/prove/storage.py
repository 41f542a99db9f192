"""Claims of what holds operands: a read gives what was written last, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import at_most_one, family
from bitweight.tpe.banks import Bank
from bitweight.tpe.broadcast import Broadcast
from bitweight.tpe.layout import BlockLayout, index_bits
from bitweight.tpe.operand_buffer import OperandBuffer
from bitweight.tpe.term_feed import TermFeed

__all__ = ["Contents"]


class Contents:
    """What a memory must hold: words that were written, and which of them are known.

    Parameters
    ----------
    m
        Takes the registers.
    name
        Of the memory inside of the circuit, such as ``dut.words``.
    depth, bits
        Words, and their width.
    write, address, data
        What is written in a step.
    certain
        Whether that is known.
    """

    def __init__(
        self,
        m: Module,
        name: str,
        depth: int,
        bits: int,
        *,
        write: Value,
        address: Value,
        data: Value,
        certain: Value | None = None,
    ) -> None:
        label = name.replace(".", "_")
        self.words = [Signal(bits, name=f"{label}_{i}") for i in range(depth)]
        self.known = [Signal(name=f"{label}_known_{i}") for i in range(depth)]
        self.seen = [Signal(bits, name=f"probe_{label}_{i}") for i in range(depth)]
        # Yosys takes the last brackets for a part of the wire: that of word i is `name[i]`.
        part = f"[{bits - 1}:0]" if bits > 1 else "[0]"
        self.probes = {f"{name}[{i}]{part}": probe for i, probe in enumerate(self.seen)}
        self.label = label
        for i, (word, known) in enumerate(zip(self.words, self.known, strict=True)):
            with m.If(write & (address == i)):
                m.d.sync += [word.eq(data), known.eq(1 if certain is None else certain)]

    def read(self, address: Value) -> tuple[Value, Value]:
        """Return a word, and whether it is known."""
        word, known = Const(0, len(self.words[0])), Const(0, 1)
        for i, (value, there) in enumerate(zip(self.words, self.known, strict=True)):
            word, known = Mux(address == i, value, word), Mux(address == i, there, known)
        return word, known

    def equal(self) -> tuple[Mapping[str, Value], Mapping[str, Value]]:
        """Return what is found in the memory, and what is expected of it."""
        names = [f"{self.label}_{i}" for i in range(len(self.words))]
        expected = [
            Mux(known, word, seen)
            for known, word, seen in zip(self.known, self.words, self.seen, strict=True)
        ]
        return dict(zip(names, self.seen, strict=True)), dict(zip(names, expected, strict=True))


@family(
    "operand-buffer", ["tpe.operand_buffer"],
    "a word read = the word written there last; it stays until the next is read",
    [{"bits": bits, "depth": depth} for bits, depth in ((1, 2), (4, 3), (3, 8), (8, 16))],
)  # fmt: skip
def _operand_buffer(bits: int, depth: int) -> Claim:
    m = Module()
    m.submodules.dut = dut = OperandBuffer(bits, depth)
    write, read = Signal(name="write"), Signal(name="read")
    to, at = (Signal(index_bits(depth), name=name) for name in ("to", "at"))
    data = Signal(bits, name="data")
    m.d.comb += [
        dut.write.eq(write), dut.address_in.eq(to), dut.data_in.eq(data), dut.read.eq(read),
        dut.address.eq(at),
    ]  # fmt: skip
    held = Contents(m, "dut.words", depth, bits, write=write, address=to, data=data)
    word, known = held.read(at)
    out, usable = Signal(bits, name="ideal"), Signal(name="usable")
    with m.If(read):
        m.d.sync += [out.eq(word), usable.eq(known)]
    found, expected = held.equal()
    given = (at < depth) & (to < depth)
    return Invariant(
        m, [write, read, to, at, data], {"word": dut.data_out, **found},
        {"word": Mux(usable, out, dut.data_out), **expected}, given=given, probes=held.probes,
    )  # fmt: skip


@family(
    "bank", ["tpe.banks", "tpe.layout"],
    "operands read = those written to their slot and row last, each from its own row or all from "
    "one",
    [
        {"group": group, "block": block, "depth": depth, "bits": bits, "whole": whole}
        for group, block, depth, bits in ((1, 3, 2, 2), (2, 8, 2, 2), (2, 4, 1, 3), (4, 16, 3, 1))
        for whole in (False, True)
    ],
)  # fmt: skip
def _bank(group: int, block: int, depth: int, bits: int, whole: bool) -> Claim:
    layout = BlockLayout(2, 1, group, block, depth, whole)
    m = Module()
    m.submodules.dut = dut = Bank(layout, bits)
    write = Signal(name="write")
    slot_in, row_in, data, slot, row = (
        Signal(len(port), name=name)
        for name, port in (
            ("slot_in", dut.slot_in), ("row_in", dut.row_in), ("data", dut.data_in),
            ("slot", dut.slot), ("row", dut.row),
        )
    )  # fmt: skip
    m.d.comb += [
        dut.write.eq(write), dut.slot_in.eq(slot_in), dut.row_in.eq(row_in), dut.data_in.eq(data),
        dut.slot.eq(slot), dut.row.eq(row),
    ]  # fmt: skip
    given = (slot_in < depth) & (row_in < layout.rows) & (slot < depth)
    found: dict[str, Value] = {}
    expected: dict[str, Value] = {}
    probes: dict[str, Signal] = {}
    out = Signal(len(dut.data_out), name="ideal")
    usable = Signal(group, name="usable")
    for i in range(group):
        own = row.word_select(0 if whole else i, layout.row_bits)
        given = given & (own < layout.rows)
        held = Contents(
            m, f"dut.position_{i}", depth * layout.rows, bits, write=write,
            address=slot_in * layout.rows + row_in, data=data.word_select(i, bits),
        )  # fmt: skip
        word, known = held.read(slot * layout.rows + own)
        m.d.sync += [out.word_select(i, bits).eq(word), usable[i].eq(known)]
        shown = dut.data_out.word_select(i, bits)
        found[f"operand_{i}"] = shown
        expected[f"operand_{i}"] = Mux(usable[i], out.word_select(i, bits), shown)
        for names, equal in zip((found, expected), held.equal(), strict=True):
            names.update(equal)
        probes |= held.probes
    inputs = [write, slot_in, row_in, data, slot, row]
    return Invariant(m, inputs, found, expected, given=given, probes=probes)


@family(
    "broadcast", ["tpe.broadcast"], "every place has the word of so many steps ago, for any stalls",
    [
        {"bits": bits, "places": places, "stages": stages}
        for bits, places in ((2, 1), (2, 4), (1, 7), (3, 16)) for stages in (0, 1, 2)
    ],
)  # fmt: skip
def _broadcast(bits: int, places: int, stages: int) -> Claim:
    m = Module()
    m.submodules.dut = dut = Broadcast("broadcast", bits, places, stages)
    en, word = Signal(name="en"), Signal(bits, name="word")
    m.d.comb += [dut.en.eq(en), dut.data_in.eq(word)]
    found: dict[str, Value] = {}
    expected: dict[str, Value] = {}
    probes = {}
    value, there = word, Const(1, 1)
    for stage in range(1, stages + 1):
        held, known = Signal(bits, name=f"late_{stage}"), Signal(name=f"known_{stage}")
        with m.If(en):
            m.d.sync += [held.eq(value), known.eq(there)]
        value, there = held, known
        for copy in range(dut.sizes[stage]):
            name = f"stage_{stage}_copy_{copy}"
            probes[f"dut.{name}"] = found[name] = Signal(bits, name=f"probe_{name}")
            expected[name] = Mux(there, value, found[name])
    for place in range(places):
        found[f"at_{place}"] = dut.at(place)
        expected[f"at_{place}"] = Mux(there, value, dut.at(place))
    return Invariant(m, [en, word], found, expected, probes=probes)


@family(
    "term-feed", ["tpe.term_feed"],
    "terms of the operands in use, from below, as asked for; how many the next ones have",
    [{"bits": bits, "lanes": lanes} for bits, lanes in ((2, 1), (3, 2), (4, 2), (6, 1), (8, 1))],
)  # fmt: skip
def _term_feed(bits: int, lanes: int) -> Claim:
    m = Module()
    m.submodules.dut = dut = TermFeed(bits, lanes)
    terms = dut.terms
    take, load = Signal(name="take"), Signal(name="load")
    operands = Signal(lanes * bits, name="operands")
    at = Signal(lanes * terms.count, name="at")
    m.d.comb += [
        dut.operands_in.eq(operands), dut.take.eq(take), dut.load.eq(load), dut.at_in.eq(at),
    ]  # fmt: skip
    known, usable, shown = (Signal(name=name) for name in ("known", "usable", "shown"))
    following, kept = (Signal(lanes * bits, name=name) for name in ("ideal_next", "ideal_kept"))
    with m.If(take):
        m.d.sync += [following.eq(operands), known.eq(1)]
    with m.If(load):
        m.d.sync += [kept.eq(following), usable.eq(known)]
    m.d.sync += shown.eq(usable)
    given: Value = Const(1, 1)
    found: dict[str, Value] = {}
    expected: dict[str, Value] = {}
    probes = {}
    for lane in range(lanes):
        asked = at.word_select(lane, terms.count)
        given = given & at_most_one(asked)
        words = {}
        for name, operand, there in (("next", following, known), ("kept", kept, usable)):
            probe = Signal(terms.kept_bits, name=f"probe_{name}_{lane}")
            probes[f"dut.{name}_{lane}"] = probe
            words[name] = _terms_of(m, operand.word_select(lane, bits), terms.exponent_bits)
            for i, (term, word) in enumerate(zip(terms.unpack(probe), words[name], strict=False)):
                label = f"{name}_{lane}_{i}"
                size = terms.exponent_bits
                found[label] = Mux(term.present, term.word(), 0)
                expected[label] = Mux(there, Mux(word[size + 1], word, 0), found[label])
        out, now = Signal(terms.term_bits, name=f"ideal_{lane}"), Const(0, terms.term_bits)
        for i, word in enumerate(words["kept"][: terms.count]):
            now = Mux(asked == 1 << i, word, now)
        m.d.sync += out.eq(now)
        term = dut.terms_out.word_select(lane, terms.term_bits)
        found[f"term_{lane}"] = Mux(term[-1], term, 0)
        expected[f"term_{lane}"] = Mux(shown, Mux(out[-1], out, 0), found[f"term_{lane}"])
        there = dut.has_out.word_select(lane, terms.count)
        found[f"has_{lane}"] = there
        has = Cat(word[-1] for word in words["next"][: terms.count])
        expected[f"has_{lane}"] = Mux(known, has, there)
        # No operand has more terms than are kept.
        found[f"more_{lane}"] = words["kept"][terms.count][-1]
        expected[f"more_{lane}"] = Const(0, 1)
    return Invariant(m, [take, load, operands, at], found, expected, given=given, probes=probes)


def _terms_of(m: Module, operand: Value, exponent_bits: int) -> list[Value]:
    """Return the terms of an operand, one more than there can be: exponent, sign, presence.

    The term of the lowest bit that is set takes the sign that leaves a multiple of four times it.
    """
    size = len(operand) + 2
    rest: Value = operand.as_signed()
    words = []
    for _ in range((len(operand) + 1) // 2 + 1):
        now = Signal(signed(size), name="rest")
        m.d.comb += now.eq(rest)
        low = now & -now
        exponent: Value = Const(0, exponent_bits)
        above: Value = Const(0, 1)
        for i in range(size - 1):
            exponent = Mux(low[:size] == 1 << i, i, exponent)
            above = Mux(low[:size] == 1 << i, now[i + 1], above)
        term = Signal(exponent_bits + 2, name="term")
        m.d.comb += term.eq(Cat(exponent[:exponent_bits], above, now != 0))
        rest = Mux(above, now + low, now - low)
        words.append(term)
    return words
