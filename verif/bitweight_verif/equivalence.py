"""Proofs that a mutant cannot be told from the sound netlist, whatever comes in.

Both start with the same values in their registers, any, and a reset; from then on inputs are free,
further resets too. What is shown by induction is a relation of both: each register is equal, or
equal while one of some other registers, its guards, has a certain value, such as the bit that says
that a payload is valid. Candidates come from a simulation; those that do not follow from all of
them one cycle before are dropped until the others do (Houdini, Flanagan and Leino 2001). Where
outputs are equal under what is left, the mutant is equivalent; where not, nothing is known.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bitweight.prove.circuit import Builder, Circuit
from bitweight.prove.solver import satisfy
from bitweight.prove.verdict import Undecided
from bitweight.synth.faults import Fault, Trace
from bitweight.synth.gate_level import run_trace
from bitweight.synth.netlist import FlatNetlist
from bitweight_verif.control import never_shows
from bitweight_verif.miter import Pair, any_of, select, unequal
from bitweight_verif.reachability import Registers, unreachable
from bitweight_verif.recorder import WATCHED

__all__ = ["States", "equivalent", "equivalent_late", "equivalent_soon"]

UNREACHABLE = "no path to an output"
ONE_STEP = "SAT: every next state and output is the same"
FIRST = -1
INDUCTION = "induction: registers differ only while nothing depends on them"
CONTROL = "reachability: whatever the data, none that may differ gets out"
REACHABLE = "reachability: no state in which it would show"

_TIMEOUT_S = 20.0
_RELATION_S = 60.0
_CONTROL_S = 20.0
_LONG_TIMEOUT_S = 120.0
_LONG_CONTROL_S = 240.0
_ROUNDS = 24
_MOST_GUARDS = 600
_MOST_DIFFERENT = 200
"""Registers that differ at times; with more the relation is not that of an equivalent mutant."""
_WORDS = 16

_PACES = (0.5, 0.9, 0.1)
_RESETS = 0.06
_SPARSE = 0.3
_ENDS = (0.5, 0.1, 0.02)
"""Of the random inputs: how often streams move, resets, payloads of zeros, and ends of tiles."""

Guard = tuple[int, int]
"""A register and the value with which it says that another one is equal."""


@dataclass(frozen=True)
class States:
    """What the registers of a netlist held in a simulation.

    Parameters
    ----------
    netlist : FlatNetlist
        The netlist.
    trace : Trace
        Its inputs.
    """

    netlist: FlatNetlist
    trace: Trace

    @cached_property
    def registers(self) -> Registers:
        """Which registers depend on which."""
        return Registers(self.netlist)

    @cached_property
    def sound(self) -> np.ndarray:
        """What `of` gives of the netlist without a fault."""
        return self.of({})

    @classmethod
    def random(cls, netlist: FlatNetlist, cycles: int, seed: int) -> States:
        """Draw inputs that keep to no contract, as those of the proof do not."""
        rng = np.random.default_rng(seed)
        pace = np.repeat(rng.choice(_PACES, -(-cycles // 32)), 32)[:cycles, None]
        inputs = {"rst": (rng.random((cycles, 1)) < _RESETS).astype(np.uint8)}
        inputs["rst"][0] = 1
        for name in ("a__valid", "b__valid", "c__ready"):
            inputs[name] = (rng.random((cycles, 1)) < pace).astype(np.uint8)
        for name in ("a__payload", "b__payload"):
            bits = rng.integers(2, size=(cycles, len(netlist.ports[name])), dtype=np.uint8)
            inputs[name] = bits * (rng.random((cycles, 1)) >= _SPARSE).astype(np.uint8)
            ends = np.repeat(rng.choice(_ENDS, -(-cycles // 64)), 64)[:cycles]
            inputs[name][:, -1] = rng.random(cycles) < ends
        return cls(netlist, Trace(inputs, {}))

    def of(self, fault: Fault) -> np.ndarray:
        """Return registers and outputs of a faulty copy in every cycle, uint8 [cycles, bits].

        Outputs come last, and are 0 where they say nothing.
        """
        netlist, gates = self.netlist, self.netlist.gates.copy()
        tables = [netlist.tables]
        end = len(netlist.tables)
        for gate, table in fault.items():
            gates[gate, 1] = end
            tables.append(table)
            end += len(table)
        changed = dataclasses.replace(
            netlist,
            gates=gates,
            tables=np.concatenate(tables),
            ports={**netlist.ports, "registers": netlist.flops[:, 1]},
            delays=np.zeros_like(netlist.delays),
        )
        seen = run_trace(changed, self.trace.inputs, ("registers", *WATCHED))[1]
        seen["c__payload"] = seen["c__payload"] * seen["c__valid"]
        return np.concatenate(list(seen.values()), axis=1)


def equivalent(states: States, fault: Fault) -> str:
    """Try to prove that a mutant is equivalent: `equivalent_soon`, then `equivalent_late`."""
    return equivalent_soon(states, fault) or equivalent_late(states, fault)


def equivalent_soon(states: States, fault: Fault) -> str:
    """Try to prove that a mutant is equivalent, with what takes seconds.

    Parameters
    ----------
    states : States
        The netlist, and inputs for the simulation that candidates come from.
    fault : dict
        Truth tables in place of those of some gates.

    Returns
    -------
    str
        How it was proven; empty where it was not.
    """
    pair = Pair(states.netlist, fault)
    if not pair.visible():
        return UNREACHABLE
    relation = _simulated(states, pair)
    if relation is None:
        return ""
    with suppress(Undecided):
        if relation.hold():
            return INDUCTION if relation.different else ONE_STEP
    with suppress(Undecided):
        if never_shows(pair, states.registers, _CONTROL_S):
            return CONTROL
    return ""


def equivalent_late(states: States, fault: Fault) -> str:
    """Try to prove that a mutant is equivalent, with what may take minutes; see above."""
    pair = Pair(states.netlist, fault)
    relation = _simulated(states, pair)
    if relation is None:
        return ""
    with suppress(Undecided):
        if unreachable(pair, states.registers, list(relation.different), _LONG_TIMEOUT_S):
            return REACHABLE
    with suppress(Undecided):
        if never_shows(pair, states.registers, _LONG_CONTROL_S, abstract=True):
            return CONTROL
    return ""


def _simulated(states: States, pair: Pair) -> _Relation | None:
    """Return the relation that a simulation suggests, or nothing if it shows the fault."""
    sound, faulty = states.sound, states.of(pair.fault)
    count = len(states.netlist.flops)
    # The first cycle is that of the reset.
    if (faulty[1:, count:] != sound[1:, count:]).any():
        return None
    return _Relation(pair, sound[:, :count], faulty[:, :count])


class _Relation:
    """Which registers of both are equal, and when."""

    def __init__(self, pair: Pair, sound: np.ndarray, faulty: np.ndarray) -> None:
        self.pair = pair
        self.states = pair.netlist.flops[:, 1].tolist()
        self._at = {state: at for at, state in enumerate(self.states)}
        self._sound = sound.astype(np.float32)
        self._apart = sound != faulty
        self._often = self._sound.mean(axis=0)
        self.different: dict[int, set[Guard]] = {}
        for at in np.flatnonzero(self._apart[1:].any(axis=0)).tolist():
            self._release(self.states[at])

    def _release(self, state: int) -> None:
        """Let a register differ, but for while guards say otherwise that did so in simulation."""
        apart = self._apart[1:, self._at[state]]
        hits = apart.astype(np.float32) @ self._sound[1:]
        own = self._at[state]
        choices = []
        for level, share in ((1, self._often), (0, 1 - self._often)):
            never = hits == 0 if level else hits == apart.sum()
            for at in np.flatnonzero(never & (share > 0)).tolist():
                if at != own:
                    choices.append((abs(share[at] - 0.5), at, level))
        known = {guard for guards in self.different.values() for guard in guards}
        choices.sort(key=lambda one: ((self.states[one[1]], one[2]) not in known, one[0]))
        self.different[state] = {
            (self.states[at], level) for _, at, level in choices[:_MOST_GUARDS]
        }

    def hold(self) -> bool:
        """Drop what does not follow; tell whether outputs are equal under what is left.

        Cases are told apart by a register that differs, so that its guards are constants and most
        of what they enable falls away; first come those in which all registers are equal.
        """
        clean: set[int | None] = set()
        rounds = 0
        end = time.monotonic() + _RELATION_S
        while waiting := [case for case in (FIRST, None, *self.different) if case not in clean]:
            rounds += 1
            if len(self.different) > _MOST_DIFFERENT or rounds > _ROUNDS:
                return False
            for case in waiting:
                if time.monotonic() > end:
                    raise Undecided(f"undecided after {_RELATION_S:g} s")
                circuit, checks = self._circuit(case)
                bits = self._violation(circuit, checks)
                if "seen" in bits:
                    return False
                if bits:
                    clean.clear()
                else:
                    clean.add(case)
                for name in bits:
                    self._drop(checks[name])
        return True

    def _drop(self, check: tuple[int, Guard | None]) -> None:
        state, guard = check
        if guard is None:
            self._release(state)
        else:
            self.different[state].discard(guard)

    def _violation(
        self, circuit: Circuit, checks: Mapping[str, tuple[int, Guard | None]]
    ) -> list[str]:
        """Return the checks that some inputs violate; none where there are no such inputs."""
        names = [name for name in (*checks, "seen") if name in circuit.outputs]
        rng = np.random.default_rng(len(circuit.ands))
        shape = (len(circuit.inputs), _WORDS)
        words = rng.integers(0, 1 << 64, shape, dtype=np.uint64)
        found = self._which(circuit, names, list(words))
        if found:
            return found
        bits = satisfy(circuit, "wrong", _TIMEOUT_S)
        if bits is None:
            return []
        # Near one counterexample there are others, of other candidates too.
        flips = np.bitwise_and.reduce(rng.integers(0, 1 << 64, (4, *shape), dtype=np.uint64))
        flips[:, 0] = 0
        ones = np.array([bits[name] for name in circuit.inputs], dtype=bool)
        words = np.where(ones[:, None], ~flips, flips)
        return self._which(circuit, names, list(words))

    @staticmethod
    def _which(circuit: Circuit, names: list[str], values: list) -> list[str]:
        table = circuit.evaluate(values)

        def somewhere(literal: int) -> bool:
            word = table[literal >> 1]
            return bool(np.any(~np.uint64(word) if literal & 1 else np.uint64(word)))

        return [name for name in names if somewhere(circuit.outputs[name])]

    def _circuit(self, case: int | None) -> tuple[Circuit, dict[str, tuple[int, Guard | None]]]:
        """Return one cycle of both, with an output for every candidate that it violates.

        A case is a register that differs, `None` where none does, and `FIRST` for the reset.
        """
        pair = self.pair
        flops = pair.netlist.flops
        alone = case in (FIRST, None)
        reached = pair.reached(() if alone else self.different)
        changed = flops[reached[flops[:, 0]], 1].tolist()
        guards = {guard for state in changed for guard, _ in self.different.get(state, ())}
        ends = [pair.next_of(state) for state in {*changed, *guards}]
        seen = [net for net in pair.outputs if reached[net]] if case != FIRST else []
        valid = pair.netlist.ports["c__valid"].tolist() if seen else []
        leaves, needed = pair.leaves([*ends, *seen, *valid])
        within = set() if alone else {
            guard for net in leaves if net in self.different for guard, _ in self.different[net]
        }  # fmt: skip
        build = Builder()
        sound = {net: build.input(f"n{net}") for net in sorted({*leaves, *within})}
        faulty = {}
        if case == FIRST:
            sound[int(pair.netlist.ports["rst"][0])] = 1
        elif case is not None and case in sound:
            free = [net for net in leaves if net in self.different and net != case]
            choice = {net: build.input(f"f{net}") for net in free}
            sound |= {guard: 1 - level for guard, level in self.different[case]}
            faulty[case] = sound[case] ^ 1
            for net, literal in choice.items():
                equal = any_of(
                    build, [sound[guard] ^ (1 - level) for guard, level in self.different[net]]
                )
                faulty[net] = select(build, equal, sound[net], literal)
        one, other = pair.step(build, needed, reached, sound, faulty)
        checks: dict[str, tuple[int, Guard | None]] = {}
        outputs: dict[str, int] = {}
        for state in changed:
            net = pair.next_of(state)
            apart = unequal(build, one[net], other[net])
            if state not in self.different:
                name = f"{state}"
                checks[name], outputs[name] = (state, None), apart
                continue
            for guard, level in self.different[state]:
                name = f"{state} {guard} {level}"
                says = one[pair.next_of(guard)] ^ (1 - level)
                checks[name] = (state, (guard, level))
                outputs[name] = build.both(says, apart)
        if seen:
            outputs["seen"] = pair.seen(build, reached, one, other)
        outputs["wrong"] = any_of(build, outputs.values())
        return build.circuit(outputs), checks
