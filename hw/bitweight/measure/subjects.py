"""What is measured: designs, the baseline of each, and the ways in which each can be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bitweight.catalog import catalog
from bitweight.design import Design
from bitweight.pe import STYLES
from bitweight.synth import YosysOptions

__all__ = ["ARRAYS", "PES", "Subject", "Way", "array_options", "subject"]

RECIPES = ("plain", "fast", "mixed", "small")
"""ABC scripts that a search tries besides `balanced`."""

ENCODINGS = ("csd4", "mbe")
"""What is tried where digits follow each other in time: the fewer, the better."""

OPERATORS = tuple(
    (arithmetic, adder)
    for arithmetic in ("booth", "default", "arith_tree")
    for adder in ("brent-kung", "sklansky")
)
"""How Yosys may build `*` and `+`."""

FEW_OPERATORS = (("booth", "sklansky"), ("arith_tree", "brent-kung"))
"""The same for elements with many lanes, whose synthesis takes long."""


CONTROL = {"bitslice": ("digits", "merge", "arbiter", "loader", "buffer")}
"""Blocks of an array that are not elements and set its clock: they are made fast, by its name."""

DISSOLVED = {"bitslice": ("feeder", "requests", "accumulation_column")}
"""Blocks that are small parts of those, and become part of them."""


@dataclass(frozen=True)
class Way:
    """One way to make a design: its label, the design in that style, options for Yosys."""

    label: str
    design: Design
    options: YosysOptions


@dataclass(frozen=True)
class Subject:
    """A design of the catalog, or its processing element alone.

    Attributes
    ----------
    key
        Unique, and what records and other subjects call it.
    table
        Where it is listed: ``mac``, ``cube`` or ``digit`` for elements, ``array``, ``bitslice``.
    name
        Of the design in the catalog.
    pe
        Whether the processing element alone is meant.
    baseline
        The subject that it is compared with; its own key for a baseline.
    made_as
        For an array: the element whose best way is taken over, since its element is the same.
    """

    key: str
    table: str
    name: str
    pe: bool
    baseline: str
    made_as: str = ""

    @property
    def design(self) -> Design:
        """The design as the catalog has it."""
        return catalog[self.name]

    def ways(self) -> list[Way]:
        """Return all ways that are tried, for a processing element."""
        plain = YosysOptions(premap=False)
        design = self.design
        if design.nest.sparse:
            return [Way(encoding, design.with_(encoding=encoding), plain) for encoding in ENCODINGS]
        if design.array.name == "laconic":
            return [Way("laconic", design, plain)]
        if design.mac.name != "mac":
            return [Way(design.mac.name, design, plain)]
        return plain_ways(design, OPERATORS if self.table == "mac" else FEW_OPERATORS)


def plain_ways(design: Design, operators: Sequence[tuple[str, str]] = OPERATORS) -> list[Way]:
    """Return every way to make a plain MAC: the candidates for a baseline.

    Only operators leave Yosys a choice of arithmetic. Fused MACs, and designs that keep sum and
    carry, come out better where Yosys does not optimise on plain gates first (`premap`);
    operators do not.
    """
    ways = []
    for style in STYLES:
        made = design.with_(style=style)
        if style != "operator":
            ways.append(Way(style, made, YosysOptions(premap=False)))
            continue
        ways += [
            Way(
                f"{style}/{arithmetic}/{adder}",
                made,
                YosysOptions(arithmetic=arithmetic, adder=adder),
            )
            for arithmetic, adder in operators
        ]
    return ways


def array_options(design: Design, options: YosysOptions, modules: Sequence[str]) -> YosysOptions:
    """Return how an array is synthesised whose elements are made with these options.

    Parameters
    ----------
    design
        The array.
    options
        What is best for its element.
    modules
        All modules of its Verilog.
    """
    kind, top = design.array.name, design.top
    if kind not in CONTROL:
        return options
    dissolved = {f"{top}_{name}" for name in DISSOLVED[kind]}
    return replace(
        options,
        keep=tuple(name for name in modules if name != top and name not in dissolved),
        fast=(top, *(f"{top}_{name}" for name in CONTROL[kind])),
    )


def _pe(table: str, name: str, baseline: str) -> Subject:
    return Subject(f"pe/{name}", table, name, True, f"pe/{baseline}")


def _array(table: str, name: str, baseline: str, made_as: str) -> Subject:
    return Subject(
        f"array/{name}", table, name, False, f"array/{baseline}", made_as=f"pe/{made_as}"
    )


PES = (
    _pe("mac", "systolic-os-mac", "systolic-os-mac"),
    _pe("mac", "systolic-os-opt1", "systolic-os-mac"),
    _pe("digit", "bitslice-opt3", "systolic-os-mac"),
    _pe("digit", "bitslice-opt4c", "systolic-os-mac"),
    _pe("digit", "bitslice-opt4e", "systolic-os-mac"),
    _pe("digit", "laconic", "systolic-os-mac"),
    _pe("cube", "cube-mac", "cube-mac"),
    _pe("cube", "cube-opt1", "cube-mac"),
    _pe("cube", "cube-opt2", "cube-mac"),
)
"""Processing elements, baselines first."""

ARRAYS = (
    _array("array", "systolic-os-mac", "systolic-os-mac", "systolic-os-mac"),
    _array("array", "systolic-os-opt1", "systolic-os-mac", "systolic-os-opt1"),
    _array("array", "matrix2d-mac", "matrix2d-mac", "systolic-os-mac"),
    _array("array", "matrix2d-opt1", "matrix2d-mac", "systolic-os-opt1"),
    _array("array", "cube-mac", "cube-mac", "cube-mac"),
    _array("array", "cube-opt1", "cube-mac", "cube-opt1"),
    _array("array", "cube-opt2", "cube-mac", "cube-opt2"),
    _array("array", "adder-tree-mac", "adder-tree-mac", "cube-mac"),
    _array("array", "adder-tree-opt1", "adder-tree-mac", "cube-opt1"),
    _array("array", "adder-tree-opt2", "adder-tree-mac", "cube-opt2"),
    _array("bitslice", "laconic", "laconic", "laconic"),
    _array("bitslice", "bitslice-opt3", "laconic", "bitslice-opt3"),
    _array("bitslice", "bitslice-opt4c", "laconic", "bitslice-opt4c"),
    _array("bitslice", "bitslice-opt4e", "laconic", "bitslice-opt4e"),
)
"""Whole arrays of the paper's sizes, baselines first."""


def subject(key: str) -> Subject:
    """Return a subject by its key."""
    for one in (*PES, *ARRAYS):
        if one.key == key:
            return one
    raise ValueError(
        f"subject must be one of {', '.join(one.key for one in (*PES, *ARRAYS))}, not {key!r}"
    )
