"""Buffer trees for nets that reach into many instances of a module, or to many flip-flops.

In a hierarchical run ABC works on one module at a time: a net from one flip-flop to 256 PEs looks
like 256 outputs of small load, and stays without a buffer, as does one to the enables of many
flip-flops. Here such nets are found in the mapped
netlist (Yosys' JSON) and driven through trees of one buffer cell. A buffer may carry 16 times its
own input (its two stages are then at an effort of four each); another driver an eighth of its
`max_capacitance`, but no more than a buffer. Clocks, gated ones too, and ideal nets are left alone:
they get their trees in layout.

A 16×16 array of INT8 MACs whose operands, enable and clear are broadcast, sky130hd: 17.9 ns without
this, less than 6.5 ns with it.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the file is exported too, and then stands alone
    from bitweight.synth.technology import Technology

_EFFORT = 16
# ABC buffers what it sees. It does not see the pins of flip-flops, their enables above all: a net
# to many of them is one output to ABC.
_SEEN = 24
_FLOPS = 8
_SHARE = 8


@dataclass
class _Sink:
    """A pin that hangs on a net: whose, which, and its load in the library's unit."""

    cell: str
    pin: str
    at: int
    load: float
    inside: bool  # whether it is a pin of a module and not of a library cell
    state: bool = False  # whether it is a pin of a flip-flop


@dataclass
class _Net:
    driver: tuple[str, str] | None
    sinks: list[_Sink]
    fixed: float = 0.0  # load of output ports


class _Buffering:
    """One design while its nets are looked at, from the leaves up."""

    def __init__(self, modules: dict[str, Any], technology: Technology) -> None:
        self.modules = modules
        self.technology = technology
        self.cells = technology.library.cells
        cell, pin, _ = technology.buffer
        self.buffer_load = self.cells[cell].inputs.get(pin, 0.0)
        self.buffer_limit = _EFFORT * self.buffer_load
        self.port_limit = self._limit(*technology.driving_cell)
        self.ideal: dict[str, set[str]] = defaultdict(set)
        self.loads: dict[str, dict[str, list[float]]] = {}
        self.added = 0

    def _limit(self, cell: str, pin: str) -> float:
        """Return the load that a cell's output may carry."""
        stated = self.cells[cell].limits.get(pin, math.inf)
        return min(stated / _SHARE, self.buffer_limit)

    def spread_ideal(self, name: str, ports: set[str]) -> None:
        """Follow clock and ideal inputs down the hierarchy."""
        if ports <= self.ideal[name] and self.ideal[name]:
            return
        self.ideal[name] |= ports
        module = self.modules[name]
        bits = {
            bit for port in ports & module["ports"].keys() for bit in module["ports"][port]["bits"]
        }
        for cell in module["cells"].values():
            if cell["type"] in self.modules:
                below = {pin for pin, wires in cell["connections"].items() if bits & set(wires)}
                if below:
                    self.spread_ideal(cell["type"], below)

    def visit(self, name: str) -> dict[str, list[float]]:
        """Buffer a module after those inside it; return the load of each of its inputs."""
        if name in self.loads:
            return self.loads[name]
        module = self.modules[name]
        nets = self._nets(module)
        quiet = {
            bit
            for port, facts in module["ports"].items()
            if port in self.ideal[name]
            for bit in facts["bits"]
        }
        if self.technology.clock_gate:
            gate, _, _, gated = self.technology.clock_gate
            quiet |= {
                bit
                for cell in module["cells"].values()
                if cell["type"] == gate
                for bit in cell["connections"][gated]
            }
        fresh, before = itertools.count(1 + _highest(module)), self.added
        for bit, net in sorted(nets.items()):
            if bit not in quiet and _unseen(net):
                self._tree(module, bit, net, fresh)
        after = nets if self.added == before else self._nets(module)
        self.loads[name] = {
            port: [
                sum(sink.load for sink in after[bit].sinks) if bit in after else 0.0
                for bit in facts["bits"]
            ]
            for port, facts in module["ports"].items()
            if facts["direction"] == "input"
        }
        return self.loads[name]

    def _nets(self, module: dict[str, Any]) -> dict[int, _Net]:
        nets: dict[int, _Net] = defaultdict(lambda: _Net(None, []))
        for name, cell in module["cells"].items():
            kind = cell["type"]
            inner = self.visit(kind) if kind in self.modules else None
            for pin, bits in cell["connections"].items():
                for at, bit in enumerate(bits):
                    if not isinstance(bit, int):
                        continue
                    if inner is not None:
                        if pin in inner:
                            nets[bit].sinks.append(_Sink(name, pin, at, inner[pin][at], True))
                    elif pin in self.cells[kind].inputs:
                        load = self.cells[kind].inputs[pin]
                        state = self.cells[kind].sequential
                        nets[bit].sinks.append(_Sink(name, pin, at, load, False, state))
                    else:
                        nets[bit].driver = (kind, pin)
        for facts in module["ports"].values():
            for bit in facts["bits"]:
                if facts["direction"] != "input" and isinstance(bit, int):
                    nets[bit].fixed += self.technology.output_load
        return dict(nets)

    def _tree(self, module: dict[str, Any], bit: int, net: _Net, fresh: Iterator[int]) -> None:
        """Put buffers between a net's driver and its sinks until the driver carries its share."""
        ties = (self.technology.tie_hi[0], self.technology.tie_lo[0])
        limit = self.port_limit
        if net.driver is not None:
            if net.driver[0] in ties:
                return
            limit = self._limit(*net.driver)
        sinks = net.sinks
        room = max(limit - net.fixed, self.buffer_load)
        while sum(sink.load for sink in sinks) > room:
            groups = _groups(sinks, self.buffer_limit)
            if len(groups) == len(sinks) and not any(sink.inside for sink in sinks):
                break  # one buffer for each buffer gains nothing
            sinks = [self._buffer(module, bit, group, next(fresh)) for group in groups]
            if len(sinks) == 1:
                break

    def _buffer(self, module: dict[str, Any], bit: int, group: list[_Sink], new: int) -> _Sink:
        cell, pin, out = self.technology.buffer
        name = f"fanout_buffer_{self.added}"
        self.added += 1
        module["netnames"][f"{name}_net"] = {"hide_name": 0, "bits": [new], "attributes": {}}
        for sink in group:
            module["cells"][sink.cell]["connections"][sink.pin][sink.at] = new
        module["cells"][name] = {
            "hide_name": 0,
            "type": cell,
            "parameters": {},
            "attributes": {},
            "port_directions": {pin: "input", out: "output"},
            "connections": {pin: [bit], out: [new]},
        }
        return _Sink(name, pin, 0, self.buffer_load, False)


def _unseen(net: _Net) -> bool:
    """Return whether ABC has left a net alone for want of knowing what hangs on it."""
    flops = sum(sink.state for sink in net.sinks)
    return any(sink.inside for sink in net.sinks) or flops >= _FLOPS or len(net.sinks) > _SEEN


def _highest(module: dict[str, Any]) -> int:
    """Return the highest number of a net, those that lead nowhere among them."""
    wires = [facts["bits"] for facts in module["ports"].values()]
    wires += [facts["bits"] for facts in module["netnames"].values()]
    wires += [bits for cell in module["cells"].values() for bits in cell["connections"].values()]
    return max((bit for bits in wires for bit in bits if isinstance(bit, int)), default=1)


def _groups(sinks: list[_Sink], limit: float) -> list[list[_Sink]]:
    """Divide sinks, in order, into groups of about equal load within a limit."""
    total = sum(sink.load for sink in sinks)
    wanted = total / max(1, math.ceil(total / limit))
    groups: list[list[_Sink]] = [[]]
    filled = 0.0
    for sink in sinks:
        if groups[-1] and filled + sink.load / 2 > wanted * len(groups):
            groups.append([])
        groups[-1].append(sink)
        filled += sink.load
    return groups


def buffer_fanout(
    design: dict[str, Any], top: str, technology: Technology, ideal: tuple[str, ...]
) -> int:
    """Add buffer trees to a mapped design (Yosys' JSON), in place.

    Parameters
    ----------
    design
        What Yosys' ``write_json`` wrote.
    top
        Name of the top module.
    technology
        Its `buffer` is used, its library tells loads and limits.
    ideal
        Inputs of the top module that are left alone, the clock among them.

    Returns
    -------
    int
        The number of buffers added to modules; a module counts once, however often it is used.
    """
    work = _Buffering(design["modules"], technology)
    work.spread_ideal(top, set(ideal))
    work.visit(top)
    return work.added
