"""Who reads which bank, the banks themselves, and the planes that they and the PEs make up."""

from itertools import product

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Fragment, Module
from amaranth.sim import Simulator

from bitweight import ENCODINGS, OPT3, OPT4C, OPT4E, Design
from bitweight.notation import Int
from bitweight.pe.bit_serial import OneDigit
from bitweight.tpe import BitSlice, Column
from bitweight.tpe.arbiter import Arbiter
from bitweight.tpe.banks import Bank
from bitweight.tpe.layout import BlockLayout
from bitweight.tpe.plane import Plane


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


def parts(word: int, bits: int, count: int) -> list[int]:
    return [word >> i * bits & (1 << bits) - 1 for i in range(count)]


KINDS = (bool, int, int, bool)
"""Of asks, bank, row and late."""


def random_requests(rng, cols: int, banks: int, rows: int, count: int):
    """Every column at any bank and row, few of them or all asking; some all at one bank."""
    for _ in range(count):
        asks = rng.random(cols) < rng.choice([0.2, 0.7, 1.0])
        late = rng.random(cols) < rng.choice([0, 0.5, 1])
        at = rng.integers(0, rng.choice([1, min(2, banks), banks]), cols)
        yield asks, at, rng.integers(0, rng.choice([1, rows]), cols), late


def code_of(layout: BlockLayout, bank: int) -> int:
    """Return a bank's code from its definition: its place, and above that its position, one-hot."""
    place, position = divmod(int(bank), layout.positions)
    return place | (1 << position << layout.place_bits if layout.positions > 1 else 0)


def run_arbiter(layout: BlockLayout, requests):
    """Give requests step after step; return who may be served, and check the rows."""
    arbiter = Arbiter(layout)
    cols, banks, row_bits = layout.cols, layout.banks, layout.row_bits
    seen = []

    async def bench(ctx):
        for step in range(len(requests) + 4):
            if step < len(requests):
                asks, at, wanted, late = requests[step]
                ctx.set(arbiter.asks, packed(asks, 1))
                ctx.set(arbiter.bank, packed([1 << b for b in at], banks))
                ctx.set(arbiter.row, packed(wanted, row_bits))
                ctx.set(arbiter.late, packed(late, 1))
            if 0 <= step - 2 < len(requests):
                _, at, wanted, _ = requests[step - 2]
                ctx.set(arbiter.code, packed([code_of(layout, b) for b in at], layout.bank_bits))
                ctx.set(arbiter.code_row, packed(wanted, row_bits))
            if 0 <= step - 3 < len(requests):
                hit = np.array(parts(ctx.get(arbiter.hit), 1, cols), dtype=bool)
                seen.append(hit & requests[step - 3][0])
            if 0 <= step - 4 < len(requests):
                _, at, wanted, _ = requests[step - 4]
                served = seen[step - 4]
                opened = parts(ctx.get(arbiter.row_out), row_bits, banks)
                assert [opened[b] for b in at[served]] == wanted[served].tolist()
            await ctx.tick()

    simulate(arbiter, bench)
    return seen


def winners(asks, at, wanted, late) -> np.ndarray:
    """Say it again: the lowest row that is asked for and not late, if there is one."""
    served = np.zeros(len(asks), dtype=bool)
    for bank in set(at[asks]):
        asking = asks & (at == bank)
        first = asking & ~late
        row = wanted[first if first.any() else asking].min()
        served |= asking & (wanted == row)
    return served


ARBITERS = {
    "one column": BlockLayout(1, 1, 2, 24, 1),
    "one row": BlockLayout(5, 1, 2, 6, 1),
    "all that there are": BlockLayout(3, 1, 2, 8, 1),
    "as in the array": BlockLayout(16, 1, 4, 32, 2),
    "many rows": BlockLayout(6, 1, 3, 240, 1),
    "whole words": BlockLayout(4, 1, 4, 64, 1, True),
}


@pytest.mark.parametrize("name", ARBITERS)
def test_each_bank_opens_the_row_of_the_column_furthest_behind(name, rng):
    layout = ARBITERS[name]
    cols, banks, rows = layout.cols, layout.banks, layout.rows
    if name == "all that there are":
        assert (banks, rows) == (4, 2)
        bits = list(product([0, 1], repeat=3))
        requests = [
            tuple(np.array(what, dtype=kind) for what, kind in zip(some, KINDS, strict=True))
            for some in product(bits, product(range(2), repeat=3), bits, bits)
        ]
    else:
        requests = list(random_requests(rng, cols, banks, rows, 300))
    seen = run_arbiter(layout, requests)
    assert len(seen) == len(requests)
    for request, served in zip(requests, seen, strict=True):
        np.testing.assert_array_equal(served, winners(*request))
    waits = [(asks & ~served).any() for (asks, *_), served in zip(requests, seen, strict=True)]
    assert any(waits) == (rows > 1 and cols > 1)


@pytest.mark.parametrize("cols", [3, 5, 16])
def test_columns_in_the_same_row_never_meet(cols, rng):
    """Those that keep pace, and any others."""
    layout, requests = BlockLayout(cols, 1, 1, 3 * cols, 1), []
    assert (layout.banks, layout.rows) == (cols, 3)
    for row in (0, 1, 2):
        for step in range(cols):
            for asks in (np.ones(cols, dtype=bool), rng.random(cols) < 0.5):
                at = (np.arange(cols) + step) % cols if row else rng.integers(0, cols, cols)
                requests.append((asks, at, np.full(cols, row), rng.random(cols) < 0.5))
    for (asks, *_), served in zip(requests, run_arbiter(layout, requests), strict=True):
        np.testing.assert_array_equal(served, asks)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("group", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("depth", "rows"), [(1, 1), (2, 3), (3, 5)])
def test_banks_keep_every_word(group, depth, rows, whole, rng):
    """Each is read while others are written; a word is there in the step after it is written."""
    layout = BlockLayout(1 if whole else group, 1, group, group * rows, depth, whole)
    assert (layout.places, layout.rows) == (1, rows)
    bits = 5
    bank = Bank(layout, bits)
    places = list(product(range(depth), range(rows)))
    model = {}

    async def read(ctx, slot, at):
        """Let operand i be read from row ``at[i]``; return what should be there."""
        ctx.set(bank.slot, slot)
        ctx.set(bank.row, at[0] if whole else packed(at, layout.row_bits))
        if whole:
            return model[slot, at[0]]
        words = [parts(model[slot, row], bits, group)[i] for i, row in enumerate(at)]
        return packed(words, bits)

    async def bench(ctx):
        held = None
        order = [places[i] for i in rng.permutation(len(places))]
        turns = [*order, *(places[i] for i in rng.integers(0, len(places), 40))]
        for i, (slot, row) in enumerate(turns):
            write = i < len(order) or rng.random() < 0.5
            word = int(rng.integers(0, 1 << group * bits))
            ctx.set(bank.write, int(write))
            for name, value in (("slot_in", slot), ("row_in", row), ("data_in", word)):
                ctx.set(getattr(bank, name), value)
            known = list(model)
            if known:
                slot_read = known[rng.integers(len(known))][0]
                rows_read = [row for at, row in known if at == slot_read]
                held = await read(ctx, slot_read, rng.choice(rows_read, group).tolist())
            if write:
                model[slot, row] = word
            await ctx.tick()
            if held is not None:
                assert ctx.get(bank.data_out) == held
        ctx.set(bank.write, 0)
        for slot, row in model:  # none was written over
            held = await read(ctx, slot, [row] * group)
            await ctx.tick()
            assert ctx.get(bank.data_out) == held
        assert len(model) == len(places)

    simulate(bank, bench)


def wires(digit: int) -> int:
    return (digit < 0) | (abs(digit) == 1) << 1 | (abs(digit) == 2) << 2


def value_of(core, rows: list[int]) -> int:
    words = [
        sum((bits >> i & 1) << j for i, j in enumerate(columns))
        for bits, columns in zip(rows, core.rows, strict=True)
    ]
    total = sum(words) % (1 << core.acc)
    return total - (total >> core.acc - 1 << core.acc)


PLANES = {
    "opt3": (BitSlice(1, 3, group=3, block=18, depth=2), OPT3),
    "opt3, one column": (Column(1, group=2, block=6, depth=1), OPT3),
    "opt4c": (BitSlice(1, 3, group=3, block=18, depth=2), OPT4C),
    "opt4c, one column": (Column(1, group=1, block=5, depth=3), OPT4C),
    "opt4e": (BitSlice(1, 2, group=2, block=16, depth=2), OPT4E),
    "opt4e, staged": (BitSlice(1, 2, group=2, block=16, depth=2, element_stages=1), OPT4E),
}


@pytest.mark.parametrize("name", PLANES)
def test_a_plane_multiplies_with_the_operands_it_is_told_to_fetch(name, rng):
    """Any column of any bank; sums that end one after the other; everything hops a step on."""
    design = Design(*PLANES[name], b=6)
    nest, whole = design.nest, design.mac is OPT3
    layout, core = design.array.layout(nest), design.array.core(nest)
    assert layout.whole == whole
    encoding = ENCODINGS[design.encoding]
    digit = OneDigit(encoding)
    plane = Plane(core, digit, 8, layout)
    lanes, cols, group = layout.lanes, layout.cols, layout.group
    places, banks = layout.places, plane.banks
    memory = rng.integers(-32, 32, (lanes, places, layout.depth, layout.rows, group))
    latency = Plane.latency_of(core, whole=whole)
    results, expected, hops = [], {}, []

    async def step(ctx, payloads, slot, rows, at, ends):
        values = {
            "payload": packed(payloads, plane.payload_bits),
            "slot": slot,
            "row": packed(rows, layout.row_bits),
            "bank": packed([code_of(layout, bank) for bank in at], layout.bank_bits),
            "ends": packed(ends, 1),
        }
        for hop, value in values.items():
            ctx.set(getattr(plane, f"{hop}_in"), value)
        drains = [
            parts(ctx.get(getattr(plane, f"drain_{i}")), len(row), cols)
            for i, row in enumerate(core.rows)
        ]
        results.append([value_of(core, list(rows)) for rows in zip(*drains, strict=True)])
        await ctx.tick()
        hops.append({hop: ctx.get(getattr(plane, f"{hop}_out")) == v for hop, v in values.items()})

    async def write(ctx):
        for lane, place, slot, row in np.ndindex(*memory.shape[:-1]):
            ctx.set(plane.write, 1 << lane * places + place)
            ctx.set(plane.write_slot, slot)
            ctx.set(plane.write_row, row)
            ctx.set(plane.data_in, packed(memory[lane, place, slot, row], 6))
            await ctx.tick()
        ctx.set(plane.write, 0)

    def choose():
        """Choose a slot, a row in each bank, and a bank for the lanes of every column."""
        slot = int(rng.integers(layout.depth))
        rows = rng.integers(0, layout.rows, (lanes, banks))
        at = rng.integers(0, banks, (lanes, cols))
        lane = np.arange(lanes)[:, None]
        if whole:
            return slot, rows, at, memory[lane, at, slot, rows[lane, at]]
        place, position = np.divmod(at, group)
        return slot, rows, at, memory[lane, place, slot, rows[lane, at], position]

    async def bench(ctx):
        await write(ctx)
        nothing = np.zeros(lanes * cols, dtype=int)
        ends = np.ones(cols, dtype=int)
        for _ in range(40):
            slot, rows, at, operands = choose()
            other = 0, rows.ravel()[::-1], at.ravel()[::-1]
            if whole:
                a = rng.integers(-128, 128, (cols, group))
                turn = int(rng.integers(encoding.digits(8)))
                digits = encoding.recode(a, 8)[..., turn]
                payloads = [packed(row, 8) | 1 << turn + 8 * group for row in a]
                await step(ctx, payloads, slot, rows.ravel(), at.ravel(), nothing)
                for _ in range(group - 1):
                    await step(ctx, nothing, *other, nothing)
                total = (digits * operands[0]).sum(axis=1)
                expected[len(results) + latency] = total.tolist()
                await step(ctx, nothing, *other, ends)
            else:
                digits = rng.integers(-2, 3, (lanes, cols))
                expected[len(results) + latency] = (digits * operands).sum(axis=0).tolist()
                payloads = [wires(int(d)) for d in digits.ravel()]
                await step(ctx, payloads, slot, rows.ravel(), at.ravel(), ends)
        for _ in range(latency + 2):
            await step(ctx, nothing, 0, nothing, nothing, nothing)

    simulate(plane, bench)
    assert all(all(hop.values()) for hop in hops)
    assert results == [expected.get(i, [0] * cols) for i in range(len(results))]


def test_operands_are_as_wide_as_those_of_b():
    for bits in (2, 9):
        design = Design(BitSlice(1, 3, group=2, block=12), OPT4C, b=Int(bits))
        core = design.array.core(design.nest)
        for whole in (False, True):
            bank = Bank(BlockLayout(3, 1, 2, 12, 1, whole), core.b_bits)
            assert len(bank.data_out) == len(bank.data_in) == 2 * bits
            Fragment.get(bank, None)  # Amaranth warns of what is not used
