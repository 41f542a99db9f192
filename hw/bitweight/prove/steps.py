"""Claims of the steps of processing elements: from one accumulator to the next, at full width.

A step is a sum of products; it is proven at all widths by rewriting.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from bitweight.arith import ENCODINGS, Encoding
from bitweight.arith.prefix import TOPOLOGIES
from bitweight.catalog import catalog
from bitweight.pe.bit_serial import BitSerialMac, OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.dot_product import DotProduct
from bitweight.pe.mac import FusedMac, OperatorMac
from bitweight.pe.term_sum import TermSum
from bitweight.pe.terms import Term, Terms
from bitweight.pe.weight_stationary import CarrySaveHop
from bitweight.prove.algebra import Addend, SumClaim, Watched
from bitweight.prove.claim import Claim, Equality
from bitweight.prove.family import family, signed_weights
from bitweight.prove.leaf import WIDTHS
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
    "staged-step", ["pe.carry_save", "arith.bitheap"],
    "the same of a step that is cut in two; its registers are taken as wires",
    [
        {"encoding": name, "b_bits": n, "lanes": lanes}
        for name in ENCODINGS for n in WIDTHS for lanes in (1, 4)
    ],
)  # fmt: skip
def _staged_step(encoding: str, b_bits: int, lanes: int) -> Claim:
    digit = OneDigit(ENCODINGS[encoding])
    core = CarrySaveMac(digit, digit.bits, b_bits, b_bits + 10, lanes=lanes, staged=True)
    claim = step_claim(core)
    claim.preparation = f"techmap -map transparent.v\n{claim.preparation}"
    return claim


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
        self,
        m: Module,
        bits: Mapping[int, Value],
        prefix: str = "",
        *,
        held: Collection[int] = (),
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
