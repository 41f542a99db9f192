"""A netlist and its mutant side by side: what a fault can reach, and one step of both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from bitweight.prove.circuit import FALSE, TRUE, Builder
from bitweight.synth.faults import Fault
from bitweight.synth.netlist import ONE, ZERO, FlatNetlist

__all__ = ["HANDSHAKE", "RESULT", "Pair", "any_of", "function", "select", "unequal"]

HANDSHAKE = ("a__ready", "b__ready", "c__valid")
RESULT = "c__payload"


class Pair:
    """A netlist with and without a fault.

    Parameters
    ----------
    netlist : FlatNetlist
        Without the fault.
    fault : dict
        Truth tables in place of those of some gates.
    """

    def __init__(self, netlist: FlatNetlist, fault: Fault) -> None:
        self.netlist = netlist
        self.fault = fault
        self._inputs = np.where(netlist.gates[:, 2:] >= 0, netlist.gates[:, 2:], ZERO)
        ends = np.searchsorted(netlist.levels, np.arange(netlist.levels.max(initial=0) + 2))
        self._levels = list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))
        self._rows = netlist.gates.tolist()
        ports = netlist.ports
        self.outputs = [int(net) for name in (*HANDSHAKE, RESULT) for net in ports[name]]
        self._following = dict(zip(netlist.flops[:, 1].tolist(), netlist.flops[:, 0].tolist(),
                                   strict=True))  # fmt: skip

    def reached(self, nets: Iterable[int] = ()) -> np.ndarray:
        """Return what the fault, and differences of these nets, can reach within a cycle."""
        return self.reached_from([*nets, *self.netlist.gates[list(self.fault), 0].tolist()])

    def reached_from(self, nets: Iterable[int]) -> np.ndarray:
        """Return what depends on nets within a cycle, they themselves too, bool [nets]."""
        found = np.zeros(self.netlist.nets, dtype=bool)
        found[list(nets)] = True
        for low, high in self._levels:
            hit = found[self._inputs[low:high]].any(axis=1)
            found[self.netlist.gates[low:high, 0][hit]] = True
        return found

    def reached_ever(
        self, nets: Iterable[int] | None = None, stop: Collection[int] = ()
    ) -> np.ndarray:
        """Return what the fault, or nets instead, can reach through registers, but for some."""
        flops = self.netlist.flops
        passes = ~np.isin(flops[:, 1], list(stop))
        found = self.reached() if nets is None else self.reached_from(nets)
        while True:
            states = flops[found[flops[:, 0]] & passes, 1]
            if found[states].all():
                return found
            found = self.reached_from([*np.flatnonzero(found), *states])

    def visible(self) -> bool:
        """Tell whether there is a path from the fault to an output, through any registers."""
        return bool(self.reached_ever()[self.outputs].any())

    def resets_alike(self) -> bool:
        """Tell whether what a reset gives a value gets the same one in both, from any state."""
        netlist = self.netlist
        reached = self.reached()
        states = netlist.flops[reached[netlist.flops[:, 0]], 1].tolist()
        ends = [self.next_of(state) for state in states]
        leaves, needed = self.leaves(ends)
        build = Builder()
        sound = {net: build.input(f"n{net}") for net in leaves}
        sound[int(netlist.ports["rst"][0])] = TRUE
        one, other = self.step(build, needed, reached, sound, {})
        return all(one[net] not in (FALSE, TRUE) or other[net] == one[net] for net in ends)

    def next_of(self, state: int) -> int:
        """Return the net that a register takes."""
        return self._following[state]

    def leaves(self, nets: Iterable[int]) -> tuple[list[int], np.ndarray]:
        """Return ports and registers that these nets are made of, and all nets on the way."""
        needed = np.zeros(self.netlist.nets, dtype=bool)
        needed[list(nets)] = True
        for low, high in reversed(self._levels):
            hit = needed[self.netlist.gates[low:high, 0]]
            needed[self._inputs[low:high][hit]] = True
        driven = np.zeros(self.netlist.nets, dtype=bool)
        driven[self.netlist.gates[:, 0]] = True
        driven[[ZERO, ONE]] = True
        return np.flatnonzero(needed & ~driven).tolist(), needed

    def step(
        self,
        build: Builder,
        needed: np.ndarray,
        reached: np.ndarray,
        sound: Mapping[int, int],
        faulty: Mapping[int, int],
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Make the gates, those that a difference reaches twice.

        Parameters
        ----------
        build : Builder
            Where to.
        needed, reached : ndarray
            Which nets are made, and which of them may differ.
        sound, faulty : dict
            Literals of ports and registers of both.

        Returns
        -------
        tuple of dict
            Literals of all needed nets of both.
        """
        one = {ZERO: FALSE, ONE: TRUE, **sound}
        other = {ZERO: FALSE, ONE: TRUE, **sound, **faulty}
        tables = self.netlist.tables
        made: dict[tuple[bytes, tuple[int, ...]], int] = {}

        def shared(table: np.ndarray, inputs: tuple[int, ...]) -> int:
            key = (table.tobytes(), inputs)
            if key not in made:
                made[key] = function(build, table, inputs)
            return made[key]

        for gate in np.flatnonzero(needed[self.netlist.gates[:, 0]]).tolist():
            output, at, *inputs = self._rows[gate]
            nets = [net for net in inputs if net >= 0]
            table = tables[at : at + (1 << len(nets))]
            literal = one[output] = shared(table, tuple(one[net] for net in nets))
            if reached[output]:
                changed = np.ascontiguousarray(self.fault.get(gate, table))
                literal = shared(changed, tuple(other[net] for net in nets))
            other[output] = literal
        return one, other

    def seen(
        self, build: Builder, reached: np.ndarray, one: Mapping[int, int], other: Mapping[int, int]
    ) -> int:
        """Return a literal for outputs that differ where the contract says what they are."""
        ports = self.netlist.ports

        def differ(name: str) -> list[int]:
            nets = [net for net in ports[name].tolist() if reached[net]]
            return [unequal(build, one[net], other[net]) for net in nets]

        wrong = [literal for name in HANDSHAKE for literal in differ(name)]
        result = any_of(build, differ(RESULT))
        if result != FALSE:
            wrong.append(build.both(one[int(ports["c__valid"][0])], result))
        return any_of(build, wrong)


def unequal(build: Builder, x: int, y: int) -> int:
    """Return the exclusive or of two literals."""
    if x == y:
        return FALSE
    if x == y ^ 1:
        return TRUE
    return build.both(build.both(x, y ^ 1) ^ 1, build.both(x ^ 1, y) ^ 1) ^ 1


def select(build: Builder, chosen: int, high: int, low: int) -> int:
    """Return `high` where `chosen`, and `low` elsewhere."""
    if high == low:
        return high
    return build.both(build.both(chosen, high) ^ 1, build.both(chosen ^ 1, low) ^ 1) ^ 1


def any_of(build: Builder, literals: Iterable[int]) -> int:
    """Return the disjunction of literals."""
    found = FALSE
    for literal in literals:
        found = build.both(found ^ 1, literal ^ 1) ^ 1
    return found


def function(build: Builder, table: np.ndarray, inputs: Sequence[int]) -> int:
    """Return a function of literals by its truth table."""
    values: list[int] = [int(bit) for bit in table]
    for literal in inputs:
        values = [
            select(build, literal, high, low)
            for low, high in zip(values[::2], values[1::2], strict=True)
        ]
    return values[0]
