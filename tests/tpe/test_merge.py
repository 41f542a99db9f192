"""Totals of a bit-slice column: resolved, shifted and merged as fast as the drain allows."""

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from bitweight import ENCODINGS
from bitweight.notation import wrap
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.tpe.merge import MergeColumn


def core_of(width: int, encoding: str = "mbe", b_bits: int = 4) -> CarrySaveMac:
    """Return a step that keeps a pair of this width."""
    digit = OneDigit(ENCODINGS[encoding])
    return CarrySaveMac(digit, digit.bits, b_bits, width, lanes=1)


def value_of(core: CarrySaveMac, rows: list[int]) -> int:
    """Return the signed word that a pair stands for."""
    words = [
        sum((bits >> i & 1) << j for i, j in enumerate(columns))
        for bits, columns in zip(rows, core.rows, strict=True)
    ]
    total = sum(words) % (1 << core.acc)
    return total - (total >> core.acc - 1 << core.acc)


def run(merge: MergeColumn, rng, tiles, gaps, stalls=0.0):
    """Let passes end `gaps` apart; `tiles` is how many blocks each of the tiles has.

    A tile's last pass is followed by the totals; `stalls` is how likely they are stopped in a
    step. Returns what came out and what should have: ``(step, result, last)`` each, and whether any
    value was negative.
    """
    core, pes = merge.core, merge.pes
    flags = [
        (turn, block == turn == 0, block == blocks - 1 and turn == merge.passes - 1)
        for blocks in tiles
        for block in range(blocks)
        for turn in range(merge.passes)
    ]
    whole = merge.delay + merge.latency_of(pes, merge.stages) + pes
    spaces = [gap + whole * last for gap, (*_, last) in zip([*gaps, 0], flags, strict=True)]
    times = np.cumsum([3, *spaces])
    ends = dict(zip(times.tolist(), flags, strict=False))
    pairs, words = {}, {}
    expected, totals = [], [0] * pes
    for time, (turn, first, complete) in ends.items():
        for pe in range(pes):
            low_high = [rng.integers(0, 1 << len(row)) for row in core.rows]
            edges = [rng.choice([0, (1 << len(row)) - 1]) for row in core.rows]
            rows = [int(x) for x in (edges if rng.random() < 0.3 else low_high)]
            pairs[time + merge.delay + pe] = pe, rows
            words[time, pe] = value_of(core, rows)
            shifted = words[time, pe] << merge.step_bits * turn
            totals[pe] = shifted + (0 if first else totals[pe])
            if complete:
                result = int(wrap(np.int64(totals[pe]), merge.acc)) % (1 << merge.acc)
                at = time + merge.delay + pe + merge.latency_of(pes, merge.stages)
                expected.append((at, result, int(pe == pes - 1)))
    seen = []

    async def bench(ctx):
        step, enable = 0, 1
        while step < times[-1] + 4:
            following = int(not ctx.get(merge.leaves) or rng.random() >= stalls)
            ctx.set(merge.go, following)
            turn, first, complete = ends.get(step, rng.integers(0, 2, 3).tolist())
            ctx.set(merge.ends, int(step in ends))
            ctx.set(merge.turn, 1 << turn)
            ctx.set(merge.first, int(first))
            ctx.set(merge.complete, int(complete))
            pe, rows = pairs.get(step, (0, [0] * len(core.rows)))
            for i, (row, columns) in enumerate(zip(rows, core.rows, strict=True)):
                ctx.set(getattr(merge, f"drain_{i}"), row << pe * len(columns))
            if enable and ctx.get(merge.valid):
                seen.append((step, ctx.get(merge.result), ctx.get(merge.last)))
            step += enable
            enable = following
            await ctx.tick()

    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.merge = merge
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen, expected, min(words.values()) < 0


CASES = {
    "int8": (core_of(18), 4, 3, 32, 1, 4),
    "one element": (core_of(9), 4, 1, 20, 1, 3),
    "no registers in the adders": (core_of(9), 3, 2, 12, 0, 5),
    "three registers": (core_of(12), 4, 5, 24, 3, 4),
    "more elements than steps of a turn": (core_of(9), 4, 7, 24, 2, 4),
    "one bit-weight": (core_of(9), 1, 3, 10, 1, 4),
    "radix 2": (core_of(7, "serial"), 6, 4, 16, 1, 4),
    "a total narrower than the last word": (core_of(14), 4, 3, 16, 1, 4),
    "a total as narrow as the first word": (core_of(14), 4, 3, 14, 1, 4),
}
"""Core, passes, elements, width of the total, registers of an adder, steps to the first pair."""


@pytest.mark.parametrize("stalls", [0.0, 0.3])
@pytest.mark.parametrize("name", CASES)
def test_totals_are_exact_at_the_smallest_gap(name, stalls, rng):
    core, passes, pes, acc, stages, delay = CASES[name]
    merge = MergeColumn(core, passes, pes, acc, stages, delay)
    tiles = [1, 3, 1, 2, 1]
    count = passes * sum(tiles) - 1
    gap = MergeColumn.gap(pes, stages)
    gaps = gap + np.where(rng.random(count) < 0.7, 0, rng.integers(0, 9, count))
    if not stalls:
        gaps[:] = gap
    seen, expected, negative = run(merge, rng, tiles, gaps, stalls)
    assert negative
    assert len(expected) == len(tiles) * pes
    assert seen == expected


@pytest.mark.parametrize("name", CASES)
def test_no_smaller_gap_would_do(name, rng):
    core, passes, pes, acc, stages, delay = CASES[name]
    merge = MergeColumn(core, passes, pes, acc, stages, delay)
    gaps = np.full(passes * 8 - 1, MergeColumn.gap(pes, stages) - 1)
    seen, expected, _ = run(merge, rng, [8], gaps)
    assert seen != expected


def test_words_too_narrow_for_the_registers_of_an_adder(rng):
    """A pair of three bits has no room for three registers in its carry chain."""
    core = core_of(3, "serial", 2)
    assert core.acc - 1 < 3
    merge = MergeColumn(core, 2, 2, 4, 3, 4)
    seen, expected, _ = run(merge, rng, [1, 2], np.full(5, MergeColumn.gap(2, 3)))
    assert seen == expected
