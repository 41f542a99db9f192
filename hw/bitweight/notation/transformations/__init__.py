"""Named transformations: each is a sequence of moves, one file each, one line here."""

from __future__ import annotations

from bitweight.notation.transformations.base import Transformation
from bitweight.notation.transformations.mac import MAC
from bitweight.notation.transformations.opt1 import OPT1
from bitweight.notation.transformations.opt2 import OPT2
from bitweight.notation.transformations.opt2_temporal import OPT2_TEMPORAL
from bitweight.notation.transformations.opt3 import OPT3
from bitweight.notation.transformations.opt4c import OPT4C
from bitweight.notation.transformations.opt4e import OPT4E

__all__ = [
    "MAC",
    "OPT1",
    "OPT2",
    "OPT2_TEMPORAL",
    "OPT3",
    "OPT4C",
    "OPT4E",
    "TRANSFORMATIONS",
    "Transformation",
]

TRANSFORMATIONS: dict[str, Transformation] = {
    t.name: t for t in (MAC, OPT1, OPT2, OPT2_TEMPORAL, OPT3, OPT4C, OPT4E)
}
"""All named transformations."""
