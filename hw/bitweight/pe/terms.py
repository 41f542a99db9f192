"""Operands as signed powers of two: terms, found at the edge of an array and kept compactly there.

The non-adjacent form has the fewest terms of all such recodings. Terms are counted from the
lowest: the i-th terms of different operands belong together, whatever their exponents, so that
operands which are worked on in step differ only in how many they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from bitweight._check import check_int
from bitweight.arith import ENCODINGS

__all__ = ["Term", "Terms"]

PAIRS = ENCODINGS["csd4"]
"""The non-adjacent form, two places at a time: a pair holds no term or one."""


@dataclass(frozen=True)
class Term:
    """``±2**exponent``, or nothing where it is not `present`, whatever the rest is."""

    exponent: Value
    negative: Value
    present: Value

    def word(self) -> Value:
        """Return it as wires, the exponent lowest."""
        return Cat(self.exponent, self.negative, self.present)


class Terms:
    """The terms of signed operands of one width.

    Parameters
    ----------
    bits
        Width of an operand, 2 to 16.

    Attributes
    ----------
    count
        Most terms of an operand.
    top
        The largest exponent.
    exponent_bits, term_bits
        Widths of an exponent and of a term as a word.
    pairs_bits
        Width of a recoded operand.
    kept_bits
        Width of a list of terms. The i-th term from below has an exponent of at least ``2·i``:
        no wire is kept for the bits that this decides.
    """

    def __init__(self, bits: int) -> None:
        self.bits = check_int("width of an operand", bits, 2, 16)
        self.count = PAIRS.digits(bits)
        self.top = bits - 1
        self.exponent_bits = self.top.bit_length()
        self.term_bits = self.exponent_bits + 2
        self.pairs_bits = 3 * self.count
        self.varying = [self._varying(i) for i in range(self.count)]
        self.kept_bits = sum(len(places) + 2 for places in self.varying)

    def _varying(self, number: int) -> list[int]:
        """Return the bits in which exponents of the terms of that number differ."""
        differ = reduce(or_, (e ^ 2 * number for e in range(2 * number, self.bits)))
        return [j for j in range(self.exponent_bits) if differ >> j & 1]

    def recode(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return exponents, signs and presence of the terms, lowest first, on a new last axis.

        int64; the sign is one for a negative term. What is not present has exponent and sign 0.
        """
        digits = PAIRS.recode(values, self.bits)
        order = np.argsort(digits == 0, axis=-1, kind="stable")
        digits = np.take_along_axis(digits, order, axis=-1)
        present = (digits != 0).astype(np.int64)
        exponents = (2 * order + (abs(digits) == 2)) * present
        return exponents, (digits < 0).astype(np.int64), present

    def number(self, values: np.ndarray) -> np.ndarray:
        """Return how many terms each of the values has (int64)."""
        return (PAIRS.recode(values, self.bits) != 0).sum(axis=-1)

    def pairs(self, operand: Value) -> Value:
        """Return the recoded operand, `pairs_bits` wide; combinational."""
        return Cat(Cat(d.negative, d.one, d.two) for d in PAIRS.encode(operand))

    def find(self, m: Module, pairs: Value, name: str) -> list[Term]:
        """Return the terms of a recoded operand from below: those that are present come first.

        The twin of :meth:`recode`; combinational.

        Parameters
        ----------
        m
            Takes the statements.
        pairs
            See :meth:`pairs`; from wires of their own.
        name
            Begins the names of the wires.
        """
        digits = [pairs[3 * i : 3 * i + 3] for i in range(self.count)]
        before: list[Value] = [Const(1, 1)]  # bit i: i terms below this pair
        takes: list[list[tuple[int, Value]]] = [[] for _ in range(self.count)]
        for number, digit in enumerate(digits):
            some = digit[1] | digit[2]
            for i, so_many in enumerate(before):
                takes[i].append((number, so_many & some))
            counted = Signal(number + 2, name=f"{name}_before_{number + 1}")
            m.d.comb += counted.eq(Mux(some, Cat(Const(0, 1), *before), Cat(*before)))
            before = list(counted)
        terms = []
        for taken in takes:
            negative = _select((now, digits[number][0]) for number, now in taken)
            exponent = _select((now, self._exponent(number, digits)) for number, now in taken)
            present = _select((now, Const(1, 1)) for _, now in taken)
            terms.append(Term(exponent, negative, present))
        return terms

    def _exponent(self, number: int, digits: Sequence[Value]) -> Value:
        return Cat(digits[number][2], Const(number, self.exponent_bits))[: self.exponent_bits]

    def pack(self, terms: Sequence[Term]) -> Value:
        """Return the wires of a list of terms that must be kept, `kept_bits` wide."""
        return Cat(
            Cat(*(term.exponent[j] for j in places), term.negative, term.present)
            for term, places in zip(terms, self.varying, strict=True)
        )

    def unpack(self, kept: Value) -> list[Term]:
        """Return the list of terms that `kept` wires stand for; the way back of :meth:`pack`."""
        terms, low = [], 0
        for number, places in enumerate(self.varying):
            word = kept[low : low + len(places) + 2]
            low += len(word)
            exponent = Cat(
                word[places.index(j)] if j in places else Const(2 * number >> j & 1, 1)
                for j in range(self.exponent_bits)
            )
            terms.append(Term(exponent, word[-2], word[-1]))
        return terms

    def select(self, kept: Value, at: Value) -> Term:
        """Return the term of a kept list for which a bit of `at` is set, or none."""
        now = list(zip(at, self.unpack(kept), strict=True))
        return Term(
            _select((bit, term.exponent) for bit, term in now),
            _select((bit, term.negative) for bit, term in now),
            _select((bit, term.present) for bit, term in now),
        )

    def split(self, word: Value) -> Term:
        """Return the term that a word stands for; see :meth:`Term.word`."""
        n = self.exponent_bits
        return Term(word[:n], word[n], word[n + 1])


def _select(choices: Iterable[tuple[Value, Value]]) -> Value:
    """Return the value whose bit is set, of pairs of bit and value; zero where none is."""
    return reduce(or_, (value & now.replicate(len(value)) for now, value in choices))
