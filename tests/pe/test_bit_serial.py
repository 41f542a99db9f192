"""The step of one digit against its specification, its twin and its own claims."""

import re

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.sim import Simulator

from bitweight import ENCODINGS, OPT2, OPT2_TEMPORAL, Cube, Design, IllegalMove
from bitweight.arith.product import WeightSum
from bitweight.emit import emit
from bitweight.notation import Int, gemm, hoist, roll, wrap
from bitweight.notation.inverse import repeat
from bitweight.pe import multiply_accumulate
from bitweight.pe.bit_serial import BitSerialMac
from bitweight.pe.output_stationary import OutputStationaryPE

WIDTHS = [
    (2, 2, 4, 2),
    (8, 8, 32, 8),
    (8, 8, 16, 3),
    (5, 3, 15, 4),
    (4, 12, 17, 2),
    (16, 16, 64, 5),
]
"""Bits of a, b and the accumulator, lanes."""


def core_of(a: int, b: int, acc: int, lanes: int) -> BitSerialMac:
    nest = OPT2_TEMPORAL(Cube(2, 2, lanes).place(gemm(Int(a), Int(b), acc, ENCODINGS["mbe"])))
    core = multiply_accumulate(nest, "operator")
    assert isinstance(core, BitSerialMac)
    return core


def operands(rng, bits: int, *shape: int) -> np.ndarray:
    """Random operands, a third of them extreme."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = rng.integers(low, high + 1, shape)
    extreme = rng.choice([low, low + 1, -1, 0, 1, high], shape)
    return np.where(rng.random(shape) < 0.33, extreme, values)


def wires(digit: int) -> int:
    """Return a digit as its three wires."""
    return (digit < 0) | (abs(digit) == 1) << 1 | (abs(digit) == 2) << 2


def packed(values: np.ndarray, bits: int) -> int:
    return sum((int(v) & (1 << bits) - 1) << i * bits for i, v in enumerate(values))


def word_of(core: BitSerialMac, rows: list[int]) -> int:
    words = [
        sum((bits >> i & 1) << j for i, j in enumerate(columns))
        for bits, columns in zip(rows, core.rows, strict=True)
    ]
    return sum(words) % (1 << core.acc)


@pytest.mark.parametrize("widths", WIDTHS)
def test_twin_multiplies_by_horners_rule(widths, rng):
    a_bits, b_bits, acc, lanes = widths
    core = core_of(*widths)
    a, b = operands(rng, a_bits, 200, 7, lanes), operands(rng, b_bits, 200, 7, lanes)
    digits = ENCODINGS["mbe"].recode(a, a_bits)
    rows = [np.zeros(200, dtype=np.int64) for _ in core.rows]
    mask = np.int64(-1 if acc == 64 else (1 << acc) - 1)
    for i in reversed(range(digits.shape[-1])):
        rows = [row << core.shift & mask for row in rows]
        for k in range(7):
            rows = core.evaluate(digits[:, k, :, i], b[:, k], rows)
            for row, columns in zip(rows, core.rows, strict=True):
                assert not any((row >> j & 1).any() for j in set(range(acc)) - set(columns))
    np.testing.assert_array_equal(core.word(rows), wrap((a * b).sum(axis=(1, 2)), acc))


@pytest.mark.parametrize("widths", WIDTHS)
def test_hardware_equals_twin_step_by_step(widths, rng):
    _, b_bits, acc, lanes = widths
    core = core_of(*widths)
    m = Module()
    a = [Signal(core.a_bits, name=f"a_{i}") for i in range(lanes)]
    b = [Signal(b_bits, name=f"b_{i}") for i in range(lanes)]
    done, shift = Signal(), Signal()
    rows = [Signal(len(columns), name=f"row_{i}") for i, columns in enumerate(core.rows)]
    following = core.hardware(m, a, b, core.keep(rows, done, shift))
    m.d.sync += [row.eq(value) for row, value in zip(rows, following, strict=True)]
    digits = rng.integers(-2, 3, (40, lanes))
    values = operands(rng, b_bits, 40, lanes)
    flags = rng.choice(["", "", "shift", "done"], 40)
    seen = []

    async def bench(ctx):
        for step, flag in enumerate(flags):
            for i in range(lanes):
                ctx.set(a[i], wires(int(digits[step, i])))
                ctx.set(b[i], int(values[step, i]) & (1 << b_bits) - 1)
            ctx.set(done, int(flag == "done"))
            ctx.set(shift, int(flag == "shift"))
            await ctx.tick()
            seen.append([ctx.get(row) for row in rows])

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    twin = [np.int64(0) for _ in rows]
    total, mask = 0, np.int64(-1 if acc == 64 else (1 << acc) - 1)
    for step, (flag, got) in enumerate(zip(flags, seen, strict=True)):
        factor = {"": 1, "shift": 1 << core.shift, "done": 0}[flag]
        twin = core.evaluate(digits[step], values[step], [row * factor & mask for row in twin])
        total = (total * factor + int(digits[step] @ values[step])) % (1 << acc)
        assert word_of(core, got) == total
        assert int(core.word(twin)) % (1 << acc) == total


@pytest.mark.parametrize(("bits", "lanes"), [(2, 2), (8, 4), (8, 8), (8, 16), (5, 7), (12, 3)])
def test_the_tree_is_as_narrow_as_the_sum_of_one_weight(bits, lanes):
    """Above the columns of that sum nothing is added but the accumulator, whatever the lanes."""
    encoding = ENCODINGS["mbe"]
    width = WeightSum(encoding, lanes, bits).width
    core = BitSerialMac(encoding, bits, width + 12, lanes)
    columns = {bit: j for kept in core.kept for j, bit in kept.items()}
    for (partial,) in core.products.partial:
        columns[partial.negative] = 0
        columns |= {bit: j for j, bit in enumerate(partial.selected)}
    assert max(columns[bit] for (p,) in core.products.partial for bit in p.selected) == bits
    adders = dict.fromkeys(range(core.acc), 0)
    for adder in core.compressor.adders:
        (column,) = {columns[bit] for bit in adder.inputs}
        columns |= {adder.sum: column, adder.carry: column + 1}
        adders[column] += 1
    # A column of the accumulator has two bits, a carry from below and a bit of the constant.
    assert max(adders[j] for j in range(width, core.acc)) <= 2
    # The sum itself needs them all: with one column fewer, the extreme operands do not fit.
    extreme = lanes * max(encoding.digit_max << (bits - 1), -encoding.digit_min << (bits - 1))
    assert -(1 << (width - 1)) <= -extreme and extreme < 1 << (width - 1)
    assert extreme >= 1 << (width - 2)


@pytest.mark.parametrize("widths", WIDTHS)
def test_carries_are_kept_in_few_columns_and_cost_no_time(widths):
    core = core_of(*widths)
    assert core.state_bits <= 2 * core.acc
    for columns, entries in zip(core.rows, core.entries, strict=True):
        moved = {j + core.shift for j in columns if j + core.shift < core.acc}
        assert set(entries) == moved.union(columns)
    every = core._plan(tuple(range(core.acc)))[2].arrival
    assert core.compressor.arrival <= every


def test_losing_one_carry_or_one_shifted_bit_is_noticed(rng):
    core = core_of(8, 8, 32, 4)
    digits, b = rng.integers(-2, 3, (300, 4)), operands(rng, 8, 300, 4)
    rows = core.evaluate(digits, b, [np.zeros(300, dtype=np.int64)] * 2)
    sound = core.word(core.evaluate(digits, b, [row << 2 for row in rows]))
    np.testing.assert_array_equal(sound, 5 * (digits * b).sum(axis=1))
    for column in core.rows[1][:3]:
        lost = [rows[0] << 2, (rows[1] & ~np.int64(1 << column)) << 2]
        assert (core.word(core.evaluate(digits, b, lost)) != sound).any()


def test_pe_drains_each_tile_once_with_bubbles_and_without_enable(rng):
    lanes, encoding = 3, ENCODINGS["mbe"]
    core = core_of(8, 8, 32, lanes)
    pe = OutputStationaryPE(core)
    tiles = [(rng.integers(-128, 128, (k, lanes)), rng.integers(-128, 128, (k, lanes)))
             for k in (1, 3, 1, 7)]  # fmt: skip
    drained = []

    async def step(ctx, a=0, b=0, last=0, shift=0):
        while rng.random() < 0.3:
            ctx.set(pe.en, 0)
            await ctx.tick()
        ctx.set(pe.en, 1)
        ctx.set(pe.a_in, a)
        ctx.set(pe.b_in, b)
        ctx.set(pe.last_in, last)
        ctx.set(pe.shift_in, shift)
        drained.append(word_of(core, [ctx.get(pe.drain_0), ctx.get(pe.drain_1)]))
        await ctx.tick()

    async def bench(ctx):
        for a, b in tiles:
            digits = encoding.recode(a, 8)
            for i in reversed(range(4)):
                for k in range(len(a)):
                    while rng.random() < 0.3:
                        await step(ctx, b=int(rng.integers(1 << 24)))  # digits of zero
                    await step(
                        ctx,
                        packed([wires(int(d)) for d in digits[k, :, i]], 3),
                        packed(b[k], 8),
                        int(i == 0 and k == len(a) - 1),
                        int(i < 3 and k == 0),
                    )
        for _ in range(3):
            await step(ctx)

    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.pe = pe
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    expected = [int((a * b).sum()) % (1 << 32) for a, b in tiles]
    assert [word for word in drained if word] == [word for word in expected if word]


def test_register_bits_are_those_of_the_element():
    design = Design(Cube(2, 2, 8), OPT2_TEMPORAL, name="x")
    text = emit(design).verilog.split("module x_pe(")[1].split("endmodule")[0]
    registers = re.findall(r"^  reg (?:\[(\d+):0\] )?(\w+)", text, re.MULTILINE)
    bits = {name: int(high or 0) + 1 for high, name in registers}
    # Of a digit a reset clears how large it is, but not its sign.
    assert bits["a"] == 2 * 8 and bits["a_rest"] == 8
    assert bits["b_out"] == 8 * 8 and bits["shift"] == 1
    assert design.register_bits == 4 * sum(bits.values())


def test_a_nest_that_the_step_does_not_compute_is_refused():
    placed = Cube(2, 2, 4).place(gemm(Int(8), Int(8), 32, ENCODINGS["mbe"]))
    temporal = OPT2_TEMPORAL(placed)
    with pytest.raises(IllegalMove, match="a shift and the pair accumulated over bw, not"):
        multiply_accumulate(roll(OPT2(placed), "bw"), "operator")
    apart = repeat(temporal, "encode", "np")
    with pytest.raises(IllegalMove, match="encode must not run inside of a spatial loop over n"):
        multiply_accumulate(apart, "operator")
    assert isinstance(multiply_accumulate(hoist(apart, "encode", "np"), "operator"), BitSerialMac)
