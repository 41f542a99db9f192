"""Proofs that a fault of the control never lets wrong data out, whatever the data are.

The netlist and its mutant run side by side. What says when something moves has its values in both:
the registers that the handshakes depend on, and those that no operand reaches. Of all other
registers, the data, it is only kept whether they may differ; what is computed from a bit that may
differ may differ too, unless a bit of the control keeps it out: a selector, an enable, a valid bit.
Data have any value in any cycle, but for what the control makes of them within that cycle. So sums
of products cost no more than a disjunction. Both start with any values in all registers and a
reset. Where no output can differ while it says something, the mutant is equivalent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import product

import numpy as np

from bitweight.prove.circuit import FALSE, TRUE, Builder, Circuit, Latch
from bitweight.prove.solver import never, reach
from bitweight.synth.netlist import ONE, ZERO
from bitweight_verif.miter import (
    HANDSHAKE,
    RESULT,
    Pair,
    any_of,
    function,
    select,
    unequal,
)
from bitweight_verif.reachability import Registers

__all__ = ["never_shows"]

_MOST_DATA = 4
"""Inputs of a gate that may be data; of one with more all are taken to matter."""
_ANY = (TRUE, TRUE)


def never_shows(
    pair: Pair, registers: Registers, timeout: float, *, abstract: bool = False
) -> bool:
    """Tell whether it is proven that a fault is never seen.

    Parameters
    ----------
    pair : Pair
        The netlist and its mutant.
    registers : Registers
        Of the netlist.
    timeout : float
        In seconds.
    abstract : bool
        First leave out what no short counterexample needs: for long limits.

    Raises
    ------
    Undecided
        If the time was not enough.
    """
    sides = _Sides(pair, registers)
    if sides.hopeless:
        return False
    circuit = sides.circuit()
    if abstract:
        return never(circuit, "bad", timeout)
    return reach(circuit, "bad", timeout) is None


class _Sides:
    """Both netlists as a circuit: values of the control, and which data may differ."""

    def __init__(self, pair: Pair, registers: Registers) -> None:
        self.pair, self.netlist = pair, pair.netlist
        self._rows = self.netlist.gates.tolist()
        self._registers = registers
        self._is_data = pair.reached_from(registers.data)
        self._differs = pair.reached_ever()
        ports = self.netlist.ports
        self._seen = [int(net) for name in HANDSHAKE for net in ports[name]]
        self._result = ports[RESULT].tolist()
        self._valid = int(ports["c__valid"][0])

    @property
    def hopeless(self) -> bool:
        """Whether no control comes before the fault, or the handshakes depend on data."""
        rows = [self._rows[gate] for gate in self.pair.fault]
        leaves = self.pair.leaves([net for _, _, *nets in rows for net in nets if net >= 0])[0]
        return bool(self._is_data[leaves].all() or self._is_data[self._seen].any())

    def circuit(self) -> Circuit:
        """Return the circuit, with an output `bad` for what shows."""
        pair, netlist = self.pair, self.netlist
        ends = [net for net in (*self._seen, *self._result) if self._differs[net]]
        ends.append(self._valid)
        # Data that never differ need no register, nor do buffers: their digits may be any.
        omitted = self._registers.data | self._registers.steers_first
        kept = [
            net for net in netlist.flops[:, 1].tolist() if net not in omitted or self._differs[net]
        ]
        states = sorted(self._registers.support(ends, kept))
        leaves, needed = pair.leaves([*ends, *map(pair.next_of, states)])
        control = [net for net in states if net not in self._registers.data]
        data = [net for net in states if net in self._registers.data]
        apart = [net for net in control if self._differs[net]]

        build = Builder()
        rst = int(netlist.ports["rst"][0])
        free = {net: build.input(f"n{net}") for net in sorted({*leaves, *control, rst})}
        names = ["started", *(f"q{net}" for net in control), *(f"p{net}" for net in apart)]
        names += [f"t{net}" for net in data]
        latch = {name: build.input(name) for name in names}
        started = latch["started"]
        one = {ZERO: FALSE, ONE: TRUE, **free}
        one[rst] = build.both(started, free[rst] ^ 1) ^ 1
        for net in control:
            one[net] = select(build, started, latch[f"q{net}"], free[net])
        other = dict(one)
        for net in apart:
            other[net] = select(build, started, latch[f"p{net}"], free[net])
        # Before the first reset both hold the same.
        differ = {net: latch[f"t{net}"] for net in data}
        gates = _Gates(one, other, differ)
        for gate in np.flatnonzero(needed[netlist.gates[:, 0]]).tolist():
            self._gate(build, gate, gates)

        def apart_at(net: int) -> int:
            return differ.get(net, FALSE) if self._is_data[net] else unequal(
                build, one[net], other[net]
            )  # fmt: skip

        shown = any_of(build, [apart_at(net) for net in self._seen if self._differs[net]])
        result = any_of(build, [apart_at(net) for net in self._result if self._differs[net]])
        wrong = any_of(build, [shown, build.both(one[self._valid], result)])
        following = {"started": TRUE}
        following |= {f"q{net}": one[pair.next_of(net)] for net in control}
        following |= {f"p{net}": other[pair.next_of(net)] for net in apart}
        following |= {f"t{net}": apart_at(pair.next_of(net)) for net in data}
        made = build.circuit({"bad": build.both(started, wrong)})
        return Circuit(
            tuple(made.inputs[: len(free)]),
            tuple(Latch((name,), following[name], 0) for name in names),
            made.outputs,
            made.ands,
        )

    def _gate(self, build: Builder, gate: int, known: _Gates) -> None:
        """Make a gate: its values in both, or whether they may differ and which they may be."""
        one, other, differ = known.one, known.other, known.differ
        output, at, *inputs = self._rows[gate]
        nets = [net for net in inputs if net >= 0]
        table = self.netlist.tables[at : at + (1 << len(nets))]
        changed = self.pair.fault.get(gate, table)
        differs = bool(self._differs[output])
        if not self._is_data[output]:
            one[output] = other[output] = function(build, table, [one[net] for net in nets])
            if differs:
                other[output] = function(build, changed, [other[net] for net in nets])
            return
        data = [i for i, net in enumerate(nets) if self._is_data[net]]
        control = [i for i in range(len(nets)) if i not in data]
        sound = [known.may_be.get(nets[i], _ANY) for i in data]
        faulty = [known.may_be_other.get(nets[i], _ANY) for i in data]
        apart = [differ.get(nets[i], FALSE) for i in data]
        same = changed is table and all(one[nets[i]] == other[nets[i]] for i in control)
        free = all(may_be == _ANY for may_be in (*sound, *faulty))
        if len(data) > _MOST_DATA or (same and free and not control):
            if differs:
                differ[output] = any_of(build, apart) if same else TRUE
            return
        choices = list(product((0, 1), repeat=len(data)))

        def side(
            table: np.ndarray, values: Mapping[int, int], may_be: Sequence[tuple[int, int]]
        ) -> tuple[dict[tuple[int, ...], int], dict[tuple[int, ...], int]]:
            """Return the gate's value, and whether that can be, for each choice of data."""
            literals = [values[nets[i]] for i in control]
            value = {x: function(build, _part(table, data, x), literals) for x in choices}
            possible = {
                x: _all_of(build, [may[v] for may, v in zip(may_be, x, strict=True)])
                for x in choices
            }
            return value, possible

        left, possible = side(table, one, sound)
        known.may_be[output] = known.may_be_other[output] = _values(build, left, possible)
        if not differs:
            return
        same = same and faulty == sound
        right, possible_other = (left, possible) if same else side(changed, other, faulty)
        known.may_be_other[output] = _values(build, right, possible_other)
        found = []
        for x, y in product(choices, repeat=2):
            if same and x >= y:
                continue  # it is the same the other way around, and with itself
            literals = [may for may, u, v in zip(apart, x, y, strict=True) if u != v]
            if FALSE not in literals:
                literals += [possible[x], possible_other[y], unequal(build, left[x], right[y])]
                found.append(_all_of(build, literals))
        differ[output] = any_of(build, found)


@dataclass(frozen=True)
class _Gates:
    """Literals of nets in a cycle.

    Parameters
    ----------
    one, other : dict
        Control: its values in the netlist and in its mutant.
    differ : dict
        Data: whether they may differ.
    may_be, may_be_other : dict
        Data: whether they may be 0, and whether they may be 1, in both; where nothing is said of a
        net it may be either.
    """

    one: dict[int, int]
    other: dict[int, int]
    differ: dict[int, int]
    may_be: dict[int, tuple[int, int]] = field(default_factory=dict)
    may_be_other: dict[int, tuple[int, int]] = field(default_factory=dict)


def _values(
    build: Builder, value: Mapping[tuple[int, ...], int], possible: Mapping[tuple[int, ...], int]
) -> tuple[int, int]:
    """Return whether a function may be 0, and whether it may be 1, by its values."""
    zero = any_of(build, [build.both(possible[x], value[x] ^ 1) for x in value])
    return zero, any_of(build, [build.both(possible[x], value[x]) for x in value])


def _all_of(build: Builder, literals: Iterable[int]) -> int:
    return reduce(build.both, literals, TRUE)


def _part(table: np.ndarray, inputs: Sequence[int], values: Sequence[int]) -> np.ndarray:
    """Return the table of the other inputs, where these have some values."""
    index = np.arange(len(table))
    kept = np.ones(len(table), dtype=bool)
    for at, value in zip(inputs, values, strict=True):
        kept &= (index >> at & 1) == value
    return table[kept]
