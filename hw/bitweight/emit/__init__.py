"""Emission of designs: Verilog and manifests."""

from __future__ import annotations

from bitweight.emit.emission import Emission, emit

__all__ = ["Emission", "emit"]
