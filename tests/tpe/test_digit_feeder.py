"""What one lane of a bit-slice column asks for, when, and that nothing is lost or made up."""

from collections import deque

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from bitweight import ENCODINGS
from bitweight.pe.bit_serial import OneDigit
from bitweight.tpe.digit_feeder import DigitFeeder
from bitweight.tpe.layout import BlockLayout

LATENCY = {False: 3, True: 2}
"""Steps from a block that is complete to its first digit; with `whole` to its first word."""


class Lane:
    """A feeder, the blocks that are written into its buffer, and the column around it.

    Every slot holds garbage before the first block, and after each block those words that it does
    not have still hold the ones of the block before.
    """

    def __init__(self, rng, layout, column, blocks, *, bits=8, encoding="mbe"):
        self.rng, self.layout, self.blocks = rng, layout, blocks
        self.start = layout.first_place(column)
        self.bits, self.encoding, self.whole = bits, ENCODINGS[encoding], layout.whole
        self.feeder = DigitFeeder(OneDigit(self.encoding), bits, layout)
        self.passes = self.encoding.digits(bits)
        self.seen = []  # (step, block, pass, bank or place, row, digit) or (.., word, turn)
        self.ends = []  # steps in which passes ended
        self.block = self.turn = self.step = 0
        self.written = deque()  # what goes into the buffer: (slot, place, row, operands)
        self.loaded = self.last = 0
        self.lasts = [(0, 0, 0)] * layout.depth  # row, place, whether there is any word
        self.shown = list(self.lasts)

    def digits(self, block, number):
        """Return the digits of a block, of one bit-weight: [words, group]."""
        return self.encoding.recode(self.blocks[block], self.bits)[..., number]

    def expected(self):
        """Return what is asked for, in order; for `whole` the first digit of a word alone."""
        places, group = self.layout.places, self.layout.group
        for number, words in enumerate(self.blocks):
            rows = -(-len(words) // places)
            for turn in range(self.passes):
                digits = self.digits(number, turn)
                for row in range(rows):
                    for place in (np.arange(places) + self.start) % places:
                        at = row * places + int(place)
                        some = np.flatnonzero(digits[at]) if at < len(words) else []
                        for position in some[:1] if self.whole else some:
                            if self.whole:
                                what = int(place), row, packed(words[at], self.bits), 1 << turn
                            else:
                                bank = int(place) * group + int(position)
                                what = bank, row, int(digits[at, position])
                            yield number, turn, *what

    def run(self, *, served=1.0, ending=1.0, limit=40_000):
        """Run until all blocks have ended, then a little longer."""
        rng, layout = self.rng, self.layout
        garbage = rng.integers(1, 1 << layout.group * self.bits, layout.depth * 1000)
        for slot in range(layout.depth):
            for place in range(layout.places):
                for row in range(layout.rows):
                    self.written.append((slot, place, row, int(garbage[len(self.written)])))

        async def bench(ctx):
            rest = 10
            self.driven = dict.fromkeys(("write", "ends", "served", "more"), 0)
            while rest:
                assert self.step < limit, "it hangs"
                rest -= self.block == len(self.blocks)
                self.offer(ctx)
                done = self.watch(ctx, rng.random() < served, rng.random() < ending)
                await ctx.tick()
                done()
                self.step += 1

        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.feeder = self.feeder
        simulator = Simulator(m)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
        return self

    def offer(self, ctx):
        """Write a word a step; a block is put into its slot once that is free."""
        feeder, layout = self.feeder, self.layout
        if not self.written and self.last < min(self.block + layout.depth, len(self.blocks)):
            slot, words = self.last % layout.depth, self.blocks[self.last]
            for at, word in enumerate(words):
                row, place = divmod(at, layout.places)
                self.written.append((slot, place, row, packed(word, self.bits)))
            last = divmod(max(len(words) - 1, 0), layout.places)
            self.lasts[slot] = (*last, int(len(words) > 0))
            self.last += 1
        self.put(ctx, "write", int(bool(self.written)))
        if self.written:
            slot, place, row, data = self.written[0]
            own = (place - self.start) % layout.places
            for name, value in (("slot", slot), ("place", own), ("row", row), ("data", data)):
                self.put(ctx, f"{name}_in", value)
        # A block is complete with its last word, or at once where it has none for this lane.
        self.more = int(len(self.written) < 2 and self.last > self.block + self.loaded)
        self.put(ctx, "more", self.more)
        self.put(ctx, "start", self.start)
        if self.lasts != self.shown or not self.step:
            self.shown = list(self.lasts)
            rows, places, filled = zip(*self.lasts, strict=True)
            self.put(ctx, "last_rows", packed(rows, layout.row_bits))
            self.put(ctx, "last_places", packed(places, layout.place_bits))
            self.put(ctx, "filled", packed(filled, 1))
        assert feeder.asks.shape().width == 1

    def put(self, ctx, name, value):
        if self.driven.get(name) != value:
            ctx.set(getattr(self.feeder, name), value)
            self.driven[name] = value

    def watch(self, ctx, may, end):
        """Serve and end; return what follows if the step counts."""
        feeder = self.feeder
        asks = ctx.get(feeder.asks)
        served = bool(asks and may)
        if asks:
            if self.whole:
                what = ctx.get(feeder.word_out), ctx.get(feeder.turn_out)
            else:
                what = (value_of(ctx.get(feeder.digit_out)),)
            place = one_hot(ctx.get(feeder.bank)), ctx.get(feeder.row)
        finished = ctx.get(feeder.finished)
        following = asks and ctx.get(feeder.following)
        assert not (asks and finished and not following)
        block, turn = divmod(self.block * self.passes + self.turn + following, self.passes)
        ends = bool(finished and end)
        sync = ends and self.turn == self.passes - 1
        self.put(ctx, "served", int(served))
        self.put(ctx, "ends", int(ends))

        def done():
            if served:
                self.seen.append((self.step, block, turn, *place, *what))
            if ends:
                self.ends.append(self.step)
            self.turn = (self.turn + ends) % self.passes
            self.block += sync
            self.loaded -= sync
            self.loaded += self.more
            if self.written:
                self.written.popleft()

        return done


def packed(values, bits: int) -> int:
    return sum((int(v) & (1 << bits) - 1) << i * bits for i, v in enumerate(values))


def one_hot(bits: int) -> int:
    """Return which bit is set."""
    assert bits.bit_count() == 1
    return bits.bit_length() - 1


def value_of(wires: int) -> int:
    """Return the digit that has these wires: negative, one, two."""
    return (wires >> 1 & 1) * (1 - 2 * (wires & 1)) + (wires >> 2 & 1) * (2 - 4 * (wires & 1))


def words_of(rng, bits: int, count: int, group: int) -> np.ndarray:
    """Random words: dense ones, such with few digits, and a third of nothing but zeros."""
    words = rng.integers(-(1 << bits - 1), 1 << bits - 1, (count, group))
    words *= rng.random((count, group)) < rng.choice([0.2, 1.0])
    words[rng.random(count) < 0.33] = 0
    return words


CASES = {
    "one column, one operand": (BlockLayout(1, 1, 1, 5, 1), 0, 8, "mbe"),
    "one column": (BlockLayout(1, 1, 4, 24, 2), 0, 8, "mbe"),
    "lanes": (BlockLayout(3, 4, 2, 54, 2), 1, 8, "csd4"),
    "odd sizes": (BlockLayout(5, 1, 3, 42, 3), 4, 5, "ent"),
    "one pass": (BlockLayout(3, 1, 4, 36, 4), 2, 2, "mbe"),
    "many passes": (BlockLayout(2, 1, 2, 12, 2), 1, 6, "serial"),
    "whole, one column": (BlockLayout(1, 1, 4, 24, 1, True), 0, 8, "mbe"),
    "whole, odd sizes": (BlockLayout(5, 1, 3, 42, 2, True), 3, 5, "csd4"),
}


@pytest.mark.parametrize("delays", ["none", "random"])
@pytest.mark.parametrize("name", CASES)
def test_it_asks_for_every_digit_once_and_in_order(name, delays, rng):
    layout, column, bits, encoding = CASES[name]
    most = -(-layout.beats // layout.lanes)
    sizes = [most, 0, 1, most, *(int(n) for n in rng.integers(0, most + 1, 4))]
    blocks = [words_of(rng, bits, size, layout.group) for size in sizes]
    lane = Lane(rng, layout, column, blocks, bits=bits, encoding=encoding)
    lane.run(**(dict(served=0.5, ending=0.4) if delays == "random" else {}))
    assert [seen[1:] for seen in lane.seen] == list(lane.expected())
    assert len(lane.ends) == len(blocks) * lane.passes


@pytest.mark.parametrize("whole", [False, True])
def test_no_step_is_lost_where_every_word_has_digits(whole, rng):
    """Digit after digit, or word after word, from pass to pass and from block to block."""
    layout = BlockLayout(12, 1, 4, 48, 2, whole)
    mbe = ENCODINGS["mbe"]
    values = np.arange(-128, 128)
    full = values[mbe.recode(values, 8).all(axis=1)]
    blocks = [rng.integers(-128, 128, (12, 4)) for _ in range(5)]
    for words in blocks:
        words[np.arange(12), rng.integers(0, 4, 12)] = rng.choice(full, 12)
    lane = Lane(rng, layout, 1, blocks).run()
    assert len(lane.seen) == len(list(lane.expected()))
    steps = [step for step, *_ in lane.seen]
    assert steps == list(range(steps[0], steps[0] + len(steps)))
    last = {(block, turn): step for step, block, turn, *_ in lane.seen}
    assert lane.ends == [step + 1 for step in last.values()]


@pytest.mark.parametrize("whole", [False, True])
def test_words_of_zeros_cost_a_step_unless_others_last(whole, rng):
    """A word is read per step; zero ones are not noticed while digits of earlier ones are left."""
    counts = np.where(rng.random(80) < 0.6, 0, rng.integers(1, 5, 80))
    counts[:2], counts[-1] = (2, 1), 3
    words = np.zeros((80, 4), dtype=np.int64)
    for word, count in zip(words, counts, strict=True):
        word[rng.permutation(4)[:count]] = rng.choice([-2, -1, 1], count)
    lane = Lane(rng, BlockLayout(1, 1, 4, 320, 1, whole), 0, [words], bits=2).run()
    assert lane.passes == 1
    starts = {row: step for step, _, _, _, row, *_ in reversed(lane.seen)}  # first digits
    # Steps in which a word is encoded, in which it leaves that stage, and its last digit the next.
    encoded = starts[0] - LATENCY[whole]
    left, last, expected = encoded, encoded, []
    for count in counts:
        encoded = max(encoded + 1, left)
        if count:
            left = encoded + 1 if whole else max(encoded + 1, last)
            expected.append(left if whole else left + 1)
            last = left + (0 if whole else int(count))
    assert list(starts.values())[::-1] == expected
    assert lane.ends == [last + 1]


def test_leading_zero_words_are_passed_over_in_the_pass_before(rng):
    """It reads on into the next pass: what is zero there costs nothing behind a long pass."""
    layout = BlockLayout(1, 1, 4, 16, 1)
    words = np.zeros((4, 4), dtype=np.int64)
    words[0] = 1  # pass 0 alone
    words[3] = 5  # passes 0 and 1
    lane = Lane(rng, layout, 0, [words]).run()
    steps = [step - lane.seen[0][0] for step, *_ in lane.seen]
    assert steps == [*range(12)]  # the words 1 and 2, and 0 to 2 of pass 1


@pytest.mark.parametrize("whole", [False, True])
def test_a_complete_block_is_asked_for_after_the_latency(whole, rng):
    layout = BlockLayout(2, 1, 2, 8, 1, whole)
    lane = Lane(rng, layout, 1, [np.ones((4, 2), dtype=np.int64)])
    offered, offer = [], lane.offer

    def watched(ctx):
        offer(ctx)
        if lane.loaded:
            offered.append(lane.step)

    lane.offer = watched
    lane.run()
    assert lane.seen[0][0] - offered[0] == LATENCY[whole]


def test_reset_empties_it(rng):
    """In the middle of a block; what comes after is right."""
    layout = BlockLayout(4, 1, 2, 8, 1)
    words = rng.integers(-128, 128, (4, 2)) | 1
    lane = Lane(rng, layout, 1, [words])
    feeder, asked = lane.feeder, []

    async def bench(ctx):
        ctx.set(feeder.start, 1)
        for where in [(0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)]:
            at = where[2] * 2 + where[1]
            ctx.set(feeder.place_in, (where[1] - 1) % 2)  # counted from the column's own
            ctx.set(feeder.row_in, where[2])
            ctx.set(feeder.data_in, packed(words[at], 8))
            ctx.set(feeder.write, 1)
            await ctx.tick()
        ctx.set(feeder.write, 0)
        ctx.set(feeder.last_rows, 1)
        ctx.set(feeder.last_places, 1)
        ctx.set(feeder.filled, 1)
        for steps in (7, LATENCY[False], 12):
            asked.append([])
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            ctx.set(feeder.more, 1)
            await ctx.tick()
            ctx.set(feeder.more, 0)
            for _ in range(steps):
                if ctx.get(feeder.asks) and not ctx.get(feeder.following):
                    digit = value_of(ctx.get(feeder.digit_out))
                    asked[-1].append((one_hot(ctx.get(feeder.bank)), ctx.get(feeder.row), digit))
                ctx.set(feeder.served, ctx.get(feeder.asks))
                await ctx.tick()

    m = Module()
    m.domains.sync = domain = ClockDomain()
    reset = domain.rst
    m.submodules.feeder = feeder
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    first = [seen[2:] for seen in lane.expected() if seen[1] == 0]
    assert [got == first[: len(got)] for got in asked] == [True] * 3
    assert [len(got) for got in asked] == [7 - LATENCY[False], 0, len(first)]
