"""Registered broadcast: fan-out as a tree of registers instead of one net to everybody."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.block import Block

__all__ = ["Broadcast"]


class Broadcast(Block):
    """Takes a word to many places through `stages` levels of registers.

    All levels branch alike: from one word to `places` in ``stages + 1`` steps, the last of which
    is to the registers at those places. :meth:`at` gives the register that serves a place.

    Latency: `stages` steps. Throughput: a word per step.

    Parameters
    ----------
    block_name
        Of the module.
    bits
        Width of the word.
    places
        Number of places.
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
        The words of the last level, one beside the other.
    """

    def __init__(
        self, block_name: str, bits: int, places: int, stages: int, *, reset: bool = False
    ) -> None:
        self.block_name = block_name
        self.bits, self.places, self.stages, self.reset = bits, places, stages, reset
        self.key = (block_name, bits, places, stages, reset)
        # Without registers there is one word; the last level serves the places.
        self.sizes = [1] + [
            min(places, round(places ** (stage / (stages + 1)) + 0.4999))
            for stage in range(1, stages + 1)
        ]
        super().__init__({"en": In(1), "data_in": In(bits), "data_out": Out(bits * self.words)})

    @property
    def words(self) -> int:
        """The number of words of the last level."""
        return self.sizes[-1]

    def serves(self, place: int) -> int:
        """Return which word of the last level is for a place."""
        return place * self.words // self.places

    def word(self, number: int) -> Value:
        """Return a word of the last level."""
        return self.data_out[number * self.bits : (number + 1) * self.bits]

    def at(self, place: int) -> Value:
        """Return the word for one of the places."""
        return self.word(self.serves(place))

    def build(self) -> Module:
        m = Module()
        level: list[Value] = [self.data_in]
        for stage, size in enumerate(self.sizes[1:], 1):
            registers = [
                Signal(self.bits, name=f"stage_{stage}_copy_{i}", reset_less=not self.reset)
                for i in range(size)
            ]
            with m.If(self.en):
                m.d.sync += [
                    register.eq(level[i * len(level) // size])
                    for i, register in enumerate(registers)
                ]
            level = [*registers]
        m.d.comb += self.data_out.eq(Cat(level))
        return m
