"""Laconic's processing element: a pair of terms of each lane per cycle, summed and accumulated.

Source: Sharify et al., "Laconic Deep Learning Inference Acceleration", ISCA 2019.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.pe.term_sum import TermSum
from bitweight.pe.terms import Term, Terms

__all__ = ["LaconicPE"]


class LaconicPE(Block):
    """Multiplies the present terms of two operands in each lane and adds all lanes up.

    The product of two terms is a term: exponents are added, signs differ or not. A product of
    operands is the sum of those of all pairs of their terms, which come one after the other in
    any order. Where one of a pair is not present nothing is added, so that the element needs no
    enable: it is idle when it gets no terms, and keeps its total.

    Latency: ``core.latency`` cycles from terms to the accumulator. Throughput: a pair of each lane
    per cycle. There is no reset: what is left from before is thrown away by the next `first_in`.

    Parameters
    ----------
    a, b
        Of the signed operands.
    core
        What adds products of their terms up, in as many lanes as there are.

    Attributes
    ----------
    a_in, b_in
        A term of each lane, lane 0 lowest, as words of :class:`Terms`.
    first_in : In(1)
        A new total begins with these terms.
    drain_in : In(1)
        Puts the accumulator on the `drain` outputs, which are zero otherwise, so that the
        elements of a column share a bus without selectors.
    drain_0, drain_1
        The rows of the accumulator, packed as ``core.rows`` says.
    """

    block_name = "pe"

    def __init__(self, a: Terms, b: Terms, core: TermSum) -> None:
        self.a, self.b, self.core = a, b, core
        self.key = (a.bits, b.bits, id(core))
        super().__init__(
            {
                "a_in": In(core.lanes * a.term_bits),
                "b_in": In(core.lanes * b.term_bits),
                "first_in": In(1),
                "drain_in": In(1),
                **{f"drain_{i}": Out(len(row)) for i, row in enumerate(core.rows)},
            }
        )

    @staticmethod
    def register_bits(core: TermSum) -> int:
        """Return the register bits of an element: products of terms, sum, control."""
        return core.register_bits + core.latency - 1

    def build(self) -> Module:
        m = Module()
        products = []
        for lane in range(self.core.lanes):
            a, b = (
                terms.split(word[lane * terms.term_bits : (lane + 1) * terms.term_bits])
                for terms, word in ((self.a, self.a_in), (self.b, self.b_in))
            )
            product = Term(a.exponent + b.exponent, a.negative ^ b.negative, a.present & b.present)
            coded = Signal(self.core.coded_bits, name=f"product_{lane}", reset_less=True)
            m.d.sync += coded.eq(self.core.code(product))
            products.append(coded)
        # That a total begins arrives at the accumulator together with the terms.
        first = Signal(self.core.latency - 1, reset_less=True)
        m.d.sync += first.eq((first << 1) | self.first_in)
        rows = [
            Signal(len(columns), name=name, reset_less=True)
            for name, columns in zip(("total", "carry"), self.core.rows, strict=True)
        ]
        kept = [Mux(first[-1], 0, row)[: len(row)] for row in rows]
        following = self.core.hardware(m, products, kept)
        m.d.sync += [row.eq(value) for row, value in zip(rows, following, strict=True)]
        m.d.comb += [
            getattr(self, f"drain_{i}").eq(Mux(self.drain_in, row, 0)) for i, row in enumerate(rows)
        ]
        return m
