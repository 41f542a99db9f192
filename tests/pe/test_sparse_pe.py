"""OPT3's processing element: non-zero digits of words in turn, as early as they may come."""

import re

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Fragment, Module
from amaranth.sim import Simulator

from bitweight import ENCODINGS, OPT3, Design
from bitweight.emit import emit
from bitweight.notation import Int, wrap
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.sparse import SparsePE
from bitweight.tpe import BitSlice


def element(a: int, b: int, group: int, block: int, encoding: str = "mbe") -> SparsePE:
    array = BitSlice(2, 2, group=group, block=block)
    return Design(array, OPT3, a=Int(a), b=Int(b), encoding=encoding).create_pe()


def operands(rng, bits: int, *shape: int) -> np.ndarray:
    """Random operands, a third of them extreme, many zero."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = rng.integers(low, high + 1, shape)
    extreme = rng.choice([low, low + 1, -1, 0, 0, 0, 1, high], shape)
    return np.where(rng.random(shape) < 0.5, extreme, values)


def packed(values, bits: int) -> int:
    return sum((int(v) & (1 << bits) - 1) << i * bits for i, v in enumerate(values))


def value_of(core: CarrySaveMac, rows: list[int]) -> int:
    words = [
        sum((bits >> i & 1) << j for i, j in enumerate(columns))
        for bits, columns in zip(rows, core.rows, strict=True)
    ]
    return int(wrap(np.int64(sum(words)), core.acc))


def run(pe: SparsePE, rng, sums, *, late=0.0) -> tuple[list, list]:
    """Send sums, each a list of words ``(a, b, turn)``, and return what drains and what should.

    A word comes as soon as no more than one digit of the word before is left, ``last`` likewise,
    each later at random.
    """
    base = pe.digit.base
    sent, expected, step = {}, {}, 2
    for words in sums:
        total = 0
        for a, b, turn in words:
            while rng.random() < late:
                step += 1
            digits = base.recode(a, pe.a_bits)[:, turn]
            sent[step] = packed(a, pe.a_bits), packed(b, pe.core.b_bits), 1 << turn, 0
            step += max(1, np.count_nonzero(digits))
            total += int(digits @ b)
        while rng.random() < late:
            step += 1
        sent[step] = *(int(x) for x in rng.integers(0, 1 << 10, 2)), 0, 1
        expected[step + SparsePE.latency] = int(wrap(np.int64(total), pe.core.acc))
        step += 1
    drained = []

    async def bench(ctx):
        while len(drained) < step + 6:
            values = sent.get(len(drained), (*rng.integers(0, 4, 2).tolist(), 0, 0))
            for name, value in zip(("a_in", "b_in", "turn_in", "last_in"), values, strict=True):
                ctx.set(getattr(pe, name), value)
            rows = [ctx.get(pe.drain_0), ctx.get(pe.drain_1)]
            drained.append(value_of(pe.core, rows) if any(rows) else 0)
            await ctx.tick()

    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.pe = pe
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return drained, [expected.get(i, 0) for i in range(len(drained))]


CASES = [
    (8, 8, 4, 64, "mbe"),
    (8, 8, 1, 8, "csd4"),
    (5, 3, 3, 9, "ent"),
    (2, 2, 5, 10, "mbe"),
    (6, 11, 2, 8, "serial"),
]


@pytest.mark.parametrize("pace", [{}, {"late": 0.3}], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums_of_words_that_come_as_early_as_they_may(case, pace, rng):
    a_bits, b_bits, group, block, _ = case
    pe = element(*case)
    most = block // group
    sums = [
        [
            (operands(rng, a_bits, group), operands(rng, b_bits, group), int(turn))
            for turn in np.full(count, rng.integers(pe.passes))
        ]
        for count in [1, most, 0, *rng.integers(0, most + 1, 12)]
    ]
    drained, expected = run(pe, rng, sums, **pace)
    assert drained == expected


def extreme_sums(encoding: str, words: int, group: int) -> list:
    """For both signs and every bit-weight that has them: all products as large as can be."""
    base, values = ENCODINGS[encoding], np.arange(-128, 128)
    digits = base.recode(values, 8)
    sums = []
    for turn in range(digits.shape[1]):
        for digit in (base.digit_min, base.digit_max):
            for a in values[digits[:, turn] == digit][:1]:
                word = np.full(group, a), np.full(group, -128), turn
                sums.append([word] * words)
    return sums


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_extreme_sums_fit_and_would_not_in_a_bit_less(encoding, rng):
    group, block = 4, 8
    pe = element(8, 8, group, block, encoding)
    base, core = ENCODINGS[encoding], pe.core
    sums = extreme_sums(encoding, block // group, group)
    exact = [sum(int(base.recode(a, 8)[:, t] @ b) for a, b, t in words) for words in sums]
    assert {*exact} >= {-base.digit_max * 128 * block, -base.digit_min * 128 * block}
    drained, expected = run(pe, rng, sums)
    assert drained == expected
    assert [value for value in drained if value] == exact
    narrow = CarrySaveMac(core.encoding, core.a_bits, core.b_bits, core.acc - 1, lanes=1)
    drained, expected = run(SparsePE(narrow, pe.digit, 8, group), rng, sums)
    assert drained == expected  # it wraps
    assert [value for value in drained if value] != exact


def test_a_sum_starts_from_zero_after_reset(rng):
    pe = element(8, 8, 2, 8)
    seen = []

    async def bench(ctx):
        for a, turn, rst, last in [
            (0x0101, 1, 0, 0), (0x0101, 1, 1, 0), (0, 0, 0, 0), (1, 1, 0, 0), (0, 0, 0, 1),
            *[(0, 0, 0, 0)] * 4,
        ]:  # fmt: skip
            ctx.set(pe.a_in, a)
            ctx.set(pe.b_in, 0x0705)
            ctx.set(pe.turn_in, turn)
            ctx.set(pe.last_in, last)
            ctx.set(domain.rst, rst)
            await ctx.tick()
            seen.append(value_of(pe.core, [ctx.get(pe.drain_0), ctx.get(pe.drain_1)]))

    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.pe = pe
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert [value for value in seen[2:] if value] == [5]


@pytest.mark.parametrize(("group", "encoding"), [(4, "mbe"), (3, "serial")])
def test_register_bits_are_those_of_the_element(group, encoding):
    array = BitSlice(2, 2, group=group, block=12 * group)
    design = Design(array, OPT3, encoding=encoding, name="x")
    text = emit(design).verilog.split("module x_pe(")[1].split("endmodule")[0]
    registers = re.findall(r"^  reg (?:\[(\d+):0\] )?(\S+)", text, re.MULTILINE)
    bits = {name: int(high or 0) + 1 for high, name in registers}
    assert bits["left"] == group and bits["words_b"] == 8 * group
    assert design.register_bits == 4 * sum(bits.values())


def test_elements_that_differ_have_another_key():
    mbe, csd4 = OneDigit(ENCODINGS["mbe"]), OneDigit(ENCODINGS["csd4"])
    core = CarrySaveMac(mbe, mbe.bits, 8, 18, lanes=1)
    others = [(mbe, 8, 4), (mbe, 8, 3), (mbe, 7, 4), (csd4, 8, 4)]
    elements = [SparsePE(core, digit, bits, group) for digit, bits, group in others]
    for pe in elements:
        Fragment.get(pe, None)  # Amaranth warns of what is not used
    assert len({pe.key for pe in elements}) == len(others)
