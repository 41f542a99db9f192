"""Registered broadcast: fan-out as a tree of registers instead of one net to everybody."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from bitweight.block import Block

__all__ = ["Broadcast"]


class Broadcast(Block):
    """Copies a word to many places through `stages` levels of registers.

    All levels branch alike: from one word to `copies` in ``stages + 1`` steps, the last of which
    is to the registers that the copies are for.

    Latency: `stages` steps. Throughput: a word per step.

    Parameters
    ----------
    block_name
        Of the module.
    bits
        Width of the word.
    copies
        Number of copies.
    stages
        Levels of registers; without any, one net goes everywhere.
    reset
        Clear the registers at a reset.

    Attributes
    ----------
    en : In(1)
        Nothing moves without it.
    data_in
        The word.
    data_out
        The copies, one beside the other.
    """

    def __init__(
        self, block_name: str, bits: int, copies: int, stages: int, *, reset: bool = False
    ) -> None:
        self.block_name = block_name
        self.bits, self.copies, self.stages, self.reset = bits, copies, stages, reset
        self.key = (block_name, bits, copies, stages, reset)
        super().__init__({"en": In(1), "data_in": In(bits), "data_out": Out(bits * copies)})

    def build(self) -> Module:
        m = Module()
        level = [self.data_in]
        for stage in range(1, self.stages + 1):
            size = min(self.copies, round(self.copies ** (stage / (self.stages + 1)) + 0.4999))
            registers = [
                Signal(self.bits, name=f"stage_{stage}_copy_{i}", reset_less=not self.reset)
                for i in range(size)
            ]
            with m.If(self.en):
                m.d.sync += [
                    register.eq(level[i * len(level) // size])
                    for i, register in enumerate(registers)
                ]
            level = registers
        for i in range(self.copies):
            place = slice(i * self.bits, (i + 1) * self.bits)
            m.d.comb += self.data_out[place].eq(level[i * len(level) // self.copies])
        return m
