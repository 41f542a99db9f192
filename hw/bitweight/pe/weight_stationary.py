"""The processing element of weight-stationary systolic arrays: sums hop past weights that stay."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.arith import ENCODINGS
from bitweight.arith.bitheap import BitHeap
from bitweight.arith.product import SumOfProducts
from bitweight.block import Block
from bitweight.notation import Nest
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.mac import STYLES
from bitweight.pe.multiply_accumulate import MultiplyAccumulate

__all__ = ["CarrySaveHop", "WeightStationaryPE", "hop_core", "start_of"]


class CarrySaveHop(CarrySaveMac):
    """``(sum, carry) += a · b + excess``: the carry-save step of a total that hops.

    Partial products enter with their excess (:mod:`bitweight.arith.product`), and no element
    takes it off: the rows with which the first one starts make up for that of all.

    Attributes
    ----------
    excess
        By which a step makes the total too large.
    """

    excess: int

    def place(self, heap: BitHeap) -> SumOfProducts:
        before = heap.constant
        products = super().place(heap)
        self.excess, heap.constant = before - heap.constant, before
        return products


def hop_core(nest: Nest, style: str) -> MultiplyAccumulate:
    """Return the step of an element whose total hops: as wide as all products of a hop need.

    What leaves the hop is exact and signed, or modulo the accumulator where that is narrower.
    """
    loop = next(loop for loop in nest.spatial("k") if loop.hop)
    total = nest.reducer(loop.name)
    kind = CarrySaveHop if nest.form(total) == "pair" else STYLES[style]
    encoding = ENCODINGS[nest.encoding.name]
    return kind(encoding, nest.a.bits, nest.b.bits, nest.width(total))


def start_of(core: MultiplyAccumulate, hops: int) -> list[Value]:
    """Return the rows that the first of `hops` elements is handed."""
    start = -hops * core.excess if isinstance(core, CarrySaveHop) else 0
    rows: list[Value] = [Const(start % (1 << core.acc), core.acc)]
    return rows + [Const(0, len(row)) for row in core.rows[1:]]


class WeightStationaryPE(Block):
    """Two weights, the one in use and the next, and a step of a total that hops.

    The operand A is registered (and offered to the neighbour along n) and multiplied in the next
    step, in which the total from above comes in; the new one is registered for the element below.
    Weights are shifted down from element to element where and when `load_in` says so; with an
    operand that comes with `update_in` the weight that was shifted in is taken into use. Both
    flags go with A.

    Latency: 2 steps from an operand to its total, 1 from total to total. Throughput: a product
    per step. Nothing is reset: whatever was under way moves out ahead of all that enters later.

    Parameters
    ----------
    core
        The multiply-accumulate; its accumulator is the total.

    Attributes
    ----------
    en : In(1)
        Nothing changes without it.
    a_in, a_out
        Operand, and the same a step later.
    load_in, load_out, update_in, update_out
        Flags, and the same a step later.
    b_in, b_out
        The next weights of the element above and of this one.
    row_in_0, row_out_0, row_in_1, row_out_1
        The rows of the totals, packed as ``core.rows`` says.
    """

    block_name = "pe"
    latency = 2

    def __init__(self, core: MultiplyAccumulate) -> None:
        self.core = core
        self.key = id(core)
        rows = enumerate(len(row) for row in core.rows)
        super().__init__(
            {
                "en": In(1),
                "a_in": In(core.a_bits),
                "a_out": Out(core.a_bits),
                "load_in": In(1),
                "load_out": Out(1),
                "update_in": In(1),
                "update_out": Out(1),
                "b_in": In(core.b_bits),
                "b_out": Out(core.b_bits),
                **{
                    f"row_{side}_{i}": flow(size)
                    for i, size in rows
                    for side, flow in (("in", In), ("out", Out))
                },
            }
        )

    @staticmethod
    def register_bits(core: MultiplyAccumulate) -> int:
        """Return the register bits of an element: operand, two weights, flags, total."""
        return core.a_bits + 2 * core.b_bits + 2 + core.state_bits

    def build(self) -> Module:
        m = Module()
        core = self.core
        a = Signal(core.a_bits, reset_less=True)
        following = Signal(core.b_bits, reset_less=True)
        weight = Signal(core.b_bits, reset_less=True)
        flags = Signal(2, reset_less=True)
        rows = [
            Signal(len(columns), name=name, reset_less=True)
            for name, columns in zip(("total", "carry"), core.rows, strict=False)
        ]
        above = [getattr(self, f"row_in_{i}") for i in range(len(rows))]
        total = core.hardware(m, [a], [weight], above)
        with m.If(self.en):
            m.d.sync += [a.eq(self.a_in), flags.eq(Cat(self.load_in, self.update_in))]
            m.d.sync += [row.eq(value) for row, value in zip(rows, total, strict=True)]
        with m.If(self.en & self.load_in):
            m.d.sync += following.eq(self.b_in)
        with m.If(self.en & self.update_in):
            m.d.sync += weight.eq(following)
        m.d.comb += [
            self.a_out.eq(a),
            self.b_out.eq(following),
            Cat(self.load_out, self.update_out).eq(flags),
            *(getattr(self, f"row_out_{i}").eq(row) for i, row in enumerate(rows)),
        ]
        return m
