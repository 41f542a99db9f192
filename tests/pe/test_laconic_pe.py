"""Terms of operands, the sum of terms, and Laconic's processing element."""

import numpy as np
import pytest
from amaranth.hdl import Cat, ClockDomain, Elaboratable, Module, Signal
from amaranth.sim import Simulator

from bitweight.emit.verilog import to_verilog
from bitweight.notation import wrap
from bitweight.pe.laconic import LaconicPE
from bitweight.pe.term_sum import TermSum
from bitweight.pe.terms import Terms

ALL = range(2, 17)


def every(bits: int) -> np.ndarray:
    return np.arange(-(1 << bits - 1), 1 << bits - 1)


@pytest.mark.parametrize("bits", ALL)
def test_terms_are_the_non_adjacent_form(bits):
    """They add up to the operand, never stand side by side, and come from the lowest up."""
    values = every(bits)
    terms = Terms(bits)
    exponents, negative, present = terms.recode(values)
    np.testing.assert_array_equal(((1 - 2 * negative) * present << exponents).sum(axis=-1), values)
    assert exponents.max() == terms.top == bits - 1
    assert present.shape[-1] == terms.count == present.sum(axis=-1).max()
    assert (np.diff(present, axis=-1) <= 0).all()
    both = present[:, 1:] == 1
    assert (np.diff(exponents, axis=-1)[both] >= 2).all()
    # 3x differs from x in as many places as the form has digits (Prodinger 2000).
    fewest = [
        int(x ^ 3 * x & (1 << bits + 2) - 1).bit_count() for x in values & (1 << bits + 2) - 1
    ]
    np.testing.assert_array_equal(terms.number(values), fewest)


def test_a_list_of_terms_is_kept_compactly():
    """Of INT8: 3, 3, 2 and 1 bits of exponents, and sign and presence of each."""
    assert Terms(8).kept_bits == 3 + 3 + 2 + 1 + 4 * 2
    assert Terms(2).kept_bits == 1 + 2
    assert Terms(8).pairs_bits == 12


class Recoder(Elaboratable):
    """All that happens to an operand on its way to the elements, without any register."""

    def __init__(self, bits: int) -> None:
        self.terms = Terms(bits)
        self.operand, self.at = Signal(bits), Signal(self.terms.count)
        self.term, self.present = Signal(self.terms.term_bits), Signal(self.terms.count)

    def elaborate(self, platform):
        m = Module()
        pairs, kept = Signal(self.terms.pairs_bits), Signal(self.terms.kept_bits)
        m.d.comb += [
            pairs.eq(self.terms.pairs(self.operand)),
            kept.eq(self.terms.pack(self.terms.find(m, pairs, "next"))),
            self.term.eq(self.terms.select(kept, self.at).word()),
            self.present.eq(Cat(term.present for term in self.terms.unpack(kept))),
        ]
        return m


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8, 9, 16])
def test_the_hardware_finds_the_same_terms(bits, rng):
    recoder = Recoder(bits)
    terms = recoder.terms
    low = -(1 << bits - 1)
    values = every(bits) if bits < 10 else np.append(rng.integers(low, -low, 250), [low, ~low, 0])
    expected = terms.recode(values)

    async def bench(ctx):
        for value, exponents, negative, present in zip(values, *expected, strict=True):
            ctx.set(recoder.operand, int(value) & (1 << bits) - 1)
            for i in range(terms.count):
                ctx.set(recoder.at, 1 << i)
                await ctx.delay(1e-9)
                assert ctx.get(recoder.present) == (1 << present.sum()) - 1
                term = terms.split(recoder.term)
                assert ctx.get(term.present) == present[i]
                if present[i]:
                    assert ctx.get(term.exponent) == exponents[i], value
                    assert ctx.get(term.negative) == negative[i], value
            ctx.set(recoder.at, 0)
            await ctx.delay(1e-9)
            assert ctx.get(terms.split(recoder.term).present) == 0

    simulator = Simulator(recoder)
    simulator.add_testbench(bench)
    simulator.run()


def pe_of(a_bits, b_bits, acc, lanes, levels, kind=LaconicPE) -> LaconicPE:
    a, b = Terms(a_bits), Terms(b_bits)
    return kind(a, b, TermSum(lanes, a.top + b.top, acc, levels))


def rows_of(core: TermSum, rows: list[int]) -> int:
    """Return the signed value of the packed rows of an accumulator."""
    total = sum(
        (row >> i & 1) << j
        for row, columns in zip(rows, core.rows, strict=True)
        for i, j in enumerate(columns)
    )
    return int(wrap(np.int64(total), core.acc))


PES = [
    (8, 8, 32, 16, (3,)),
    (8, 8, 32, 16, ()),
    (8, 8, 24, 5, (2, 2)),
    (2, 2, 4, 3, (1,)),
    (5, 2, 20, 1, (3,)),
    (3, 16, 19, 4, (4,)),
    (8, 9, 40, 2, (1, 1, 1)),
]


def draw(rng, terms: Terms, lanes: int, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a term of each lane: exponents, signs, presence."""
    if kind == "random":
        return (
            rng.integers(0, terms.top, lanes, endpoint=True),
            rng.integers(0, 2, lanes),
            (rng.random(lanes) < 0.8).astype(int),
        )
    sign, _, exponent = kind.partition(" ")
    whole = np.ones(lanes, dtype=int)
    return whole * (terms.top if exponent == "highest" else 0), whole * (sign == "minus"), whole


@pytest.mark.parametrize("parameters", PES, ids=str)
def test_the_element_adds_products_of_terms(parameters, rng):
    """Every cycle against a model, with totals that begin anywhere; it is never enabled."""
    pe = pe_of(*parameters)
    core = pe.core
    kinds = ["random"] * 40 + ["plus highest"] * 5 + ["minus highest"] * 5 + ["minus lowest"] * 3
    expected: list[int | None] = []
    total: int | None = None

    async def bench(ctx):
        nonlocal total
        for cycle, kind in enumerate(kinds):
            first = cycle == 3 or rng.random() < 0.1
            value = np.zeros(core.lanes, dtype=np.int64)
            drawn = [draw(rng, terms, core.lanes, kind) for terms in (pe.a, pe.b)]
            for (exponents, signs, present), terms, port in zip(
                drawn, (pe.a, pe.b), (pe.a_in, pe.b_in), strict=True
            ):
                value = value + exponents
                words = exponents | (signs << terms.exponent_bits)
                words |= present << terms.exponent_bits + 1
                ctx.set(port, sum(int(w) << i * terms.term_bits for i, w in enumerate(words)))
            sign = 1 - 2 * (drawn[0][1] ^ drawn[1][1])
            added = int((sign * (drawn[0][2] & drawn[1][2]) << value).sum())
            ctx.set(pe.first_in, int(first))
            total = added if first else None if total is None else total + added
            expected.append(total)
            ctx.set(pe.drain_in, 0)
            await ctx.delay(1e-8)
            assert ctx.get(Cat(pe.drain_0, pe.drain_1)) == 0
            ctx.set(pe.drain_in, 1)
            await ctx.tick()
            done = cycle + 1 - core.latency
            if done >= 0 and expected[done] is not None:
                rows = [ctx.get(pe.drain_0), ctx.get(pe.drain_1)]
                assert rows_of(core, rows) == wrap(np.int64(expected[done]), core.acc)

    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.pe = pe
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("parameters", PES[:3], ids=str)
def test_register_bits_are_those_of_the_hardware(parameters):
    class Top(LaconicPE):
        def elaborate(self, platform):
            return self.build()

    pe = pe_of(*parameters, kind=Top)
    text, _ = to_verilog(pe, "pe")
    bits = 0
    for line in text.splitlines():
        if line.strip().startswith("reg "):
            _, *width, _ = line.split("=")[0].replace(";", "").split()
            high, low = width[0].strip("[]").split(":") if width else (0, 0)
            bits += int(high) - int(low) + 1
    assert bits == LaconicPE.register_bits(pe.core)


def test_each_stage_compresses(rng):
    """Levels of full adders shrink what has to be registered by about a third each."""
    crossing = [len(TermSum(16, 14, 32, (levels,)).stages[0].columns) for levels in range(1, 6)]
    assert crossing == sorted(crossing, reverse=True)
    assert crossing[2] < 0.4 * 16 * 16


def test_narrow_accumulators_are_refused():
    with pytest.raises(ValueError, match=r"acc of a sum of terms must be .* 16, not 15"):
        TermSum(4, 14, 15)
    with pytest.raises(ValueError, match=r"width of an operand must be .* 2 to 16, not 17"):
        Terms(17)
