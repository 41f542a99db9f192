"""Who may read the banks of operands B: a row of each is opened in every step."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.arith.onehot import choose
from bitweight.block import Block
from bitweight.tpe.layout import BlockLayout

__all__ = ["Arbiter"]

CHUNK = 2
"""Bits of a row that are decided on at once."""


class Arbiter(Block):
    """Opens a row of each bank to the columns that ask for it.

    Any number of columns can read the same row of a bank in a step. Columns go through the rows in
    the same order, so that those that keep pace never meet. Where several rows of a bank are asked
    for, requests that are `late`, those of a later pass, come last, and of the others the lowest
    row comes first: the column that is furthest behind never waits.

    A decision takes three steps: which rows are asked for, the first of them, and whose it is.
    Meanwhile other requests follow.

    Latency: three steps to `hit`, four to `row_out`. Throughput: one row of each bank per step.

    Parameters
    ----------
    layout
        Of the banks.

    Attributes
    ----------
    asks, late, bank, row : In
        Of each column, column 0 lowest; the bank one-hot.
    code, code_row : In
        Two steps later: the code of the bank, and the row again.
    hit : Out
        Three steps later: a bit for each column whose row was opened.
    row_out : Out
        Four steps later: of each bank, what is read.
    """

    block_name = "arbiter"

    def __init__(self, layout: BlockLayout) -> None:
        self.layout, self.key = layout, layout
        self.cols, self.banks, self.rows = layout.cols, layout.banks, layout.rows
        self.row_bits, self.bank_bits = layout.row_bits, layout.bank_bits
        super().__init__(
            {
                "asks": In(self.cols),
                "late": In(self.cols),
                "bank": In(self.cols * self.banks),
                "row": In(self.cols * self.row_bits),
                "code": In(self.cols * self.bank_bits),
                "code_row": In(self.cols * self.row_bits),
                "hit": Out(self.cols),
                "row_out": Out(self.banks * self.row_bits),
            }
        )

    def build(self) -> Module:
        m = Module()
        columns = range(self.cols)
        if self.rows == 1 or self.cols == 1:
            # Nobody else asks for another row.
            m.d.comb += self.hit.eq(Const(-1, self.cols))
            opened = self.code_row[: self.row_bits].replicate(self.banks)
            if self.rows == 1:
                m.d.comb += self.row_out.eq(0)
                return m
        else:
            opened = self._opened(m)
            rows = [opened.word_select(bank, self.row_bits) for bank in range(self.banks)]
            hit = Signal(self.cols, reset_less=True)
            for c in columns:
                one_hot = Signal(self.banks, name=f"one_hot_{c}")
                code = self.code.word_select(c, self.bank_bits)
                m.d.comb += one_hot.eq(self.layout.bank_one_hot(code))
                own = self.code_row.word_select(c, self.row_bits)
                m.d.sync += hit[c].eq(choose(one_hot, rows) == own)
            m.d.comb += self.hit.eq(hit)
        for step in range(2):
            held = Signal(len(self.row_out), name=f"opened_{step}", reset_less=True)
            m.d.sync += held.eq(opened)
            opened = held
        m.d.comb += self.row_out.eq(opened)
        return m

    def _opened(self, m: Module) -> Value:
        """Return the rows that banks open, two steps after they were asked for."""
        columns = range(self.cols)
        # The key is the row, and whether a request is late above that.
        keys = [Cat(self.row.word_select(c, self.row_bits), self.late[c]) for c in columns]
        banks = [self.bank.word_select(c, self.banks) & self.asks[c].replicate(self.banks)
                 for c in columns]  # fmt: skip
        low = max(0, self.row_bits + 1 - CHUNK)
        some = Signal(self.banks << CHUNK, reset_less=True)
        next_keys = [
            Signal(len(key), name=f"key_{c}", reset_less=True) for c, key in enumerate(keys)
        ]
        next_banks = [Signal(self.banks, name=f"wants_{c}", reset_less=True) for c in columns]
        m.d.sync += [
            some.eq(
                Cat(
                    _asked([banks[c][bank] for c in columns], [key[low:] for key in keys])
                    for bank in range(self.banks)
                )
            )
        ]
        if low:
            for c in columns:
                m.d.sync += [next_keys[c].eq(keys[c]), next_banks[c].eq(banks[c])]
        opened = Signal(self.banks * self.row_bits, reset_less=True)
        for bank in range(self.banks):
            chosen = _first(some.word_select(bank, 1 << CHUNK))
            found, wants = [chosen], [w[bank] for w in next_banks]
            above = low
            while above:
                below = max(0, above - CHUNK)
                decided = Signal(self.row_bits + 1 - above, name=f"bank_{bank}_above_{above}")
                m.d.comb += decided.eq(Cat(reversed(found)))
                rest = [
                    w & (key[above:] == decided) for w, key in zip(wants, next_keys, strict=True)
                ]
                seen = Signal(1 << above - below, name=f"bank_{bank}_some_{below}")
                m.d.comb += seen.eq(_asked(rest, [key[below:above] for key in next_keys]))
                found.append(_first(seen))
                above = below
            word = Cat(reversed(found))
            m.d.sync += opened.word_select(bank, self.row_bits).eq(word[: self.row_bits])
        return opened


def _asked(wants: list[Value], keys: list[Value]) -> Value:
    """Return a bit for each key that is wanted."""
    return Cat(
        reduce(or_, (w & (key == value) for w, key in zip(wants, keys, strict=True)))
        for value in range(1 << len(keys[0]))
    )


def _first(some: Value) -> Value:
    """Return the first value that there is; the last where there is none."""
    bits = (len(some) - 1).bit_length()
    value: Value = Const(len(some) - 1, bits)
    for number in reversed(range(len(some) - 1)):
        mask = some[number].replicate(bits)
        value = (Const(number, bits) & mask) | (value & ~mask)
    return value
