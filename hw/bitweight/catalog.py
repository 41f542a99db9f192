"""Named designs. Tests, ``gen/`` and reports run over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bitweight._check import check_choice
from bitweight.design import Design
from bitweight.notation import MAC, OPT1
from bitweight.tpe import SystolicOS

__all__ = ["catalog", "find_design"]


def _named(*designs: Design) -> Mapping[str, Design]:
    return MappingProxyType({design.name: design for design in designs})


catalog: Mapping[str, Design] = _named(
    Design(SystolicOS(16, 16), MAC),
    Design(SystolicOS(16, 16), OPT1),
    # Small ones, the same in everything but size: what tests run on.
    Design(SystolicOS(4, 3), MAC, name="systolic-os-mac-small"),
    Design(SystolicOS(4, 3), OPT1, name="systolic-os-opt1-small"),
)
"""Designs by name."""


def find_design(name: str) -> Design:
    """Return the catalog's design of that name; ``ValueError`` names those that there are."""
    return catalog[check_choice("design", name, catalog)]
