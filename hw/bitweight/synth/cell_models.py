"""What the cells of a library do: truth tables and flip-flops, from what Yosys reads in Liberty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CellModel", "Flop", "Gate", "cell_models"]

_OPERATIONS: dict[str, tuple[tuple[str, ...], Callable[..., np.ndarray]]] = {
    "$_NOT_": (("A",), lambda a: 1 - a),
    "$_BUF_": (("A",), lambda a: a),
    "$_AND_": (("A", "B"), lambda a, b: a & b),
    "$_OR_": (("A", "B"), lambda a, b: a | b),
    "$_XOR_": (("A", "B"), lambda a, b: a ^ b),
    "$_XNOR_": (("A", "B"), lambda a, b: 1 - (a ^ b)),
    "$_NAND_": (("A", "B"), lambda a, b: 1 - (a & b)),
    "$_NOR_": (("A", "B"), lambda a, b: 1 - (a | b)),
    "$_ANDNOT_": (("A", "B"), lambda a, b: a & (1 - b)),
    "$_ORNOT_": (("A", "B"), lambda a, b: a | (1 - b)),
    "$_MUX_": (("A", "B", "S"), lambda a, b, s: a ^ (s & (a ^ b))),
}
_FLOP = "$_DFF_P_"
_MOST_INPUTS = 12


@dataclass(frozen=True)
class Gate:
    """A function of a cell: the pin or inner net that it drives, its inputs, its truth table.

    The table is uint8 [2**inputs]; its index has input i in bit i.
    """

    output: str
    inputs: tuple[str, ...]
    table: np.ndarray


@dataclass(frozen=True)
class Flop:
    """A state of a cell: the net that it takes at the rising edge of `clock`, and its own."""

    clock: str
    next: str
    state: str


@dataclass(frozen=True)
class CellModel:
    """A library cell.

    Attributes
    ----------
    outputs
        Output pins.
    inner
        Output pins and nets inside: what its gates and flip-flops drive.
    gates, flops
        What it does.
    refused
        Why it cannot be simulated; empty where it can.
    """

    outputs: tuple[str, ...]
    inner: tuple[str, ...]
    gates: tuple[Gate, ...]
    flops: tuple[Flop, ...]
    refused: str = ""


def cell_models(design: Mapping[str, Any]) -> dict[str, CellModel]:
    """Return models of all cells of a library, by name.

    Parameters
    ----------
    design
        What Yosys' ``write_json`` writes after ``read_liberty``.
    """
    return {name: _model(module) for name, module in design["modules"].items()}


def _model(module: Mapping[str, Any]) -> CellModel:
    outputs = tuple(name for name, port in module["ports"].items() if port["direction"] == "output")
    inputs = {
        port["bits"][0]: name
        for name, port in module["ports"].items()
        if port["direction"] == "input"
    }
    drivers = {}
    for cell in module["cells"].values():
        pin = "Q" if "Q" in cell["connections"] else "Y"
        drivers[cell["connections"][pin][0]] = cell
    names = dict(inputs)
    gates: list[Gate] = []
    flops: list[Flop] = []
    inner: list[str] = []
    try:
        # Only states that reach an output: Yosys makes a second, inverted one of every flip-flop.
        for output in outputs:
            bit = module["ports"][output]["bits"][0]
            gates.append(_gate(output, bit, drivers, names))
            inner.append(output)
        done: set[str] = set()
        while waiting := [name for name in names.values() if name not in done]:
            for name in waiting:
                done.add(name)
                bit = next(bit for bit, known in names.items() if known == name)
                if bit in inputs:
                    continue
                cell = drivers[bit]["connections"]
                clock = inputs.get(cell["C"][0])
                if clock is None:
                    raise NotImplementedError("its clock is not one of its pins")
                gates.append(_gate(f"next of {name}", cell["D"][0], drivers, names))
                flops.append(Flop(clock, f"next of {name}", name))
                inner += [name, f"next of {name}"]
    except NotImplementedError as error:
        return CellModel(outputs, (), (), (), refused=str(error))
    return CellModel(outputs, tuple(inner), tuple(gates), tuple(flops))


def _gate(output: str, bit: Any, drivers: Mapping[Any, Any], names: dict[Any, str]) -> Gate:
    """Return the function of pins and states that a net has; states are given names."""
    order: list[Any] = []

    def collect(bit: Any, above: tuple[Any, ...] = ()) -> None:
        if bit in order or isinstance(bit, str):
            return
        if bit in names:
            order.append(bit)
            return
        if bit not in drivers:
            raise NotImplementedError("one of its outputs has no function")
        if bit in above:
            raise NotImplementedError("it has a loop without a state")
        kind = drivers[bit]["type"]
        if kind == _FLOP:
            names[bit] = f"state {bit}"
            order.append(bit)
            return
        if kind not in _OPERATIONS:
            raise NotImplementedError(f"it holds {kind.strip('$_')}")
        for pin in _OPERATIONS[kind][0]:
            collect(drivers[bit]["connections"][pin][0], (*above, bit))

    collect(bit)
    if len(order) > _MOST_INPUTS:
        raise NotImplementedError(f"it has more than {_MOST_INPUTS} inputs")
    index = np.arange(1 << len(order))

    def value(bit: Any) -> np.ndarray:
        if isinstance(bit, str):
            return np.full(len(index), int(bit == "1"))
        if bit in order:
            return (index >> order.index(bit)) & 1
        pins, function = _OPERATIONS[drivers[bit]["type"]]
        return function(*(value(drivers[bit]["connections"][pin][0]) for pin in pins))

    return Gate(output, tuple(names[bit] for bit in order), value(bit).astype(np.uint8))
