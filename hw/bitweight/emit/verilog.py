"""Verilog with one module for each distinct block, instantiated many times."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator

from amaranth.back import rtlil, verilog
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Fragment, Instance, ResetSignal
from amaranth.hdl import Value as HdlValue
from amaranth.lib import wiring

from bitweight.block import Block

__all__ = ["to_verilog"]


class _Modules:
    """The platform that blocks see when Verilog is made: it collects each of them once."""

    def __init__(self, top: str) -> None:
        self.top = top
        self.names: dict[Hashable, str] = {}
        self.pending: list[tuple[str, Block]] = []

    def instance_of(self, block: Block) -> Instance:
        key = (type(block), block.key)
        if key not in self.names:
            name = f"{self.top}_{block.block_name}"
            if name in self.names.values():
                raise ValueError(f"two different blocks must not both be called {name!r}")
            self.names[key] = name
            self.pending.append((name, block))
        ports: dict[str, object] = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for name, direction, value in _ports(block):
            ports[f"{direction}_{name}"] = value
        return Instance(self.names[key], **ports)


def _ports(component: wiring.Component) -> Iterator[tuple[str, str, HdlValue]]:
    """Yield name, direction (``i`` or ``o``) and value of each port, as Amaranth names them."""
    for path, member, value in component.signature.flatten(component):
        direction = "i" if member.flow == wiring.In else "o"
        yield "__".join(str(part) for part in path), direction, HdlValue.cast(value)


def _to_rtlil(component: wiring.Component, body: Elaboratable, name: str, top: _Modules) -> str:
    # Every module has a clock and a reset, needed or not, so that instances are all alike.
    sync = ClockDomain("sync")
    fragment = Fragment.get(body, top)
    fragment.add_domains(sync)
    ports = {"clk": (sync.clk, None), "rst": (sync.rst, None)}
    ports |= {port: (value, None) for port, _, value in _ports(component)}
    return rtlil.convert(fragment, name=name, ports=ports, emit_src=False)


def to_verilog(component: wiring.Component, name: str) -> tuple[str, list[str]]:
    """Return the Verilog of a component, and the names of its modules, the top first.

    The text depends on the component alone: no path, date or order of memory is in it.

    Parameters
    ----------
    component
        The top; its ports become ports of the module `name` beside ``clk`` and ``rst``.
    name
        Of the top module; the modules of blocks begin with it.
    """
    modules = _Modules(name)
    texts = [_to_rtlil(component, component, name, modules)]
    names = [name]
    while modules.pending:
        module, block = modules.pending.pop(0)
        texts.append(_to_rtlil(block, block.build(), module, modules))
        names.append(module)
    before = os.environ.get("AMARANTH_USE_YOSYS")
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    try:
        # Amaranth has no public way from RTLIL to Verilog: this is what its `convert` calls.
        text = verilog._convert_rtlil_text("\n".join(texts), strip_internal_attrs=True)
    finally:
        if before is None:
            del os.environ["AMARANTH_USE_YOSYS"]
        else:
            os.environ["AMARANTH_USE_YOSYS"] = before
    return text, names
