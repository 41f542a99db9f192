"""Claims of the stream blocks: no transfer is lost, made up, or changed while it waits."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal

from bitweight.arith import ENCODINGS
from bitweight.pe.bit_serial import OneDigit
from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import family
from bitweight.prove.leaf import wires_of
from bitweight.tpe.passes import Passes
from bitweight.tpe.stream import Skew, SkidBuffer


@family(
    "skid-buffer", ["tpe.stream"],
    "one tagged transfer comes out once, in order, unchanged; payload stable while it waits; "
    "ready is a register",
    [{"bits": bits} for bits in (1, 2, 8, 33, 129)],
)  # fmt: skip
def _skid_buffer(bits: int) -> Claim:
    m = Module()
    m.submodules.dut = dut = SkidBuffer(bits)
    return skid_buffer_claim(m, dut, bits)


def skid_buffer_claim(m: Module, dut: SkidBuffer, bits: int) -> Claim:
    """Return what a skid buffer `dut` must do.

    The tag is a cycle that the prover picks: the transfer into the buffer in that cycle is
    followed on its way, by counting those before it that are still to come out.
    """
    rst, valid, ready, pick = (Signal(name=name) for name in ("rst", "valid", "ready", "pick"))
    payload = Signal(bits, name="payload")
    m.d.comb += [
        dut.in_payload.eq(payload),
        dut.in_valid.eq(valid),
        dut.out_ready.eq(ready),
    ]
    enters, leaves = dut.in_valid & dut.in_ready, dut.out_valid & dut.out_ready
    # How many are inside, and the tagged one: how many are ahead of it, and what it carries.
    inside = Signal(2)
    tagged, gone = Signal(), Signal()
    ahead = Signal(2)
    kept = Signal(bits)
    tag_now = enters & pick & ~tagged & ~gone
    present = tagged | tag_now
    before = Mux(tagged, ahead, inside)
    due = present & leaves & (before == 0)
    m.d.sync += inside.eq(inside + enters - leaves)
    with m.If(tag_now):
        m.d.sync += [tagged.eq(1), kept.eq(payload), ahead.eq(inside - leaves)]
    with m.Elif(tagged & leaves):
        m.d.sync += ahead.eq(ahead - 1)
    with m.If(due):
        m.d.sync += [tagged.eq(0), gone.eq(1)]
    # What waited in the cycle before.
    waited = Signal()
    shown = Signal(bits)
    m.d.sync += [waited.eq(dut.out_valid & ~dut.out_ready), shown.eq(dut.out_payload)]
    full, held = Signal(name="probe_full"), Signal(bits, name="probe_held")
    in_ready = Signal(name="probe_ready")
    carried = Mux(tagged, kept, payload)
    found = {
        "tagged_payload": dut.out_payload,
        "waiting_valid": dut.out_valid,
        "waiting_payload": dut.out_payload,
        "made_up": leaves & (inside == 0) & ~enters,
        "count": inside,
        "ready": dut.in_ready,
        "tag": Cat(tagged, ahead),
        "tag_value": held,
        "shown": Cat(waited, shown),
    }
    expected = {
        "tagged_payload": Mux(due, carried, dut.out_payload),
        "waiting_valid": Mux(waited, 1, dut.out_valid),
        "waiting_payload": Mux(waited, shown, dut.out_payload),
        "made_up": Const(0, 1),
        "count": Cat(full, Const(0, 1)),
        "ready": ~full,
        # The rest says how registers go together; the claims above follow from it.
        "tag": Cat(tagged & full, Mux(tagged, 0, ahead)),
        "tag_value": Mux(tagged, kept, held),
        "shown": Cat(full, Mux(full, held, shown)),
    }
    probes = {"dut.full": full, "dut.held": held, "dut.ready": in_ready}
    found["register"], expected["register"] = in_ready, ~full
    inputs = [rst, valid, payload, ready, pick]
    return Invariant(m, inputs, found, expected, probes=probes)


@family(
    "skew", ["tpe.stream"], "lane i comes out after i steps, reversed after lanes - 1 - i",
    [
        {"lanes": lanes, "bits": bits, "reverse": reverse}
        for lanes, bits in ((1, 4), (2, 3), (4, 2), (5, 1)) for reverse in (False, True)
    ],
)  # fmt: skip
def _skew(lanes: int, bits: int, reverse: bool) -> Claim:
    m = Module()
    m.submodules.dut = dut = Skew("skew", lanes, bits, reverse=reverse)
    en, words = Signal(name="en"), Signal(lanes * bits, name="words")
    m.d.comb += [dut.en.eq(en), dut.data_in.eq(words)]
    found, expected, probes = {}, {}, {}
    for lane in range(lanes):
        steps = lanes - 1 - lane if reverse else lane
        value, there = words.word_select(lane, bits), Const(1, 1)
        chain = []
        for step in range(steps):
            held = Signal(bits, name=f"late_{lane}_{step}")
            valid = Signal(name=f"valid_{lane}_{step}")
            with m.If(en):
                m.d.sync += [held.eq(value), valid.eq(there)]
            chain.append((held, valid))
            value, there = held, valid
        if steps:
            probe = Signal(steps * bits, name=f"probe_{lane}")
            probes[f"dut.lane_{lane}"] = probe
            found[f"lane_{lane}"] = probe
            expected[f"lane_{lane}"] = Cat(
                Mux(valid, held, probe.word_select(i, bits))
                for i, (held, valid) in enumerate(chain)
            )
        out = dut.data_out.word_select(lane, bits)
        found[f"out_{lane}"], expected[f"out_{lane}"] = out, Mux(there, value, out)
    return Invariant(m, [en, words], found, expected, probes=probes)


@family(
    "passes", ["tpe.passes"],
    "digits of one bit-weight after the other, most significant first; ends and shift where due",
    [{"encoding": name, "bits": bits} for name in ENCODINGS for bits in (2, 5, 8, 16)],
)  # fmt: skip
def _passes(encoding: str, bits: int) -> Claim:
    m = Module()
    kind = OneDigit(ENCODINGS[encoding])
    m.submodules.dut = dut = Passes(kind, bits, 1)
    count = ENCODINGS[encoding].digits(bits)
    rst, take, last = (Signal(name=name) for name in ("rst", "take", "last"))
    operand = Signal(bits, name="operand")
    m.d.comb += [dut.take.eq(take), dut.last.eq(last), dut.operands.eq(operand)]
    turn = Signal(range(max(2, count)), init=count - 1)  # counts down
    beat_before = Signal()
    with m.If(take):
        m.d.sync += beat_before.eq(last & (turn != 0))
    with m.If(take & last):
        m.d.sync += turn.eq(Mux(turn == 0, count - 1, turn - 1))
    made = wires_of(m, ENCODINGS[encoding].encode(operand))
    digits = [Cat(d.negative, d.one, d.two) for d in made]
    expected_digit = Const(0, 3)
    for i, digit in enumerate(digits):
        expected_digit = Mux(turn == i, digit, expected_digit)
    probe_turn, probe_again = Signal(count, name="probe_turn"), Signal(name="probe_again")
    found = {
        "digit": dut.digits, "ends": dut.ends, "shift": dut.shift,
        "turn": probe_turn, "again": probe_again, "range": turn < count,
    }  # fmt: skip
    expected = {
        "digit": expected_digit, "ends": last & (turn == 0), "shift": beat_before,
        "turn": (Const(1, count) << turn)[:count], "again": beat_before, "range": Const(1, 1),
    }  # fmt: skip
    probes = {"dut.turn": probe_turn, "dut.again": probe_again}
    return Invariant(m, [rst, take, last, operand], found, expected, probes=probes)
