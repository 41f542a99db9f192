"""Designs named on the command line: catalog entries, TOML files, changed parameters."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from bitweight.catalog import catalog, find_design
from bitweight.design import Design

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "chosen",
    "chosen_names",
    "complete_designs",
    "load_design",
    "set_option",
    "spelled",
]

set_option = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a parameter, such as rows=8; may be given again.",
)


def complete_designs(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the designs of the catalog whose names the shell can complete `begun` to."""
    return [name for name in catalog if name.startswith(begun)]


def load_design(name: str, changes: tuple[str, ...] = ()) -> Design:
    """Return the design that `name` and ``--set`` options stand for.

    Raises
    ------
    ValueError, TypeError, OSError
        If there is no such design, or a parameter is not allowed.
    """
    changed = dict(_change(text) for text in changes)
    if not name.endswith(".toml"):
        design = find_design(name)
        if not changed:
            return design
        # A changed design is not the catalog's: its name is made anew, unless one is given.
        return Design.from_dict(design.to_dict() | {"name": ""} | changed)
    try:
        parameters = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is not a TOML file: {error}") from None
    try:
        return Design.from_dict(parameters | changed)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def spelled(name: str, changes: tuple[str, ...]) -> str:
    """Return how the user named the design, to be put in a command that repeats something."""
    return " ".join([name, *(f"--set {text}" for text in changes)])


def chosen(names: tuple[str, ...], everything: bool, changes: tuple[str, ...]) -> list[Design]:
    """Return the designs of a command that takes names or ``--all``, the whole catalog."""
    return [load_design(name, changes) for name in chosen_names(names, everything, catalog)]


def chosen_names(
    names: Iterable[str], everything: bool, available: Iterable[str]
) -> tuple[str, ...]:
    """Return `names`, or what is `available` where a command is given ``--all`` instead.

    Raises
    ------
    ValueError
        If both are given, or neither is.
    """
    given = tuple(names)
    if everything == bool(given):
        raise ValueError("give one or more designs or --all, not both or neither")
    return tuple(available) if everything else given


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise ValueError(f"--set must be KEY=VALUE, not {text!r}")
    try:
        return key, int(value)
    except ValueError:
        return key, value
