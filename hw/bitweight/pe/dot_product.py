"""The processing element of the adder tree: the dot product of a vector and stationary weights."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.arith import ENCODINGS, Digit, Encoding
from bitweight.arith.bitheap import BitHeap
from bitweight.arith.prefix import PrefixAdder
from bitweight.arith.product import SumOfProducts
from bitweight.block import Block
from bitweight.notation import Nest

__all__ = ["DotProduct", "DotProductPE", "MadeDigits"]


class MadeDigits(Encoding):
    """The digits of an encoding that were made elsewhere: an operand is its digits, packed.

    Parameters
    ----------
    base
        The encoding that makes them.
    """

    def __init__(self, base: Encoding) -> None:
        self.base, self.name, self.radix = base, base.name, base.radix
        self.digit_min, self.digit_max = base.digit_min, base.digit_max

    def digits(self, bits: int) -> int:
        return self.base.digits(bits)

    def recode(self, values: np.ndarray, bits: int) -> np.ndarray:
        return self.base.recode(values, bits)

    def pack(self, operand: Value) -> Value:
        """Return the digits of an operand, made here, as one word."""
        digits = self.base.encode(operand)
        return Cat(Cat(digit.negative, digit.one, digit.two) for digit in digits)

    def encode(self, operand: Value) -> list[Digit]:
        return [Digit(*operand[i : i + 3]) for i in range(0, len(operand), 3)]


class DotProduct:
    """``Σ a[i] · b[i]`` over the lanes as one word, or as a pair that is yet to be added.

    Parameters
    ----------
    nest
        Its ``add`` decides whether carries propagate inside the sum over the lanes (a word), or
        after it (a pair); its ``encode`` whether operands A come as digits.
    style
        See :data:`bitweight.pe.STYLES`: how a word is made.

    Attributes
    ----------
    width
        Of the rows, modulo which they are the sum: enough for all operands.
    a_bits, b_bits
        Widths of an operand of a lane, as it comes.
    """

    def __init__(self, nest: Nest, style: str) -> None:
        lanes = list(nest.spatial("k"))
        self.lanes = prod(loop.extent or 1 for loop in lanes)
        self.width = nest.width(nest.reducer(lanes[0].name))
        self.pair = nest.carry_save
        self.style = style
        encoding: Encoding = ENCODINGS[nest.encoding.name]
        self.a_bits, self.b_bits = nest.a.bits, nest.b.bits
        self.made = None if nest.inside("encode", "n", spatial=True) else MadeDigits(encoding)
        if self.made:
            encoding = self.made
            self.a_bits = 3 * encoding.digits(nest.a.bits)
        if self.pair or style != "operator":
            heap = BitHeap(self.width)
            by_weight = not nest.inside("shift", "k", spatial=True)
            self.products = SumOfProducts(
                heap, encoding, self.lanes, nest.a.bits, nest.b.bits, by_weight=by_weight
            )
            self.compressor = heap.reduce()

    def prepare(self, operand: Value) -> Value:
        """Return an operand A as the lanes take it."""
        return self.made.pack(operand) if self.made else operand

    @property
    def rows(self) -> tuple[tuple[int, ...], ...]:
        """The columns in which each row has a bit, lowest first."""
        if not self.pair:
            return (tuple(range(self.width)),)
        return tuple(
            tuple(j for j, bit in enumerate(row) if bit is not None) for row in self.compressor.rows
        )

    def hardware(self, m: Module, a: Sequence[Value], b: Sequence[Value]) -> list[Value]:
        """Add the sum to `m` and return its rows, packed."""
        if not self.pair and self.style == "operator":
            total: Value = Const(0, 1)
            for x, y in zip(a, b, strict=True):
                total = total + x.as_signed() * y.as_signed()
            return [total[: self.width]]
        words = self.compressor.hardware(m, self.products.hardware(m, a, b))
        if self.pair:
            return [Cat(word[j] for j in row) for word, row in zip(words, self.rows, strict=True)]
        return [PrefixAdder(self.width, self.style.removeprefix("fused-")).hardware(m, *words)]

    def evaluate(self, a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
        """Return the rows, as words of `width` bits, for operands [..., lanes]: the twin."""
        if not self.pair and self.style == "operator":
            return [(a * b).sum(axis=-1) & np.int64((1 << self.width) - 1)]
        words = self.compressor.evaluate(self.products.evaluate(a, b))
        if self.pair:
            return list(words)
        return [PrefixAdder(self.width, self.style.removeprefix("fused-")).evaluate(*words)]

    def expand(self, row: int, bits: Value) -> Value:
        """Return the packed bits of a row as a word of `width` bits."""
        columns = self.rows[row]
        return Cat(
            bits[columns.index(j)] if j in columns else Const(0, 1) for j in range(self.width)
        )


class DotProductPE(Block):
    """The weights of all lanes, those in use and the next, and their dot product with a vector.

    Weights are shifted through the lanes, from the last to the first, with `load`; `update` takes
    those that were shifted in into use for the operands of the next step.

    Latency: 1 step. Throughput: a vector per step. Nothing is reset: weights are taken into use
    only after they were loaded.

    Parameters
    ----------
    core
        The dot product.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    a : In
        The operands of all lanes, lane 0 lowest.
    b, load, update : In
        The next weight, and what to do with it.
    row_0, row_1 : Out
        The rows of the sum.
    """

    block_name = "pe"

    def __init__(self, core: DotProduct) -> None:
        self.core = core
        self.key = id(core)
        super().__init__(
            {
                "en": In(1),
                "a": In(core.lanes * core.a_bits),
                "b": In(core.b_bits),
                "load": In(1),
                "update": In(1),
                **{f"row_{i}": Out(len(row)) for i, row in enumerate(core.rows)},
            }
        )

    @staticmethod
    def register_bits(core: DotProduct) -> int:
        """Return the register bits of an element: both sets of weights, the rows of the sum."""
        return 2 * core.lanes * core.b_bits + sum(len(row) for row in core.rows)

    def build(self) -> Module:
        m = Module()
        core = self.core
        size = core.lanes * core.b_bits
        following = Signal(size, reset_less=True)
        weights = Signal(size, reset_less=True)
        rows = [
            Signal(len(columns), name=name, reset_less=True)
            for name, columns in zip(("total", "carry"), core.rows, strict=False)
        ]
        a, b = (
            [word[i * bits : (i + 1) * bits] for i in range(core.lanes)]
            for word, bits in ((self.a, core.a_bits), (weights, core.b_bits))
        )
        total = core.hardware(m, a, b)
        with m.If(self.en):
            m.d.sync += [row.eq(value) for row, value in zip(rows, total, strict=True)]
        with m.If(self.en & self.load):
            m.d.sync += following.eq(Cat(following, self.b)[core.b_bits :])
        with m.If(self.en & self.update):
            m.d.sync += weights.eq(following)
        m.d.comb += [getattr(self, f"row_{i}").eq(row) for i, row in enumerate(rows)]
        return m
