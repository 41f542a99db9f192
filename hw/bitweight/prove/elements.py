"""Claims of processing elements: their step at full width, and their invariant by induction.

The step from one accumulator to the next is a sum of products, proven at all widths by rewriting.
The element as a whole, with registers, control and reset, is proven by induction against an ideal
accumulator of behavioural ``+`` and ``*`` beside it, at widths of operands that a solver reaches;
an element treats operands of other widths alike, except in its step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from bitweight.arith import ENCODINGS, Digit, Encoding
from bitweight.arith.prefix import TOPOLOGIES
from bitweight.block import Block
from bitweight.catalog import catalog
from bitweight.pe.bit_serial import BitSerialMac, OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.dot_product import DotProduct, DotProductPE
from bitweight.pe.laconic import LaconicPE
from bitweight.pe.mac import FusedMac, OperatorMac
from bitweight.pe.multiply_accumulate import MultiplyAccumulate
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.pe.term_sum import TermSum
from bitweight.pe.terms import Term, Terms
from bitweight.pe.weight_stationary import CarrySaveHop, WeightStationaryPE
from bitweight.prove.algebra import Addend, SumClaim, Watched
from bitweight.prove.claim import Claim, Equality, Invariant
from bitweight.prove.family import family, signed_weights, total_of
from bitweight.prove.leaf import WIDTHS, value_of
from bitweight.prove.products import product_of, watched_weights


def _accumulator(bits: int) -> int:
    """Return the width of an accumulator of products: the default, or 16 bits more than they."""
    return max(32, 2 * bits + 16)


def digit_addend(name: str, encoding: Encoding, base: int, b: str, b_bits: int) -> Addend:
    """Return a digit's product; the digit is an input of its three wires."""
    wires = np.arange(8)
    negative, one, two = wires & 1, wires >> 1 & 1, wires >> 2
    values = ((one + 2 * two) * (1 - 2 * negative)).astype(np.int64) << base
    allowed = (one & two == 0) & ((two == 0) | (encoding.largest == 2))
    return Addend(name, values, allowed, b, signed_weights(b_bits))


def step_claim(core: CarrySaveMac | FusedMac, mode: str = "adds") -> SumClaim:
    """Return the claim that a step adds its products to the accumulator.

    Parameters
    ----------
    core
        The step; its compressors are watched from now on.
    mode
        ``adds``, ``begins`` (nothing of the accumulator enters) or ``shifts`` (it is shifted).
    """
    m = Module()
    seen: dict[str, Value] = {}
    core.compressor = Watched(core.compressor, seen)
    bounded = watched_weights(core.products, seen)
    a = [Signal(signed(core.a_bits), name=f"a_{i}") for i in range(core.lanes)]
    b = [Signal(signed(core.b_bits), name=f"b_{i}") for i in range(core.lanes)]
    rows = [Signal(len(columns), name=f"row_{i}") for i, columns in enumerate(core.rows)]
    shift = Const(mode == "shifts", 1) if core.shift else None
    kept = [Signal(len(entry), name=f"kept_{i}") for i, entry in enumerate(_entries(core))]
    entering = core.keep(rows, Const(mode == "begins", 1), shift)
    m.d.comb += [signal.eq(value) for signal, value in zip(kept, entering, strict=True)]
    following = core.hardware(m, a, b, list(kept))
    if isinstance(core, FusedMac):
        # The final adder is claimed apart: see fused-adder.
        word = seen["rows_"]
        left: Sequence[Value] = [word[: core.acc], word[core.acc :]]
    else:
        left = [core.expand(i, row) for i, row in enumerate(following)]
    step = core.shift if mode == "shifts" else 0
    addends = [
        Addend(word=row.name, weights=tuple(1 << j + step for j in columns))
        for row, columns in zip(rows, core.rows, strict=True)
        if mode != "begins"
    ]
    for i in range(core.lanes):
        if isinstance(core.encoding, OneDigit):
            addends.append(digit_addend(f"a_{i}", core.encoding.base, 0, f"b_{i}", core.b_bits))
        else:
            addends.append(product_of(f"a_{i}", core.a_bits, f"b_{i}", core.b_bits))
    excess = core.excess if isinstance(core, CarrySaveHop) else 0
    return SumClaim(m, [*a, *b, *rows], core.acc, left, seen, addends, excess, bounded)


@family(
    "carry-save-step", ["pe.carry_save", "pe.multiply_accumulate"],
    "sum + carry = sum + carry before, or nothing, + Σ a × b",
    [
        *(
            {"encoding": name, "bits": n, "acc": _accumulator(n), "lanes": 1, "by_weight": False}
            for name in ENCODINGS for n in WIDTHS
        ),
        *(
            {"encoding": name, "bits": 8, "acc": 32, "lanes": lanes, "by_weight": by_weight}
            for name in ENCODINGS for lanes, by_weight in ((4, False), (4, True), (8, True))
        ),
        *(
            {"encoding": "mbe", "bits": n, "acc": acc, "lanes": 1, "by_weight": False}
            for n, acc in ((2, 4), (8, 16), (8, 24), (16, 64))
        ),
    ],
)  # fmt: skip
def _carry_save(encoding: str, bits: int, acc: int, lanes: int, by_weight: bool) -> Claim:
    kind = ENCODINGS[encoding]
    return step_claim(CarrySaveMac(kind, bits, bits, acc, lanes=lanes, by_weight=by_weight))


@family(
    "carry-save-begin", ["pe.carry_save"], "sum + carry = a × b where a tile begins",
    [{"encoding": name, "bits": n} for name in ENCODINGS for n in (2, 8, 16)],
)  # fmt: skip
def _carry_save_begin(encoding: str, bits: int) -> Claim:
    core = CarrySaveMac(ENCODINGS[encoding], bits, bits, _accumulator(bits))
    return step_claim(core, "begins")


@family(
    "carry-save-hop", ["pe.weight_stationary"],
    "sum + carry = sum + carry from above + a × b + excess",
    [{"encoding": name, "bits": n} for name in ENCODINGS for n in WIDTHS],
)  # fmt: skip
def _hop(encoding: str, bits: int) -> Claim:
    return step_claim(CarrySaveHop(ENCODINGS[encoding], bits, bits, 2 * bits + 5))


@family(
    "one-digit-step", ["pe.bit_serial"],
    "sum + carry = sum + carry before, shifted or not, or nothing, + Σ digit × b",
    [
        {"encoding": name, "b_bits": n, "acc": 32, "lanes": lanes, "mode": mode}
        for name in ENCODINGS for mode in ("adds", "begins", "shifts")
        for n, lanes in (*((n, 1) for n in WIDTHS), (8, 4), (8, 8))
    ],
)  # fmt: skip
def _one_digit(encoding: str, b_bits: int, acc: int, lanes: int, mode: str) -> Claim:
    return step_claim(BitSerialMac(ENCODINGS[encoding], b_bits, acc, lanes), mode)


@family(
    "sparse-step", ["pe.sparse", "pe.bit_serial"],
    "sum + carry = sum + carry before + Σ digit × b, one bit-weight (opt3, opt4c, opt4e)",
    [
        {"encoding": name, "b_bits": n, "lanes": lanes}
        for name in ENCODINGS for n in WIDTHS for lanes in (1, 4)
    ],
)  # fmt: skip
def _sparse_step(encoding: str, b_bits: int, lanes: int) -> Claim:
    digit = OneDigit(ENCODINGS[encoding])
    return step_claim(CarrySaveMac(digit, digit.bits, b_bits, b_bits + 10, lanes=lanes))


@family(
    "fused-step", ["pe.mac"], "rows before the final adder = accumulator + Σ a × b",
    [
        {"encoding": name, "bits": n, "acc": _accumulator(n)}
        for name in ENCODINGS for n in WIDTHS
    ],
)  # fmt: skip
def _fused(encoding: str, bits: int, acc: int) -> Claim:
    return step_claim(FusedMac(ENCODINGS[encoding], bits, bits, acc))


def _entries(core: CarrySaveMac | FusedMac) -> Sequence[Sequence[int]]:
    return core.entries if isinstance(core, CarrySaveMac) else core.rows


class _Cut(Watched):
    """A compressor whose rows are free inputs instead: what follows it is proven alone."""

    def hardware(
        self, m: Module, bits: Mapping[int, Value], prefix: str = ""
    ) -> tuple[Value, Value]:
        return self.seen["first"], self.seen["second"]


@family(
    "fused-adder", ["pe.mac"], "accumulator = both rows added up, for any rows",
    [
        {"topology": name, "bits": n, "acc": _accumulator(n)}
        for name in TOPOLOGIES for n in WIDTHS
    ],
)  # fmt: skip
def _fused_adder(topology: str, bits: int, acc: int) -> Claim:
    core = FusedMac(ENCODINGS["mbe"], bits, bits, acc, topology=topology)
    first, second = Signal(acc, name="first"), Signal(acc, name="second")
    core.compressor = _Cut(core.compressor, {"first": first, "second": second})
    m = Module()
    zeros = [[Const(0, signed(bits))], [Const(0, signed(bits))], [Const(0, acc)]]
    found = core.hardware(m, *zeros)[0]
    return Equality(m, [first, second], {"sum": found}, {"sum": first + second})


@family(
    "operator-mac", ["pe.mac"], "acc + Σ a × b modulo 2^w",
    [{"bits": n, "acc": acc, "lanes": 1} for n in WIDTHS for acc in (n + 1, 2 * n + 4)]
    + [{"bits": 4, "acc": 12, "lanes": 3}],
)  # fmt: skip
def _operator(bits: int, acc: int, lanes: int) -> Claim:
    m = Module()
    core = OperatorMac(ENCODINGS["mbe"], bits, bits, acc, lanes=lanes)
    a = [Signal(bits, name=f"a_{i}") for i in range(lanes)]
    b = [Signal(bits, name=f"b_{i}") for i in range(lanes)]
    before = Signal(acc, name="acc")
    expected = before + sum(x.as_signed() * y.as_signed() for x, y in zip(a, b, strict=True))
    found = core.hardware(m, a, b, [before])[0]
    return Equality(m, [*a, *b, before], {"acc": found}, {"acc": expected})


@family(
    "dot-product", ["pe.dot_product"], "rows = Σ a × b over the lanes, digits made elsewhere",
    [
        {"design": name, "encoding": encoding}
        for name in ("adder-tree-opt1-small", "adder-tree-opt2-small", "adder-tree-opt1")
        for encoding in ENCODINGS
    ],
)  # fmt: skip
def _dot_product(design: str, encoding: str) -> Claim:
    chosen = catalog[design].with_(encoding=encoding)
    core = DotProduct(chosen.nest, chosen.style)
    m = Module()
    seen: dict[str, Value] = {}
    core.compressor = Watched(core.compressor, seen)
    bounded = watched_weights(core.products, seen)
    kind = ENCODINGS[encoding]
    step = kind.radix.bit_length() - 1
    b_bits = core.b_bits
    b = [Signal(signed(b_bits), name=f"b_{i}") for i in range(core.lanes)]
    inputs, a, addends = list(b), [], []
    for lane in range(core.lanes):
        if core.made is None:
            a.append(Signal(core.a_bits, name=f"a_{lane}"))
            inputs.append(a[-1])
            addends.append(product_of(f"a_{lane}", core.a_bits, f"b_{lane}", b_bits))
            continue
        digits = [Signal(3, name=f"digit_{lane}_{i}") for i in range(core.a_bits // 3)]
        inputs += digits
        a.append(Cat(digits))
        addends += [
            digit_addend(digit.name, kind, i * step, f"b_{lane}", b_bits)
            for i, digit in enumerate(digits)
        ]
    rows = [core.expand(i, row) for i, row in enumerate(core.hardware(m, a, b))]
    return SumClaim(m, inputs, core.width, rows, seen, addends, bounded=bounded)


@family(
    "term-sum", ["pe.term_sum"],
    "sum + carry = sum + carry before + Σ ± 2^exponent; its pipeline is taken as wires",
    [
        {"lanes": lanes, "top": top, "acc": acc}
        for lanes, top, acc in (
            *((lanes, 14, 32) for lanes in (1, 4, 16)),
            *((4, 2 * n - 2, max(32, 2 * n)) for n in WIDTHS),
        )
    ],
)  # fmt: skip
def _term_sum(lanes: int, top: int, acc: int) -> Claim:
    m = Module()
    core = TermSum(lanes, top, acc)
    seen: dict[str, Value] = {}
    core.compressor = Watched(core.compressor, seen)
    for i, stage in enumerate(core.stages):
        core.stages[i] = type(stage)(Watched(stage.compressor, seen), stage.columns)
    size = top.bit_length()
    terms = [Signal(size + 2, name=f"term_{i}") for i in range(lanes)]
    rows = [Signal(len(columns), name=f"row_{i}") for i, columns in enumerate(core.rows)]
    coded = [Signal(core.coded_bits, name=f"coded_{i}") for i in range(lanes)]
    for signal, term in zip(coded, terms, strict=True):
        m.d.comb += signal.eq(core.code(Term(term[:size], term[size], term[size + 1])))
    left = [core.expand(i, row) for i, row in enumerate(core.hardware(m, coded, rows))]
    pattern = np.arange(1 << size + 2)
    exponent, negative, present = (
        pattern & (1 << size) - 1, pattern >> size & 1, pattern >> size + 1,
    )  # fmt: skip
    values = present * (1 - 2 * negative) * (np.int64(1) << np.minimum(exponent, top))
    addends = [Addend(term.name, values, exponent <= top) for term in terms]
    addends += [
        Addend(word=row.name, weights=tuple(1 << j for j in columns))
        for row, columns in zip(rows, core.rows, strict=True)
    ]
    claim = SumClaim(m, [*terms, *rows], acc, left, seen, addends)
    claim.preparation = f"techmap -map transparent.v\n{claim.preparation}"
    return claim


@family(
    "terms", ["pe.terms"],
    "terms are signed powers of two, as many as needed, from below; kept ones come back whole",
    [{"bits": bits} for bits in WIDTHS],
)  # fmt: skip
def _terms(bits: int) -> Claim:
    m = Module()
    terms = Terms(bits)
    operand = Signal(signed(bits), name="x")
    at = Signal(terms.count, name="at")
    pairs, kept = Signal(terms.pairs_bits, name="pairs"), Signal(terms.kept_bits, name="kept")
    m.d.comb += pairs.eq(terms.pairs(operand))
    terms_found = terms.find(m, pairs, "find")
    m.d.comb += kept.eq(terms.pack(terms_found))
    back = terms.unpack(kept)
    total: Value = Const(0, bits)
    wrong = []
    for i, term in enumerate(back):
        power = (Const(1, bits) << term.exponent)[:bits]
        total = (total + Mux(term.present, Mux(term.negative, -power, power), 0))[:bits]
        if i:
            # From below, none beside another, and none after a missing one.
            gap = terms_found[i - 1].exponent + 1 >= term.exponent
            wrong.append(term.present & (gap | ~terms_found[i - 1].present))
    one = terms.select(kept, at)
    chosen: Value = Const(0, terms.term_bits)
    for i, term in enumerate(back):
        chosen = Mux(at == 1 << i, term.word(), chosen)
    alone = (at & (at - 1)[: terms.count]) == 0
    found = {"value": total, "order": Cat(wrong), "selected": one.word()}
    expected = {"value": operand, "order": Const(0, terms.count), "selected": chosen}
    return Equality(m, [operand, at], found, expected, alone)


# Elements with their registers.

CORES = {
    "mac": OperatorMac,
    "fused": FusedMac,
    "opt1": CarrySaveMac,
    "opt2-temporal": BitSerialMac,
    "opt3": CarrySaveMac,
}
"""Steps by the transformation that makes them."""


def small_core(core: str, encoding: str, bits: int, acc: int, lanes: int) -> MultiplyAccumulate:
    """Return a step of small operands."""
    kind = ENCODINGS[encoding]
    if core == "opt2-temporal":
        return BitSerialMac(kind, bits, acc, lanes)
    if core == "opt3":
        digit = OneDigit(kind)
        return CarrySaveMac(digit, digit.bits, bits, acc, lanes=lanes)
    return CORES[core](kind, bits, bits, acc, lanes=lanes)


def _product_sum(core: MultiplyAccumulate, a: Value, b: Value) -> Value:
    """Return the sum of products of packed operands, modulo the accumulator."""
    pairs = []
    for lane in range(core.lanes):
        x, y = a.word_select(lane, core.a_bits), b.word_select(lane, core.b_bits).as_signed()
        one_digit = isinstance(core.encoding, OneDigit)
        value = value_of(Digit(*x)) if one_digit else x.as_signed()
        pairs.append((value * y, 1))
    return total_of(pairs, core.acc)


def _legal(core: MultiplyAccumulate, a: Value) -> Value:
    """Return whether operands are what they can be: all of them, or the wires of digits."""
    if not isinstance(core.encoding, OneDigit):
        return Const(1, 1)
    digits = [a.word_select(lane, 3) for lane in range(core.lanes)]
    two_allowed = core.encoding.largest == 2
    return ~Cat((d[1] & d[2]) if two_allowed else d[2] for d in digits).any()


@family(
    "output-stationary-pe", ["pe.output_stationary", "pe.mac", "pe.carry_save", "pe.bit_serial"],
    "sum + carry = the ideal accumulator, for any inputs and stalls, from reset and at each tile; "
    "drained once, zero otherwise",
    [
        {"core": core, "encoding": encoding, "bits": bits, "acc": acc, "lanes": lanes}
        for core, (bits, acc, lanes) in product(
            CORES, ((2, 4, 1), (2, 7, 2), (3, 8, 1), (4, 12, 1))
        )
        for encoding in (ENCODINGS if core != "mac" else ("mbe",))
    ],
)  # fmt: skip
def _output_stationary(core: str, encoding: str, bits: int, acc: int, lanes: int) -> Claim:
    step = small_core(core, encoding, bits, acc, lanes)
    return output_stationary_claim(OutputStationaryPE(step), step)


def output_stationary_claim(pe: Block, core: MultiplyAccumulate) -> Invariant:
    """Return the invariant of an output-stationary element beside an ideal accumulator."""
    m = Module()
    m.submodules.dut = pe
    rst, en, last_in, shift_in = (Signal(name=n) for n in ("rst", "en", "last", "shift"))
    a_in = Signal(core.lanes * core.a_bits, name="a")
    b_in = Signal(core.lanes * core.b_bits, name="b")
    m.d.comb += [pe.en.eq(en), pe.a_in.eq(a_in), pe.b_in.eq(b_in), pe.last_in.eq(last_in)]
    a, b = Signal(len(a_in), name="ideal_a"), Signal(len(b_in), name="ideal_b")
    last, shift = Signal(name="ideal_last"), Signal(name="ideal_shift")
    done = Signal(init=1, name="ideal_done")
    total = Signal(core.acc, name="ideal")
    filled = Signal(name="filled")  # operands have come in since the reset
    start = Mux(done, 0, Mux(shift, total << core.shift, total)[: core.acc])
    with m.If(en):
        m.d.sync += [
            a.eq(a_in), b.eq(b_in), last.eq(last_in), done.eq(last), filled.eq(1),
            total.eq(start + _product_sum(core, a, b)),
        ]  # fmt: skip
    inputs = [rst, en, a_in, b_in, last_in]
    given = _legal(core, a_in)
    probes = {}
    found: dict[str, Value] = {}
    expected: dict[str, Value] = {}
    if core.shift:
        m.d.comb += pe.shift_in.eq(shift_in)
        with m.If(en):
            m.d.sync += shift.eq(shift_in)
        inputs.append(shift_in)
        # Not with the first operands of a tile: those behind its last ones, or behind a reset.
        given = given & ~(shift_in & (last | ~filled))
        probe = Signal(name="probe_shift")
        probes["dut.shift"] = probe
        found["shift"], expected["shift"] = probe, shift
        found["never_both"], expected["never_both"] = shift & done, Const(0, 1)
    rows = []
    for i, (name, columns) in enumerate(zip(("total", "carry"), core.rows, strict=False)):
        probe = Signal(len(columns), name=f"probe_{name}")
        probes[f"dut.{name}"] = probe
        rows.append(core.expand(i, probe))
    finished = Signal(name="probe_done")
    probes["dut.done"] = finished
    drained = [core.expand(i, getattr(pe, f"drain_{i}")) for i in range(len(core.rows))]
    value = total_of(((row, 1) for row in rows), core.acc)
    result = total_of(((row, 1) for row in drained), core.acc)
    found |= {
        "accumulator": value, "result": result, "a": pe.a_out, "b": pe.b_out,
        "last": pe.last_out, "done": finished, "empty": Mux(filled, 0, a),
        "idle": Cat(Mux(finished, 0, row) for row in drained),
        "begin": filled | done,
    }  # fmt: skip
    expected |= {
        "accumulator": Mux(filled, total, value),
        "result": Mux(done, Mux(filled, total, result), 0),
        "a": a, "b": Mux(filled, b, pe.b_out), "last": last, "done": done,
        "empty": Const(0, len(a)), "idle": Const(0, 1), "begin": Const(1, 1),
    }  # fmt: skip
    # What the registers of the ideal hold are operands that came in.
    found["legal"], expected["legal"] = _legal(core, a), Const(1, 1)
    return Invariant(m, inputs, found, expected, given=given, probes=probes)


@family(
    "weight-stationary-pe", ["pe.weight_stationary"],
    "total = total from above + a × the weight in use (+ excess), weights shifted and switched",
    [
        {"core": core, "encoding": encoding, "bits": bits, "acc": acc}
        for core, (bits, acc) in product(("mac", "hop"), ((2, 5), (3, 8), (4, 10)))
        for encoding in (ENCODINGS if core != "mac" else ("mbe",))
    ],
)  # fmt: skip
def _weight_stationary(core: str, encoding: str, bits: int, acc: int) -> Claim:
    kind = CarrySaveHop if core == "hop" else OperatorMac
    step = kind(ENCODINGS[encoding], bits, bits, acc)
    m = Module()
    m.submodules.dut = pe = WeightStationaryPE(step)
    en, load, switch = (Signal(name=n) for n in ("en", "load", "switch"))
    a_in, b_in = Signal(bits, name="a"), Signal(bits, name="b")
    above = [Signal(len(c), name=f"above_{i}") for i, c in enumerate(step.rows)]
    m.d.comb += [
        pe.en.eq(en), pe.a_in.eq(a_in), pe.b_in.eq(b_in), pe.load_in.eq(load),
        pe.switch_in.eq(switch),
        *(getattr(pe, f"row_in_{i}").eq(row) for i, row in enumerate(above)),
    ]  # fmt: skip
    # Nothing is reset: what is known of a register begins when it is first written.
    names = {"a": bits, "flags": 2, "next": bits, "weight": bits, "total": acc}
    held = {name: Signal(size, name=f"ideal_{name}") for name, size in names.items()}
    known = {name: Signal(name=f"known_{name}") for name in names}
    word = total_of(((step.expand(i, row), 1) for i, row in enumerate(above)), acc)
    excess = step.excess if isinstance(step, CarrySaveHop) else 0
    with m.If(en):
        m.d.sync += [
            held["a"].eq(a_in), known["a"].eq(1),
            held["flags"].eq(Cat(load, switch)), known["flags"].eq(1),
            known["total"].eq(known["a"] & known["weight"]),
            held["total"].eq(
                word + held["a"].as_signed() * held["weight"].as_signed() + excess
            ),
        ]  # fmt: skip
        with m.If(load):
            m.d.sync += [held["next"].eq(b_in), known["next"].eq(1)]
        with m.If(switch):
            m.d.sync += [held["weight"].eq(held["next"]), known["weight"].eq(known["next"])]
    weight = Signal(bits, name="probe_weight")
    rows = [step.expand(i, getattr(pe, f"row_out_{i}")) for i in range(len(step.rows))]
    found = {
        "a": pe.a_out, "flags": Cat(pe.load_out, pe.switch_out), "next": pe.b_out,
        "weight": weight, "total": total_of(((row, 1) for row in rows), acc),
    }  # fmt: skip
    expected = {n: Mux(known[n], held[n], value) for n, value in found.items()}
    inputs = [en, load, switch, a_in, b_in, *above]
    return Invariant(m, inputs, found, expected, probes={"dut.weight": weight})


@family(
    "dot-product-pe", ["pe.dot_product"],
    "rows = Σ a × the weights in use, weights shifted through the lanes and switched",
    [
        {"mac": mac, "encoding": encoding, "bits": bits}
        for mac in ("mac", "opt1", "opt2") for bits in (2, 3)
        for encoding in (ENCODINGS if mac != "mac" else ("mbe",))
    ],
)  # fmt: skip
def _dot_product_pe(mac: str, encoding: str, bits: int) -> Claim:
    design = catalog[f"adder-tree-{mac}-small"].with_(rows=2, encoding=encoding, a=bits, b=bits)
    core = DotProduct(design.nest, design.style)
    m = Module()
    m.submodules.dut = pe = DotProductPE(core)
    en, load, switch = (Signal(name=n) for n in ("en", "load", "switch"))
    operands = [Signal(signed(bits), name=f"a_{i}") for i in range(core.lanes)]
    b_in = Signal(core.b_bits, name="b")
    m.d.comb += [
        pe.en.eq(en), pe.b.eq(b_in), pe.load.eq(load), pe.switch.eq(switch),
        pe.a.eq(Cat(core.prepare(x) for x in operands)),
    ]  # fmt: skip
    size = core.lanes * core.b_bits
    following, weights = Signal(size, name="ideal_next"), Signal(size, name="ideal_weights")
    total = Signal(core.width, name="ideal")
    loads = Signal(range(core.lanes + 1))  # those of the next weights that are known
    usable, known = Signal(), Signal()
    terms = [
        (x * weights.word_select(i, core.b_bits).as_signed(), 1) for i, x in enumerate(operands)
    ]
    with m.If(en):
        m.d.sync += [total.eq(total_of(terms, core.width)), known.eq(usable)]
        with m.If(load):
            m.d.sync += following.eq(Cat(following, b_in)[core.b_bits :])
            m.d.sync += loads.eq(Mux(loads == core.lanes, loads, loads + 1))
        with m.If(switch):
            m.d.sync += [weights.eq(following), usable.eq(loads == core.lanes)]
    probe_next, probe_now = Signal(size, name="probe_next"), Signal(size, name="probe_now")
    rows = [core.expand(i, getattr(pe, f"row_{i}")) for i in range(len(core.rows))]
    found = {"total": total_of(((row, 1) for row in rows), core.width), "weights": probe_now}
    expected = {
        "total": Mux(known, total, found["total"]),
        "weights": Mux(usable, weights, probe_now),
        "count": Const(1, 1),
    }
    found["count"] = loads <= core.lanes
    for i in range(core.lanes):
        # The last `loads` lanes hold what came in.
        lane = probe_next.word_select(i, core.b_bits)
        there = loads >= core.lanes - i
        found[f"next_{i}"] = lane
        expected[f"next_{i}"] = Mux(there, following.word_select(i, core.b_bits), lane)
    probes = {"dut.following": probe_next, "dut.weights": probe_now}
    return Invariant(m, [en, load, switch, *operands, b_in], found, expected, probes=probes)


@family(
    "laconic-pe", ["pe.laconic", "pe.term_sum", "pe.terms"],
    "sum + carry = the ideal accumulator of products of terms, from each first pair on",
    [
        {"bits": bits, "lanes": lanes, "acc": acc}
        for bits, lanes, acc in ((2, 1, 5), (2, 3, 7), (3, 2, 9), (4, 1, 12), (4, 2, 12))
    ],
)  # fmt: skip
def _laconic(bits: int, lanes: int, acc: int) -> Claim:
    terms = Terms(bits)
    core = TermSum(lanes, 2 * terms.top, acc)
    m = Module()
    m.submodules.dut = pe = LaconicPE(terms, terms, core)
    first, drain = Signal(name="first"), Signal(name="drain")
    a = [Signal(terms.term_bits, name=f"a_{i}") for i in range(lanes)]
    b = [Signal(terms.term_bits, name=f"b_{i}") for i in range(lanes)]
    m.d.comb += [
        pe.a_in.eq(Cat(a)), pe.b_in.eq(Cat(b)), pe.first_in.eq(first), pe.drain_in.eq(drain)
    ]  # fmt: skip
    given: Value = Const(1, 1)
    products = []
    for words in zip(a, b, strict=True):
        x, y = (terms.split(word) for word in words)
        for term in (x, y):
            given = given & (term.exponent <= terms.top)
        power = (Const(1, acc) << (x.exponent + y.exponent))[:acc]
        signed_power = Mux(x.negative ^ y.negative, -power, power)
        products.append((Mux(x.present & y.present, signed_power[:acc], 0), 1))
    # The sum of a cycle arrives with its flag.
    arriving: Value = total_of(products, acc)
    begins: Value = first
    for step in range(core.latency - 1):
        late, flag = Signal(acc, name=f"late_{step}"), Signal(name=f"begins_{step}")
        m.d.sync += [late.eq(arriving), flag.eq(begins)]
        arriving, begins = late, flag
    total, known = Signal(acc, name="ideal"), Signal(name="known")
    m.d.sync += [total.eq(Mux(begins, 0, total) + arriving), known.eq(known | begins)]
    rows = []
    probes = {}
    for i, name in enumerate(("total", "carry")):
        probe = Signal(len(core.rows[i]), name=f"probe_{name}")
        probes[f"dut.{name}"] = probe
        rows.append(core.expand(i, probe))
    value = total_of(((row, 1) for row in rows), acc)
    drained = [core.expand(i, getattr(pe, f"drain_{i}")) for i in range(2)]
    result = total_of(((row, 1) for row in drained), acc)
    found = {"accumulator": value, "result": result}
    expected = {"accumulator": Mux(known, total, value), "result": Mux(drain, value, 0)}
    # The pipeline has no stalls: after its latency nothing is left of where induction began.
    depth = core.latency + 1
    inputs = [first, drain, *a, *b]
    return Invariant(m, inputs, found, expected, given=given, probes=probes, depth=depth)
