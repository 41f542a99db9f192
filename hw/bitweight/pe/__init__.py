"""Processing elements, composed from the circuits of :mod:`bitweight.arith`."""

from __future__ import annotations

from bitweight.arith import ENCODINGS
from bitweight.notation import Nest
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.mac import STYLES
from bitweight.pe.multiply_accumulate import MultiplyAccumulate

__all__ = ["STYLES", "MultiplyAccumulate", "multiply_accumulate"]


def multiply_accumulate(nest: Nest, style: str) -> MultiplyAccumulate:
    """Return the step that a nest asks for: what its ``accumulate`` keeps decides.

    Parameters
    ----------
    nest
        Carries propagate every cycle where it keeps a word, never where it keeps a pair.
    style
        One of :data:`STYLES`: how a step that keeps a word is made.
    """
    kind = CarrySaveMac if nest.accumulator == "pair" else STYLES[style]
    return kind(ENCODINGS[nest.encoding.name], nest.a.bits, nest.b.bits, nest.acc)
