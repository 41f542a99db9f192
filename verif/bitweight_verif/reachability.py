"""Proofs that no state in which a fault would show is ever reached.

The netlist and its mutant run side by side, with any inputs and any state before the first reset.
Where the reset brings both to the same values, the mutant is compared with the netlist from what
the reset left in the other registers: that the netlist works with any values in those is what the
bench checks. They share all registers but those in which they differ in simulation. If from no
state that can be reached any other register takes another value, and no output is another one, the
mutant is equivalent. Property-directed reachability (Bradley 2011; Eén, Mishchenko, Brayton 2011)
finds the needed invariants. Registers that are far from the fault and steer nothing may have any
value at any time: what is proven with more states than there are holds for those that there are.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from bitweight.prove.circuit import FALSE, Builder, Circuit, Latch
from bitweight.prove.solver import reach
from bitweight.synth.netlist import FlatNetlist
from bitweight_verif.miter import HANDSHAKE, Pair, any_of, select, unequal

__all__ = ["Registers", "unreachable"]

_MOST_STEERING = 1500
_MOST_BEHIND = 2500
"""Registers that steer: with the buffers of operands among them, and without."""
_BUFFERED = 4
"""Registers that an operand passes through, one after the other, before its digits are made: what
the port took, what a column took, the place in its buffer, what is read there."""
_MOST_NEAR = 1500
_MOST_DIFFERENT = 300
_ROUNDS = 60


class Registers:
    """Which registers of a netlist depend on which.

    Parameters
    ----------
    netlist : FlatNetlist
        The netlist.
    """

    def __init__(self, netlist: FlatNetlist) -> None:
        self._pair = Pair(netlist, {})
        self._states = set(netlist.flops[:, 1].tolist())
        ports = netlist.ports
        nets = [int(net) for name in HANDSHAKE for net in ports[name]]
        nets += [int(ports["c__payload"][-1])]
        self._operands = [
            int(net) for name in ("a__payload", "b__payload") for net in ports[name][:-1]
        ]
        self.buffers: frozenset[int] = frozenset()
        """Those that operands go through first, where too many would steer with them."""
        steering = self._closure(nets, _MOST_STEERING)
        if steering is None:
            self.buffers = self._behind(self._operands, _BUFFERED)
            steering = self._closure(nets, _MOST_BEHIND)
        self.steering = (steering or frozenset()) - self.buffers
        """Those that the handshakes and the last flag of results depend on, if they are few."""

    def before(self, nets: Iterable[int]) -> set[int]:
        """Return the registers that nets depend on within a cycle."""
        return set(self._pair.leaves(nets)[0]) & self._states

    def near(self, nets: Iterable[int]) -> set[int]:
        """Return registers that nets depend on, through others too, as long as they are few."""
        found = self.before(nets)
        while len(found) <= _MOST_NEAR:
            more = found | self.before(self._pair.next_of(state) for state in found)
            if len(more) == len(found) or len(more) > _MOST_NEAR:
                break
            found = more
        return found

    def support(self, nets: Iterable[int], kept: Collection[int]) -> set[int]:
        """Return those of the kept registers that nets depend on, through others of them too."""
        found = self.before(nets).intersection(kept)
        while True:
            following = self.before(self._pair.next_of(state) for state in found)
            more = found | following.intersection(kept)
            if len(more) == len(found):
                return found
            found = more

    @cached_property
    def data(self) -> frozenset[int]:
        """Those that operands reach, other than through those that steer."""
        flops = self._pair.netlist.flops
        stop = self.steering | self.steers_first
        reached = self._pair.reached_ever(self._operands, stop)
        return frozenset(flops[reached[flops[:, 0]], 1].tolist()) - stop

    @cached_property
    def steers_first(self) -> frozenset[int]:
        """Buffers of operands that steer: what they hold may be taken for anything."""
        return frozenset(self.support(map(self._pair.next_of, self.steering), self.buffers))

    def _behind(self, nets: Iterable[int], most: int) -> frozenset[int]:
        """Return registers that nets reach through fewer than `most` others."""
        flops = self._pair.netlist.flops
        found: set[int] = set()
        for _ in range(most):
            reached = self._pair.reached_from([*nets, *found])
            found.update(flops[reached[flops[:, 0]], 1].tolist())
        return frozenset(found)

    def _closure(self, nets: Iterable[int], most: int) -> frozenset[int] | None:
        found = self.before(nets)
        while len(found) <= most:
            more = found | self.before(map(self._pair.next_of, found - self.buffers))
            if len(more) == len(found):
                return frozenset(found)
            found = more
        return None


def unreachable(pair: Pair, registers: Registers, different: Sequence[int], timeout: float) -> bool:
    """Tell whether it is proven that a fault is never seen.

    Parameters
    ----------
    pair : Pair
        The netlist and its mutant.
    registers : Registers
        Of the netlist.
    different : sequence of int
        Registers that may differ.
    timeout : float
        For all of it, in seconds.

    Raises
    ------
    Undecided
        If the time was not enough.
    """
    shared_not = set(different)
    settled = pair.resets_alike()
    end = time.monotonic() + timeout
    for _ in range(_ROUNDS):
        left = end - time.monotonic()
        if len(shared_not) > _MOST_DIFFERENT or left < 1:
            break
        circuit = _product(pair, registers, sorted(shared_not), settled)
        if circuit.outputs["bad"] == FALSE:
            return True
        inputs = reach(circuit, "bad", left)
        if inputs is None:
            return True
        wrong = _violated(circuit, inputs)
        if "seen" in wrong:
            break
        # Such a register differs at times, even if simulation did not find out.
        shared_not |= {int(name) for name in wrong}
    return False


def _violated(circuit: Circuit, inputs: Sequence[Mapping[str, int]]) -> list[str]:
    """Return which registers, or what is seen, differ at the end of a counterexample."""
    state: list[int] = [0] * len(circuit.latches)
    outputs: dict[str, int] = {}
    for values in inputs:
        outputs, state = circuit.step(values, state)
    return [name for name, value in outputs.items() if value and name != "bad"]


def _product(pair: Pair, registers: Registers, different: Sequence[int], settled: bool) -> Circuit:
    netlist = pair.netlist
    reached = pair.reached(different)
    changed = netlist.flops[reached[netlist.flops[:, 0]], 1].tolist()
    others = [state for state in changed if state not in set(different)]
    seen = [net for net in pair.outputs if reached[net]]
    ends = [pair.next_of(state) for state in others]
    ends += [*seen, *(netlist.ports["c__valid"].tolist() if seen else [])]
    inputs = netlist.gates[list(pair.fault), 2:]
    # Where those that steer are many, what is near has to do.
    steering = () if registers.buffers else registers.steering
    kept = {*steering, *different, *registers.near(inputs[inputs >= 0].tolist())}
    kept |= registers.near(pair.next_of(state) for state in different)
    # Only those that matter: what is observed depends on them.
    needed_states = registers.support([*ends, *map(pair.next_of, different)], kept)
    states = sorted(needed_states | set(different))
    leaves, needed = pair.leaves([*ends, *map(pair.next_of, states)])

    build = Builder()
    rst = int(netlist.ports["rst"][0])
    free = {net: build.input(f"n{net}") for net in sorted({*leaves, *states, rst})}
    names = ["started", *(f"q{net}" for net in states), *(f"p{net}" for net in different)]
    latch = {name: build.input(name) for name in names}
    started = latch["started"]
    sound = dict(free)
    sound[rst] = build.both(started, free[rst] ^ 1) ^ 1
    for net in states:
        sound[net] = select(build, started, latch[f"q{net}"], free[net])
    faulty = {net: select(build, started, latch[f"p{net}"], free[net]) for net in different}
    one, other = pair.step(build, needed, reached, sound, faulty)

    checks = {
        f"{state}": unequal(build, one[pair.next_of(state)], other[pair.next_of(state)])
        for state in others
    }
    if settled:
        checks = {name: build.both(started, check) for name, check in checks.items()}
    if seen:
        checks["seen"] = build.both(started, pair.seen(build, reached, one, other))
    following = {"started": 1}
    following |= {f"q{net}": one[pair.next_of(net)] for net in states}
    for net in different:
        own, shared = other[pair.next_of(net)], one[pair.next_of(net)]
        following[f"p{net}"] = select(build, started, own, shared) if settled else own
    checks["bad"] = any_of(build, list(checks.values()))
    made = build.circuit(checks)
    return Circuit(
        tuple(made.inputs[: len(free)]),
        tuple(Latch((name,), following[name], 0) for name in names),
        made.outputs,
        made.ands,
    )
