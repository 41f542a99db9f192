"""Verilog of a block whose instances are simulated all at once, a bit of each in every word.

Modules come as Yosys' JSON has them: a netlist of gates and flip-flops, or instances of other such
modules. Of a port with `w` bits the wide one has ``w · n``: bit j of instance i is bit ``j·n + i``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["FLIP_FLOP", "GATES", "CannotWiden", "join_instances", "wide_module", "wide_name"]

GATES: Mapping[str, str] = {
    "$_BUF_": "{A}",
    "$_NOT_": "~{A}",
    "$_AND_": "{A} & {B}",
    "$_ANDNOT_": "{A} & ~{B}",
    "$_OR_": "{A} | {B}",
    "$_XOR_": "{A} ^ {B}",
    "$_MUX_": "({S} & {B}) | (~{S} & {A})",
}
"""Gates, and what each is of words."""

FLIP_FLOP = "$_DFF_P_"
_CLOCK = "clk"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*\Z")
_PORT = re.compile(r"^ +\.(\w+)\((.*)\),?$", re.MULTILINE)

#: A bit of a vector, or all of a scalar or constant.
_Bit = tuple[str, int | None]


class CannotWiden(ValueError):
    """A block has something that is not gates, flip-flops of the one clock, or blocks of these."""


def wide_name(name: str, count: int) -> str:
    """Return what the wide module for so many instances is called."""
    return f"{name}__x{count}"


def wide_module(name: str, modules: Mapping[str, Any], count: int) -> str:
    """Return the wide module of a block.

    Parameters
    ----------
    name
        Of the block.
    modules
        It, and those that it instantiates, as gates.
    count
        Instances.

    Raises
    ------
    CannotWiden
        If the block cannot be made wide.
    """
    module = modules[name]
    clock = module["ports"].get(_CLOCK, {"bits": [None]})["bits"][0]
    cells = list(module["cells"].values())
    states = {cell["connections"]["Q"][0] for cell in cells if cell["type"] == FLIP_FLOP}
    first = _initial(module)
    used = {bit for facts in module["netnames"].values() for bit in facts["bits"]}
    used |= {bit for cell in cells for bits in cell["connections"].values() for bit in bits}

    def net(bit: int | str) -> str:
        if isinstance(bit, int):
            return f"n{bit}"
        return f"{{{count}{{1'b{1 if bit == '1' else 0}}}}}"

    lines = [f"module {wide_name(name, count)}({', '.join(module['ports'])});"]
    for bit in sorted(bit for bit in used if isinstance(bit, int) and bit != clock):
        kind = "reg" if bit in states else "wire"
        value = f" = {net(first[bit])}" if bit in states and bit in first else ""
        lines.append(f"  {kind} [{count - 1}:0] n{bit}{value};")
    for port, facts in module["ports"].items():
        if port == _CLOCK:
            lines.append(f"  input {port};")
            continue
        lines.append(f"  {facts['direction']} [{len(facts['bits']) * count - 1}:0] {port};")
        for at, bit in enumerate(facts["bits"]):
            part = f"{port}[{at * count + count - 1}:{at * count}]"
            ends = (net(bit), part) if facts["direction"] == "input" else (part, net(bit))
            lines.append(f"  assign {ends[0]} = {ends[1]};")
    clocked = []
    for number, cell in enumerate(cells):
        kind, pins = cell["type"], cell["connections"]
        if kind in modules:
            ports = ", ".join(
                f".{port}({_CLOCK})"
                if port == _CLOCK
                else f".{port}({_joined(map(net, reversed(bits)))})"
                for port, bits in pins.items()
            )
            lines.append(f"  {wide_name(kind, count)} u{number}({ports});")
        elif kind == FLIP_FLOP and pins["C"][0] == clock:
            clocked.append(f"    {net(pins['Q'][0])} <= {net(pins['D'][0])};")
        elif kind in GATES:
            value = GATES[kind].format(**{pin: net(bits[0]) for pin, bits in pins.items()})
            lines.append(f"  assign {net(pins['Y'][0])} = {value};")
        else:
            raise CannotWiden(f"{name} has {kind}")
    if clocked:
        lines += [f"  always @(posedge {_CLOCK}) begin", *clocked, "  end"]
    return "\n".join([*lines, "endmodule"])


def join_instances(
    text: str, module: Mapping[str, Any], block: str, ports: Mapping[str, Any], count: int
) -> tuple[str, int]:
    """Put one wide instance in the place of all instances of a block.

    What goes from one of them to another stays in the wide vectors.

    Parameters
    ----------
    text
        Verilog of the module with the instances.
    module
        The same as Yosys' JSON has it.
    block
        Name of the block.
    ports
        Of the block, as JSON has them.
    count
        Instances.

    Returns
    -------
    tuple of str and int
        The new text, and pieces that vectors are taken apart into and put together of.

    Raises
    ------
    CannotWiden
        If the instances are not found in the text as they are in the JSON.
    """
    use = re.compile(rf"^  {block} +(\S+) +\((.*?)^  \);\n", re.MULTILINE | re.DOTALL)
    # In the order of their numbers, so that what neighbours give each other lies side by side.
    found = sorted(
        ((name.lstrip("\\"), dict(_PORT.findall(body))) for name, body in use.findall(text)),
        key=lambda one: [int(part) for part in re.findall(r"\d+", one[0])],
    )
    if len(found) != count or any(name not in module["cells"] for name, _ in found):
        raise CannotWiden(f"{block} is instantiated in another way than the emitter's")
    wires = [module["cells"][name]["connections"] for name, _ in found]
    lines: list[str] = []
    pieces = 0
    source: dict[int, _Bit] = {}
    for name, facts in module["netnames"].items():
        if not facts["hide_name"]:
            for at, bit in enumerate(facts["bits"]):
                source.setdefault(bit, (_written(name), at if len(facts["bits"]) > 1 else None))
    width = {port: len(facts["bits"]) for port, facts in ports.items()}
    outputs = [port for port, facts in ports.items() if facts["direction"] == "output"]
    for port in outputs:
        vector = f"{block}__{port}"
        lines.append(f"  wire [{width[port] * count - 1}:0] {vector};")
        for i, (_, texts) in enumerate(found):
            bits = [(vector, j * count + i) for j in range(width[port])]
            source.update(zip(wires[i].get(port, ()), bits, strict=False))
            if texts.get(port, "").strip():
                lines.append(f"  assign {texts[port]} = {_joined(_merged(reversed(bits)))};")
    connections = [f".{port}({block}__{port})" for port in outputs]
    for port, facts in ports.items():
        if port == _CLOCK:
            connections.append(f".{port}({_CLOCK})")
        elif facts["direction"] == "input":
            wanted: list[_Bit] = []
            for j in range(width[port]):
                for i, (_, texts) in enumerate(found):
                    bit = wires[i][port][j]
                    if isinstance(bit, str):
                        wanted.append((f"1'b{1 if bit == '1' else 0}", None))
                        continue
                    if bit not in source:
                        # An expression: it gets a name.
                        name = f"{block}__{port}_{i}"
                        lines.append(f"  wire [{width[port] - 1}:0] {name} = {texts[port]};")
                        source.update(
                            (each, (f"{name} ", at)) for at, each in enumerate(wires[i][port])
                        )
                    wanted.append(source[bit])
            parts = _merged(reversed(wanted))
            pieces += len(parts)
            connections.append(f".{port}({_joined(parts)})")
    # A bit of an output that goes nowhere but into another instance costs nothing.
    inside = {bit for one in wires for port in ports if port not in outputs for bit in one[port]}
    pieces += sum(bit not in inside for one in wires for port in outputs for bit in one[port])
    lines.append(f"  {wide_name(block, count)} {block}__all({', '.join(connections)});")
    rest = use.sub("", text)
    end = rest.rindex("endmodule")
    return rest[:end] + "\n".join(lines) + "\n" + rest[end:], pieces


def _initial(module: Mapping[str, Any]) -> dict[int, str]:
    """Return the first values of registers, as far as they are stated."""
    return {
        bit: value
        for facts in module["netnames"].values()
        for bit, value in zip(
            facts["bits"], reversed(facts["attributes"].get("init", "")), strict=False
        )
        if value in "01" and isinstance(bit, int)
    }


def _written(name: str) -> str:
    return name if _PLAIN.match(name) else f"\\{name} "


def _merged(bits: Iterable[_Bit]) -> list[str]:
    """Return bits, the topmost first, as parts of vectors: neighbours in one, equals repeated."""
    runs: list[list[Any]] = []  # name, first, last, how often
    for name, at in bits:
        if runs and runs[-1][0] == name:
            if at is None:
                runs[-1][3] += 1
                continue
            if runs[-1][2] == at + 1 and runs[-1][3] == 1:
                runs[-1][2] = at
                continue
            if runs[-1][1] == runs[-1][2] == at:
                runs[-1][3] += 1
                continue
        runs.append([name, at, at, 1])
    parts = []
    for name, high, low, times in runs:
        part = name if high is None else f"{name}[{high}" + (f":{low}]" if low < high else "]")
        parts.append(part if times == 1 else f"{{{times}{{{part}}}}}")
    return parts


def _joined(parts: Iterable[str] | Sequence[str]) -> str:
    """Return a concatenation; no line gets long, as Verilator has a limit."""
    return "{" + ",\n    ".join(parts) + "}"
