"""Compiled simulation: a design's RTL as a function on NumPy arrays.

    rtl = bitweight.compile("systolic-os-opt1", rows=8, cols=8)
    C, stats = rtl.gemm(A, B)

Importing it needs neither Verilator nor a C++ compiler; :func:`compile` does.
"""

from __future__ import annotations

from bitweight.sim.cache import CACHE_VARIABLE, Cache
from bitweight.sim.compiled import CompiledDesign, compile
from bitweight.sim.installation import SimulationError, SimulatorMissing
from bitweight.sim.statistics import GemmStats

__all__ = [
    "CACHE_VARIABLE",
    "Cache",
    "CompiledDesign",
    "GemmStats",
    "SimulationError",
    "SimulatorMissing",
    "compile",
]
