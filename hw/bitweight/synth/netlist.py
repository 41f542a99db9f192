"""Mapped netlists made flat, as truth tables and flip-flops that a gate-level simulation can run.

Cells take their behaviour from the Liberty files alone, through Yosys. A netlist that was
synthesised module by module is flattened by index arithmetic on arrays, so that an array of 256
processing elements takes a second and not minutes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitweight.synth import tools
from bitweight.synth.cell_models import CellModel, cell_models
from bitweight.synth.delays import Delays
from bitweight.synth.errors import ToolError
from bitweight.synth.technology import Technology
from bitweight.synth.timing import link_libraries

__all__ = ["FlatNetlist", "read_netlist"]

#: Nets that exist in every netlist: constant 0 and constant 1.
ZERO, ONE = 0, 1
_DEEPEST = 5000
# What a flip-flop behind a clock gate takes: its input, or itself without the enable.
_HELD = np.array([0, 0, 1, 1, 0, 1, 0, 1], dtype=np.uint8)


@dataclass(frozen=True)
class FlatNetlist:
    """A netlist without hierarchy.

    Attributes
    ----------
    nets
        Their number; net 0 is constant 0, net 1 constant 1.
    ports
        Nets of each port of the top module, bit 0 first.
    cells, modules, kinds
        Of every library cell: its path (instances joined by ``/``), the module that it is in, its
        library cell.
    output_cell, output_net
        One entry for each connected output pin of a cell: the cell's index, and its net.
    gates
        int32 [gates, 2 + most inputs]: output net, first entry of the truth table, input nets
        (-1 after the last); in the order of their levels, and among equals of their inputs.
    levels
        The level of each gate.
    gate_cell
        int32 [gates]: the cell that each gate is a function of; of gates that hold a flip-flop
        behind a clock gate, that clock gate.
    pins
        Output and inputs of a gate as its cell names them, by the first entry of its truth table.
    delays
        Of each gate: until its output rises, and until it falls, in ns [gates, 2]; 0 for gates
        inside of a cell, and for all where the netlist was read without delays.
    tables
        Truth tables one after the other, uint8; an index has input i in bit i.
    flops
        int32 [flip-flops, 2]: net that is taken at the rising edge, net that is driven.
    enables
        int32 [cells]: of flip-flops behind a clock gate the net that lets the clock through, of all
        other cells constant 1.
    clock_pins
        The clock pin of every kind of flip-flop, and of the clock gate.
    instances
        Path, which ends with ``/``, and module of every instance of a module; the top's is empty.
    """

    nets: int
    ports: Mapping[str, np.ndarray]
    cells: tuple[str, ...]
    modules: tuple[str, ...]
    kinds: tuple[str, ...]
    output_cell: np.ndarray
    output_net: np.ndarray
    gates: np.ndarray
    levels: np.ndarray
    gate_cell: np.ndarray
    pins: Mapping[int, tuple[str, ...]]
    delays: np.ndarray
    tables: np.ndarray
    flops: np.ndarray
    enables: np.ndarray
    clock_pins: Mapping[str, str]
    instances: tuple[tuple[str, str], ...]

    @property
    def arity(self) -> np.ndarray:
        """The number of inputs of each gate."""
        return (self.gates[:, 2:] >= 0).sum(axis=1)


@dataclass(frozen=True)
class _Module:
    """One module, with nets numbered from 0 (constants first), as arrays that can be renumbered.

    `ports` gives the nets of each port; `instances` the name, the module, and by port the nets of
    each instance of another module.
    """

    nets: int
    ports: dict[str, list[int]]
    cells: list[str]
    kinds: list[str]
    output_cell: np.ndarray
    output_net: np.ndarray
    gates: np.ndarray
    gate_cell: np.ndarray
    delays: np.ndarray
    flops: np.ndarray
    clocks: np.ndarray
    enables: np.ndarray
    instances: list[tuple[str, str, dict[str, list[int]]]]


def read_netlist(
    netlist: str,
    top: str,
    technology: Technology,
    folder: Path,
    *,
    delays: Delays | None = None,
    clock: str = "clk",
    timeout: float = 600.0,
) -> FlatNetlist:
    """Read a mapped netlist and the behaviour of the cells in it.

    Parameters
    ----------
    netlist
        Verilog of a mapped netlist, as `bitweight.synth.synthesise` returns it.
    top
        Name of the top module.
    technology
        The library that it uses.
    folder
        Where scripts and logs go.
    delays
        Of its cells' outputs (:func:`bitweight.synth.delays.cell_delays`).
    clock
        The clock's port: every flip-flop must take its rising edge.
    timeout
        Limit for Yosys, in seconds.

    Raises
    ------
    ToolError
        The netlist does not parse, holds a cell without a model or a flip-flop with another clock,
        a net with two drivers, or a loop without a register.
    """
    (folder / "netlist.v").write_text(netlist, encoding="utf-8")
    tools.render(
        "cells.ys.j2", folder, "cells.ys", {"libraries": link_libraries(folder, technology)}
    )
    tools.yosys(folder, "cells.ys", timeout)
    models = cell_models(json.loads((folder / "cells.json").read_text(encoding="utf-8")))
    design = json.loads((folder / "netlist.json").read_text(encoding="utf-8"))["modules"]
    if top not in design:
        raise ToolError(f"the netlist holds no module {top} (log: {folder / 'cells.log'})")
    return _Flattening(design, models, clock, delays or {}, technology.clock_gate).flatten(top)


class _Flattening:
    """One netlist on its way from modules to a flat whole."""

    def __init__(
        self,
        design: Mapping[str, Any],
        models: Mapping[str, CellModel],
        clock: str,
        delays: Delays,
        clock_gate: tuple[str, ...],
    ):
        self.design = design
        self.delays = delays
        self.models = models
        self.clock = clock
        self.clock_gate = clock_gate
        self.known: dict[str, _Module] = {}
        self.tables: list[np.ndarray] = []
        self.table_at: dict[tuple[str, int], int] = {}
        self.pins: dict[int, tuple[str, ...]] = {}
        self.size = 0
        self.nets = 2
        self.aliases: list[tuple[int, int]] = []
        self.parts: list[tuple[str, str, _Module, np.ndarray]] = []

    def flatten(self, top: str) -> FlatNetlist:
        module = self.module(top)
        self._place(top, "", {})
        root = self._roots()
        ports = {name: root[self.parts[0][3][bits]] for name, bits in module.ports.items()}
        parts = [(path, name, part, root[nets]) for path, name, part, nets in self.parts]
        clocks = np.concatenate([nets[part.clocks] for _, _, part, nets in parts])
        if len(clocks) and (self.clock not in ports or (clocks != ports[self.clock][0]).any()):
            raise ToolError(f"a flip-flop of {top} is not clocked by its port {self.clock}")
        width = max(part.gates.shape[1] for _, _, part, _ in parts)
        gates = np.concatenate([_renumbered(part.gates, nets, width) for _, _, part, nets in parts])
        flops = np.concatenate([nets[part.flops] for _, _, part, nets in parts])
        drivers = np.bincount(np.concatenate([gates[:, 0], flops[:, 1]]), minlength=self.nets)
        drivers[[ZERO, ONE]] += 1
        if drivers.max() > 1:
            raise ToolError(f"{(drivers > 1).sum()} nets of {top} have more than one driver")
        order, levels = _levelled(gates, self.nets, top)
        sizes = np.cumsum([0] + [len(part.cells) for _, _, part, _ in parts])
        return FlatNetlist(
            nets=self.nets,
            ports=ports,
            cells=tuple(path + name for path, _, part, _ in parts for name in part.cells),
            modules=tuple(module for _, module, part, _ in parts for _ in part.cells),
            kinds=tuple(kind for _, _, part, _ in parts for kind in part.kinds),
            output_cell=np.concatenate(
                [part.output_cell + at for (_, _, part, _), at in zip(parts, sizes, strict=False)]
            ),
            output_net=np.concatenate([nets[part.output_net] for _, _, part, nets in parts]),
            gates=gates[order],
            levels=levels[order],
            gate_cell=np.concatenate(
                [part.gate_cell + at for (_, _, part, _), at in zip(parts, sizes, strict=False)]
            )[order],
            pins=self.pins,
            delays=np.concatenate([part.delays for _, _, part, _ in parts])[order],
            tables=np.concatenate(self.tables) if self.tables else np.zeros(1, np.uint8),
            flops=flops,
            enables=np.concatenate([nets[part.enables] for _, _, part, nets in parts]),
            clock_pins={
                kind: model.flops[0].clock for kind, model in self.models.items() if model.flops
            }
            | ({self.clock_gate[0]: self.clock_gate[2]} if self.clock_gate else {}),
            instances=tuple((path, name) for path, name, _, _ in parts),
        )

    def module(self, name: str) -> _Module:
        """Return a module of the design as arrays."""
        if name in self.known:
            return self.known[name]
        source = self.design[name]
        numbers: dict[Any, int] = {"0": ZERO, "x": ZERO, "z": ZERO, "1": ONE}

        def net(bit: Any) -> int:
            return numbers.setdefault(bit, len(numbers) - 2)

        ports = {
            port: [net(bit) for bit in facts["bits"]] for port, facts in source["ports"].items()
        }
        cells: list[str] = []
        kinds: list[str] = []
        outputs: list[tuple[int, int]] = []
        gates: list[tuple[int, ...]] = []
        gate_cell: list[str] = []
        known = self.delays.get(name, {})
        delays: list[tuple[float, float]] = []
        flops: list[tuple[int, int]] = []
        clocks: list[int] = []
        enables: list[int] = []
        instances = []
        gated = self._gated(source)
        for path, cell in source["cells"].items():
            kind = cell["type"]
            wires = {pin: [net(bit) for bit in bits] for pin, bits in cell["connections"].items()}
            if kind in self.clock_gate[:1]:
                cells.append(path)
                kinds.append(kind)
                enables.append(ONE)
                continue
            if kind in self.design:
                instances.append((path, kind, wires))
                continue
            if kind not in self.models:
                raise ToolError(f"module {name} holds {kind}, for which the library has no cell")
            model = self.models[kind]
            if model.refused:
                raise ToolError(
                    f"module {name} holds {kind}, which cannot be simulated: {model.refused}"
                )
            pins = {pin: bits[0] for pin, bits in wires.items() if bits}
            for pin in model.outputs:
                if pin in pins:
                    outputs.append((len(cells), pins[pin]))
            for inner in model.inner:
                # The nets inside of a cell, and outputs that lead nowhere.
                if inner not in pins:
                    pins[inner] = net((path, inner))
            for at, gate in enumerate(model.gates):
                sources = (pins.get(pin, ZERO) for pin in gate.inputs)
                names = (gate.output, *gate.inputs)
                gates.append(
                    (pins[gate.output], self._table(kind, at, gate.table, names), *sources)
                )
                gate_cell.append(path)
                delays.append(known.get((path, gate.output), (0.0, 0.0)))
            enable = ONE
            for flop in model.flops:
                following, clocked = pins[flop.next], pins.get(flop.clock, ZERO)
                at_clock = cell["connections"].get(flop.clock, [None])[0]
                if at_clock in gated:
                    gate_path, *wired = gated[at_clock]
                    enable, clocked = (net(bit) for bit in wired)
                    held = net((path, "held", flop.next))
                    kept = (following, pins[flop.state], enable)
                    names = ("held", "next", "state", self.clock_gate[1])
                    gates.append((held, self._table("clock gate", 0, _HELD, names), *kept))
                    gate_cell.append(gate_path)
                    delays.append((0.0, 0.0))
                    following = held
                flops.append((following, pins[flop.state]))
                clocks.append(clocked)
            cells.append(path)
            kinds.append(kind)
            enables.append(enable)
        width = max((len(gate) for gate in gates), default=2)
        number = {path: at for at, path in enumerate(cells)}
        found = _Module(
            nets=len(numbers) - 2,
            ports=ports,
            cells=cells,
            kinds=kinds,
            output_cell=np.array([cell for cell, _ in outputs], dtype=np.int64),
            output_net=np.array([bit for _, bit in outputs], dtype=np.int64),
            gates=np.array(
                [(*gate, *[-1] * (width - len(gate))) for gate in gates], dtype=np.int32
            ).reshape(-1, width),
            gate_cell=np.array([number[path] for path in gate_cell], dtype=np.int32),
            delays=np.array(delays).reshape(-1, 2),
            flops=np.array(flops, dtype=np.int32).reshape(-1, 2),
            clocks=np.array(clocks, dtype=np.int64),
            enables=np.array(enables, dtype=np.int64),
            instances=instances,
        )
        self.known[name] = found
        return found

    def _gated(self, source: Mapping[str, Any]) -> dict[Any, tuple[str, Any, Any]]:
        """Return gate, enable and clock of every gated clock of a module.

        A gate takes its enable at the rising edge, as an enable of the flip-flops behind it would
        be taken; it is simulated as one.
        """
        if not self.clock_gate:
            return {}
        kind, enable, clock, output = self.clock_gate
        found = {
            path: cell["connections"]
            for path, cell in source["cells"].items()
            if cell["type"] == kind
        }
        return {
            wires[output][0]: (path, wires.get(enable, ["0"])[0], wires.get(clock, ["0"])[0])
            for path, wires in found.items()
            if output in wires
        }

    def _table(self, kind: str, at: int, table: np.ndarray, pins: tuple[str, ...]) -> int:
        """Return where the truth table of a cell's gate begins."""
        if (kind, at) not in self.table_at:
            self.table_at[kind, at] = self.size
            self.pins[self.size] = pins
            self.tables.append(table)
            self.size += len(table)
        return self.table_at[kind, at]

    def _place(self, name: str, path: str, bound: Mapping[int, int]) -> None:
        """Give the nets of an instance their numbers, then those of the instances inside."""
        module = self.module(name)
        fresh = np.ones(module.nets, dtype=bool)
        fresh[[ZERO, ONE, *bound]] = False
        nets = np.empty(module.nets, dtype=np.int64)
        nets[fresh] = np.arange(self.nets, self.nets + int(fresh.sum()))
        self.nets += int(fresh.sum())
        for inner, outer in bound.items():
            nets[inner] = outer
        nets[ZERO], nets[ONE] = ZERO, ONE
        self.parts.append((path, name, module, nets))
        for instance, kind, wires in module.instances:
            inside: dict[int, int] = {}
            for port, bits in self.module(kind).ports.items():
                # A port without wires keeps nets of its own.
                for inner, outer in zip(bits, wires.get(port, ()), strict=False):
                    whole = int(nets[outer])
                    if inner in (ZERO, ONE):
                        self.aliases.append((inner, whole))
                    elif inside.setdefault(inner, whole) != whole:
                        # An output that is an input under another name.
                        self.aliases.append((inside[inner], whole))
            self._place(kind, f"{path}{instance}/", inside)

    def _roots(self) -> np.ndarray:
        """Return for each net the one that stands for all that are the same."""
        root = np.arange(self.nets, dtype=np.int32)

        def find(net: int) -> int:
            while root[net] != net:
                net = int(root[net])
            return net

        for one, other in self.aliases:
            low, high = sorted((find(one), find(other)))
            root[high] = low
        for net in sorted({net for pair in self.aliases for net in pair}):
            root[net] = find(net)
        return root


def _renumbered(gates: np.ndarray, nets: np.ndarray, width: int) -> np.ndarray:
    """Return a module's gates with the nets of an instance, and room for `width` columns."""
    wide = np.full((len(gates), width), -1, dtype=np.int32)
    here = gates.shape[1]
    wide[:, 1] = gates[:, 1]
    wide[:, 0] = nets[gates[:, 0]]
    wide[:, 2:here] = np.where(gates[:, 2:] >= 0, nets[gates[:, 2:]], -1)
    return wide


def _levelled(gates: np.ndarray, nets: int, top: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of gates in which one pass settles them all, and the level of each."""
    level = np.zeros(nets, dtype=np.int32)
    inputs = np.where(gates[:, 2:] >= 0, gates[:, 2:], ZERO)
    for _ in range(_DEEPEST):
        found = level[inputs].max(axis=1, initial=0) + 1
        if (found == level[gates[:, 0]]).all():
            break
        level[gates[:, 0]] = found
    else:
        raise ToolError(f"the netlist of {top} has a loop of gates without a register")
    found = level[gates[:, 0]]
    order = np.lexsort(((gates[:, 2:] >= 0).sum(axis=1), found))
    return order, found
