"""Processing elements, composed from the circuits of :mod:`bitweight.arith`."""

from __future__ import annotations

from math import prod

from bitweight.arith import ENCODINGS
from bitweight.notation import IllegalMove, Nest
from bitweight.pe.bit_serial import BitSerialMac, OneDigit
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.mac import STYLES, Style
from bitweight.pe.multiply_accumulate import MultiplyAccumulate

__all__ = ["STYLES", "MultiplyAccumulate", "multiply_accumulate"]


def multiply_accumulate(nest: Nest, style: str, *, staged: bool = False) -> MultiplyAccumulate:
    """Return the step that a nest asks for.

    Parameters
    ----------
    nest
        Its ``accumulate`` decides whether carries propagate every cycle (it keeps a word) or
        never (a pair); its spatial loops over k how many products are added at once; its
        ``half_reduce`` whether each bit-weight is summed over the lanes before it is shifted; its
        temporal loops over bw whether a step takes one digit of each operand; where zero digits
        are left out, the pair is as wide as the sum of one bit-weight.
    style
        One of :data:`STYLES`: how a step that keeps a word is made.
    staged
        Whether the products of a step that takes digits are registered before they are added.

    Raises
    ------
    IllegalMove
        If no step does what the nest asks for.
    """
    if nest.sparse:
        return _one_weight(nest, staged=staged)
    kind: Style = CarrySaveMac if nest.accumulator == "pair" else STYLES[style]
    lanes = [loop for loop in nest.spatial("k") if not loop.hop]
    if not all(loop.spatial for loop in nest.loops if loop.dim == "bw"):
        return _bit_serial(nest, prod(loop.extent or 1 for loop in lanes))
    return kind(
        ENCODINGS[nest.encoding.name],
        nest.a.bits,
        nest.b.bits,
        nest.acc,
        lanes=prod(loop.extent or 1 for loop in lanes),
        by_weight=not nest.inside("shift", "k", spatial=True) if lanes else False,
    )


def _one_weight(nest: Nest, *, staged: bool) -> MultiplyAccumulate:
    """Return the step of a nest whose pair is a sum of products of one bit-weight."""
    total = nest.find("accumulate")[0]
    if nest.form(total) != "pair":
        raise IllegalMove(
            "a step of one digit keeps a pair: its products must be compressed, not left as "
            f"{nest.form(total)!r}"
        )
    digit = OneDigit(ENCODINGS[nest.encoding.name])
    lanes = prod(loop.extent or 1 for loop in nest.spatial("k"))
    return CarrySaveMac(
        digit,
        digit.bits,
        nest.b.bits,
        nest.width(total),
        lanes=lanes,
        staged=staged,
    )


def _bit_serial(nest: Nest, lanes: int) -> MultiplyAccumulate:
    """Return the step of a nest with bit-weights in time, one pass over k for each."""
    total = nest.find("accumulate")[-1]
    whole = not any(nest.spatial("bw"))
    if not whole or not nest.continues(total) or nest.form(total) != "pair":
        raise IllegalMove(
            "a step of one digit needs a pair accumulated over k, a shift and the pair accumulated "
            f"over bw, not {[primitive.op for primitive in nest.primitives]!r}"
        )
    if nest.inside("encode", "n", spatial=True):
        raise IllegalMove(
            "a step of one digit takes digits from the edge of the array: encode must not run "
            f"inside of a spatial loop over n, not {nest.the('encode').level!r}"
        )
    encoding = ENCODINGS[nest.encoding.name]
    return BitSerialMac(encoding, nest.b.bits, nest.acc, lanes)
