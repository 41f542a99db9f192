"""Elements that keep their weights: totals that hop, dot products, and how weights get in."""

import numpy as np
import pytest
from amaranth.hdl import Cat, ClockDomain, Module, Signal
from amaranth.sim import Simulator

from bitweight import ENCODINGS, MAC, OPT1, OPT2, Design
from bitweight.notation import wrap
from bitweight.pe import STYLES
from bitweight.pe.dot_product import DotProduct, DotProductPE, MadeDigits
from bitweight.pe.weight_stationary import CarrySaveHop, WeightStationaryPE, hop_core, start_of
from bitweight.tpe import AdderTree, SystolicWS

WIDTHS = [(2, 2, 8), (8, 8, 32), (3, 7, 15), (16, 16, 40), (5, 2, 64), (8, 8, 16)]
MACS = [("mac", MAC, style) for style in STYLES] + [("opt1", OPT1, "operator")]


def operands(rng, bits: int, shape) -> np.ndarray:
    """Random operands, a third of them extreme."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = rng.integers(low, high, shape, endpoint=True)
    extreme = rng.choice([low, low + 1, -1, 0, 1, high], shape)
    return np.where(rng.random(shape) < 0.33, extreme, values)


def simulate(m: Module, bench) -> None:
    m.domains.sync = ClockDomain()
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def word(core, rows: list[int]) -> int:
    """Put the packed rows of a core together."""
    bits = [
        sum((row >> i & 1) << j for i, j in enumerate(columns))
        for row, columns in zip(rows, core.rows, strict=True)
    ]
    width = core.width if isinstance(core, DotProduct) else core.acc
    return int(wrap(np.int64(sum(bits)), width))


@pytest.mark.parametrize(("name", "mac", "style"), MACS)
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("hops", [1, 3, 16])
def test_a_total_is_exact_after_its_hops(name, mac, style, widths, hops, rng):
    a_bits, b_bits, acc = widths
    core = hop_core(Design(SystolicWS(hops, 1), mac, *widths, style=style).nest, style)
    assert isinstance(core, CarrySaveHop) == (name == "opt1")
    a, b = operands(rng, a_bits, (300, hops)), operands(rng, b_bits, (300, hops))
    a[0], b[0] = a.min(), b.min()
    rows = [np.full(300, row.value, dtype=np.int64) for row in start_of(core, hops)]
    for i in range(hops):
        rows = core.evaluate(a[:, i : i + 1], b[:, i : i + 1], rows)
    exact = (a * b).sum(axis=1)
    np.testing.assert_array_equal(core.word(rows), wrap(exact, core.acc))
    # Signed words that are as wide as needed: nothing wrapped, unless the accumulator does.
    if core.acc < acc:
        np.testing.assert_array_equal(core.word(rows), exact)
        assert core.acc == (hops << (a_bits + b_bits - 2)).bit_length() + 1


def test_no_element_takes_off_the_excess():
    core = hop_core(Design(SystolicWS(4, 1), OPT1).nest, "operator")
    assert core.excess == sum(1 << (8 + 2 * i) for i in range(4))
    assert start_of(core, 4)[0].value == -4 * core.excess % (1 << core.acc)


@pytest.mark.parametrize(("mac", "style"), [(MAC, "operator"), (OPT1, "operator")])
def test_weights_are_taken_into_use_at_the_switch(mac, style, rng):
    """Against a model in Python, step by step, with random flags and pauses."""
    core = hop_core(Design(SystolicWS(2, 1), mac).nest, style)
    pe = WeightStationaryPE(core)
    start = start_of(core, 1)
    model = {"a": 0, "next": 0, "weight": 0, "total": None}

    async def bench(ctx):
        for i, row in enumerate(start):
            ctx.set(getattr(pe, f"row_in_{i}"), row.value)
        for _ in range(200):
            en, load, update = (int(x) for x in rng.integers(0, 2, 3))
            a, b = (int(x) for x in rng.integers(-128, 128, 2))
            ctx.set(Cat(pe.en, pe.load_in, pe.update_in), en | load << 1 | update << 2)
            ctx.set(Cat(pe.a_in, pe.b_in), (a & 255) | (b & 255) << 8)
            await ctx.tick()
            if en:
                model["total"] = model["a"] * model["weight"]
                model["a"] = a
                model["weight"] = model["next"] if update else model["weight"]
                model["next"] = b if load else model["next"]
                assert ctx.get(Cat(pe.load_out, pe.update_out)) == load | update << 1
            if model["total"] is not None:
                rows = [ctx.get(getattr(pe, f"row_out_{i}")) for i in range(len(start))]
                assert word(core, rows) == model["total"]
            assert ctx.get(pe.a_out) == model["a"] & 255
            assert ctx.get(pe.b_out) == model["next"] & 255

    m = Module()
    m.submodules.pe = pe
    simulate(m, bench)


@pytest.mark.parametrize("base", ENCODINGS.values(), ids=str)
def test_digits_that_were_made_elsewhere_are_the_same(base, rng):
    made = MadeDigits(base)
    values = operands(rng, 8, 100)
    np.testing.assert_array_equal(made.recode(values, 8), base.recode(values, 8))
    assert made.digits(8) == base.digits(8)


TREES = [*MACS, ("opt2", OPT2, "operator")]


@pytest.mark.parametrize(("name", "mac", "style"), TREES)
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("lanes", [1, 5, 16])
def test_dot_products_are_exact(name, mac, style, widths, lanes, rng):
    core = DotProduct(Design(AdderTree(lanes, 1), mac, *widths, style=style).nest, style)
    assert core.pair == (name != "mac") and (core.made is not None) == core.pair
    a, b = operands(rng, widths[0], (300, lanes)), operands(rng, widths[1], (300, lanes))
    a[0], b[0] = a.min(), b.min()
    exact = (a * b).sum(axis=1)
    got = wrap(np.sum(core.evaluate(a, b), axis=0), core.width)
    np.testing.assert_array_equal(got, wrap(exact, core.width))
    if core.width < widths[2]:
        np.testing.assert_array_equal(got, exact)


@pytest.mark.parametrize(("name", "mac", "style"), TREES)
def test_dot_product_hardware_equals_its_twin(name, mac, style, rng):
    lanes = 3
    core = DotProduct(Design(AdderTree(lanes, 1), mac, 6, 5, style=style).nest, style)
    pe = DotProductPE(core)
    tiles = [operands(rng, 5, lanes) for _ in range(6)]
    vectors = operands(rng, 6, (6, 8, lanes))

    async def bench(ctx):
        ctx.set(pe.en, 1)
        ctx.set(pe.load, 1)
        for weight in tiles[0]:
            ctx.set(pe.b, int(weight) & 31)
            await ctx.tick()
        for tile, following, rows in zip(tiles, [*tiles[1:], tiles[0]], vectors, strict=True):
            ctx.set(pe.load, 0)
            ctx.set(pe.update, 1)
            await ctx.tick()
            ctx.set(pe.update, 0)
            for i, vector in enumerate(rows):
                # The next weights come in while these are in use.
                ctx.set(pe.load, int(i < lanes))
                ctx.set(pe.b, int(following[min(i, lanes - 1)]) & 31)
                await driver(ctx, vector)
                got = [ctx.get(getattr(pe, f"row_{j}")) for j in range(len(core.rows))]
                assert word(core, got) == int(tile @ vector)

    async def driver(ctx, vector):
        ctx.set(operand, sum((int(x) & 63) << 6 * i for i, x in enumerate(vector)))
        await ctx.tick()

    m = Module()
    m.submodules.pe = pe
    operand = Signal(6 * lanes)
    m.d.comb += pe.a.eq(Cat(core.prepare(operand[6 * i : 6 * i + 6]) for i in range(lanes)))
    simulate(m, bench)
