"""Streams of matrix beats, and the blocks at both ends of an array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from bitweight.block import Block

__all__ = ["Beats", "Skew", "SkidBuffer", "beat_layout", "beat_stream"]


@dataclass(frozen=True)
class Beats:
    """What passes over one stream, beat by beat.

    Parameters
    ----------
    data
        int64 of shape [beats, lanes].
    last
        bool of shape [beats]: the last beat of a tile.
    """

    data: np.ndarray
    last: np.ndarray

    def repeated(self, times: int) -> Beats:
        """Return the beats with those of each tile several times over, each time with its last."""
        starts = np.concatenate([[0], np.flatnonzero(self.last)[:-1] + 1])
        lengths = np.diff([*starts, len(self.last)])
        order = np.concatenate(
            [np.tile(np.arange(n) + at, times) for at, n in zip(starts, lengths, strict=True)]
        )
        return Beats(self.data[order], self.last[order])


def beat_layout(lanes: int, bits: int) -> data.StructLayout:
    """Return the payload: field ``data`` of signed elements, lane 0 lowest, then ``last``."""
    return data.StructLayout({"data": data.ArrayLayout(signed(bits), lanes), "last": 1})


def beat_stream(lanes: int, bits: int) -> stream.Signature:
    """Return the signature of a stream of beats of `lanes` signed elements of `bits` bits."""
    return stream.Signature(beat_layout(lanes, bits))


class Skew(Block):
    """Delays lane ``i`` by ``i`` steps; reversed, by ``lanes - 1 - i``.

    Latency: see above. Throughput: one beat per step.

    Parameters
    ----------
    block_name
        Of the module.
    lanes, bits
        Shape of a beat.
    reverse
        Undo a skew instead of making it.
    reset
        Clear the registers at a reset.

    Attributes
    ----------
    en : In(1)
        Nothing moves without it.
    data_in, data_out
        ``lanes × bits``, lane 0 lowest.
    """

    def __init__(
        self,
        block_name: str,
        lanes: int,
        bits: int,
        *,
        reverse: bool = False,
        reset: bool = False,
    ) -> None:
        self.block_name = block_name
        self.lanes, self.bits = lanes, bits
        self.reverse, self.reset = reverse, reset
        self.key = (block_name, lanes, bits, reverse, reset)
        super().__init__({"en": In(1), "data_in": In(lanes * bits), "data_out": Out(lanes * bits)})

    def build(self) -> Module:
        m = Module()
        for lane in range(self.lanes):
            steps = self.lanes - 1 - lane if self.reverse else lane
            at = slice(lane * self.bits, (lane + 1) * self.bits)
            chain = Cat(self.data_in[at])
            if steps:
                # The newest beat of the lane is lowest.
                held = Signal(steps * self.bits, name=f"lane_{lane}", reset_less=not self.reset)
                chain = Cat(self.data_in[at], held)
                with m.If(self.en):
                    m.d.sync += held.eq(chain)
            m.d.comb += self.data_out[at].eq(chain[steps * self.bits :])
        return m


class SkidBuffer(Block):
    """Registers the way back of a stream: `ready` upstream does not depend on it downstream.

    It holds one beat, the one that is under way when the consumer stops. Latency: none while
    the consumer is ready. Throughput: one beat per cycle.

    Parameters
    ----------
    bits
        Width of the payload.

    Attributes
    ----------
    in_payload, in_valid, in_ready
        From the producer, which may count on `in_ready` to come from a register.
    out_payload, out_valid, out_ready
        To the consumer.
    """

    block_name = "skid_buffer"

    def __init__(self, bits: int) -> None:
        self.key = bits
        super().__init__(
            {
                "in_payload": In(bits),
                "in_valid": In(1),
                "in_ready": Out(1),
                "out_payload": Out(bits),
                "out_valid": Out(1),
                "out_ready": In(1),
            }
        )

    def build(self) -> Module:
        m = Module()
        held = Signal.like(self.in_payload, name="held", reset_less=True)
        full = Signal()
        # The same as ~full, in a register of its own: it stops everything upstream and should not
        # wait behind the selectors that `full` drives.
        ready = Signal(init=1)
        waits = self.out_valid & ~self.out_ready
        m.d.comb += [
            self.in_ready.eq(ready),
            self.out_valid.eq(full | self.in_valid),
            self.out_payload.eq(Mux(full, held, self.in_payload)),
        ]
        m.d.sync += [full.eq(waits), ready.eq(~waits)]
        with m.If(~full):
            m.d.sync += held.eq(self.in_payload)
        return m
