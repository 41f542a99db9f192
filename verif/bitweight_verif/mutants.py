"""Mutants of a mapped netlist: one faulty cell each, drawn from all cells, modules and faults.

A fault is another truth table of a cell, so that no mutant has to be built. What can be wrong with
a cell follows from what it does, whatever library it is of; only that a pin is a reset follows from
the net on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np

from bitweight.synth.netlist import FlatNetlist

__all__ = ["FAULTS", "Mutant", "Mutants"]

FAULTS = (
    "other function",
    "inputs swapped",
    "input stuck",
    "output inverted",
    "output stuck",
    "enable lost",
    "reset lost",
)
"""Kinds of faults. A lost enable or reset is the pin of a flip-flop, or of what is before it, tied
to where it does nothing."""

_TRIES = 60
_Tables = dict[int, np.ndarray]


@dataclass(frozen=True)
class Mutant:
    """One faulty cell.

    Parameters
    ----------
    cell : str
        Its path: names of instances and the cell's own, joined by ``/``.
    module, kind : str
        The module that it is in, and the library cell.
    fault, detail : str
        One of `FAULTS`, and at which pins.
    tables : dict
        The truth tables of its gates, by their place in the netlist.
    """

    cell: str
    module: str
    kind: str
    fault: str
    detail: str
    tables: _Tables = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.cell} ({self.kind} of {self.module}): {self.fault}, {self.detail}"


@dataclass(frozen=True)
class _Fault:
    """What may be wrong with a library cell: truth tables by where the sound ones begin."""

    fault: str
    detail: str
    tables: _Tables


class Mutants:
    """All mutants of a netlist, to draw from.

    Parameters
    ----------
    netlist : FlatNetlist
        The sound netlist.
    reset : str
        The port of the reset.
    """

    def __init__(self, netlist: FlatNetlist, reset: str = "rst") -> None:
        self.netlist = netlist
        self._reset = int(netlist.ports[reset][0])
        order = np.argsort(netlist.gate_cell, kind="stable")
        at = np.searchsorted(netlist.gate_cell[order], np.arange(len(netlist.cells) + 1))
        self._gates = [order[low:high] for low, high in pairwise(at)]
        self._known: dict[str, list[_Fault]] = {}

    def draw(self, count: int, rng: np.random.Generator) -> list[Mutant]:
        """Draw mutants, no two the same, spread over modules and kinds of faults.

        Fewer than `count` only where the netlist has no more.
        """
        modules = {name: np.flatnonzero(self._modules == name) for name in set(self._modules)}
        turns = [(fault, name) for fault in FAULTS for name in sorted(modules)]
        found: dict[tuple[str, str, str], Mutant] = {}
        while turns and len(found) < count:
            for turn in rng.permutation(len(turns)).tolist():
                fault, name = turns[turn]
                mutant = self._draw(fault, modules[name], rng, found)
                if mutant is None:
                    turns[turn] = ("", "")
                    continue
                found[mutant.cell, mutant.fault, mutant.detail] = mutant
                if len(found) == count:
                    break
            turns = [turn for turn in turns if turn[0]]
        return list(found.values())

    @cached_property
    def _modules(self) -> np.ndarray:
        return np.array(self.netlist.modules)

    def _draw(
        self,
        fault: str,
        cells: np.ndarray,
        rng: np.random.Generator,
        found: Mapping[tuple[str, str, str], Mutant],
    ) -> Mutant | None:
        """Draw a mutant of that kind that is not yet there; None where there seems to be none."""
        able = cells[self._able(fault)[cells]]
        for _ in range(_TRIES if len(able) else 0):
            cell = int(rng.choice(able))
            options = [one for one in self._faults(cell) if one.fault == fault]
            path = self.netlist.cells[cell]
            chosen = options[int(rng.integers(len(options)))]
            if (path, fault, chosen.detail) in found:
                continue
            sound = self.netlist.gates[self._gates[cell], 1]
            tables = {
                int(gate): chosen.tables[int(table)]
                for gate, table in zip(self._gates[cell], sound, strict=True)
                if int(table) in chosen.tables
            }
            module, kind = self.netlist.modules[cell], self.netlist.kinds[cell]
            return Mutant(path, module, kind, fault, chosen.detail, tables)
        return None

    def _able(self, fault: str) -> np.ndarray:
        """Tell of each cell whether it can have a kind of fault."""
        if fault == "reset lost":
            return self._reset_cells
        kinds = {}
        for cell, kind in enumerate(self.netlist.kinds):
            if kind not in kinds:
                kinds[kind] = any(one.fault == fault for one in self._of_kind(cell))
        return np.array([kinds[kind] for kind in self.netlist.kinds], dtype=bool)

    def _faults(self, cell: int) -> list[_Fault]:
        """Return what may be wrong with a cell, a lost reset included."""
        faults = list(self._of_kind(cell))
        if self._reset_cells[cell]:
            for gate in self._gates[cell]:
                nets = self.netlist.gates[gate, 2:]
                table, names = self._function(int(self.netlist.gates[gate, 1]))
                for pin, net in zip(names[1:], nets, strict=False):
                    if int(net) in self._resets:
                        level = 1 - self._resets[int(net)]
                        changed = _stuck(table, names.index(pin) - 1, level)
                        tables = {int(self.netlist.gates[gate, 1]): changed}
                        if (changed != table).any():
                            faults.append(_Fault("reset lost", f"{pin} stuck at {level}", tables))
        return faults

    @cached_property
    def _resets(self) -> dict[int, int]:
        """Nets that are the reset or its inverse: their level while it is there."""
        netlist = self.netlist
        found = {self._reset: 1}
        for gate in netlist.gates[netlist.arity == 1]:
            if int(gate[2]) in found:
                found[int(gate[0])] = int(netlist.tables[gate[1] + found[int(gate[2])]])
        return found

    @cached_property
    def _reset_cells(self) -> np.ndarray:
        """Tell of each cell whether the reset comes in and something else goes out."""
        gates = self.netlist.gates
        seen = np.isin(gates[:, 2:], list(self._resets)).any(axis=1) & (self.netlist.arity > 1)
        able = np.zeros(len(self.netlist.cells), dtype=bool)
        able[self.netlist.gate_cell[seen]] = True
        return able

    def _function(self, at: int) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return truth table and pins of the gates whose table begins there."""
        names = self.netlist.pins[at]
        return self.netlist.tables[at : at + (1 << len(names) - 1)], names

    def _of_kind(self, cell: int) -> list[_Fault]:
        """Return what may be wrong with any cell of a library cell."""
        kind = self.netlist.kinds[cell]
        if kind not in self._known:
            gates = {
                int(at): self._function(int(at))
                for at in np.unique(self.netlist.gates[self._gates[cell], 1])
            }
            self._known[kind] = list(self._possible(gates))
        return self._known[kind]

    def _possible(
        self, gates: Mapping[int, tuple[np.ndarray, tuple[str, ...]]]
    ) -> Iterator[_Fault]:
        inner = {
            name
            for _, names in gates.values()
            for name in names
            if name in ("held", "next", "state") or name.startswith(("state ", "next of "))
        }
        stateful = bool(inner)
        pins = sorted({name for _, names in gates.values() for name in names[1:]} - inner)
        outputs = [at for at, (_, names) in gates.items() if names[0] not in inner]
        for at in outputs:
            table, names = gates[at]
            yield _Fault("output inverted", names[0], {at: 1 - table})
            for level in (0, 1):
                yield _Fault(
                    "output stuck", f"{names[0]} at {level}", {at: np.full_like(table, level)}
                )
            if len(outputs) == 1 and not stateful and len(names) > 2:
                for cell, text in self._library.get(len(names) - 1, {}).items():
                    if cell != table.tobytes():
                        function = np.frombuffer(cell, dtype=np.uint8)
                        yield _Fault("other function", f"that of {text}", {at: function})
        for pin in pins:
            for level in (0, 1):
                tables = {
                    at: _stuck(table, names.index(pin) - 1, level)
                    for at, (table, names) in gates.items()
                    if pin in names[1:]
                }
                if any((tables[at] != gates[at][0]).any() for at in tables):
                    yield _Fault("input stuck", f"{pin} at {level}", tables)
                    if stateful and level and _enables(pin, gates):
                        yield _Fault("enable lost", f"{pin} stuck at {level}", tables)
        for one, other in combinations(pins, 2):
            both = [at for at, (_, names) in gates.items() if {one, other} <= set(names[1:])]
            either = [at for at, (_, names) in gates.items() if {one, other} & set(names[1:])]
            tables = {at: _swapped(*gates[at], one, other) for at in both}
            if both == either and any((tables[at] != gates[at][0]).any() for at in both):
                yield _Fault("inputs swapped", f"{one} and {other}", tables)

    @cached_property
    def _library(self) -> dict[int, dict[bytes, str]]:
        """Functions of the cells in the netlist by their number of inputs, with one that has it."""
        found: dict[int, dict[bytes, str]] = {}
        seen: set[str] = set()
        for cell, kind in enumerate(self.netlist.kinds):
            if kind in seen or len(self._gates[cell]) != 1:
                continue
            seen.add(kind)
            table, names = self._function(int(self.netlist.gates[self._gates[cell][0], 1]))
            if names[0] != "held":
                found.setdefault(len(names) - 1, {}).setdefault(table.tobytes(), kind)
        return found


def _enables(pin: str, gates: Mapping[int, tuple[np.ndarray, tuple[str, ...]]]) -> bool:
    """Tell whether a flip-flop keeps its state while a pin is 0."""
    for table, names in gates.values():
        state = [name for name in names[1:] if name == "state" or name.startswith("state ")]
        if state and names[0].startswith(("held", "next of ")) and pin in names[1:]:
            index = np.arange(len(table))
            kept = index >> (names.index(state[0]) - 1) & 1
            off = index >> (names.index(pin) - 1) & 1 == 0
            if (table[off] == kept[off]).all():
                return True
    return False


def _stuck(table: np.ndarray, at: int, level: int) -> np.ndarray:
    index = np.arange(len(table))
    return table[index & ~(1 << at) | level << at]


def _swapped(table: np.ndarray, names: tuple[str, ...], one: str, other: str) -> np.ndarray:
    index = np.arange(len(table))
    low, high = names.index(one) - 1, names.index(other) - 1
    differ = (index >> low ^ index >> high) & 1
    return table[index ^ (differ << low | differ << high)]
