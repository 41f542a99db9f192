"""Each object is described once: public ones with their package, others with their module."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

import bitweight
from bitweight.notation import Transformation

PACKAGES = ("bitweight", "bitweight.emit", "bitweight.synth", "bitweight_verif")
"""Packages whose ``__all__`` is public."""


def elsewhere() -> dict[str, list[str]]:
    """Return, for each module, the names in it that are described with a package."""
    found: dict[str, list[str]] = {}
    for package in map(importlib.import_module, PACKAGES):
        for thing in (getattr(package, name) for name in package.__all__):
            if inspect.isclass(thing) or inspect.isroutine(thing):
                found.setdefault(thing.__module__, []).append(thing.__name__)
    return found


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.TextElement
) -> nodes.Node | None:
    """Link to an object by any name that it can be imported by."""
    thing = None
    if node.get("refdomain") == "py" and node["reftarget"].startswith("bitweight"):
        thing = _find(node["reftarget"])
    if thing is None or not (module := getattr(thing, "__module__", None)):
        return None
    name = f"{module}.{getattr(thing, '__qualname__', '')}"
    entry = env.get_domain("py").objects.get(name)  # type: ignore[attr-defined]
    if entry is None:
        return None
    uri = app.builder.get_relative_uri(node["refdoc"], entry.docname)
    return nodes.reference("", "", text, refuri=f"{uri}#{entry.node_id}", internal=True)


def _find(dotted: str) -> Any:
    """Return what a dotted name stands for, or None."""
    parts = dotted.split(".")
    for at in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:at]))
        except ImportError:
            continue
        for name in parts[at:]:
            thing = getattr(thing, name, None)
        return thing
    return None


class PublicDataDirective(SphinxDirective):
    """The public names of `bitweight` that are neither classes nor functions."""

    def run(self) -> list[nodes.Node]:
        """Describe transformations by their summary, tables by their names."""
        text = []
        for name in bitweight.__all__:
            thing = getattr(bitweight, name)
            if isinstance(thing, Transformation):
                told = f"{thing.summary}."
            elif isinstance(thing, Mapping):
                told = f"By name: {', '.join(f'`{key}`' for key in thing)}."
            elif name == "__version__":
                told = f"This is `{thing}`."
            else:
                continue
            kind = type(thing).__name__
            text.append(f"```{{py:data}} {name}\n:type: {kind}\n\n{told}\n```\n")
        return self.parse_text_to_nodes("\n".join(text))


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell the templates of modules what they leave out, and follow re-exported names."""
    app.config.autosummary_context = {"packages": PACKAGES, "elsewhere": elsewhere()}
    app.add_directive("public-data", PublicDataDirective)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
