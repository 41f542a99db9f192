"""The network on an engine: every matrix product on simulated Verilog, checked bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight import Design
from bitweight.sim import CompiledDesign, GemmStats
from bitweight.workload import Product, multiply_on
from bitweight.workload.perceptron import QuantisedNetwork

__all__ = ["EngineRun", "classify_on"]


@dataclass(frozen=True)
class EngineRun:
    """The whole network on one engine; `products` are those of its layers."""

    design: Design
    digits: NDArray[np.int64]
    products: tuple[GemmStats, ...]

    @property
    def pes(self) -> float:
        """Processing elements of the engine: MACs that it can do in a cycle."""
        return self.design.macs_per_cycle

    @property
    def cycles(self) -> int:
        """Clock cycles of all products together."""
        return sum(one.cycles for one in self.products)

    @property
    def macs(self) -> int:
        """Useful multiply-accumulate steps of all products together."""
        return sum(one.macs for one in self.products)

    @property
    def utilisation(self) -> float:
        """Useful steps as a part of what the processing elements could have done."""
        return self.macs / (self.cycles * self.pes)


def classify_on(
    rtl: CompiledDesign,
    network: QuantisedNetwork,
    x: NDArray[np.float64],
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> EngineRun:
    """Classify images with every matrix product on the simulated Verilog of a design.

    Parameters
    ----------
    rtl
        The engine, compiled.
    network, x
        The quantised network, and images, one a row.
    progress
        Called with result elements that are complete, their total, and the layer.

    Raises
    ------
    bitweight.workload.Mismatch
        A product differs from NumPy's in any element, or took other than `Design.cycles` cycles.
    bitweight.sim.SimulationError
        The simulated design hangs or breaks a rule of its streams.
    """
    runs: list[GemmStats] = []
    layers = len(network.layers)

    def multiply(product: Product) -> NDArray[np.int32]:
        def show(done: int, total: int) -> None:
            if progress is not None:
                progress(done, total, f"results of {product.layer} of {layers}")

        got, stats = multiply_on(rtl, product, show)
        runs.append(stats)
        return got

    digits = network.classify(x, multiply)
    return EngineRun(rtl.design, digits, tuple(runs))
