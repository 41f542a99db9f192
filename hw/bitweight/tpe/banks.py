"""Banks of operands B, which all columns read."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.tpe.layout import BlockLayout

__all__ = ["Bank"]


class Bank(Block):
    """The operands B of one PE row in one place: a register file that takes a word at once.

    The operands of a word are read each from a row of its own, those of a `whole` word from one.

    Latency: one step from the row to the operands. Throughput: one write, and one read of each
    operand of a word, per step; what is written can be read in the next step.

    Parameters
    ----------
    layout
        Of the buffers.
    bits
        Width of an operand.

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

    def __init__(self, layout: BlockLayout, bits: int) -> None:
        self.layout, self.bits = layout, bits
        self.key = (layout, bits)
        super().__init__(
            {
                "write": In(1),
                "row_in": In(layout.row_bits),
                "slot_in": In(layout.slot_bits),
                "data_in": In(layout.group * bits),
                "slot": In(layout.slot_bits),
                "row": In(layout.row_bits * layout.positions),
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
            row = self.row.word_select(0 if layout.whole else i, layout.row_bits)
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
