"""The plain MAC: the accumulator is one word, its carries propagate in every cycle.

Two styles, since the best baseline depends on library and clock: ``*`` and ``+`` left to the
synthesiser, and a fused one, whose accumulator enters the compressor tree of the partial
products so that only one carry chain remains.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from amaranth.hdl import Module, Value

from bitweight.arith.bitheap import BitHeap
from bitweight.arith.encoding import Encoding
from bitweight.arith.prefix import TOPOLOGIES, PrefixAdder
from bitweight.arith.product import Product
from bitweight.pe.multiply_accumulate import MultiplyAccumulate

__all__ = ["STYLES", "FusedMac", "OperatorMac"]


class OperatorMac(MultiplyAccumulate):
    """``acc + a * b`` in Verilog's own operators.

    Parameters
    ----------
    encoding
        Not used: the synthesiser chooses how to multiply.
    a_bits, b_bits, acc
        See :class:`MultiplyAccumulate`.
    """

    def __init__(self, encoding: Encoding, a_bits: int, b_bits: int, acc: int) -> None:
        self.a_bits, self.b_bits, self.acc = a_bits, b_bits, acc
        self.rows = (tuple(range(acc)),)

    def hardware(self, m: Module, a: Value, b: Value, rows: list[Value]) -> list[Value]:
        return [(rows[0].as_signed() + a.as_signed() * b.as_signed())[: self.acc]]

    def evaluate(self, a: np.ndarray, b: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
        return [(rows[0] + a * b) & np.int64((1 << self.acc) - 1 if self.acc < 64 else -1)]


class FusedMac(MultiplyAccumulate):
    """Partial products and accumulator in one compressor tree, then a prefix adder.

    Parameters
    ----------
    encoding
        Of the operand `a`.
    a_bits, b_bits, acc
        See :class:`MultiplyAccumulate`.
    topology
        Of the final adder, one of :data:`bitweight.arith.prefix.TOPOLOGIES`.
    """

    def __init__(
        self, encoding: Encoding, a_bits: int, b_bits: int, acc: int, topology: str = "sklansky"
    ) -> None:
        self.a_bits, self.b_bits, self.acc = a_bits, b_bits, acc
        self.rows = (tuple(range(acc)),)
        self.encoding = encoding
        self.adder = PrefixAdder(acc, topology)
        heap = BitHeap(acc)
        self.product = Product(heap, encoding, a_bits, b_bits)
        self.accumulated = [heap.add(j, arrival=1.0) for j in range(acc)]
        self.compressor = heap.reduce()

    def hardware(self, m: Module, a: Value, b: Value, rows: list[Value]) -> list[Value]:
        bits = self.product.hardware(m, self.encoding.encode(a), b)
        bits |= {bit: rows[0][j] for j, bit in enumerate(self.accumulated) if bit is not None}
        return [self.adder.hardware(m, *self.compressor.hardware(m, bits))]

    def evaluate(self, a: np.ndarray, b: np.ndarray, rows: list[np.ndarray]) -> list[np.ndarray]:
        bits = self.product.evaluate(a, b)
        bits |= {bit: rows[0] >> j & 1 for j, bit in enumerate(self.accumulated) if bit is not None}
        return [self.adder.evaluate(*self.compressor.evaluate(bits))]


def _fused(topology: str) -> Callable[[Encoding, int, int, int], MultiplyAccumulate]:
    return lambda encoding, a_bits, b_bits, acc: FusedMac(encoding, a_bits, b_bits, acc, topology)


STYLES: dict[str, Callable[[Encoding, int, int, int], MultiplyAccumulate]] = {
    "operator": OperatorMac,
    **{f"fused-{topology}": _fused(topology) for topology in TOPOLOGIES},
}
"""How the plain MAC can be made."""
