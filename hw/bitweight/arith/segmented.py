"""A pipelined adder: segments from low to high, a register between each and the next."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value

from bitweight._check import check_int
from bitweight.arith.prefix import PrefixAdder

__all__ = ["SegmentedAdder"]


class SegmentedAdder:
    """``(x + y) mod 2**width``, a segment of the carry chain in each step.

    Latency: `stages` steps. Throughput: one sum per step.

    Parameters
    ----------
    width
        Of both operands and the sum.
    stages
        Registers on the way; the carry chain is cut into one segment more, of equal widths.
    topology
        Of the prefix adder of each segment.
    """

    def __init__(self, width: int, stages: int, topology: str = "sklansky") -> None:
        self.width = check_int("adder width", width, 1)
        self.stages = check_int("adder stages", stages, 0, width - 1)
        edges = [width * i // (stages + 1) for i in range(stages + 2)]
        self.segments = list(pairwise(edges))
        # A carry enters below a segment's lowest bit and leaves above its highest.
        self.adders = [PrefixAdder(high - low + 2, topology) for low, high in self.segments]

    def hardware(self, m: Module, x: Value, y: Value, enable: Value) -> Value:
        """Add the circuit to `m` and return the sum, `stages` steps after the operands."""
        carry: Value = Const(0, 1)
        total: Value = Cat()
        for stage, ((low, high), adder) in enumerate(zip(self.segments, self.adders, strict=True)):
            size = high - low
            added = adder.hardware(
                m, Cat(carry, x[:size], Const(0, 1)), Cat(carry, y[:size], Const(0, 1))
            )
            total, carry, x, y = Cat(total, added[1 : size + 1]), added[-1], x[size:], y[size:]
            if stage < self.stages:
                held = [
                    Signal(len(value), name=f"stage_{stage}_{name}", reset_less=True)
                    for name, value in (("sum", total), ("carry", carry), ("x", x), ("y", y))
                ]
                with m.If(enable):
                    m.d.sync += [
                        register.eq(value)
                        for register, value in zip(held, (total, carry, x, y), strict=True)
                    ]
                total, carry, x, y = held
        return total

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the sums of non-negative int64 words, segment by segment: the twin."""
        carry = np.zeros_like(np.asarray(x, dtype=np.int64))
        total = np.zeros_like(carry)
        for (low, high), adder in zip(self.segments, self.adders, strict=True):
            mask = (1 << (high - low)) - 1
            added = adder.evaluate((x >> low & mask) << 1 | carry, (y >> low & mask) << 1 | carry)
            total = total | (added >> 1 & mask) << low
            carry = added >> (high - low + 1)
        return total
