"""The plain MAC: the accumulator is one word, its carries propagate in every cycle.

Two styles, since the best baseline depends on library and clock: ``*`` and ``+`` left to the
synthesiser, and a fused one, whose accumulator enters the compressor tree of the partial
products so that only one carry chain remains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from amaranth.hdl import Module, Value

from bitweight.arith.bitheap import BitHeap
from bitweight.arith.prefix import TOPOLOGIES, PrefixAdder
from bitweight.pe.multiply_accumulate import MultiplyAccumulate

__all__ = ["STYLES", "FusedMac", "OperatorMac"]


class OperatorMac(MultiplyAccumulate):
    """``acc + a[0] * b[0] + …`` in Verilog's own operators: how is up to the synthesiser."""

    def __init__(self, *parameters: Any, **options: Any) -> None:
        super().__init__(*parameters, **options)
        self.rows = (tuple(range(self.acc)),)

    def hardware(
        self, m: Module, a: Sequence[Value], b: Sequence[Value], rows: list[Value]
    ) -> list[Value]:
        total: Value = rows[0].as_signed()
        for x, y in zip(a, b, strict=True):
            total = total + x.as_signed() * y.as_signed()
        return [total[: self.acc]]

    def evaluate(self, a: np.ndarray, b: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
        mask = np.int64((1 << self.acc) - 1 if self.acc < 64 else -1)
        return [(rows[0] + (a * b).sum(axis=-1)) & mask]


class FusedMac(MultiplyAccumulate):
    """Partial products and accumulator in one compressor tree, then a prefix adder.

    Parameters
    ----------
    parameters, options
        See :class:`MultiplyAccumulate`.
    topology
        Of the final adder, one of :data:`bitweight.arith.prefix.TOPOLOGIES`.
    """

    def __init__(self, *parameters: Any, topology: str = "sklansky", **options: Any) -> None:
        super().__init__(*parameters, **options)
        self.rows = (tuple(range(self.acc)),)
        self.adder = PrefixAdder(self.acc, topology)
        heap = BitHeap(self.acc)
        self.products = self.place(heap)
        self.accumulated = [heap.add(j, arrival=1.0) for j in range(self.acc)]
        self.compressor = heap.reduce()

    def hardware(
        self, m: Module, a: Sequence[Value], b: Sequence[Value], rows: list[Value]
    ) -> list[Value]:
        bits = self.products.hardware(m, a, b)
        bits |= {bit: rows[0][j] for j, bit in enumerate(self.accumulated) if bit is not None}
        return [self.adder.hardware(m, *self.compressor.hardware(m, bits))]

    def evaluate(self, a: np.ndarray, b: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
        bits = self.products.evaluate(a, b)
        bits |= {bit: rows[0] >> j & 1 for j, bit in enumerate(self.accumulated) if bit is not None}
        return [self.adder.evaluate(*self.compressor.evaluate(bits))]


Style = Callable[..., MultiplyAccumulate]
"""Takes the parameters of :class:`MultiplyAccumulate`."""

STYLES: dict[str, Style] = {
    "operator": OperatorMac,
    **{f"fused-{name}": partial(FusedMac, topology=name) for name in TOPOLOGIES},
}
"""How the plain MAC can be made."""
