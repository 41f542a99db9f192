"""Named designs. Tests, ``gen/`` and reports run over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from bitweight._check import check_choice
from bitweight.design import Design
from bitweight.notation import OPT4E, TRANSFORMATIONS, IllegalMove, Transformation
from bitweight.notation.transformations.opt4e import GROUP as OPT4E_LANES
from bitweight.tpe import (
    AdderTree,
    Array,
    BitSlice,
    Column,
    Cube,
    Laconic,
    Matrix2D,
    SystolicOS,
    SystolicWS,
)

__all__ = ["SMALL", "catalog", "find_design", "refused"]

SIZES: tuple[tuple[Array, Array], ...] = (
    (SystolicOS(16, 16), SystolicOS(4, 3)),
    (SystolicWS(16, 16), SystolicWS(4, 3, depth=5)),
    (Matrix2D(16, 16), Matrix2D(4, 3)),
    (Cube(8, 8, 8), Cube(3, 2, 4)),
    (AdderTree(16, 16), AdderTree(4, 3, depth=5, span=2)),
    (Column(32), Column(3, group=2, block=12, depth=1)),
    (BitSlice(16, 16), BitSlice(4, 3, group=3, block=24)),
)
"""Every array at the size of the paper, and at a small one, odd on purpose, for tests."""

BASELINE = (Laconic(8, 8), Laconic(2, 3, lanes=4))
"""What the bit-slice arrays are compared with; it goes with no transformation."""

TREES = (4, 8, 32)
"""Further columns of the adder tree with K = 16, as in the authors' own evaluation."""


def _designs() -> Iterator[Design]:
    for full, small in SIZES:
        for mac in TRANSFORMATIONS.values():
            if (full.name, mac.name) not in refused:
                yield Design(_with_lanes(full, mac), mac)
                yield Design(_with_lanes(small, mac), mac, name=f"{full.name}-{mac.name}-small")
    for array, name in zip(BASELINE, ("laconic", "laconic-small"), strict=True):
        yield Design(array, encoding=array.own_encoding, name=name)
    for cols in TREES:
        for mac in TRANSFORMATIONS.values():
            if (AdderTree.name, mac.name) not in refused:
                yield Design(AdderTree(16, cols), mac, name=f"adder-tree-{mac.name}-n{cols}")


def _with_lanes(array: Array, mac: Transformation) -> Array:
    """Return an array for OPT4E: its blocks of k give each lane what a column has without.

    Its sum of four products is registered before the accumulator comes in.
    """
    if isinstance(array, BitSlice | Column) and mac is OPT4E:
        return replace(array, block=OPT4E_LANES * array.block, element_stages=1)
    return array


def _refused() -> Iterator[tuple[tuple[str, str], str]]:
    for array, _ in SIZES:
        for mac in TRANSFORMATIONS.values():
            try:
                Design(array, mac)
            except IllegalMove as error:
                yield (array.name, mac.name), str(error)


refused: Mapping[tuple[str, str], str] = MappingProxyType(dict(_refused()))
"""Why an array does not go with a transformation, by the names of both."""

catalog: Mapping[str, Design] = MappingProxyType({design.name: design for design in _designs()})
"""Designs by name: every array with every transformation that is legal for it."""

SMALL: tuple[str, ...] = tuple(name for name in catalog if name.endswith("-small"))
"""The names of its small designs, which have all of its classes of hardware."""


def find_design(name: str) -> Design:
    """Return the catalog's design of that name; ``ValueError`` names those that there are.

    For a pair of array and transformation that is not legal it says why.
    """
    for (array, mac), reason in refused.items():
        if name in (f"{array}-{mac}", f"{array}-{mac}-small"):
            raise ValueError(f"{array} does not go with {mac}: {reason}")
    return catalog[check_choice("design", name, catalog)]
