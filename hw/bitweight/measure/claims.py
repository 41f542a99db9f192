"""What the paper claims, on a 28 nm library and with a commercial flow (arXiv 2503.06342)."""

from __future__ import annotations

__all__ = [
    "ARRAY_AREA",
    "ARRAY_ENERGY",
    "BITSLICE_AREA",
    "BITSLICE_ENERGY",
    "MAC_PERIODS",
    "OPT4C_AREA",
    "PER_DIGIT_AREA",
]

ARRAY_AREA = {"systolic-os": 1.27, "cube": 1.28, "adder-tree": 1.56, "matrix2d": 1.44}
"""Area efficiency of the best transformation over the plain MAC, by array."""

ARRAY_ENERGY = {"systolic-os": 1.04, "cube": 1.56, "adder-tree": 1.49, "matrix2d": 1.20}
"""Energy efficiency, likewise."""

BITSLICE_AREA = 2.85
BITSLICE_ENERGY = 12.10
"""Area and energy efficiency of its bit-slice array over Laconic."""

MAC_PERIODS = (1.95, 0.92)
"""Critical path in ns of a 32-bit accumulating MAC, plain and with OPT1."""

OPT4C_AREA = 81 / 246
"""Area of an OPT4C element over that of a plain MAC."""

PER_DIGIT_AREA = {"bitslice-opt4c": 2.7 / 3, "bitslice-opt4e": 3.6}
"""Throughput over a MAC's: of one of three OPT4C elements at a MAC's area, of one OPT4E group."""
