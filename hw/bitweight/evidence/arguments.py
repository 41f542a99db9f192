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

MutantName = tuple[str, str, str, str, str]
"""Design, checksum of its netlist, cell, fault and detail."""


def mutant_name(run: Mapping[str, Any], survivor: Mapping[str, str]) -> MutantName:
    """Return the name of a mutant on record.

    It is that of one netlist: in another one the cell of that name may do something else.
    """
    return (
        run["design"],
        run["netlist"],
        survivor["cell"],
        survivor["fault"],
        survivor["detail"],
    )


def load_arguments(folder: Path) -> dict[MutantName, str]:
    """Return the argument for each mutant that has one, none where there is no file.

    The file has a table ``[netlists]`` with the checksum of each design's netlist, as the record of
    mutants has it, and a table ``[[argument]]`` for each argument: ``why``, and ``mutants``, a list
    of design, cell, fault and detail.

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
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for argument in table["argument"]:
            why = " ".join(argument["why"].split())
            for design, cell, fault, detail in argument["mutants"]:
                name = (design, table["netlists"][design], cell, fault, detail)
                if name in found:
                    raise ValueError(f"{design}/{cell} is there twice")
                found[name] = why
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} has no arguments about mutants: {error}") from None
    return found
