"""Arrays whose weights stay: packing, sequencing, cycles and what they are made of."""

import re
import time

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from bitweight import MAC, OPT1, OPT2, Design, IllegalMove, catalog
from bitweight.emit import emit
from bitweight.tpe import AdderTree, SystolicWS
from bitweight.tpe.sequencer import Sequencer
from bitweight.tpe.weight_stationary import WeightStationaryArray

SMALL = [
    name
    for name in catalog
    if isinstance(catalog[name].array, WeightStationaryArray) and name.endswith("-small")
]


def test_the_catalog_has_every_legal_pair():
    assert SMALL == [
        "systolic-ws-mac-small",
        "systolic-ws-opt1-small",
        "adder-tree-mac-small",
        "adder-tree-opt1-small",
        "adder-tree-opt2-small",
    ]
    with pytest.raises(IllegalMove, match="opt2: shift runs in no spatial loop over k"):
        Design(SystolicWS(4, 4), OPT2)


@pytest.mark.parametrize("name", SMALL)
def test_packed_beats_hold_every_product(name, rng):
    """Every tile of weights meets its rows of A: summed up they are the result."""
    design = catalog[name]
    rows, depth = design.array.rows, design.array.depth
    for M, N, K in [(1, 1, 1), (9, 7, 5), (depth, 3, rows), (2 * depth + 1, 4, 3 * rows)]:
        A = rng.integers(-128, 128, (M, K))
        B = rng.integers(-128, 128, (K, N))
        beats = design.pack(A, B)
        ends = np.flatnonzero(beats.a.last) + 1
        blocks = np.split(beats.a.data, ends[:-1])
        tiles = beats.b.data.reshape(-1, rows, beats.b.data.shape[1])
        final = beats.b.last.reshape(-1, rows)
        assert len(blocks) == len(tiles) and not final[:, :-1].any()
        results, total = [], 0
        for block, tile, complete in zip(blocks, tiles, final[:, -1], strict=True):
            assert len(block) <= depth
            total = total + block @ tile
            if complete:
                results.append(total)
                total = 0
        assert not np.any(total)
        C = design.unpack(np.concatenate(results), M, N)
        np.testing.assert_array_equal(C, A @ B)
        sizes = np.concatenate([np.arange(len(r)) == len(r) - 1 for r in results])
        np.testing.assert_array_equal(design.output_last(M, N), sizes)


def run_sequencer(sequencer, blocks, stalls, rng, cycles):
    """Send blocks of rows, each (rows, final), and a tile of weights for each.

    Returns for every step in which something was taken: its number, the outputs that matter. In
    at most so many `cycles`, of which only those with `step` count.
    """
    rows = [(i == size - 1) for size, _ in blocks for i in range(size)]
    weights = [
        final and i == sequencer.lanes - 1 for _, final in blocks for i in range(sequencer.lanes)
    ]
    taken_a, taken_b = [], []

    async def bench(ctx):
        offered_a = offered_b = False
        now = 0
        for _ in range(cycles):
            # A little longer than there are rows: nothing more may be taken.
            if len(taken_a) == len(rows) and now > taken_a[-1][0] + 8:
                break
            step = int(rng.random() >= stalls)
            offered_a |= len(taken_a) < len(rows) and rng.random() >= stalls
            offered_b |= len(taken_b) < len(weights) and rng.random() >= stalls
            ctx.set(sequencer.step, step)
            ctx.set(sequencer.a_valid, int(offered_a))
            ctx.set(sequencer.b_valid, int(offered_b))
            ctx.set(sequencer.a_last, int(offered_a and rows[len(taken_a)]))
            ctx.set(sequencer.b_last, int(offered_b and weights[len(taken_b)]))
            assert not (ctx.get(sequencer.take_a) and not (step and offered_a))
            assert not (ctx.get(sequencer.take_b) and not (step and offered_b))
            if ctx.get(sequencer.take_b):
                taken_b.append((now, ctx.get(sequencer.number)))
                offered_b = False
            if ctx.get(sequencer.take_a):
                names = ("update", "first", "complete", "row")
                flags = tuple(ctx.get(getattr(sequencer, name)) for name in names)
                taken_a.append((now, *flags))
                offered_a = False
            now += step
            await ctx.tick()

    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.sequencer = sequencer
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert (len(taken_a), len(taken_b)) == (len(rows), len(weights))
    return taken_a, taken_b


@pytest.mark.parametrize(("lanes", "turn"), [(1, 3), (1, 6), (2, 6), (4, 3), (5, 4), (8, 3)])
@pytest.mark.parametrize("stalls", [0.0, 0.2, 0.6])
def test_sequencer(lanes, turn, stalls, rng):
    sizes = [int(size) for size in rng.integers(1, 8, 30)]
    # The tiles of a block along k have the same rows.
    blocks = [
        (size, i == tiles - 1)
        for size, tiles in zip(sizes, rng.integers(1, 4, 30), strict=True)
        for i in range(tiles)
    ]
    sequencer = Sequencer(lanes, 7, turn)
    rows, weights = run_sequencer(sequencer, blocks, stalls, rng, 6000)
    assert [number for _, number in weights] == list(range(lanes)) * len(blocks)
    starts, at, first = [], 0, True
    for tile, (size, final) in enumerate(blocks):
        own = rows[at : at + size]
        flags = [(int(i == 0), int(first), int(final)) for i in range(size)]
        assert [row[1:4] for row in own] == flags
        assert [row[4] for row in own] == list(range(size))
        starts.append(own[0][0])
        # All weights of this tile came before, none of the next but one.
        assert weights[lanes * (tile + 1) - 1][0] < own[0][0]
        assert all(now >= own[0][0] for now, _ in weights[lanes * (tile + 1) :][:1])
        if not first:
            before = rows[at - size : at]
            assert all(b[0] - a[0] >= turn for a, b in zip(before, own, strict=True))
        first = final
        at += size
    if not stalls:
        expected = [lanes]
        for size, _ in blocks[:-1]:
            expected.append(expected[-1] + max(size, lanes, turn))
        assert starts == expected


def test_loading_weights_costs_no_time():
    """A row of A in every cycle, but for the first tile of weights and the way through."""
    for array in (SystolicWS(4, 3, depth=4), AdderTree(4, 3, depth=4)):
        for mac in (MAC, OPT1):
            design = Design(array, mac)
            A, B = np.ones((12, 20), dtype=int), np.ones((20, 6), dtype=int)
            rows = 12 * (20 // 4) * (6 // 3)
            assert design.cycles(A, B) == 4 + rows + design.array.latency(design.nest)


@pytest.mark.parametrize("kind", [SystolicWS, AdderTree])
def test_a_buffer_that_is_less_deep_costs_time(kind):
    A, B = np.ones((12, 20), dtype=int), np.ones((20, 6), dtype=int)
    cycles = [Design(kind(4, 3, depth=depth), OPT1).cycles(A, B) for depth in (12, 4, 2, 1)]
    assert cycles[0] == cycles[1] < cycles[2] < cycles[3]


def test_depth_changes_no_processing_element():
    for kind in (SystolicWS, AdderTree):
        assert len({Design(kind(4, 3, depth=depth)).register_bits for depth in (1, 16)}) == 1


def test_digits_are_made_once_for_all_columns():
    text = emit(Design(AdderTree(4, 8, span=8), OPT1)).verilog
    pe = text.split("module adder_tree_opt1_pe(")[1].split("endmodule")[0]
    assert f"input [{4 * 12 - 1}:0] a;" in pe
    plain = emit(Design(AdderTree(4, 8, span=8), MAC)).verilog
    pe = plain.split("module adder_tree_mac_pe(")[1].split("endmodule")[0]
    assert f"input [{4 * 8 - 1}:0] a;" in pe


@pytest.mark.parametrize("kind", [SystolicWS, AdderTree])
def test_one_module_for_each_block(kind):
    modules = {}
    for size in (4, 16):
        emission = emit(Design(kind(size, size), OPT1))
        found = re.findall(r"^module (\S+?)\(", emission.verilog, flags=re.M)
        assert sorted(found) == sorted(emission.modules)
        modules[size] = emission.modules
    assert modules[4] == modules[16]


@pytest.mark.parametrize("kind", [SystolicWS, AdderTree])
def test_a_large_array_is_emitted_at_once(kind):
    start = time.process_time()
    emission = emit(Design(kind(64, 64), OPT1))
    print(f"64 × 64: {time.process_time() - start:.1f} s")
    assert len(emission.modules) <= 10
    assert len(emission.verilog) < 2_000_000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SystolicWS(rows=0), "rows of systolic-ws .*, not 0"),
        (lambda: SystolicWS(depth=1025), "depth of systolic-ws .*, not 1025"),
        (lambda: AdderTree(span=0), "span of adder-tree .*, not 0"),
        (lambda: AdderTree(adder_stages=4), "adder_stages of adder-tree .* 0 to 3, not 4"),
    ],
)
def test_bad_sizes(make, message):
    with pytest.raises(ValueError, match=message):
        make()
