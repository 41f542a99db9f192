"""Leaf circuits against their specification and their software twins."""

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.sim import Simulator

from bitweight import ENCODINGS
from bitweight.arith.bitheap import BitHeap
from bitweight.arith.prefix import TOPOLOGIES, PrefixAdder
from bitweight.arith.product import SumOfProducts, WeightSum
from bitweight.arith.segmented import SegmentedAdder
from bitweight.notation import wrap


def simulate(m: Module, inputs: list[Signal], outputs: list, values: list[tuple]) -> np.ndarray:
    """Return the outputs of a combinational module for rows of input values."""
    results = []

    async def bench(ctx):
        for row in values:
            for signal, value in zip(inputs, row, strict=True):
                ctx.set(signal, int(value))
            results.append([ctx.get(output) for output in outputs])

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(results, dtype=object)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("bits", range(2, 17))
def test_digits_reconstruct_every_operand(name, bits):
    encoding = ENCODINGS[name]
    operands = np.arange(-(1 << (bits - 1)), 1 << (bits - 1))
    digits = encoding.recode(operands, bits)
    assert digits.shape == (1 << bits, encoding.digits(bits))
    assert encoding.digit_min <= digits.min() and digits.max() <= encoding.digit_max
    np.testing.assert_array_equal(encoding.value(digits), operands)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("bits", [2, 3, 7, 8])
def test_encoder_hardware_equals_its_twin_exhaustively(name, bits):
    encoding = ENCODINGS[name]
    operand = Signal(bits)
    m = Module()
    outputs = [wire for d in encoding.encode(operand) for wire in (d.negative, d.one, d.two)]
    m.d.comb += Signal().eq(operand[0])
    values = np.arange(-(1 << (bits - 1)), 1 << (bits - 1))
    wires = simulate(m, [operand], outputs, [(v & (1 << bits) - 1,) for v in values])
    negative, one, two = np.moveaxis(wires.reshape(len(values), -1, 3).astype(int), -1, 0)
    assert not (one & two).any()
    digits = (one + 2 * two) * (1 - 2 * negative)
    np.testing.assert_array_equal(digits, encoding.recode(values, bits))


def random_heap(rng: np.random.Generator) -> tuple[BitHeap, list[int], list[int]]:
    width = int(rng.integers(1, 12))
    heap = BitHeap(width)
    heap.constant = int(rng.integers(-(1 << width), 1 << width))
    columns = [int(c) for c in rng.integers(0, width, rng.integers(0, 30))]
    bits = [heap.add(c, float(rng.integers(0, 5))) for c in columns]
    return heap, columns, bits


def test_compressors_add_up(rng):
    for _ in range(200):
        heap, columns, bits = random_heap(rng)
        carries = [int(c) for c in rng.integers(0, heap.width, 4)]
        compressor = heap.reduce(carries if rng.random() < 0.5 else None)
        values = rng.integers(0, 2, (len(bits), 50))
        first, second = compressor.evaluate(dict(zip(bits, values, strict=True)))
        weights = np.array([1 << c for c in columns], dtype=np.int64)[:, None]
        expected = (values * weights).sum(axis=0) + heap.constant
        np.testing.assert_array_equal(
            (first + second) % (1 << heap.width), expected % (1 << heap.width)
        )


def test_a_column_without_carry_is_left_with_one_bit(rng):
    for _ in range(100):
        heap, _, _ = random_heap(rng)
        carries = {int(c) for c in rng.integers(0, heap.width, 3)}
        rows = heap.reduce(carries).rows
        assert all(rows[1][j] is None for j in range(heap.width) if j not in carries)


def test_compressor_hardware_equals_its_twin(rng):
    for _ in range(25):
        heap, _, bits = random_heap(rng)
        compressor = heap.reduce()
        wires = {bit: Signal(name=f"bit_{bit}") for bit in bits}
        m = Module()
        rows = [Signal(heap.width, name=f"row_{i}") for i in range(2)]
        m.d.comb += [r.eq(v) for r, v in zip(rows, compressor.hardware(m, wires), strict=True)]
        values = rng.integers(0, 2, (40, len(bits)))
        got = simulate(m, list(wires.values()), rows, list(values))
        twin = compressor.evaluate(dict(zip(bits, values.T, strict=True)))
        expected = np.stack([np.broadcast_to(row, 40) for row in twin], axis=1)
        np.testing.assert_array_equal(got.astype(np.int64), expected)


def test_a_wrong_carry_is_seen(rng):
    """The check above has teeth: an adder that loses its carry does not add up."""
    heap = BitHeap(4)
    bits = [heap.add(0) for _ in range(3)]
    compressor = heap.reduce()
    ones = dict.fromkeys(bits, np.int64(1))
    assert sum(compressor.evaluate(ones)) == 3
    adder = compressor.adders[0]
    rows = (compressor.rows[0][:1] + (None,) * 3, compressor.rows[1])
    broken = type(compressor)(4, (adder,), rows, 0.0)
    assert sum(broken.evaluate(ones)) != 3


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_adders_exhaustively(topology, width):
    adder = PrefixAdder(width, topology)
    x, y, total = Signal(width), Signal(width), Signal(width)
    m = Module()
    m.d.comb += total.eq(adder.hardware(m, x, y))
    pairs = [(i, j) for i in range(1 << width) for j in range(1 << width)]
    got = simulate(m, [x, y], [total], pairs)[:, 0]
    expected = [(i + j) % (1 << width) for i, j in pairs]
    np.testing.assert_array_equal(got.astype(np.int64), expected)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_adders_at_random(topology, rng):
    for width in range(1, 62):
        x, y = rng.integers(0, 1 << width, (2, 100))
        x[:4], y[:4] = [0, (1 << width) - 1, (1 << width) - 1, 1], [0, 1, (1 << width) - 1, 0]
        got = PrefixAdder(width, topology).evaluate(x, y)
        np.testing.assert_array_equal(got, (x + y) & ((1 << width) - 1))


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_wide_adder_hardware_equals_its_twin(topology, rng):
    width = 37
    adder = PrefixAdder(width, topology)
    x, y, total = Signal(width), Signal(width), Signal(width)
    m = Module()
    m.d.comb += total.eq(adder.hardware(m, x, y))
    pairs = rng.integers(0, 1 << width, (200, 2))
    got = simulate(m, [x, y], [total], list(pairs))[:, 0].astype(np.int64)
    np.testing.assert_array_equal(got, adder.evaluate(pairs[:, 0], pairs[:, 1]))


@pytest.mark.parametrize(("width", "stages"), [(1, 0), (4, 3), (9, 2), (32, 1), (37, 3)])
def test_segmented_adders(width, stages, rng):
    adder = SegmentedAdder(width, stages)
    pairs = rng.integers(0, 1 << width, (150, 2))
    pairs[:3] = [(1 << width) - 1, 1], [(1 << width) - 1, (1 << width) - 1], [0, 0]
    expected = pairs.sum(axis=1) & ((1 << width) - 1)
    np.testing.assert_array_equal(adder.evaluate(pairs[:, 0], pairs[:, 1]), expected)

    x, y, enable = Signal(width), Signal(width), Signal()
    m = Module()
    m.domains.sync = ClockDomain()
    total = adder.hardware(m, x, y, enable)
    got = []

    async def bench(ctx):
        sent = 0
        while len(got) < len(pairs):
            held = rng.random() < 0.3
            ctx.set(enable, not held)
            ctx.set(x, int(pairs[min(sent, len(pairs) - 1), 0]))
            ctx.set(y, int(pairs[min(sent, len(pairs) - 1), 1]))
            if not held:
                sent += 1
                if sent > stages:
                    got.append(ctx.get(total))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_prefix_networks_join_neighbouring_groups(topology):
    """Every operator joins two groups that touch, and in the end all reach position zero."""
    for width in range(1, 70):
        low = list(range(width))
        for level in PrefixAdder(width + 1, topology).network:
            before = list(low)
            for i, j in level:
                assert before[i] == j + 1
                low[i] = before[j]
        assert low == [0] * width


def signed_range(bits: int) -> np.ndarray:
    return np.arange(-(1 << (bits - 1)), 1 << (bits - 1))


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize(("a_bits", "b_bits"), [(2, 2), (8, 8), (3, 8), (8, 5), (7, 2)])
@pytest.mark.parametrize("by_weight", [False, True])
def test_products_exhaustively(name, a_bits, b_bits, by_weight):
    width = a_bits + b_bits + 3
    heap = BitHeap(width)
    products = SumOfProducts(heap, ENCODINGS[name], 1, a_bits, b_bits, by_weight=by_weight)
    a, b = (v.reshape(-1, 1) for v in np.meshgrid(signed_range(a_bits), signed_range(b_bits)))
    rows = heap.reduce().evaluate(products.evaluate(a, b))
    np.testing.assert_array_equal(wrap(sum(rows), width), (a * b)[:, 0])


def extreme_operands(rng, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    values = signed_range(bits)
    extreme = rng.choice([values[0], values[0] + 1, -1, 0, 1, values[-1]], shape)
    return np.where(rng.random(shape) < 0.5, extreme, rng.choice(values, shape))


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("by_weight", [False, True])
@pytest.mark.parametrize(
    ("lanes", "a_bits", "b_bits", "width"),
    [(1, 4, 4, 6), (1, 5, 3, 9), (1, 16, 16, 33), (3, 8, 8, 24), (5, 3, 4, 6), (2, 7, 6, 20)],
)
def test_sums_of_products(name, by_weight, lanes, a_bits, b_bits, width, rng):
    """Hardware and twin, at widths below and above that of the result."""
    encoding = ENCODINGS[name]
    heap = BitHeap(width)
    products = SumOfProducts(heap, encoding, lanes, a_bits, b_bits, by_weight=by_weight)
    compressor = heap.reduce()
    a = extreme_operands(rng, a_bits, (120, lanes))
    b = extreme_operands(rng, b_bits, (120, lanes))
    a[0], b[0] = signed_range(a_bits)[0], signed_range(b_bits)[0]
    expected = (a * b).sum(axis=1) % (1 << width)
    twin = compressor.evaluate(products.evaluate(a, b))
    np.testing.assert_array_equal(sum(twin) % (1 << width), expected)

    inputs_a = [Signal(a_bits, name=f"a_{i}") for i in range(lanes)]
    inputs_b = [Signal(b_bits, name=f"b_{i}") for i in range(lanes)]
    m = Module()
    bits = products.hardware(m, inputs_a, inputs_b)
    rows = [Signal(width, name=f"row_{i}") for i in range(2)]
    m.d.comb += [r.eq(v) for r, v in zip(rows, compressor.hardware(m, bits), strict=True)]
    values = np.concatenate([a & (1 << a_bits) - 1, b & (1 << b_bits) - 1], axis=1)
    got = simulate(m, [*inputs_a, *inputs_b], rows, list(values)).sum(axis=1)
    assert [int(v) % (1 << width) for v in got] == list(expected)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize(("lanes", "bits"), [(1, 2), (4, 8), (16, 8), (7, 5)])
def test_sums_of_one_weight_are_as_wide_as_needed(name, lanes, bits):
    """Extreme digits and operands fit; with one bit fewer they would not."""
    encoding = ENCODINGS[name]
    weight = WeightSum(encoding, lanes, bits)
    totals = []
    for digit in (encoding.digit_min, encoding.digit_max):
        for b in (signed_range(bits)[0], signed_range(bits)[-1]):
            placed: dict = {}
            for partial in weight.lanes:
                placed |= partial.evaluate(np.int64(digit), np.int64(b))
            totals.append(int(sum(weight.compressor.evaluate(placed))))
            assert totals[-1] - weight.excess == lanes * digit * int(b)
    assert min(totals) >= 0 and max(totals).bit_length() == weight.width
