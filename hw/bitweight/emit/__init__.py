"""Emission of designs: Verilog, manifests, wrappers and FuseSoC cores."""

from __future__ import annotations

from bitweight.emit.axis import AxisStream, Wrapper, axis_streams, wrap_axis
from bitweight.emit.emission import WRAPPERS, Emission, emit
from bitweight.emit.verilog import modules_of, to_verilog
from bitweight.files import write_files

__all__ = [
    "WRAPPERS",
    "AxisStream",
    "Emission",
    "Wrapper",
    "axis_streams",
    "emit",
    "modules_of",
    "to_verilog",
    "wrap_axis",
    "write_files",
]
