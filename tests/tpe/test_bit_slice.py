"""Bit-slice arrays as designs: widths, packing, what is refused; their loader and columns."""

from collections import deque

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from bitweight import (
    ENCODINGS,
    MAC,
    OPT1,
    OPT2,
    OPT2_TEMPORAL,
    OPT3,
    OPT4C,
    OPT4E,
    Design,
    IllegalMove,
    Matrix2D,
    catalog,
)
from bitweight.notation import split, unroll
from bitweight.notation.transformations import Transformation
from bitweight.pe import multiply_accumulate
from bitweight.pe.bit_serial import OneDigit
from bitweight.tpe import BitSlice, Column
from bitweight.tpe.bit_slice import BitSliceArray
from bitweight.tpe.digit_column import DigitColumn
from bitweight.tpe.layout import BlockLayout
from bitweight.tpe.loader import Loader

MACS = [OPT3, OPT4C, OPT4E]
SMALL = [
    name
    for name in catalog
    if isinstance(catalog[name].array, BitSliceArray) and name.endswith("-small")
]


def simulate(block, bench) -> None:
    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.block = block
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def packed(values, bits: int) -> int:
    return sum((int(v) & (1 << bits) - 1) << i * bits for i, v in enumerate(values))


# --- widths ----------------------------------------------------------------------------------


def pair_width(design: Design) -> int:
    return multiply_accumulate(design.nest, design.style).acc


def bits_of(low: int, high: int) -> int:
    """Return the bits of a signed number from `low` to `high`."""
    bits = 1
    while not (-(1 << bits - 1) <= low and high < 1 << bits - 1):
        bits += 1
    return bits


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
def test_the_pair_is_as_wide_as_the_sum_of_one_bit_weight(mac):
    known = {65536: 26, 4096: 22, 256: 18, 16: 14}
    for block, width in known.items():
        assert pair_width(Design(Column(block=block), mac)) == width
    # The same from what the products can be, for digits that operands do have.
    for encoding, a_bits, b_bits, block in [
        ("mbe", 8, 8, 4096), ("ent", 8, 8, 4096), ("csd4", 8, 8, 4096), ("serial", 8, 8, 4096),
        ("mbe", 2, 2, 20), ("csd4", 5, 3, 12), ("serial", 16, 11, 48),
    ]:  # fmt: skip
        values = np.arange(-(1 << a_bits - 1), 1 << a_bits - 1)
        digits = np.unique(ENCODINGS[encoding].recode(values, a_bits))
        products = np.outer(digits, [-(1 << b_bits - 1), (1 << b_bits - 1) - 1]) * block
        design = Design(
            BitSlice(2, 2, block=block), mac, a=a_bits, b=b_bits, acc=40, encoding=encoding
        )
        assert pair_width(design) == bits_of(products.min(), products.max())


def test_the_pair_is_no_wider_than_the_result():
    assert pair_width(Design(Column(block=65536), OPT4C, acc=16)) == 16
    assert pair_width(Design(Column(block=65536), OPT4C, acc=32)) == 26


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("mac", [OPT4C, OPT4E], ids=lambda mac: mac.name)
def test_extreme_sums_of_a_block_fit_and_would_not_in_a_bit_less(mac, encoding):
    design = Design(BitSlice(2, 2, group=2, block=24), mac, encoding=encoding)
    core = multiply_accumulate(design.nest, design.style)
    lanes, base = core.lanes, ENCODINGS[encoding]
    narrow = type(core)(core.encoding, core.a_bits, core.b_bits, core.acc - 1, lanes=lanes)
    wrapped = []
    for digit in (base.digit_min, base.digit_max):
        exact = 24 * digit * -128
        got = []
        for step in (core, narrow):
            rows = [np.int64(0) for _ in step.rows]
            for _ in range(24 // lanes):
                rows = step.evaluate(np.full(lanes, digit), np.full(lanes, -128), rows)
            got.append(int(step.word(rows)))
        assert got[0] == exact
        wrapped.append(got[1] != exact)
    assert any(wrapped)


# --- packing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_packed_beats_hold_every_product(name, rng):
    """Tile by tile, multiplied beat by beat with NumPy, they give the result."""
    design = catalog[name]
    array = design.array
    rows, cols, group = array.rows, array.cols, array.group
    for M, N, K in [(1, 1, 1), (4, 3, group), (7, 5, 3 * group + 1), (2 * cols, 2 * rows, 40)]:
        A, B = rng.integers(-128, 128, (M, K)), rng.integers(-128, 128, (K, N))
        beats = design.pack(A, B)
        np.testing.assert_array_equal(beats.a.last, beats.b.last)
        assert beats.a.last[-1]
        ends = np.flatnonzero(beats.a.last) + 1
        assert (np.diff([0, *ends]) == -(-K // group)).all()
        a = np.split(beats.a.data.reshape(-1, cols, group), ends[:-1])
        b = np.split(beats.b.data.reshape(-1, rows, group), ends[:-1])
        tiles = [np.einsum("kjg,kig->ji", y, x) for x, y in zip(a, b, strict=True)]
        C = design.unpack(np.concatenate(tiles), M, N)
        np.testing.assert_array_equal(C, A @ B)
        last = np.concatenate([np.arange(rows) == rows - 1 for _ in tiles])
        np.testing.assert_array_equal(design.output_last(M, N), last)


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
def test_no_product_takes_fewer_cycles_than_the_latency(mac, rng):
    design = Design(BitSlice(3, 2, group=2, block=16), mac)
    latency = design.array.latency(design.nest)
    for K in (1, 2, 16, 40):
        A = rng.integers(-128, 128, (2, K)) * (K > 1)
        beats = -(-K // 2)
        least = beats - 1 + latency + design.array.rows
        cycles = design.cycles(A, np.zeros((K, 1), dtype=int))
        assert cycles == least if K == 1 else cycles >= least


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("array", [BitSlice(2, 2), Column(2)], ids=lambda array: array.name)
def test_dense_macs_are_refused(array):
    for mac in (MAC, OPT1):
        message = f"{mac.name}: the PEs of {array.name} take digits one at a time .*without sparse"
        with pytest.raises(IllegalMove, match=message):
            Design(array, mac)
    for mac in (OPT2, OPT2_TEMPORAL):
        with pytest.raises(IllegalMove, match=f"{mac.name}: shift runs in no spatial loop over k"):
            Design(array, mac)
    with pytest.raises(IllegalMove, match=r"opt3: .* all rows keep the same pace in matrix2d"):
        Design(Matrix2D(2, 2), OPT3)


def test_lanes_of_elements_with_encoders_of_their_own_are_refused():
    lanes = Transformation(
        "lanes",
        "OPT3 with lanes",
        lambda nest: OPT3.apply(unroll(split(nest, "k", "kt", "kp", 4), "kp")),
    )
    with pytest.raises(IllegalMove, match="lanes: "):
        Design(BitSlice(2, 2), lanes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BitSlice(group=4, block=30), "block of bitslice must be .* group of 4, not 30"),
        (lambda: Column(group=3, block=256), "block of column must be .* group of 3, not 256"),
        (lambda: BitSlice(group=17), "group of bitslice .* 1 to 16, not 17"),
        (lambda: BitSlice(group=0), "group of bitslice .* 1 to 16, not 0"),
        (lambda: BitSlice(block=65540), "block of bitslice .* 1 to 65536, not 65540"),
        (lambda: Column(depth=0), "depth of column .* 1 to 8, not 0"),
        (lambda: Column(depth=9), "depth of column .* 1 to 8, not 9"),
        (lambda: BitSlice(adder_stages=4), "adder_stages of bitslice .* 0 to 3, not 4"),
        (lambda: Column(element_stages=2), "element_stages of column .* 0 to 1, not 2"),
        (lambda: BitSlice(rows=0), "rows of bitslice .* 1 to 1024, not 0"),
        (lambda: BitSlice(cols=1025), "cols of bitslice .* 1 to 1024, not 1025"),
    ],
)
def test_bad_sizes(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_elements_with_encoders_of_their_own_are_not_cut():
    with pytest.raises(IllegalMove, match=r"opt3: .* element_stages must be 0, not 1"):
        Design(BitSlice(2, 2, element_stages=1), OPT3)


def test_lanes_must_fit_a_block():
    with pytest.raises(IllegalMove, match="opt4e: extent of loop k must be a multiple of 4, not 6"):
        Design(BitSlice(2, 2, group=3, block=6), OPT4E)


# --- what comes into the buffers ---------------------------------------------------------------

LAYOUTS = [
    BlockLayout(3, 1, 2, 14, 1),
    BlockLayout(1, 1, 3, 12, 2),
    BlockLayout(5, 1, 1, 23, 3),
    BlockLayout(2, 4, 2, 36, 2),
]


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_words_go_to_lanes_then_places_then_rows(layout, stalls, rng):
    """Against the definition: word w of a block is word w // lanes of lane w % lanes."""
    release = 4
    loader = Loader(layout, release)
    sizes = rng.integers(1, 2 * layout.beats + 2, 20)  # beats of tiles
    lasts = np.concatenate([np.arange(size) == size - 1 for size in sizes])
    blocks = []  # beats, first of its tile, last of its tile
    for size in sizes:
        starts = range(0, size, layout.beats)
        blocks += [(min(size - at, layout.beats), at == 0, at == starts[-1]) for at in starts]
    places, refused = [], []
    expected = [
        (1 << w % layout.lanes, b % layout.depth, *divmod(w // layout.lanes, layout.places))
        for b, (beats, _, _) in enumerate(blocks)
        for w in range(beats)
    ]

    async def bench(ctx):
        at = done = freed = taken = step = 0
        in_block = counted = 0
        loaded = deque([0, 0])  # blocks that were taken, with the latency of the loader
        releases = deque()
        while done < len(blocks):
            # A slot is free again `release` steps after the end of its block.
            while releases and releases[0] + release < step:
                freed += 1
                releases.popleft()
            assert ctx.get(loader.room) == (taken - freed < layout.depth)
            available = loaded[0] - done
            assert counted - done == available
            more = ctx.get(loader.more)
            take = int(at < len(lasts) and rng.random() >= stalls and ctx.get(loader.room))
            refused.append(not ctx.get(loader.room))
            ctx.set(loader.take, take)
            ctx.set(loader.last, int(take and lasts[at]))
            spaced = not releases  # ends are at least `release` steps apart
            sync = int(available > 0 and spaced and rng.random() < 1 / layout.beats)
            ctx.set(loader.sync, sync)
            if available:
                number = done % layout.depth
                beats, first, complete = blocks[done]
                assert ctx.get(loader.slot) == number
                assert (ctx.get(loader.first), ctx.get(loader.complete)) == (first, complete)
                for lane in range(layout.lanes):
                    i = lane * layout.depth + number
                    words = len(range(lane, beats, layout.lanes))
                    assert ctx.get(loader.filled) >> i & 1 == (words > 0)
                    row, place = divmod(max(words, 1) - 1, layout.places)
                    rows, last = (ctx.get(x) for x in (loader.last_rows, loader.last_places))
                    assert rows >> i * layout.row_bits & (1 << layout.row_bits) - 1 == row
                    if words:
                        bits = layout.place_bits
                        assert last >> i * bits & (1 << bits) - 1 == place
            if ctx.get(loader.write):
                slot, place, row = (
                    ctx.get(getattr(loader, f"{n}_out")) for n in ("slot", "place", "row")
                )
                places.append((ctx.get(loader.write), slot, row, place))
            await ctx.tick()
            step += 1
            counted += more
            if take:
                in_block += 1
                if lasts[at] or in_block == layout.beats:
                    taken, in_block = taken + 1, 0
                at += 1
            loaded.append(taken)
            loaded.popleft()
            if sync:
                releases.append(step - 1)
                done += 1

    simulate(loader, bench)
    assert places == expected
    assert any(refused)


# --- columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [3, 11])
@pytest.mark.parametrize("lanes", [1, 2])
def test_passes_end_when_all_lanes_are_done(lanes, gap, rng):
    """With their last digits, at least `gap` apart; the last one with the other columns."""
    layout = BlockLayout(3, lanes, 2, 8 * lanes, 1)
    mbe = ENCODINGS["mbe"]
    column = DigitColumn(OneDigit(mbe), 8, layout, gap=gap)
    words = rng.integers(-128, 128, (4, lanes, 2)) * rng.integers(0, 2, (4, lanes, 1))
    words[:, 0] |= 1
    left = np.count_nonzero(mbe.recode(words, 8), axis=(0, 2))  # [lane, pass]
    ended, waited = [], []

    async def bench(ctx):
        for at, lane in np.ndindex(4, lanes):
            ctx.set(column.write, 1 << lane)
            ctx.set(column.row_in, at // 2)
            ctx.set(column.place_in, at % 2)
            ctx.set(column.data_in, packed(words[at, lane], 8))
            ctx.set(column.more, int((at, lane) == (3, lanes - 1)))
            await ctx.tick()
        ctx.set(column.write, 0)
        ctx.set(column.more, 0)
        ctx.set(column.last_rows, packed([1] * lanes, layout.row_bits))
        ctx.set(column.last_places, packed([1] * lanes, layout.place_bits))
        ctx.set(column.filled, packed([1] * lanes, 1))
        wait_at = None
        for step in range(400):
            assert ctx.get(column.turn) == 1 << len(ended) % 4
            hit = packed(rng.random(lanes) < (0.5 if gap == 3 else 0.95), 1)
            ctx.set(column.hit, hit)
            if ctx.get(column.waits):
                waited.append(step)
                wait_at = wait_at or step + 5
            ctx.set(column.all_wait, int(step == wait_at))
            payload = ctx.get(column.payload)
            for lane in range(lanes):
                if payload >> lane * column.payload_bits & (1 << column.payload_bits) - 1:
                    left[lane, len(ended)] -= 1
                    assert left[lane, len(ended)] >= 0
            if ctx.get(column.ends):
                assert not left[:, len(ended)].any()
                ended.append(step)
            await ctx.tick()
            if len(ended) == 4:
                break

    simulate(column, bench)
    assert len(ended) == 4 and not left.any()
    assert (np.diff(ended) >= gap).all()
    assert waited == list(range(ended[-1] - 6, ended[-1] + 1))
    if gap == 11:
        assert (np.diff(ended) == gap).any()
