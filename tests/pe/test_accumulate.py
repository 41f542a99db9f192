"""Every multiply-accumulate against its specification, its twin and its own claims."""

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.sim import Simulator

from bitweight import ENCODINGS, MAC, OPT1, Design, SystolicOS
from bitweight.notation import wrap
from bitweight.pe import STYLES, multiply_accumulate
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.output_stationary import OutputStationaryPE

WIDTHS = [(2, 2, 4), (8, 8, 32), (8, 8, 48), (3, 7, 15), (16, 16, 40), (5, 2, 64), (4, 12, 17)]
CORES = [("opt1", "operator"), *(("mac", style) for style in STYLES)]


def core_of(mac: str, style: str, a: int, b: int, acc: int):
    design = Design(SystolicOS(1, 1), {"mac": MAC, "opt1": OPT1}[mac], a, b, acc, style=style)
    return multiply_accumulate(design.nest, style)


def operands(rng, bits: int, count: int) -> np.ndarray:
    """Random operands, a third of them extreme."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = rng.integers(low, high + 1, count)
    extreme = rng.choice([low, low + 1, -1, 0, 1, high], count)
    return np.where(rng.random(count) < 0.33, extreme, values)


@pytest.mark.parametrize(("mac", "style"), CORES)
@pytest.mark.parametrize("widths", WIDTHS)
def test_twin_accumulates(mac, style, widths, rng):
    a_bits, b_bits, acc = widths
    core = core_of(mac, style, *widths)
    rows = [np.zeros(300, dtype=np.int64) for _ in core.rows]
    total = np.zeros(300, dtype=np.int64)
    for _ in range(40):
        a, b = operands(rng, a_bits, 300), operands(rng, b_bits, 300)
        rows = core.evaluate(a[:, None], b[:, None], rows)
        total = wrap(total + a * b, acc)
        np.testing.assert_array_equal(core.word(rows), total)
        for row, columns in zip(rows, core.rows, strict=True):
            assert not any((row >> j & 1).any() for j in set(range(acc)) - set(columns))


@pytest.mark.parametrize(
    ("mac", "style", "widths"),
    [
        *((*core, widths) for core in CORES for widths in [(2, 2, 4), (3, 7, 15), (8, 8, 19)]),
        *(("opt1", "operator", widths) for widths in [(8, 8, 48), (16, 16, 40)]),
        ("mac", "fused-brent-kung", (16, 16, 40)),
    ],
)
def test_hardware_equals_twin_step_by_step(mac, style, widths, rng):
    a_bits, b_bits, acc = widths
    core = core_of(mac, style, *widths)
    m = Module()
    a, b = Signal(a_bits), Signal(b_bits)
    rows = [Signal(len(columns), name=f"row_{i}") for i, columns in enumerate(core.rows)]
    following = core.hardware(m, [a], [b], rows)
    m.d.sync += [row.eq(value) for row, value in zip(rows, following, strict=True)]
    stimulus = np.stack([operands(rng, a_bits, 40), operands(rng, b_bits, 40)], axis=1)
    seen = []

    async def bench(ctx):
        for x, y in stimulus:
            ctx.set(a, int(x) & (1 << a_bits) - 1)
            ctx.set(b, int(y) & (1 << b_bits) - 1)
            await ctx.tick()
            seen.append([ctx.get(row) for row in rows])

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    twin = [np.int64(0) for _ in rows]
    total = 0
    for (x, y), got in zip(stimulus, seen, strict=True):
        twin = core.evaluate(np.array([x]), np.array([y]), twin)
        total += int(x) * int(y)
        words = [
            sum((bits >> i & 1) << j for i, j in enumerate(columns))
            for bits, columns in zip(got, core.rows, strict=True)
        ]
        assert sum(words) % (1 << acc) == total % (1 << acc)
        if mac == "mac":
            assert words[0] == int(twin[0]) % (1 << acc)


def test_carry_rows_are_short_and_cost_no_time():
    encoding = ENCODINGS["mbe"]
    for a, b, acc in WIDTHS[1:]:
        core = CarrySaveMac(encoding, a, b, acc)
        assert core.state_bits < 2 * acc
        narrow = CarrySaveMac(encoding, a, b, max(a + b, acc - 8))
        assert core.compressor.arrival <= narrow.compressor.arrival + 1e-9


def test_losing_one_carry_is_noticed(rng):
    core = CarrySaveMac(ENCODINGS["mbe"], 8, 8, 32)
    a, b = operands(rng, 8, 300), operands(rng, 8, 300)
    a, b = a[:, None], b[:, None]
    rows = core.evaluate(a, b, [np.zeros(300, dtype=np.int64)] * 2)
    lost = [rows[0], rows[1] & ~np.int64(1 << core.rows[1][0])]
    assert (core.word(core.evaluate(a, b, lost)) != (2 * a * b)[:, 0]).any()


def test_pe_drains_each_tile_once_and_holds_without_enable(rng):
    pe = OutputStationaryPE(core_of("opt1", "operator", 8, 8, 32))
    tiles = [rng.integers(-128, 128, (k, 2)) for k in (1, 3, 1, 7)]
    drained = []

    async def bench(ctx):
        for tile in [*tiles, np.zeros((3, 2), dtype=int)]:
            for i, (x, y) in enumerate(tile):
                while rng.random() < 0.4:
                    ctx.set(pe.en, 0)
                    await ctx.tick()
                ctx.set(pe.en, 1)
                ctx.set(pe.a_in, int(x) & 255)
                ctx.set(pe.b_in, int(y) & 255)
                ctx.set(pe.last_in, int(i == len(tile) - 1 and tile.any()))
                words = [
                    sum((bits >> i & 1) << j for i, j in enumerate(columns))
                    for bits, columns in zip(
                        (ctx.get(pe.drain_0), ctx.get(pe.drain_1)), pe.core.rows, strict=True
                    )
                ]
                drained.append(int(wrap(np.int64(sum(words)), 32)))
                await ctx.tick()

    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.pe = pe
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    expected = [int((tile[:, 0] * tile[:, 1]).sum()) for tile in tiles]
    assert [word for word in drained if word] == [word for word in expected if word]
