"""Banks of operands B: who may read them, and where that is done, one plane for each PE row."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.arith.onehot import choose
from bitweight.block import Block
from bitweight.tpe.layout import BlockLayout, index_bits

__all__ = ["Arbiter", "Bank"]


class Arbiter(Block):
    """Opens a row of each bank to the columns that ask for it; what they pass on is registered.

    Any number of columns can read the same row of a bank in a step. Columns go through the rows in
    the same order, so that those that keep pace never meet. Where several rows of a bank are asked
    for, columns that are a pass `ahead` of another one come last, and of the others the lowest row
    comes first: the column that is furthest behind never waits. A single row is always open.

    The row is found bit by bit, the uppermost first, two of them at a time, so that any number of
    rows is possible.

    Latency: one step from what is asked for to what is passed on, `served` at once. Throughput:
    one row of each bank per step. Reset leaves nothing to be passed on.

    Parameters
    ----------
    cols
        Columns.
    banks
        Banks.
    rows
        Rows of each bank.
    slot_bits
        Of the slot.
    payload_bits
        Of what is passed on: zero for nothing.

    Attributes
    ----------
    asks, bank, row, payload : In
        Of each column, column 0 lowest; the bank one-hot.
    ahead : In
        A bit for each column.
    slot : In
        The slot of the present block.
    served : Out
        A bit for each column.
    row_out : Out
        Of each bank, what is read.
    slot_out : Out
        In which slot.
    bank_out, payload_out : Out
        Of each column, from which bank, and what is passed on.
    """

    block_name = "arbiter"

    def __init__(self, cols: int, banks: int, rows: int, slot_bits: int, payload_bits: int) -> None:
        self.cols, self.banks, self.rows, self.payload_bits = cols, banks, rows, payload_bits
        self.key = (cols, banks, rows, slot_bits, payload_bits)
        self.row_bits, self.bank_bits = index_bits(rows), index_bits(banks)
        super().__init__(
            {
                "asks": In(cols),
                "bank": In(cols * banks),
                "row": In(cols * self.row_bits),
                "payload": In(cols * payload_bits),
                "ahead": In(cols),
                "slot": In(slot_bits),
                "served": Out(cols),
                "row_out": Out(banks * self.row_bits),
                "slot_out": Out(slot_bits),
                "bank_out": Out(cols * self.bank_bits),
                "payload_out": Out(cols * payload_bits),
            }
        )

    def build(self) -> Module:
        m = Module()
        columns = range(self.cols)
        banks = [self.bank.word_select(c, self.banks) for c in columns]
        rows = [self.row.word_select(c, self.row_bits) for c in columns]
        opened = []
        for bank in range(self.banks):
            wants = [self.asks[c] & banks[c][bank] for c in columns]
            opened.append(self._lowest(m, wants, rows, f"bank_{bank}"))
        for c in columns:
            # It asks for one bank: whether that one has opened the row.
            served = self.asks[c]
            if self.rows > 1 and self.cols > 1:
                served &= choose(banks[c], opened) == rows[c]
            m.d.comb += self.served[c].eq(served)
        numbers = [
            Cat(
                Cat(bits[i] for i in range(self.banks) if i >> j & 1).any()
                for j in range(self.bank_bits)
            )
            for bits in banks
        ]
        row_held = Signal(len(self.row_out), reset_less=True)
        slot_held = Signal(len(self.slot_out), reset_less=True)
        bank_held = Signal(len(self.bank_out), reset_less=True)
        payload_held = Signal(len(self.payload_out))
        m.d.sync += [
            row_held.eq(Cat(opened)),
            slot_held.eq(self.slot),
            bank_held.eq(Cat(numbers)),
            payload_held.eq(
                Cat(
                    self.payload.word_select(c, self.payload_bits)
                    & self.served[c].replicate(self.payload_bits)
                    for c in columns
                )
            ),
        ]
        m.d.comb += [
            self.row_out.eq(row_held),
            self.slot_out.eq(slot_held),
            self.bank_out.eq(bank_held),
            self.payload_out.eq(payload_held),
        ]
        return m

    def _lowest(self, m: Module, wants: list[Value], rows: list[Value], name: str) -> Value:
        """Return the row that a bank opens to the columns that want it."""
        if self.rows == 1 or self.cols == 1:
            return rows[0]
        # The key is the row, and whether a column is ahead above that.
        keys = [Cat(row, self.ahead[c]) for c, row in enumerate(rows)]
        found: list[Value] = []
        for top in range(self.row_bits, -1, -2):
            low = max(0, top - 1)
            some = Signal(1 << top - low + 1, name=f"{name}_some_{low}")
            for value in range(len(some)):
                has = (w & (k[low : top + 1] == value) for w, k in zip(wants, keys, strict=True))
                m.d.comb += some[value].eq(reduce(or_, has))
            # The first value that there is; the last where there is none.
            chosen = Signal(top - low + 1, name=f"{name}_bits_{low}")
            value = Const(len(some) - 1, len(chosen))
            for number in reversed(range(len(some) - 1)):
                value = Value.cast(_either(some[number], Const(number, len(chosen)), value))
            m.d.comb += chosen.eq(value)
            found.insert(0, chosen)
            wants = [w & (k[low : top + 1] == chosen) for w, k in zip(wants, keys, strict=True)]
        return Cat(found)[: self.row_bits]


def _either(condition: Value, yes: Value, no: Value) -> Value:
    mask = condition.replicate(len(yes))
    return (yes & mask) | (no & ~mask)


class Bank(Block):
    """The operands B of one PE row in one place: a register file that takes a word at once.

    Latency: one step from the row to the operands. Throughput: one write, and one read of each
    operand of a word, per step; what is written can be read in the next step.

    Parameters
    ----------
    layout
        Of the buffers.
    bits
        Width of an operand.
    whole
        The operands of a word are read from one row, otherwise each from a row of its own.

    Attributes
    ----------
    write, slot_in, row_in, data_in : In
        A word, and where it goes.
    slot, row : In
        What is read: of each operand the row, or of all together.
    data_out : Out
        The operands.
    """

    block_name = "bank"

    def __init__(self, layout: BlockLayout, bits: int, *, whole: bool) -> None:
        self.layout, self.bits, self.whole = layout, bits, whole
        self.key = (layout, bits, whole)
        super().__init__(
            {
                "write": In(1),
                "row_in": In(layout.row_bits),
                "slot_in": In(layout.slot_bits),
                "data_in": In(layout.group * bits),
                "slot": In(layout.slot_bits),
                "row": In(layout.row_bits * (1 if whole else layout.group)),
                "data_out": Out(layout.group * bits),
            }
        )

    def build(self) -> Module:
        m = Module()
        layout = self.layout
        words = []
        for i in range(layout.group):
            memory = Memory(shape=self.bits, depth=layout.depth * layout.rows, init=[])
            m.submodules[f"position_{i}"] = memory
            sink, source = memory.write_port(), memory.read_port(domain="comb")
            row = self.row.word_select(0 if self.whole else i, layout.row_bits)
            m.d.comb += [
                sink.en.eq(self.write),
                sink.addr.eq(layout.in_place(self.slot_in, self.row_in)),
                sink.data.eq(self.data_in.word_select(i, self.bits)),
                source.addr.eq(layout.in_place(self.slot, row)),
            ]
            words.append(source.data)
        data = Signal(len(self.data_out), reset_less=True)
        m.d.sync += data.eq(Cat(words))
        m.d.comb += self.data_out.eq(data)
        return m
