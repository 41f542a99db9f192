"""The layer: activations go in, activations of the next layer come out."""

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bitweight import Design, beat_stream

__all__ = ["DenseLayer"]


class WeightSource(wiring.Component):
    """Sends the same beats over and over, from a memory."""

    def __init__(self, design: Design, weights: np.ndarray) -> None:
        shape = design.streams["b"]
        super().__init__({"b": Out(beat_stream(shape.lanes, shape.bits))})
        # The operand A does not matter for the beats of B, but how often they are sent does.
        beats = design.pack(np.zeros((1, len(weights)), dtype=int), weights).b
        self.init = [
            {"data": [int(element) for element in row], "last": int(last)}
            for row, last in zip(beats.data, beats.last, strict=True)
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = self.b.payload.shape()
        m.submodules.rom = rom = memory.Memory(shape=layout, depth=len(self.init), init=self.init)
        port = rom.read_port()
        at = Signal(range(len(self.init)))
        after = Mux(at == len(self.init) - 1, 0, at + 1)
        taken = self.b.valid & self.b.ready
        started = Signal()
        m.d.sync += started.eq(1)
        m.d.comb += [
            # The memory answers a cycle later: it is asked for what comes next.
            port.addr.eq(Mux(taken, after, at)),
            self.b.valid.eq(started),
            self.b.payload.eq(port.data),
        ]
        with m.If(taken):
            m.d.sync += at.eq(after)
        return m


class Requantise(wiring.Component):
    """Rectifies each lane, shifts it right and saturates it: wide sums to narrow activations."""

    def __init__(self, lanes: int, wide: int, narrow: int, shift: int) -> None:
        self.lanes, self.narrow, self.shift = lanes, narrow, shift
        super().__init__(
            {"sums": In(beat_stream(lanes, wide)), "out": Out(beat_stream(lanes, narrow))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        most = Const((1 << (self.narrow - 1)) - 1, signed(self.narrow))
        m.d.comb += [
            self.out.valid.eq(self.sums.valid),
            self.sums.ready.eq(self.out.ready),
            self.out.payload.last.eq(self.sums.payload.last),
        ]
        for lane in range(self.lanes):
            scaled = self.sums.payload.data[lane] >> self.shift
            rectified = Mux(scaled < 0, 0, Mux(scaled > most, most, scaled))
            m.d.comb += self.out.payload.data[lane].eq(rectified)
        return m


class DenseLayer(wiring.Component):
    """``out = saturate(max(x @ weights, 0) >> shift)``, with a TPE of bitweight inside.

    Parameters
    ----------
    design
        The array; it takes as many rows of x at a time as it has rows.
    weights
        int [K, N] with N up to the columns of the array.
    shift
        Bits that a sum is shifted to the right.

    Attributes
    ----------
    x : In(stream)
        Activations, as ``design.pack`` orders those of A.
    out : Out(stream)
        Activations of the next layer, of A's width, a row of the result per beat.
    """

    def __init__(self, design: Design, weights: np.ndarray, shift: int) -> None:
        self.design, self.weights, self.shift = design, weights, shift
        a, c = design.streams["a"], design.streams["c"]
        if weights.shape[1] > c.lanes:
            raise ValueError(
                f"weights must have at most {c.lanes} columns, not {weights.shape[1]!r}"
            )
        super().__init__(
            {"x": In(beat_stream(a.lanes, a.bits)), "out": Out(beat_stream(c.lanes, a.bits))}
        )

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Return what the hardware computes."""
        sums = np.maximum(self.design.reference(x, self.weights), 0) >> self.shift
        return np.minimum(sums, self.design.a.max)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.design.streams["c"]
        m.submodules.weights = weights = WeightSource(self.design, self.weights)
        m.submodules.array = array = self.design.create()
        m.submodules.requantise = requantise = Requantise(
            c.lanes, c.bits, self.design.a.bits, self.shift
        )
        wiring.connect(m, wiring.flipped(self.x), array.a)
        wiring.connect(m, weights.b, array.b)
        wiring.connect(m, array.c, requantise.sums)
        wiring.connect(m, requantise.out, wiring.flipped(self.out))
        return m
