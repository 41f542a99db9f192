"""Every circuit of `arith`, `pe` and `tpe`, found in the code, and what speaks for it.

Claims say which modules they are of, :mod:`bitweight.evidence.testimony` which circuit of a module
where there are several, and which tests there are. A component is besides in the benches of the
arrays that are made with it; which these are, is found by making them.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from amaranth.hdl import Elaboratable, Fragment, Module

from bitweight.block import Block
from bitweight.catalog import catalog
from bitweight.emit.verilog import uncollected
from bitweight.evidence.testimony import CLAIMS, PART_OF, TESTS
from bitweight.prove import FAMILIES

__all__ = ["Circuit", "circuits", "proofs_of"]

PACKAGES = ("arith", "pe", "tpe")

_HARDWARE = re.compile(r"\b(Value|Digit)\b")


@dataclass(frozen=True)
class Circuit:
    """A circuit and what speaks for it.

    Parameters
    ----------
    name
        With its module, such as ``tpe.stream.Skew``.
    proofs
        Families of claims.
    tests
        Tests of it alone: where they are, and what they do.
    designs
        Names of the catalog's small designs that it is part of, and that are benched.
    """

    name: str
    proofs: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]
    designs: tuple[str, ...]


def circuits() -> list[Circuit]:
    """Return all circuits, module by module.

    A circuit is what makes hardware: a component; a class with a public method that adds to a
    module, or returns values of one; a public function that does. What is abstract or has a name
    with an underscore belongs to that which makes use of it.
    """
    used = _designs_by_component()
    found = []
    for package in PACKAGES:
        for name in _of_package(package):
            part_of = PART_OF.get(name)
            designs = used.get(name if part_of is None else part_of, ())
            found.append(Circuit(name, proofs_of(name), TESTS.get(name, ()), designs))
    return found


def proofs_of(name: str) -> tuple[str, ...]:
    """Return the families of claims of a circuit."""
    if name in CLAIMS:
        return CLAIMS[name]
    module = name.rpartition(".")[0]
    return tuple(family.name for family in FAMILIES.values() if module in family.subjects)


def _of_package(package: str) -> Iterator[str]:
    folder = importlib.import_module(f"bitweight.{package}").__path__
    for found in pkgutil.iter_modules(folder):
        module = importlib.import_module(f"bitweight.{package}.{found.name}")
        yield from (f"{package}.{found.name}.{name}" for name in _of_module(module))


def _of_module(module: ModuleType) -> Iterator[str]:
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(thing):
            if not inspect.isabstract(thing) and _makes_hardware(thing):
                yield name
        elif inspect.isfunction(thing) and _in_signature(thing):
            yield name


def _makes_hardware(kind: type) -> bool:
    if issubclass(kind, Elaboratable):
        return True
    functions = inspect.getmembers(kind, inspect.isfunction)
    return any(_in_signature(thing) for name, thing in functions if not name.startswith("_"))


def _in_signature(function: Any) -> bool:
    signature = inspect.signature(function)
    if any(parameter.annotation == "Module" for parameter in signature.parameters.values()):
        return True
    return bool(_HARDWARE.search(str(signature.return_annotation)))


@functools.cache
def _designs_by_component() -> dict[str, tuple[str, ...]]:
    """Return the small designs that have each component, those of derived classes too."""
    found: dict[str, list[str]] = {}
    for name, design in catalog.items():
        if not name.endswith("-small"):
            continue
        kinds = _Kinds()
        top = design.create()
        with uncollected():
            Fragment.get(top, kinds)
        bases = {base for kind in (*kinds.seen, type(top)) for base in kind.__mro__}
        for base in bases:
            if base.__module__.startswith("bitweight."):
                place = f"{base.__module__.removeprefix('bitweight.')}.{base.__name__}"
                found.setdefault(place, []).append(name)
    return {name: tuple(names) for name, names in found.items()}


class _Kinds:
    """A platform that notes the classes of blocks, and builds each different one once."""

    def __init__(self) -> None:
        self.seen: set[type] = set()
        self._built: set[Any] = set()

    def instance_of(self, block: Block) -> Module:
        self.seen.add(type(block))
        key = (type(block), block.key)
        if key in self._built:
            return Module()
        self._built.add(key)
        return block.build()
