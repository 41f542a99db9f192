"""Emission of designs: Verilog and manifests."""

from __future__ import annotations

from bitweight.emit.emission import Emission, emit
from bitweight.files import write_files

__all__ = ["Emission", "emit", "write_files"]
