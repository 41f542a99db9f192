"""Backward rewriting: a sum of rows as a polynomial over bits of partial products.

The polynomial is linear over the wires of a circuit at first. From the outputs to the inputs, the
sum and carry of one adder after the other are replaced by what the gates make of the inputs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import chain, combinations
from typing import TYPE_CHECKING

import numpy as np

from bitweight.prove.addend import Addend, Polynomial, wrapped
from bitweight.prove.circuit import Circuit, split_name
from bitweight.prove.verdict import Undecided

if TYPE_CHECKING:
    from bitweight.prove.algebra import SumClaim

__all__ = ["Rewriting"]

_ADDER = re.compile(r"(?:.*\.)?((?:\w*_)?)(sum|carry)_(\d+)")
_WORD = (1 << 64) - 1
_EXACT = 1 << 200
_SUPPORT = 5
"""Most inputs of an adder, and of a bit of a partial product beside the enumerated operand."""


class Rewriting:
    """One circuit's rewriting."""

    def __init__(self, circuit: Circuit, claim: SumClaim) -> None:
        self.circuit, self.claim = circuit.hashed(), claim
        self.group = {a.operand: a for a in claim.addends if a.operand}
        self.values: dict[int, int] = {}  # variable: whether its wire is the inverse of it
        self.adders: dict[tuple[str, int], list[int]] = {}
        self.dropped: set[str] = set()  # prefixes of compressors that drop a carry
        self._cuts()
        self.local = {key: self._inputs_of(found) for key, found in self.adders.items()}
        owner = {v: key for key, found in self.adders.items() for v in found}
        graph = {
            key: {owner[v] for v in support if v in owner} for key, support in self.local.items()
        }
        self.order = list(TopologicalSorter(graph).static_order())[::-1]

    def _cuts(self) -> None:
        """Find the wires that the polynomials are written in."""
        bits: dict[str, set[int]] = defaultdict(set)
        adders = []
        for name, literal in self.circuit.outputs.items():
            word, _ = split_name(name)
            if word.startswith("bits_"):
                bits[word.removeprefix("bits_")].add(literal >> 1)
                self.values.setdefault(literal >> 1, literal & 1)
            elif found := _ADDER.fullmatch(word):
                adders.append((int(found[3]), found[1], literal))
        made: set[int] = set()
        for number, prefix, literal in sorted(adders):
            variable = literal >> 1
            # The sum of a bit and a constant is the bit itself: no adder makes that.
            if variable < self.circuit.first_and or variable in bits[prefix] | made:
                continue
            made.add(variable)
            self.values.setdefault(variable, literal & 1)
            self.adders.setdefault((prefix, number), []).append(variable)

    def _inputs_of(self, made: list[int]) -> list[int]:
        stop = set(self.values) - set(made)
        support = set()
        for variable in self.circuit.cone([2 * v for v in made], stop):
            for literal in self.circuit.ands[variable - self.circuit.first_and].tolist():
                below = literal >> 1
                if below and (below in stop or below < self.circuit.first_and):
                    support.add(below)
        if len(support) > _SUPPORT:
            raise Undecided(f"an adder has {len(support)} inputs")
        return sorted(support)

    def difference(self) -> dict[str, int] | None:
        """Return inputs for which sums should differ, or ``None`` where the claim is proven."""
        for prefix, width in self.claim.bounded.items():
            self._bound(prefix, width)
        rows = self.circuit.word("total")
        width = self.claim.width
        linear, constant = self._start(rows, width)
        constant = self._rewrite(linear, constant, 1 << width, set(self.claim.bounded))
        constant -= self.claim.constant
        found = self._leaves(linear, width)
        mask = wrapped((1 << width) - 1)
        wanted: dict[str, Polynomial] = defaultdict(dict)
        for addend in self.claim.addends:
            for key, value in addend.polynomial(width).items():
                old = wanted[addend.operand].get(key, np.int64(0))
                wanted[addend.operand][key] = old + value
        for operand in sorted(set(found) | set(wanted)):
            addend = self.group.get(operand, Addend())
            size = 1 if addend.values is None else len(addend.values)
            allowed = np.ones(size, bool) if addend.allowed is None else addend.allowed
            have, want = found.get(operand, {}), wanted.get(operand, {})
            for key in sorted(set(have) | set(want), key=lambda names: (len(names), sorted(names))):
                left = have.get(key, np.int64(0)) - want.get(key, np.int64(0))
                left = np.broadcast_to(left, size)
                if not key:
                    # A part that is the same for all values is a constant of the whole.
                    base = left[np.flatnonzero(allowed)[0]]
                    constant += int(base)
                    left = left - base
                bad = np.flatnonzero(((left & mask) != 0) & allowed)
                if len(bad):
                    return self._inputs(operand, int(bad[0]), key)
        return {} if constant % (1 << width) else None

    def _start(self, literals: Sequence[int], width: int) -> tuple[dict[int, int], int]:
        """Return coefficients by variable, and the constant, of rows of `width` bits each."""
        linear: dict[int, int] = defaultdict(int)
        constant = 0
        for i, literal in enumerate(literals):
            weight = 1 << (i % width)
            if literal < 2:
                constant += weight * literal
                continue
            variable = literal >> 1
            inverted = self.values.setdefault(variable, 0)
            if (literal & 1) ^ inverted:
                constant += weight
                weight = -weight
            linear[variable] += weight
        return linear, constant

    def _rewrite(
        self, linear: dict[int, int], constant: int, modulus: int, bounded: set[str]
    ) -> int:
        """Replace what adders make by what they add; return the new constant."""
        for key in self.order:
            made = [(v, linear.pop(v)) for v in self.adders[key] if linear.get(v)]
            if not made:
                continue
            support = self.local[key]
            table = [0] * (1 << len(support))
            for variable, weight in made:
                for row, bit in enumerate(self._table(variable, self.adders[key], support)):
                    table[row] += weight * bit
            terms = _moebius(table, modulus)
            if any(terms[row] for row in range(len(terms)) if row.bit_count() > 1):
                if key[0] not in bounded or len(made) != 1:
                    raise Undecided(f"{key[0]}sum_{key[1]} and its carry are not linear")
                terms = self._parity(key, made[0], support, modulus)
            constant += terms[0]
            for i, variable in enumerate(support):
                linear[variable] = (linear.get(variable, 0) + terms[1 << i]) % modulus
        return constant % modulus

    def _parity(
        self, key: tuple[str, int], made: tuple[int, int], support: list[int], modulus: int
    ) -> list[int]:
        """Return the terms of an adder whose carry is dropped, as if it never had one."""
        self.dropped.add(key[0])
        variable, weight = made
        table = self._table(variable, self.adders[key], support)
        terms = [0] * len(table)
        terms[0] = table[0]
        for i in range(len(support)):
            terms[1 << i] = 1
        for row, bit in enumerate(table):
            dropped = terms[0] + row.bit_count() - bit
            if dropped < 0 or dropped % 2:
                raise Undecided(f"{key[0]}sum_{key[1]} is not the sum of its inputs")
        return [weight * term % modulus for term in terms]

    def _table(self, variable: int, made: list[int], support: list[int]) -> list[int]:
        """Return the value of a wire for all values of others."""
        size = 1 << len(support)
        every = (1 << size) - 1
        known = {0: 0}
        for i, below in enumerate(support):
            ones = sum(1 << row for row in range(size) if row >> i & 1)
            known[below] = ones ^ (every if self.values.setdefault(below, 0) else 0)
        stop = set(self.values) - set(made)
        first = self.circuit.first_and
        for gate in self.circuit.cone([2 * variable], stop):
            x, y = self.circuit.ands[gate - first].tolist()
            left, right = (known[lit >> 1] ^ (every if lit & 1 else 0) for lit in (x, y))
            known[gate] = left & right
        word = known[variable] ^ (every if self.values[variable] else 0)
        return [word >> row & 1 for row in range(size)]

    def _bound(self, prefix: str, width: int) -> None:
        """Prove that the carries that a compressor drops never occur.

        What its rows are together, plus twice the weight of the topmost column for every dropped
        carry, is the sum of its bits. Nothing of that is negative: where the sum is too small for
        a single one, there is none.
        """
        linear, constant = self._start(self.circuit.word(f"rows_{prefix}"), width)
        self.dropped.discard(prefix)
        constant = self._rewrite(linear, constant, _EXACT, {prefix})
        if prefix not in self.dropped:
            return
        if constant >= _EXACT // 2:
            constant -= _EXACT
        signed = {v: c - _EXACT if c >= _EXACT // 2 else c for v, c in linear.items() if c % _EXACT}
        largest = constant
        for operand, terms in self._leaves(signed, 64).items():
            addend = self.group.get(operand, Addend())
            total = sum(np.maximum(value, 0) if key else value for key, value in terms.items())
            allowed = slice(None) if addend.allowed is None else addend.allowed
            largest += int(np.max(np.atleast_1d(total)[allowed]))
        if largest >= 1 << width:
            raise Undecided(f"{prefix}sum may be {largest}, more than {width} bits hold")

    def _leaves(self, linear: Mapping[int, int], width: int) -> dict[str, Polynomial]:
        """Return the polynomials over inputs of what is left, by enumerated operand."""
        leaves = {v: c for v, c in linear.items() if c % (1 << width) or (width == 64 and c)}
        supports = self._supports(leaves)
        colors = _colors([s - self._enumerated for s in supports.values()])
        number = 1 + max(colors.values(), default=-1)
        cone = self.circuit.cone([2 * v for v in leaves], frozenset())
        tables = [self._evaluated(leaves, cone, colors, chosen) for chosen in range(1 << number)]
        found: dict[str, Polynomial] = defaultdict(dict)
        for variable, weight in leaves.items():
            names = supports[variable]
            operands = {split_name(name)[0] for name in names & self._enumerated}
            rest = sorted(names - self._enumerated)
            if len(operands) > 1 or len(rest) > _SUPPORT:
                raise Undecided(f"a bit of a partial product depends on {sorted(names)}")
            operand = next(iter(operands), "")
            terms = found[operand]
            rows = []
            for row in range(1 << len(rest)):
                chosen = sum(1 << colors[n] for i, n in enumerate(rest) if row >> i & 1)
                bits = tables[chosen][variable]
                addend = self.group.get(operand)
                size = 1 if addend is None or addend.values is None else len(addend.values)
                rows.append(bits[:size].astype(np.int64))
            for i in range(len(rest)):
                for row in range(len(rows)):
                    if row >> i & 1:
                        rows[row] = rows[row] - rows[row ^ 1 << i]
            coefficient = wrapped(weight % (1 << 64))
            for row, values in enumerate(rows):
                key = frozenset(n for i, n in enumerate(rest) if row >> i & 1)
                if values.any():
                    terms[key] = terms.get(key, np.int64(0)) + coefficient * values
        return found

    @property
    def _enumerated(self) -> set[str]:
        return {name for name in self.circuit.inputs if split_name(name)[0] in self.group}

    def _supports(self, leaves: Iterable[int]) -> dict[int, frozenset[str]]:
        cache: dict[int, frozenset[str]] = {0: frozenset()}
        for i, name in enumerate(self.circuit.inputs, 1):
            cache[i] = frozenset([name])
        leaves = list(leaves)
        first = self.circuit.first_and
        for gate in self.circuit.cone([2 * v for v in leaves], frozenset()):
            x, y = self.circuit.ands[gate - first].tolist()
            cache[gate] = cache[x >> 1] | cache[y >> 1]
        return {v: cache[v] for v in leaves}

    def _evaluated(
        self, leaves: Mapping[int, int], cone: list[int], colors: Mapping[str, int], chosen: int
    ) -> dict[int, np.ndarray]:
        """Return the values of leaves for all values of the enumerated operands.

        All operands take the same values at once; of the other inputs those whose color is chosen
        are one.
        """
        bits = max((a.values.size for a in self.group.values() if a.values is not None), default=1)
        bits = max(6, bits.bit_length() - 1)
        ones = np.uint64(_WORD)
        known: dict[int, np.ndarray] = {0: np.zeros(1 << bits - 6, np.uint64)}
        for i, name in enumerate(self.circuit.inputs, 1):
            word, index = split_name(name)
            if word in self.group:
                known[i] = _pattern(bits, index)
            else:
                one = name in colors and chosen >> colors[name] & 1
                known[i] = np.full(1 << bits - 6, ones if one else np.uint64(0))
        first = self.circuit.first_and
        for gate in cone:
            x, y = self.circuit.ands[gate - first].tolist()
            left, right = known[x >> 1], known[y >> 1]
            known[gate] = (~left if x & 1 else left) & (~right if y & 1 else right)
        return {
            v: np.unpackbits(
                (known[v] ^ ones if self.values.get(v, 0) else known[v]).view(np.uint8),
                bitorder="little",
            )
            for v in leaves
        }

    def _inputs(self, operand: str, value: int, key: frozenset[str]) -> dict[str, int]:
        words: dict[str, int] = {operand: value} if operand else {}
        for name in key:
            word, index = split_name(name)
            words[word] = words.get(word, 0) | 1 << index
        return words


def _moebius(table: list[int], modulus: int) -> list[int]:
    """Return the coefficients of the multilinear polynomial that has these values."""
    terms = list(table)
    for i in range((len(table) - 1).bit_length()):
        for row in range(len(terms)):
            if row >> i & 1:
                terms[row] -= terms[row ^ 1 << i]
    return [term % modulus for term in terms]


def _colors(sets: Iterable[frozenset[str]]) -> dict[str, int]:
    """Return a color for each name, so that names of one set have different ones."""
    neighbours: dict[str, set[str]] = defaultdict(set)
    for names in sets:
        for one in names:
            neighbours[one]
        for one, other in chain(combinations(sorted(names), 2)):
            neighbours[one].add(other)
            neighbours[other].add(one)
    colors: dict[str, int] = {}
    for name in sorted(neighbours, key=split_name):
        taken = {colors[other] for other in neighbours[name] if other in colors}
        colors[name] = next(i for i in range(len(taken) + 1) if i not in taken)
    return colors


def _pattern(bits: int, index: int) -> np.ndarray:
    """Return bit `index` of the numbers 0 to ``2**bits - 1``, 64 of them in a word."""
    size = 1 << bits - 6
    if index < 6:
        word = sum(1 << row for row in range(64) if row >> index & 1)
        return np.full(size, np.uint64(word))
    on = (np.arange(size) >> index - 6 & 1).astype(bool)
    return np.where(on, np.uint64(_WORD), np.uint64(0))
