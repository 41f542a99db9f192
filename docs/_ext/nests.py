"""Directives that print nests and the moves that lead to them, as the package has them now."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from bitweight import ENCODINGS, MAC, Design
from bitweight.cli.designs import load_design
from bitweight.emit import emit
from bitweight.notation import Int, Nest, gemm, inverse, moves, skipping

PORTS = ("input", "output")

MOVES: dict[CodeType, Callable[..., Nest]] = {
    function.__code__: function
    for module in (moves, inverse, skipping)
    for name in module.__all__
    if "nest" in inspect.signature(function := getattr(module, name)).parameters
}
"""The elementary moves, by their code."""


def traced(apply: Callable[[Nest], Nest], nest: Nest) -> tuple[Nest, list[tuple[str, str]]]:
    """Return what a transformation makes, and its moves: qualified name and call of each."""
    found: list[tuple[str, str]] = []
    depth = 0

    def watch(frame: FrameType, event: str, _: Any) -> None:
        nonlocal depth
        move = MOVES.get(frame.f_code)
        if move is None or event not in ("call", "return"):
            return
        if event == "call" and depth == 0:
            values = [
                repr(frame.f_locals[name])
                if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
                else f"{name}={frame.f_locals[name]!r}"
                for name, parameter in list(inspect.signature(move).parameters.items())[1:]
                if parameter.default != frame.f_locals[name]
            ]
            found.append(
                (f"{move.__module__}.{move.__name__}", f"{move.__name__}({', '.join(values)})")
            )
        depth += 1 if event == "call" else -1

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        return apply(nest), found
    finally:
        sys.setprofile(before)


def plain(design: Design) -> Nest:
    """Return the nest that a design starts from."""
    return gemm(design.a, design.b, design.acc, ENCODINGS[design.encoding])


def move_list(found: list[tuple[str, str]]) -> str:
    """Return the moves as a numbered list with links to what each does."""
    return "\n".join(f"1. {{py:obj}}`{call} <{name}>`" for name, call in found)


def loaded(directive: SphinxDirective) -> Design:
    """Return the design that a directive names: of the catalog, or a TOML file of this site."""
    name = directive.arguments[0]
    if not name.endswith(".toml"):
        return load_design(name, ())
    relative, path = directive.env.relfn2path(name)
    directive.env.note_dependency(relative)
    return load_design(path, ())


class NestDirective(SphinxDirective):
    """A design: the moves of its transformation, its nest, how often each primitive is there."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of what is generated."""
        design = loaded(self)
        text = ""
        if design.mac is not MAC:
            _, found = traced(design.mac, design.array.place(plain(design)))
            text = f"{design.mac.summary[0].upper()}{design.mac.summary[1:]}.\n\n"
            text += f"Moves, on `{design.array.name}`:\n\n{move_list(found)}\n\n"
        sizes = ", ".join(f"{name} {size}" for name, size in design.array.sizes.items())
        text += f"`{design.name}` ({sizes}):\n\n```text\n{design.nest}\n```\n\n"
        counts = design.nest.counts(64, 64, 64).primitives
        text += "Instances: " + ", ".join(f"{count.instances} {count.op}" for count in counts)
        return self.parse_text_to_nodes(text + ".\n")


class PlacedDirective(SphinxDirective):
    """The moves that put the plain nest on the array of a design."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of what is generated."""
        design = loaded(self)
        _, found = traced(design.array.place, plain(design))
        return self.parse_text_to_nodes(f"{move_list(found)}\n")


class PlainDirective(SphinxDirective):
    """The plain nest."""

    def run(self) -> list[nodes.Node]:
        """Return the nodes of what is generated."""
        nest = gemm(Int(8), Int(8), 32, ENCODINGS["mbe"])
        return [nodes.literal_block("", str(nest), language="text")]


class HeaderDirective(SphinxDirective):
    """The ports of a design's top module, as its Verilog has them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the header of the module."""
        emission = emit(loaded(self))
        text = emission.verilog
        header = text[text.index(f"module {emission.top}(") :]
        header = header[: header.index("endmodule")]
        ports = [line for line in header.splitlines() if line.strip().startswith(PORTS)]
        return [nodes.literal_block("", "\n".join(ports), language="verilog")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("nest", NestDirective)
    app.add_directive("placed", PlacedDirective)
    app.add_directive("plain-nest", PlainDirective)
    app.add_directive("module-header", HeaderDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
