"""Claims of registers that are proven without an invariant of ours: the solver finds one.

Property directed reachability (Bradley, VMCAI 2011; Eén, Mishchenko and Brayton, FMCAD 2011)
strengthens a claim by clauses over registers until it follows from itself, or ends with the cycles
in which it is wrong. There is no bound on the number of cycles; where that is out of reach, a claim
is bounded, and its method says so.
"""

from __future__ import annotations

from typing import Any

from bitweight.prove.circuit import FALSE, TRUE, Builder, Circuit, Latch
from bitweight.prove.claim import Invariant
from bitweight.prove.solver import reach
from bitweight.prove.verdict import Verdict

__all__ = ["Always", "Bounded"]

TIMEOUT_S = 400.0
"""For one call of the solver."""


class Always(Invariant):
    """What :class:`~bitweight.prove.claim.Invariant` claims, proven by reachability."""

    method = "reachability (PDR)"
    cycles: int | None = None

    def facts(self) -> str:
        return f"{self.preparation} {self.method}"

    def decide(self, circuit: Circuit) -> Verdict:
        cycles = reach(from_zero(circuit), "bad", TIMEOUT_S, self.cycles)
        if cycles is None:
            return Verdict(self.method)
        bits = {
            f"{cycle}.{name}": values[name]
            for cycle, values in enumerate(cycles)
            for name in circuit.inputs
        }
        bits |= {name: value for name, value in cycles[0].items() if name.startswith("state.")}
        return Verdict(self.method, self._trace(circuit, bits, len(cycles) - 1))


class Bounded(Always):
    """The same of so many cycles from the reset on, and of no more.

    Parameters
    ----------
    cycles
        How many; the first of them is that of the reset.
    parameters, options
        See :class:`~bitweight.prove.claim.Invariant`.
    """

    def __init__(self, cycles: int, *parameters: Any, **options: Any) -> None:
        super().__init__(*parameters, **options)
        self.cycles = cycles
        self.method = f"bounded, {cycles} cycles from reset"


def from_zero(circuit: Circuit) -> Circuit:
    """Return a circuit whose registers all start at zero and whose output ``bad`` is the claim's.

    Registers that start with any value take that of an input ``state.N`` in the first cycle.
    What inputs keep to (``given``) must have held in all cycles so far.
    """
    build = Builder()
    free = [f"state.{i}" for i, latch in enumerate(circuit.latches) if latch.init is None]
    inputs = {name: build.input(name) for name in (*circuit.inputs, *free)}
    started, broken = build.input("started"), build.input("broken")
    held = [build.input(f"held.{i}") for i in range(len(circuit.latches))]
    state = []
    for i, (latch, now) in enumerate(zip(circuit.latches, held, strict=True)):
        first = inputs[f"state.{i}"] if latch.init is None else (FALSE, TRUE)[latch.init]
        later = build.both(started, now)
        state.append(build.both(later ^ 1, build.both(started ^ 1, first) ^ 1) ^ 1)
    table = build.copy(circuit, [*(inputs[name] for name in circuit.inputs), *state])

    def literal(lit: int) -> int:
        return table[lit >> 1] ^ (lit & 1)

    kept = build.both(broken ^ 1, literal(circuit.outputs["given"]))
    bad = build.both(kept, literal(circuit.outputs["wrong"]))
    following = [TRUE, kept ^ 1, *(literal(latch.following) for latch in circuit.latches)]
    names = ["started", "broken", *(latch.names[0] for latch in circuit.latches)]
    latches = tuple(Latch((n,), f, 0) for n, f in zip(names, following, strict=True))
    return Circuit(tuple(inputs), latches, {"bad": bad}, build.circuit({}).ands)
