"""Who reads which bank, the banks themselves, and the planes that they and the PEs make up."""

from itertools import product

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Fragment, Module
from amaranth.sim import Simulator

from bitweight import ENCODINGS, OPT3, OPT4C, OPT4E, Design
from bitweight.notation import Int
from bitweight.pe import multiply_accumulate
from bitweight.pe.bit_serial import OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.tpe import BitSlice, Column
from bitweight.tpe.banks import Arbiter, Bank
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


def random_requests(rng, cols: int, count: int):
    """Every column at any bank, few of them or all asking; some all at one bank."""
    for _ in range(count):
        asks = rng.random(cols) < rng.choice([0.2, 0.7, 1.0])
        yield asks, rng.integers(0, rng.choice([1, min(2, cols), cols]), cols)


def run_arbiter(rng, cols: int, requests):
    """Give each request a step; return [asks, bank, served] and check what is registered."""
    bank_bits, place_bits, slot_bits, payload_bits = max(1, (cols - 1).bit_length()), 5, 2, 4
    arbiter = Arbiter(cols, bank_bits, place_bits, slot_bits, payload_bits)
    seen = []

    async def bench(ctx):
        expected = None
        for asks, banks in requests:
            enable = int(rng.random() < 0.9)
            places, slot = rng.integers(0, 1 << place_bits, cols), int(rng.integers(0, 4))
            payloads = rng.integers(1, 1 << payload_bits, cols)
            ctx.set(arbiter.en, enable)
            ctx.set(arbiter.asks, packed(asks, 1))
            ctx.set(arbiter.bank, packed(banks, bank_bits))
            ctx.set(arbiter.place, packed(places, place_bits))
            ctx.set(arbiter.payload, packed(payloads, payload_bits))
            ctx.set(arbiter.slot, slot)
            served = np.array(parts(ctx.get(arbiter.served), 1, cols), dtype=bool)
            seen.append((np.array(asks, dtype=bool), np.array(banks), served))
            await ctx.tick()
            if enable:
                addresses = {
                    int(banks[c]): int(places[c]) | slot << place_bits
                    for c in range(cols)
                    if served[c]
                }
                expected = addresses, np.where(served, payloads, 0).tolist(), banks, served
            if expected:
                addresses, passed_on, at, who = expected
                got = parts(ctx.get(arbiter.address_out), place_bits + slot_bits, cols)
                assert {bank: got[bank] for bank in addresses} == addresses
                assert parts(ctx.get(arbiter.payload_out), payload_bits, cols) == passed_on
                from_bank = np.array(parts(ctx.get(arbiter.bank_out), bank_bits, cols))
                assert (from_bank[who] == np.array(at)[who]).all()

    simulate(arbiter, bench)
    return seen


def winners(asks, banks) -> np.ndarray:
    """Say it again: a bank goes to the asking column that is the fewest banks from its own one."""
    cols = len(asks)
    served = np.zeros(cols, dtype=bool)
    for bank in range(cols):
        asking = [c for c in range(cols) if asks[c] and banks[c] == bank]
        if asking:
            served[min(asking, key=lambda c: (bank - c) % cols)] = True
    return served


@pytest.mark.parametrize("cols", [1, 3, 5, 16])
def test_each_bank_serves_one_of_those_that_ask(cols, rng):
    if cols == 3:
        requests = list(product(product([0, 1], repeat=3), product(range(3), repeat=3)))
    else:
        requests = list(random_requests(rng, cols, 200))
    seen = run_arbiter(rng, cols, requests)
    assert len(seen) == len(requests)
    for asks, banks, served in seen:
        assert not (served & ~asks).any()
        assert sorted(banks[served]) == sorted(set(banks[asks]))  # one each, none left out
        np.testing.assert_array_equal(served, winners(asks, banks))


@pytest.mark.parametrize("cols", [3, 5, 16])
def test_columns_that_keep_pace_never_meet(cols, rng):
    some = [rng.random(cols) < 0.5 for _ in range(cols)]
    requests = [(np.ones(cols), (np.arange(cols) + step) % cols) for step in range(cols)]
    requests += [(asks, banks) for asks, (_, banks) in zip(some, requests, strict=True)]
    for asks, _, served in run_arbiter(rng, cols, requests):
        np.testing.assert_array_equal(served, asks)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("group", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("depth", "rows"), [(1, 1), (2, 3), (3, 5)])
def test_banks_keep_every_word(group, depth, rows, whole, rng):
    """Each is read while others are written; a word is there in the step after it is written."""
    layout = BlockLayout(3, 1, group, 3 * group * rows, depth)
    assert layout.rows == rows
    bits = 5
    bank = Bank(layout, bits, whole=whole)
    places = list(product(range(depth), range(rows)))
    model = {}
    position_bits = 0 if whole else layout.position_bits

    async def bench(ctx):
        held = None
        order = [places[i] for i in rng.permutation(len(places))]
        turns = [*order, *(places[i] for i in rng.integers(0, len(places), 40))]
        for i, (slot, row) in enumerate(turns):
            enable = int(i < len(order) or rng.random() < 0.8)
            write = i < len(order) or rng.random() < 0.5
            word = int(rng.integers(0, 1 << group * bits))
            ctx.set(bank.en, enable)
            ctx.set(bank.write, int(write))
            for name, value in (("slot_in", slot), ("row_in", row), ("data_in", word)):
                ctx.set(getattr(bank, name), value)
            known = list(model)
            if known:
                at = known[rng.integers(len(known))]
                position = int(rng.integers(group))
                address = at[1] << position_bits | at[0] << position_bits + layout.row_bits
                ctx.set(bank.address, address if whole else address | position)
                if enable:
                    held = model[at] if whole else parts(model[at], bits, group)[position]
            if write and enable:
                model[slot, row] = word
            await ctx.tick()
            if held is not None:
                assert ctx.get(bank.data_out) == held
        ctx.set(bank.write, 0)
        ctx.set(bank.en, 1)
        for (slot, row), word in model.items():  # none was written over
            for position in range(1 if whole else group):
                address = row << position_bits | slot << position_bits + layout.row_bits
                ctx.set(bank.address, address if whole else address | position)
                await ctx.tick()
                got = ctx.get(bank.data_out)
                assert got == (word if whole else parts(word, bits, group)[position])
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


def core_of(design: Design) -> CarrySaveMac:
    core = multiply_accumulate(design.nest, design.style)
    assert isinstance(core, CarrySaveMac)
    return core


PLANES = {
    "opt3": (BitSlice(1, 3, group=3, block=18, depth=2), OPT3),
    "opt3, one column": (Column(1, group=2, block=6, depth=1), OPT3),
    "opt4c": (BitSlice(1, 3, group=3, block=18, depth=2), OPT4C),
    "opt4c, one column": (Column(1, group=1, block=5, depth=3), OPT4C),
    "opt4e": (BitSlice(1, 2, group=2, block=16, depth=2), OPT4E),
}


@pytest.mark.parametrize("name", PLANES)
def test_a_plane_multiplies_with_the_operands_it_is_told_to_fetch(name, rng):
    """Any column of any bank; sums that end one after the other; everything hops a step on."""
    design = Design(*PLANES[name], b=6)
    nest, whole = design.nest, design.mac is OPT3
    layout, core = design.array.layout(nest), core_of(design)
    encoding = ENCODINGS[design.encoding]
    digit = OneDigit(encoding)
    plane = Plane(core, digit, 8, layout, whole=whole)
    lanes, cols, group = layout.lanes, layout.cols, layout.group
    memory = rng.integers(-32, 32, (lanes, cols, layout.depth, layout.rows, group))
    latency = Plane.latency_of(whole=whole)
    results, expected, hops = [], {}, []

    async def step(ctx, payloads, addresses, banks, ends):
        while rng.random() < 0.2:
            ctx.set(plane.en, 0)
            await ctx.tick()
        values = {
            "payload": packed(payloads, plane.payload_bits),
            "address": packed(addresses, plane.address_bits),
            "bank": packed(banks, layout.bank_bits),
            "ends": packed(ends, 1),
        }
        ctx.set(plane.en, 1)
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
        ctx.set(plane.en, 1)
        for lane, bank, slot, row in np.ndindex(*memory.shape[:-1]):
            ctx.set(plane.write, 1 << lane * cols + bank)
            ctx.set(plane.slot_in, slot)
            ctx.set(plane.row_in, row)
            ctx.set(plane.data_in, packed(memory[lane, bank, slot, row], 6))
            await ctx.tick()
        ctx.set(plane.write, 0)

    def choose():
        """Choose banks for the lanes of every column, and a place in each bank."""
        banks = rng.integers(0, cols, (lanes, cols))
        slots = rng.integers(0, layout.depth, (lanes, cols))
        rows = rng.integers(0, layout.rows, (lanes, cols))
        positions = rng.integers(0, group, (lanes, cols))
        address = rows | slots << layout.row_bits
        if not whole:
            address = positions | address << layout.position_bits
        lane = np.arange(lanes)[:, None]
        at = tuple(array[lane, banks] for array in (slots, rows, positions))
        return banks.ravel(), address.ravel(), memory[(lane, banks, *at[:2])], at[2]

    async def bench(ctx):
        await write(ctx)
        nothing = np.zeros(lanes * cols, dtype=int)
        for _ in range(40):
            banks, addresses, words, positions = choose()
            if whole:
                a = rng.integers(-128, 128, (cols, group))
                turn = int(rng.integers(encoding.digits(8)))
                digits = encoding.recode(a, 8)[..., turn]
                payloads = [packed(row, 8) | 1 << turn + 8 * group for row in a]
                await step(ctx, payloads, addresses, banks, nothing)
                for _ in range(group - 1):
                    await step(ctx, nothing, addresses[::-1], banks[::-1], nothing)
                total = (digits * words[0]).sum(axis=1)
                ends = np.ones(cols, dtype=int)
                expected[len(results) + latency] = total.tolist()
                await step(ctx, nothing, addresses[::-1], banks[::-1], ends)
            else:
                digits = rng.integers(-2, 3, (lanes, cols))
                operands = np.take_along_axis(words, positions[..., None], 2)[..., 0]
                expected[len(results) + latency] = (digits * operands).sum(axis=0).tolist()
                ends = np.ones(cols, dtype=int)
                payloads = [wires(int(d)) for d in digits.ravel()]
                await step(ctx, payloads, addresses, banks, ends)
        for _ in range(latency + 2):
            await step(ctx, nothing, nothing, nothing, nothing)

    simulate(plane, bench)
    assert all(all(hop.values()) for hop in hops)
    assert results == [expected.get(i, [0] * cols) for i in range(len(results))]


def test_operands_are_as_wide_as_those_of_b():
    layout = BlockLayout(3, 1, 2, 12, 1)
    for bits in (2, 9):
        core = core_of(Design(BitSlice(1, 3, group=2, block=12), OPT4C, b=Int(bits)))
        for whole, operands in [(False, 1), (True, 2)]:
            bank = Bank(layout, core.b_bits, whole=whole)
            assert len(bank.data_out) == operands * bits
            Fragment.get(bank, None)  # Amaranth warns of what is not used
