"""The memory that holds the operands A of one lane of a column."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.tpe.layout import index_bits

__all__ = ["OperandBuffer"]


class OperandBuffer(Block):
    """The operands A of one lane of a column: a memory with a port for each direction.

    Latency: one step from the address to the word. Throughput: one read and one write per step.

    Parameters
    ----------
    bits
        Width of a word.
    depth
        Number of words.

    Attributes
    ----------
    write, address_in, data_in : In
        A word, and where it goes.
    read, address : In
        Whether a word is read, and which; it stays until the next is read.
    data_out : Out
        The word.
    """

    block_name = "buffer"

    def __init__(self, bits: int, depth: int) -> None:
        self.bits, self.depth = bits, depth
        self.key = (bits, depth)
        super().__init__(
            {
                "write": In(1),
                "address_in": In(index_bits(depth)),
                "data_in": In(bits),
                "read": In(1),
                "address": In(index_bits(depth)),
                "data_out": Out(bits),
            }
        )

    def build(self) -> Module:
        m = Module()
        m.submodules.words = words = Memory(shape=self.bits, depth=self.depth, init=[])
        sink, source = words.write_port(), words.read_port()
        m.d.comb += [
            sink.en.eq(self.write),
            sink.addr.eq(self.address_in),
            sink.data.eq(self.data_in),
            source.en.eq(self.read),
            source.addr.eq(self.address),
            self.data_out.eq(source.data),
        ]
        return m
