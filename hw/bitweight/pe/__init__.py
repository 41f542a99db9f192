"""Processing elements, composed from the circuits of :mod:`bitweight.arith`."""

from __future__ import annotations

from math import prod

from bitweight.arith import ENCODINGS
from bitweight.notation import Nest
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.mac import STYLES, Style
from bitweight.pe.multiply_accumulate import MultiplyAccumulate

__all__ = ["STYLES", "MultiplyAccumulate", "multiply_accumulate"]


def multiply_accumulate(nest: Nest, style: str) -> MultiplyAccumulate:
    """Return the step that a nest asks for.

    Parameters
    ----------
    nest
        Its ``accumulate`` decides whether carries propagate every cycle (it keeps a word) or
        never (a pair); its spatial loops over k how many products are added at once; its
        ``half_reduce`` whether each bit-weight is summed over the lanes before it is shifted.
    style
        One of :data:`STYLES`: how a step that keeps a word is made.
    """
    kind: Style = CarrySaveMac if nest.accumulator == "pair" else STYLES[style]
    lanes = [loop for loop in nest.spatial("k") if not loop.hop]
    return kind(
        ENCODINGS[nest.encoding.name],
        nest.a.bits,
        nest.b.bits,
        nest.acc,
        lanes=prod(loop.extent or 1 for loop in lanes),
        by_weight=not nest.inside("shift", "k", spatial=True) if lanes else False,
    )
