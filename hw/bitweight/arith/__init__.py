"""Arithmetic circuits, each with a NumPy twin, and the encodings of the operand A."""

from __future__ import annotations

from bitweight.arith.booth import ModifiedBooth
from bitweight.arith.csd4 import CanonicalSignedDigit
from bitweight.arith.encoding import Digit, Encoding
from bitweight.arith.ent import EnT
from bitweight.arith.serial import BitSerial

__all__ = ["ENCODINGS", "Digit", "Encoding"]

ENCODINGS: dict[str, Encoding] = {
    encoding.name: encoding
    for encoding in (
        ModifiedBooth(),
        EnT(),
        CanonicalSignedDigit(),
        BitSerial(),
    )
}
"""All encodings by name: one file and one entry each."""
