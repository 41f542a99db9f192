"""What hands terms to an array in step: lists of terms at its edges, and who walks through them."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.pe.terms import Terms

__all__ = ["PairWalk", "TermFeed"]


class TermFeed(Block):
    """The terms of one operand of each lane, and those of the operands that come next.

    The next group is ready while the present one is worked on, and follows it at once.

    Latency: operands to `has` one cycle, `load` to the first term two, `at` to its term one.
    Throughput: operands every cycle. There is no reset: without `at` there are no terms.

    Parameters
    ----------
    bits
        Width of an operand.
    lanes
        Number of operands.

    Attributes
    ----------
    operands_in
        Signed operands, lane 0 lowest.
    take : In(1)
        They are the next ones.
    load : In(1)
        The next ones are those in use from now on.
    at_in
        For each lane a bit for each of its terms: which is handed out, at most one.
    has_out
        For each lane a bit for each of its terms: whether there is one, of the next operand.
    terms_out
        A term of each lane, as words of :class:`bitweight.pe.terms.Terms`.
    """

    def __init__(self, bits: int, lanes: int) -> None:
        self.terms, self.lanes = Terms(bits), lanes
        self.block_name = f"term_feed_{bits}"
        self.key = (bits, lanes)
        super().__init__(
            {
                "operands_in": In(lanes * bits),
                "take": In(1),
                "load": In(1),
                "at_in": In(lanes * self.terms.count),
                "has_out": Out(lanes * self.terms.count),
                "terms_out": Out(lanes * self.terms.term_bits),
            }
        )

    def build(self) -> Module:
        m = Module()
        terms = self.terms
        for lane in range(self.lanes):
            operand, at, has, out = (
                port[lane * size : (lane + 1) * size]
                for port, size in (
                    (self.operands_in, terms.bits),
                    (self.at_in, terms.count),
                    (self.has_out, terms.count),
                    (self.terms_out, terms.term_bits),
                )
            )
            pairs = Signal(terms.pairs_bits, name=f"pairs_{lane}")
            following = Signal(terms.kept_bits, name=f"next_{lane}", reset_less=True)
            kept = Signal(terms.kept_bits, name=f"kept_{lane}", reset_less=True)
            term = Signal(terms.term_bits, name=f"term_{lane}", reset_less=True)
            found = terms.find(m, pairs, f"lane_{lane}")
            with m.If(self.take):
                m.d.sync += following.eq(terms.pack(found))
            with m.If(self.load):
                m.d.sync += kept.eq(following)
            m.d.sync += term.eq(terms.select(kept, at).word())
            m.d.comb += [
                pairs.eq(terms.pairs(operand)),
                has.eq(Cat(each.present for each in terms.unpack(following))),
                out.eq(term),
            ]
        return m


class PairWalk(Block):
    """Walks through all pairs of terms of one lane: those of A inside, those of B outside.

    Latency: `load` to the first pair one cycle. Throughput: a pair per cycle.

    Parameters
    ----------
    a_count, b_count
        Most terms of the operands.

    Attributes
    ----------
    load : In(1)
        The next operands are those in use from now on. Only in a cycle after one with `ends`.
    has_a, has_b
        Which terms any of them has, a row of ones.
    at_a, at_b
        The present pair, a bit for each term; none after the last one.
    ends : Out(1)
        In the next cycle there is the last pair, or none. Never with `load`: how many pairs the
        next operands have is looked at a cycle later.
    """

    block_name = "pair_walk"

    def __init__(self, a_count: int, b_count: int) -> None:
        self.counts = a_count, b_count
        self.key = self.counts
        super().__init__(
            {
                "load": In(1),
                "has_a": In(a_count),
                "has_b": In(b_count),
                "at_a": Out(a_count),
                "at_b": Out(b_count),
                "ends": Out(1),
            }
        )

    def build(self) -> Module:
        m = Module()
        a_count, b_count = self.counts
        at_a = Signal(a_count)
        at_b = Signal(b_count)
        more_a, more_b = self._more(m, "a", self.has_a), self._more(m, "b", self.has_b)
        on_a, on_b = _continues(at_a, more_a), _continues(at_b, more_b)
        # What follows the present pair: in the same row of A, or the next term of B and the first
        # of A, or nothing.
        next_a = Mux(on_a, (at_a << 1)[:a_count], Const(1, a_count) & on_b.replicate(a_count))
        next_b = Mux(on_a, at_b, (at_b << 1)[:b_count] & on_b.replicate(b_count))
        some = self.has_a[0] & self.has_b[0]
        goes_on = _continues(next_a, more_a) | _continues(next_b, more_b)
        m.d.comb += self.ends.eq(~(self.load | goes_on))
        m.d.sync += [
            at_a.eq(Mux(self.load, some, next_a)),
            at_b.eq(Mux(self.load, some, next_b)),
        ]
        m.d.comb += [self.at_a.eq(at_a), self.at_b.eq(at_b)]
        return m

    def _more(self, m: Module, name: str, has: Value) -> Sequence[Value]:
        """Return, for each term in use, whether there is one after it."""
        more = Signal(max(1, len(has) - 1), name=f"more_{name}", reset_less=True)
        with m.If(self.load):
            m.d.sync += more.eq(has[1:])
        return [*more[: len(has) - 1], Const(0, 1)]


def _continues(at: Value, more: Sequence[Value]) -> Value:
    return (at & Cat(more)).any()
