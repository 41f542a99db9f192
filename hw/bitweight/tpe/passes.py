"""Where bit-weights are in time: the digits of the present pass, made at the edge of an array."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.pe.bit_serial import OneDigit

__all__ = ["DigitSelector", "Passes"]


class DigitSelector(Block):
    """Recodes an operand and selects one of its digits.

    Latency: none, it is combinational. Throughput: a digit per cycle.

    Parameters
    ----------
    encoding
        Makes the digits.
    bits
        Width of the operand.

    Attributes
    ----------
    operand : In
        The operand.
    turn : In
        A bit for each digit, least significant lowest, of which one is set.
    digit : Out
        The wires of that digit.
    """

    block_name = "digit"

    def __init__(self, encoding: OneDigit, bits: int) -> None:
        self.encoding = encoding
        self.key = (id(encoding), bits)
        turns = encoding.base.digits(bits)
        super().__init__({"operand": In(bits), "turn": In(turns), "digit": Out(encoding.bits)})

    def build(self) -> Module:
        m = Module()
        m.d.comb += self.digit.eq(self.encoding.select(self.operand, self.turn))
        return m


class Passes(Block):
    """Counts the passes over the beats of a tile, and selects the digits of the present one.

    The most significant digits come first. A tile ends with the last beat of its last pass.

    Latency: none from operands to their digits. Throughput: a beat per cycle. A reset begins
    with the first pass of a tile.

    Parameters
    ----------
    encoding
        Makes the digits.
    bits
        Width of an operand.
    lanes
        Operands of a beat.

    Attributes
    ----------
    take : In(1)
        A beat is taken; nothing changes without.
    last : In(1)
        It is the last of its pass.
    operands : In
        Its operands, lane 0 lowest.
    digits : Out
        The wires of their digits.
    ends : Out(1)
        It is the last of its tile.
    shift : Out(1)
        It is the first of a pass other than the tile's first.
    """

    block_name = "passes"

    def __init__(self, encoding: OneDigit, bits: int, lanes: int) -> None:
        self.encoding, self.bits, self.lanes = encoding, bits, lanes
        self.key = (id(encoding), bits, lanes)
        super().__init__(
            {
                "take": In(1),
                "last": In(1),
                "operands": In(lanes * bits),
                "digits": Out(lanes * encoding.bits),
                "ends": Out(1),
                "shift": Out(1),
            }
        )

    def build(self) -> Module:
        m = Module()
        count = self.encoding.base.digits(self.bits)
        turn = Signal(count, init=1 << (count - 1))
        again = Signal()
        m.d.comb += [self.ends.eq(self.last & turn[0]), self.shift.eq(again)]
        with m.If(self.take):
            m.d.sync += again.eq(self.last & ~turn[0])
        with m.If(self.take & self.last):
            m.d.sync += turn.eq(Cat(turn[1:], turn[0]))
        for lane in range(self.lanes):
            m.submodules[f"digit_{lane}"] = selector = DigitSelector(self.encoding, self.bits)
            size = self.encoding.bits
            m.d.comb += [
                selector.operand.eq(self.operands[lane * self.bits : (lane + 1) * self.bits]),
                selector.turn.eq(turn),
                self.digits[lane * size : (lane + 1) * size].eq(selector.digit),
            ]
        return m
