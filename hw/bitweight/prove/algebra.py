"""Sums of products by backward rewriting: far beyond the widths that a SAT solver reaches.

The sum of the rows that a circuit leaves is a linear polynomial over its wires. From the outputs
to the inputs, the sum and carry of one adder after the other are replaced by what the gates make
of the adder's inputs. Full and half adders are linear as a pair, so that the polynomial stays
small; in the end it is one over the bits of partial products, each of which depends on a recoded
operand and on one or two bits of the other. The recoded operand is enumerated, all its values;
in the bits of the other the polynomial is multilinear, a form that is unique modulo ``2**n``. So
comparing coefficients with those of ``Σ a · b`` is a proof for all inputs.

Where adders are is taken from the names of wires, as a hint: what they add is read from the gates.

Source: backward rewriting of multipliers, e.g. Yu et al., "Formal Verification of Arithmetic
Circuits by Function Extraction", IEEE TCAD 2016.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value

from bitweight.arith.bitheap import Compressor
from bitweight.prove.addend import Addend
from bitweight.prove.circuit import Circuit
from bitweight.prove.claim import Claim
from bitweight.prove.rewriting import Rewriting
from bitweight.prove.verdict import Counterexample, Undecided, Verdict

__all__ = ["Addend", "SumClaim", "Watched"]


class Watched(Compressor):
    """A compressor whose bits can be read off: the same hardware, with outputs for the proof.

    Parameters
    ----------
    base
        What it is.
    seen
        Takes the values of bits and rows by name.
    """

    seen: dict[str, Value]

    def __init__(self, base: Compressor, seen: dict[str, Value]) -> None:
        super().__init__(base.width, base.adders, base.rows, base.times)
        object.__setattr__(self, "seen", seen)

    def hardware(
        self,
        m: Module,
        bits: Mapping[int, Value],
        prefix: str = "",
        *,
        held: Collection[int] = (),
    ) -> tuple[Value, Value]:
        rows = super().hardware(m, bits, prefix, held=held)
        if bits:
            self.seen[f"bits_{prefix}"] = Cat(bits[number] for number in sorted(bits))
        self.seen[f"rows_{prefix}"] = Cat(*rows)
        return rows


class SumClaim(Claim):
    """Rows add up to a sum of products, modulo ``2**width``.

    Parameters
    ----------
    m, inputs
        See :class:`Claim`.
    width
        Of the sum.
    rows
        The words that are left, of `width` bits each.
    seen
        What :class:`Watched` compressors have put there.
    addends
        What the sum must be.
    constant
        Is added to it.
    bounded
        Prefix of the names of wires, and width, of compressors that drop carries of their topmost
        column, which must never occur.
    """

    preparation = "expose w:*sum_* w:*carry_*"

    def __init__(
        self,
        m: Module,
        inputs: Iterable[Signal],
        width: int,
        rows: Sequence[Value],
        seen: Mapping[str, Value],
        addends: Sequence[Addend],
        constant: int = 0,
        bounded: Mapping[str, int] | None = None,
    ) -> None:
        self.width, self.addends, self.constant = width, tuple(addends), constant
        self.bounded = dict(bounded or {})
        super().__init__(m, inputs, {"total": Cat(*rows), **seen})

    def facts(self) -> str:
        given = [
            (a.operand, None if a.values is None else a.values.tobytes(), a.word, a.weights)
            for a in self.addends
        ]
        return f"{self.width} {given} {self.constant} {self.bounded}"

    def decide(self, circuit: Circuit) -> Verdict:
        method = "backward rewriting"
        proof = Rewriting(circuit, self)
        try:
            hint = proof.difference()
        except Undecided:
            found = self._tried(circuit, [])
            if found is None:
                raise
            return Verdict(method, found)
        if hint is None:
            return Verdict(method)
        found = self._tried(circuit, [hint])
        if found is None:
            raise Undecided("polynomials differ, but no inputs were found for which sums do")
        return Verdict(method, found)

    def _tried(self, circuit: Circuit, hints: list[dict[str, int]]) -> Counterexample | None:
        """Return a counterexample among hints and random inputs."""
        rng = np.random.default_rng(1)
        for number in range(len(hints) + 2000):
            words = self._random(rng)
            if number < len(hints):
                words = dict.fromkeys(words, 0) | hints[number]
            outputs, _ = circuit.step({"clk": 0, **words}, [])
            mask = (1 << self.width) - 1
            rows = outputs["total"]
            found = 0
            while rows:
                found, rows = found + (rows & mask), rows >> self.width
            expected = self._expected(words)
            if found & mask != expected:
                return Counterexample((words,), {"sum": found & mask}, {"sum": expected}, {})
        return None

    def _random(self, rng: np.random.Generator) -> dict[str, int]:
        words = {
            signal.name: int.from_bytes(rng.bytes(9), "little") & (1 << len(signal)) - 1
            for signal in self.inputs
        }
        for addend in self.addends:
            if addend.allowed is not None and addend.operand:
                words[addend.operand] = int(rng.choice(np.flatnonzero(addend.allowed)))
        return words

    def _expected(self, words: Mapping[str, int]) -> int:
        total = self.constant
        for addend in self.addends:
            value = 1 if addend.values is None else int(addend.values[words[addend.operand]])
            if addend.word:
                value *= sum(
                    w * (words[addend.word] >> i & 1) for i, w in enumerate(addend.weights)
                )
            total += value
        return total % (1 << self.width)
