"""Accumulation over tiles of k: a buffer of rows of C below the columns, and its adders."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.arith.segmented import SegmentedAdder
from bitweight.block import Block
from bitweight.tpe.layout import index_bits

__all__ = ["Accumulation", "AccumulationColumn", "turn"]


def turn(stages: int) -> int:
    """Return the steps from a sum to the next that may be added to the same total."""
    return stages + 3


class AccumulationColumn(Block):
    """The totals of one column, one for each row of a block.

    The carries of a total propagate every time it is added to. Nothing waits for that: its turn
    comes again only after the other rows of the block.

    Latency: ``stages + 1`` steps from a word to its total. Throughput: one word per step.

    Parameters
    ----------
    depth
        Number of totals.
    bits
        Width of the signed words that are added.
    acc
        Width of the totals.
    stages
        Registers inside the adder.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    read : In
        Row of the word that comes in the next step.
    word, first : In
        What is added, and whether it is the first of its total.
    result : Out
        The total.
    store, row : In
        With the total: whether and where it is kept.
    """

    block_name = "accumulation_column"

    def __init__(self, depth: int, bits: int, acc: int, stages: int) -> None:
        self.depth, self.bits, self.acc, self.stages = depth, bits, acc, stages
        self.key = (depth, bits, acc, stages)
        super().__init__(
            {
                "en": In(1),
                "read": In(index_bits(depth)),
                "word": In(bits),
                "first": In(1),
                "store": In(1),
                "row": In(index_bits(depth)),
                "result": Out(acc),
            }
        )

    def build(self) -> Module:
        m = Module()
        m.submodules.totals = totals = Memory(shape=self.acc, depth=max(2, self.depth), init=[])
        source, sink = totals.read_port(), totals.write_port()
        word = Signal(self.acc)
        kept = Signal(self.acc)
        adder = SegmentedAdder(self.acc, self.stages)
        result = Signal(self.acc, reset_less=True)
        m.d.comb += [
            source.en.eq(self.en),
            source.addr.eq(self.read),
            word.eq(self.word.as_signed()),
            kept.eq(Mux(self.first, 0, source.data)),
            sink.en.eq(self.en & self.store),
            sink.addr.eq(self.row),
            sink.data.eq(result),
            self.result.eq(result),
        ]
        added = adder.hardware(m, word, kept, self.en)
        with m.If(self.en):
            m.d.sync += result.eq(added)
        return m


class Accumulation(Block):
    """All columns, and the flags that tell them what their words are.

    Latency: ``stages + 2`` steps from the flags of a row, which come one step before its words,
    to its result. Throughput: a row per step. Reset leaves no row under way; the totals need none.

    Parameters
    ----------
    cols
        Number of columns.
    depth, bits, acc, stages
        See :class:`AccumulationColumn`.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    valid, first, complete, last, row : In
        Of the row that comes in the next step: whether there is one, what the
        :class:`~bitweight.tpe.sequencer.Sequencer` says of it, and whether its block ends with it.
    words : In
        A word for each column.
    results, results_valid, results_last : Out
        Complete totals.
    """

    block_name = "accumulation"

    def __init__(self, cols: int, depth: int, bits: int, acc: int, stages: int) -> None:
        self.cols, self.depth, self.bits, self.acc = cols, depth, bits, acc
        self.stages = stages
        self.key = (cols, depth, bits, acc, stages)
        super().__init__(
            {
                **{name: In(1) for name in ("en", "valid", "first", "complete", "last")},
                "row": In(index_bits(depth)),
                "words": In(cols * bits),
                "results": Out(cols * acc),
                "results_valid": Out(1),
                "results_last": Out(1),
            }
        )

    def build(self) -> Module:
        m = Module()
        # The flags of a row beside its words, beside each register of the adder, its total.
        valid = [self.valid]
        flags = [Cat(self.last, self.complete, self.first, self.row)]
        for step in range(self.stages + 2):
            valid.append(Signal(name=f"valid_{step}"))
            flags.append(Signal(len(flags[0]), name=f"flags_{step}", reset_less=True))
            with m.If(self.en):
                m.d.sync += [valid[-1].eq(valid[-2]), flags[-1].eq(flags[-2])]
        last, complete = flags[-1][0], flags[-1][1]
        for lane in range(self.cols):
            column = AccumulationColumn(self.depth, self.bits, self.acc, self.stages)
            m.submodules[f"column_{lane}"] = column
            m.d.comb += [
                column.en.eq(self.en),
                column.read.eq(self.row),
                column.word.eq(self.words[lane * self.bits : (lane + 1) * self.bits]),
                column.first.eq(flags[1][2]),
                column.store.eq(valid[-1] & ~complete),
                column.row.eq(flags[-1][3:]),
                self.results[lane * self.acc : (lane + 1) * self.acc].eq(column.result),
            ]
        m.d.comb += [self.results_valid.eq(valid[-1] & complete), self.results_last.eq(last)]
        return m
