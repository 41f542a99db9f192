"""Real computations on simulated RTL: networks on digits, a transformer's encoder layer.

    record = run("digits", ["systolic-os-opt1"])

The workloads on digits need the extra ``demo``, running them the extra ``sim``.
"""

from __future__ import annotations

from bitweight.workload.engine import Engine, Mismatch, ProductRun, multiply_on
from bitweight.workload.jobs import WORKLOADS, convolution, digits, transformer
from bitweight.workload.products import Multiply, Product, Workload, numpy_product
from bitweight.workload.record import DESIGNS, run

__all__ = [
    "DESIGNS",
    "WORKLOADS",
    "Engine",
    "Mismatch",
    "Multiply",
    "Product",
    "ProductRun",
    "Workload",
    "convolution",
    "digits",
    "multiply_on",
    "numpy_product",
    "run",
    "transformer",
]
