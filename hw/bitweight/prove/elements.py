"""Claims of processing elements with their registers: the invariant of each, by induction.

The element as a whole, with registers, control and reset, is proven against an ideal accumulator of
behavioural ``+`` and ``*`` beside it, at widths of operands that a solver reaches; an element
treats operands of other widths alike, except in its step, which is proven at all of them
(:mod:`bitweight.prove.steps`).
"""

from __future__ import annotations

from itertools import product

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from bitweight.arith import ENCODINGS, Digit
from bitweight.block import Block
from bitweight.catalog import catalog
from bitweight.pe.bit_serial import BitSerialMac, OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.dot_product import DotProduct, DotProductPE
from bitweight.pe.laconic import LaconicPE
from bitweight.pe.mac import FusedMac, OperatorMac
from bitweight.pe.multiply_accumulate import MultiplyAccumulate
from bitweight.pe.operand_register import repeated
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.pe.term_sum import TermSum
from bitweight.pe.terms import Terms
from bitweight.pe.weight_stationary import CarrySaveHop, WeightStationaryPE
from bitweight.prove.claim import Claim, Invariant
from bitweight.prove.family import family, total_of
from bitweight.prove.leaf import value_of
from bitweight.prove.reachability import Always

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
    "output-stationary-pe",
    ["pe.output_stationary", "pe.operand_register", "pe.mac", "pe.carry_save", "pe.bit_serial"],
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
    zero_bits = repeated(core.zero_bits, core.a_bits, core.lanes)
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
        "accumulator": value, "result": result, "b": pe.b_out,
        "a": Mux(filled, pe.a_out, pe.a_out & zero_bits),
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
    "staged-pe", ["pe.output_stationary", "pe.carry_save"],
    "each sum that is drained = Σ digit × B, from the operands behind the end before up to those "
    "of its own, 3 steps after them, for any operands and ends; zero otherwise",
    [
        {"encoding": encoding, "bits": bits, "acc": acc, "lanes": lanes}
        for encoding, bits, acc, lanes in (
            ("serial", 1, 2, 2), ("mbe", 2, 3, 1),
        )
    ],
)  # fmt: skip
def _staged(encoding: str, bits: int, acc: int, lanes: int) -> Claim:
    digit = OneDigit(ENCODINGS[encoding])
    core = CarrySaveMac(digit, digit.bits, bits, acc, lanes=lanes, staged=True)
    return staged_claim(OutputStationaryPE(core, stalls=False), core)


def staged_claim(pe: OutputStationaryPE, core: CarrySaveMac) -> Always:
    """Return what an element does whose step is cut in two, seen from its ports alone."""
    m = Module()
    m.submodules.dut = pe
    rst, last = Signal(name="rst"), Signal(name="last")
    a, b = Signal(len(pe.a_in), name="a"), Signal(len(pe.b_in), name="b")
    m.d.comb += [pe.a_in.eq(a), pe.b_in.eq(b), pe.last_in.eq(last)]
    total, begins = Signal(core.acc, name="ideal"), Signal(init=1, name="begins")
    due = [Signal(core.acc, name=f"due_{i}") for i in range(pe.latency_of(core))]
    ends = [Signal(name=f"ends_{i}") for i in range(len(due))]
    now = Signal(core.acc, name="now")
    m.d.comb += now.eq(Mux(begins, 0, total) + _product_sum(core, a, b))
    m.d.sync += [
        total.eq(now), begins.eq(last),
        *(late.eq(value) for late, value in zip(due, [now, *due[:-1]], strict=True)),
        *(late.eq(value) for late, value in zip(ends, [last, *ends[:-1]], strict=True)),
    ]  # fmt: skip
    drained = [core.expand(i, getattr(pe, f"drain_{i}")) for i in range(len(core.rows))]
    result = total_of(((row, 1) for row in drained), core.acc)
    # A reset leaves anything on the outputs until it has gone through.
    begun = Signal(range(len(due) + 1), name="runs")
    m.d.sync += begun.eq(Mux(begun == len(due), begun, begun + 1))
    runs = begun == len(due)
    found = {"result": Mux(runs, result, 0), "zero": Mux(runs & ~ends[-1], Cat(drained), 0)}
    expected = {"result": Mux(runs & ends[-1], due[-1], 0), "zero": Const(0, 1)}
    return Always(m, [rst, a, b, last], found, expected, given=_legal(core, a))


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
    en, load, update = (Signal(name=n) for n in ("en", "load", "update"))
    a_in, b_in = Signal(bits, name="a"), Signal(bits, name="b")
    above = [Signal(len(c), name=f"above_{i}") for i, c in enumerate(step.rows)]
    m.d.comb += [
        pe.en.eq(en), pe.a_in.eq(a_in), pe.b_in.eq(b_in), pe.load_in.eq(load),
        pe.update_in.eq(update),
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
            held["flags"].eq(Cat(load, update)), known["flags"].eq(1),
            known["total"].eq(known["a"] & known["weight"]),
            held["total"].eq(
                word + held["a"].as_signed() * held["weight"].as_signed() + excess
            ),
        ]  # fmt: skip
        with m.If(load):
            m.d.sync += [held["next"].eq(b_in), known["next"].eq(1)]
        with m.If(update):
            m.d.sync += [held["weight"].eq(held["next"]), known["weight"].eq(known["next"])]
    weight = Signal(bits, name="probe_weight")
    rows = [step.expand(i, getattr(pe, f"row_out_{i}")) for i in range(len(step.rows))]
    found = {
        "a": pe.a_out, "flags": Cat(pe.load_out, pe.update_out), "next": pe.b_out,
        "weight": weight, "total": total_of(((row, 1) for row in rows), acc),
    }  # fmt: skip
    expected = {n: Mux(known[n], held[n], value) for n, value in found.items()}
    inputs = [en, load, update, a_in, b_in, *above]
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
    en, load, update = (Signal(name=n) for n in ("en", "load", "update"))
    operands = [Signal(signed(bits), name=f"a_{i}") for i in range(core.lanes)]
    b_in = Signal(core.b_bits, name="b")
    m.d.comb += [
        pe.en.eq(en), pe.b.eq(b_in), pe.load.eq(load), pe.update.eq(update),
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
        with m.If(update):
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
    return Invariant(m, [en, load, update, *operands, b_in], found, expected, probes=probes)


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
