"""Why mutants that are neither found nor proven to be equivalent are taken for equivalent."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["ARGUMENTS", "MutantName", "load_arguments", "mutant_name"]

ARGUMENTS = "arguments.toml"
"""Written by hand: an argument, and the mutants that it is about."""

MutantName = tuple[str, str, str, str]
"""Design, cell, fault and detail."""


def mutant_name(design: str, survivor: Mapping[str, str]) -> MutantName:
    """Return the name of a mutant in a record."""
    return (design, survivor["cell"], survivor["fault"], survivor["detail"])


def load_arguments(folder: Path) -> dict[MutantName, str]:
    """Return the argument for each mutant that has one, none where there is no file.

    The file has a table ``[[argument]]`` for each: ``why``, and ``mutants``, a list of design,
    cell, fault and detail.

    Raises
    ------
    ValueError
        If the file is damaged, or a mutant is there twice; it names the file.
    """
    path = Path(folder) / ARGUMENTS
    if not path.exists():
        return {}
    found: dict[MutantName, str] = {}
    try:
        arguments: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))[
            "argument"
        ]
        for argument in arguments:
            why = " ".join(argument["why"].split())
            for design, cell, fault, detail in argument["mutants"]:
                name = (design, cell, fault, detail)
                if name in found:
                    raise ValueError(f"{design}/{cell} is there twice")
                found[name] = why
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} has no arguments about mutants: {error}") from None
    return found
