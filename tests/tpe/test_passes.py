"""Bit-weights in time at the level of an array: packing, cycles, the digits at its edge."""

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from bitweight import (
    ENCODINGS,
    OPT2,
    OPT2_TEMPORAL,
    Cube,
    Design,
    IllegalMove,
    SystolicOS,
    catalog,
)
from bitweight.emit import emit
from bitweight.notation import split, unroll
from bitweight.notation.transformations import Transformation
from bitweight.pe import multiply_accumulate
from bitweight.pe.bit_serial import BitSerialMac, OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.tpe.output_stationary import OutputStationaryEngine
from bitweight.tpe.passes import Passes
from bitweight.tpe.stream import Beats
from bitweight_verif import verify

DESIGN = catalog["cube-opt2-temporal-small"]
ENCODING = ENCODINGS["mbe"]


def test_beats_of_a_tile_come_once_for_each_bit_weight(rng):
    """Multiplied out digit by digit in their order, with a shift between, they give the result."""
    rows, cols, lanes = DESIGN.array.shape
    for M, N, K in [(1, 1, 1), (4, 3, 9), (3, 2, 4), (7, 5, 13)]:
        A, B = rng.integers(-128, 128, (M, K)), rng.integers(-128, 128, (K, N))
        beats = DESIGN.pack(A, B)
        np.testing.assert_array_equal(beats.a.last, beats.b.last)
        ends = np.flatnonzero(beats.a.last) + 1
        assert len(ends) * rows == 4 * DESIGN.output_beats(M, N)
        a = np.split(ENCODING.recode(beats.a.data, 8).reshape(-1, rows, lanes, 4), ends[:-1])
        b = np.split(beats.b.data.reshape(-1, cols, lanes), ends[:-1])
        tiles = []
        for first in range(0, len(ends), 4):
            total = np.zeros((rows, cols), dtype=np.int64)
            for i, x, y in zip((3, 2, 1, 0), a[first:], b[first:], strict=False):
                total = 4 * total + np.einsum("kil,kjl->ij", x[..., i], y)
            tiles.append(total)
        np.testing.assert_array_equal(DESIGN.unpack(np.concatenate(tiles), M, N), A @ B)


def test_repeated_beats_keep_their_tiles_together():
    beats = Beats(np.arange(4)[:, None], np.array([False, True, True, True]))
    twice = beats.repeated(2)
    assert twice.data[:, 0].tolist() == [0, 1, 0, 1, 2, 2, 3, 3]
    assert twice.last.tolist() == [False, True, False, True, True, True, True, True]
    once = beats.repeated(1)
    assert once.data.tolist() == beats.data.tolist() and once.last.tolist() == beats.last.tolist()


def test_the_manifest_says_how_often_beats_come():
    packing = emit(DESIGN).manifest["packing"]
    plain = catalog["cube-opt2-small"].packing
    assert plain == catalog["cube-opt2-small"].array.packing
    for name in "ab":
        assert packing[name].startswith(plain[name])
        assert "beats of a tile 4 times over, last: the last k of each time" in packing[name]
    assert packing["c"] == plain["c"]


def test_a_product_takes_a_cycle_for_each_bit_weight():
    A, B = np.zeros((6, 12), dtype=int), np.zeros((12, 4), dtype=int)
    once, four = catalog["cube-opt2-small"], DESIGN
    # Four tiles of three beats: each takes nine beats more.
    assert four.cycles(A, B) - once.cycles(A, B) == 4 * 9
    assert (once.macs_per_cycle, four.macs_per_cycle) == (24, 6)
    assert Design(Cube(3, 3, 3), OPT2_TEMPORAL).macs_per_cycle == 27 / 4
    assert four.max_k == once.max_k


def digit_of(bits: int) -> int:
    return (bits >> 1 & 1) * (1 - 2 * (bits & 1)) + 2 * (bits >> 2 & 1) * (1 - 2 * (bits & 1))


@pytest.mark.parametrize(("bits", "lanes"), [(8, 3), (5, 2), (2, 1)])
def test_digits_come_most_significant_first(bits, lanes, rng):
    """Whatever the gaps between beats, and after a reset in the middle of a tile."""
    passes = Passes(OneDigit(ENCODING), bits, lanes)
    count = ENCODING.digits(bits)
    expected, seen = [], []

    async def tile(ctx, beats, *, until=None):
        a = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (beats, lanes))
        digits = ENCODING.recode(a, bits)
        for step in range(until or beats * count):
            turn, k = divmod(step, beats)
            while rng.random() < 0.4:  # nothing is taken
                ctx.set(passes.take, 0)
                ctx.set(passes.last, int(rng.integers(2)))
                await ctx.tick()
            ctx.set(passes.take, 1)
            ctx.set(passes.last, int(k == beats - 1))
            word = sum((int(x) & (1 << bits) - 1) << i * bits for i, x in enumerate(a[k]))
            ctx.set(passes.operands, word)
            out = ctx.get(passes.digits)
            got = [digit_of(out >> 3 * i & 7) for i in range(lanes)]
            seen.append((got, ctx.get(passes.ends), ctx.get(passes.shift)))
            expected.append(
                (
                    digits[k, :, count - 1 - turn].tolist(),
                    int(step == beats * count - 1),
                    int(turn > 0 and k == 0),
                )
            )
            await ctx.tick()
        ctx.set(passes.take, 0)

    async def bench(ctx):
        for beats in (1, 3, 1, 2):
            await tile(ctx, beats)
        await tile(ctx, 4, until=4 * count - 2)

    simulator = Simulator(passes)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == expected


SHAPES = {
    "one row, no registers on the way": (Cube(1, 2, 2, broadcast_stages=0, adder_stages=0), {}),
    "odd widths": (Cube(2, 3, 3, broadcast_stages=2), {"a": 5, "b": 11, "acc": 20}),
    "one bit-weight": (Cube(2, 2, 2), {"a": 2, "b": 4, "acc": 16}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_arrays_of_other_sizes_pass_the_bench(name, tmp_path):
    array, widths = SHAPES[name]
    design = Design(array, OPT2_TEMPORAL, **widths)
    result = verify(design, "icarus", (3, 5, 4), 1, 7, build_dir=tmp_path)
    assert result.passed, [case.message for case in result.failures]


def shifted_by(columns: int):
    """Make the accumulator be shifted by so many columns instead of the right ones."""

    def keep(self, rows, done, shift):
        moved = self.shift
        self.shift = columns
        try:
            return sound(self, rows, done, shift)
        finally:
            self.shift = moved

    sound = BitSerialMac.keep
    return BitSerialMac, "keep", keep


def no_shift():
    def operands(self, m, take, last):
        digits, end, _ = sound(self, m, take, last)
        return digits, end, Value.cast(0)

    sound = OutputStationaryEngine._operands
    return OutputStationaryEngine, "_operands", operands


def least_first():
    def select(self, operand, turn):
        return sound(self, operand, turn[::-1])

    sound = OneDigit.select
    return OneDigit, "select", select


def passes_that_end_the_tile():
    def operands(self, m, take, last):
        digits, _, shift = sound(self, m, take, last)
        return digits, last, shift

    sound = OutputStationaryEngine._operands
    return OutputStationaryEngine, "_operands", operands


FAULTS = {
    "shifted by one": (lambda: shifted_by(1), "element"),
    "shifted by three": (lambda: shifted_by(3), "element"),
    "never shifted": (no_shift, "element"),
    "least significant digit first": (least_first, "element"),
    "each pass ends the tile": (passes_that_end_the_tile, "element|extra|last|protocol"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_bench_finds_what_is_broken(name, monkeypatch, tmp_path):
    make, category = FAULTS[name]
    before = emit(DESIGN)
    monkeypatch.setattr(*make())
    after = emit(DESIGN)
    assert after.verilog != before.verilog
    result = verify(DESIGN, "icarus", seed=7, emission=after, build_dir=tmp_path, max_failures=1)
    assert [case.category in category.split("|") for case in result.failures] == [True], (
        result.failures
    )


def test_operands_that_hop_are_refused():
    lanes = Transformation(
        "lanes",
        "four lanes where there are none, then one digit after the other",
        lambda nest: OPT2_TEMPORAL.apply(unroll(split(nest, "k", "kt", "kp", 4), "kp")),
    )
    with pytest.raises(IllegalMove, match="operands hop in systolic-os: loop bw must be spatial"):
        Design(SystolicOS(2, 2), lanes)


def test_the_nest_chooses_the_step():
    for design, kind in [(DESIGN, BitSerialMac), (Design(DESIGN.array, OPT2), CarrySaveMac)]:
        assert type(multiply_accumulate(design.nest, design.style)) is kind
