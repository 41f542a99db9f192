"""The claim of the ring of requests: each is served once, in its turn, and not too early."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import at_most_one, family, total_of
from bitweight.prove.loading import code_of
from bitweight.tpe.layout import RING, BlockLayout
from bitweight.tpe.requests import RequestRing

__all__ = ["requests_claim"]


@family(
    "requests", ["tpe.requests", "tpe.layout"],
    "a request that is taken asks in every fifth step until it is served, once, with its own "
    "payload and bank; one of the following pass not before the end of the present one, a word "
    "not before the digits of the one before; whether anything is left of the present pass",
    [
        {"cols": cols, "group": group, "block": block, "payload": payload, "zero_bits": zero_bits,
         "whole": whole}
        for cols, group, block, payload, zero_bits, whole in (
            (1, 1, 1, 1, 1, False), (2, 1, 4, 2, 3, False), (4, 2, 8, 3, 6, False),
            (2, 3, 6, 2, 2, True), (4, 4, 16, 1, 1, True),
        )
    ],
)  # fmt: skip
def _requests(
    cols: int, group: int, block: int, payload: int, zero_bits: int, whole: bool
) -> Claim:
    layout = BlockLayout(cols, 1, group, block, 1, whole)
    return requests_claim(RequestRing(layout, payload, zero_bits))


def requests_claim(dut: RequestRing) -> Invariant:
    """Return what a ring must do, as slots that stay where they are while their turns go round."""
    layout, whole = dut.layout, dut.layout.whole
    m = Module()
    m.submodules.dut = dut
    rst, asks, following, ends, hit = (
        Signal(name=name) for name in ("rst", "asks", "following", "ends", "hit")
    )
    fields = {"row": len(dut.row), "payload": len(dut.payload)}
    if whole:
        fields["left"] = layout.group
    fields["bank"] = dut.banks
    given_in = {name: Signal(size, name=name) for name, size in fields.items()}
    m.d.comb += [
        dut.asks.eq(asks), dut.following.eq(following), dut.ends.eq(ends), dut.hit.eq(hit),
        *(getattr(dut, name).eq(value) for name, value in given_in.items()),
    ]  # fmt: skip
    given = at_most_one(given_in["bank"]) & (given_in["bank"] != 0)
    if whole:
        given = given & (given_in["left"] != 0)

    # The slot that asks is `turn`; the one that asked i steps ago is i places behind it.
    turn = Signal(range(RING), name="turn")
    valid, late = Signal(RING, name="ideal_valid"), Signal(RING, name="ideal_late")
    slots = {
        name: [Signal(size, name=f"ideal_{name}_{i}") for i in range(RING)]
        for name, size in fields.items()
    }
    m.d.sync += turn.eq(Mux(turn == RING - 1, 0, turn + 1))

    def ago(steps: int, values: list[Value]) -> Value:
        found = values[0]
        for i in range(RING):
            found = Mux(turn == (i + steps) % RING, values[i], found)
        return found[: len(values[0])]

    there = [ago(i, list(valid)) for i in range(RING)]
    waits = [ago(i, list(late)) for i in range(RING)]
    digits = Signal(range(layout.group + 1), name="ideal_digits")
    granted = there[3] & hit & (~waits[3] | ends) & (digits == 0)
    left = ago(3, slots["left"]) if whole else Const(1, 1)
    m.d.sync += digits.eq(
        Mux(granted, total_of(((bit, 1) for bit in left), len(digits)) - 1,
            Mux(digits == 0, 0, digits - 1))
    )  # fmt: skip
    for i in range(RING):
        served = granted & (turn == (i + 3) % RING)
        comes = asks & ~valid[i] & (turn == (i + 4) % RING)
        m.d.sync += [
            valid[i].eq((valid[i] & ~served) | comes),
            late[i].eq(Mux(comes, following, late[i]) & ~ends),
        ]
        with m.If(comes):
            m.d.sync += [slots[name][i].eq(value) for name, value in given_in.items()]
    out, out_bank = Signal(len(dut.payload), name="out"), Signal(dut.banks, name="out_bank")
    given_out = Signal(name="given_out")
    m.d.sync += [
        out.eq(Mux(granted, ago(3, slots["payload"]), 0)), out_bank.eq(ago(3, slots["bank"])),
        given_out.eq(granted),
    ]  # fmt: skip
    kept = [valid[i] & ~late[i] & ~(granted & (turn == (i + 3) % RING)) for i in range(RING)]
    remains = Cat(kept).any()
    if whole:
        remains = remains | granted | (digits != 0)

    # What is in the ring, stage by stage.
    rest = [name for name in fields if name != "bank"]
    sizes = sum(fields[name] for name in rest)
    probes = {
        "dut.valid": Signal(RING, name="probe_valid"),
        "dut.following": Signal(RING, name="probe_following"),
        "dut.asking": Signal(sizes + dut.banks, name="probe_asking"),
        **{
            f"dut.request_{i}": Signal(sizes + layout.bank_bits, name=f"probe_request_{i}")
            for i in range(1, RING)
        },
    }
    found: dict[str, Value] = {
        "taken": dut.taken, "asks_out": dut.asks_out, "present": dut.present,
        "late": dut.late_out & dut.asks_out, "bank": Mux(there[0], dut.bank_out, 0),
        "row": Mux(there[0], dut.row_out, 0), "code": Mux(there[2], dut.code_out, 0),
        "code_row": Mux(there[2], dut.code_row, 0),
        "payload": Mux(given_out, dut.payload_out, dut.payload_out & dut.zero_bits),
        "payload_bank": Mux(given_out, dut.payload_bank, 0),
        "valid": probes["dut.valid"], "following": probes["dut.following"] & Cat(there),
    }  # fmt: skip
    expected: dict[str, Value] = {
        "taken": ~there[4], "asks_out": there[0], "present": remains,
        "late": waits[0] & there[0], "bank": Mux(there[0], ago(0, slots["bank"]), 0),
        "row": Mux(there[0], ago(0, slots["row"]), 0),
        "code": Mux(there[2], code_of(layout, ago(2, slots["bank"])), 0),
        "code_row": Mux(there[2], ago(2, slots["row"]), 0), "payload": out,
        "payload_bank": Mux(given_out, code_of(layout, out_bank), 0),
        "valid": Cat(there), "following": Cat(waits) & Cat(there),
    }  # fmt: skip
    for i in range(RING):
        probe = probes[f"dut.request_{i}" if i else "dut.asking"]
        bank = ago(i, slots["bank"])
        held = Cat(*(ago(i, slots[name]) for name in rest), code_of(layout, bank) if i else bank)
        found[f"stage_{i}"] = Mux(there[i], probe, 0)
        expected[f"stage_{i}"] = Mux(there[i], held, 0)
    found["one_hot"] = Cat(at_most_one(slots["bank"][i]) & (slots["bank"][i] != 0) | ~valid[i]
                           for i in range(RING))  # fmt: skip
    expected["one_hot"] = Const(-1, RING)
    found["range"], expected["range"] = turn < RING, Const(1, 1)
    if not whole:
        found["digits"], expected["digits"] = digits, Const(0, len(digits))
    else:
        probes["dut.digits"] = Signal(layout.group, name="probe_digits")
        found["digits"] = total_of(((bit, 1) for bit in probes["dut.digits"]), len(digits))
        expected["digits"] = digits
        found["some"] = Cat((slots["left"][i] != 0) | ~valid[i] for i in range(RING))
        expected["some"] = Const(-1, RING)
    inputs = [rst, asks, following, ends, hit, *given_in.values()]
    return Invariant(m, inputs, found, expected, given=given, probes=probes)
