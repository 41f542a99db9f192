"""The network on an engine: every matrix product on simulated Verilog, checked bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bitweight_verif
from bitweight import Design
from bitweight.demo.network import QuantisedNetwork, numpy_product

__all__ = ["EngineRun", "Mismatch", "ProductRun", "classify_on"]


class Mismatch(RuntimeError):
    """The simulated engine and NumPy (or the engine's own cycle count) do not agree."""


@dataclass(frozen=True)
class ProductRun:
    """One matrix product on an engine: M × K by K × N in so many clock cycles."""

    layer: int
    m: int
    k: int
    n: int
    cycles: int

    @property
    def macs(self) -> int:
        """Useful multiply-accumulate steps."""
        return self.m * self.k * self.n


@dataclass(frozen=True)
class EngineRun:
    """The whole network on one engine."""

    design: Design
    sim: str
    digits: NDArray[np.int64]
    products: tuple[ProductRun, ...]

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
    design: Design,
    network: QuantisedNetwork,
    x: NDArray[np.float64],
    *,
    sim: str = "verilator",
    progress: Callable[[int, int, str], None] | None = None,
) -> EngineRun:
    """Classify images with every matrix product on the simulated Verilog of a design.

    Parameters
    ----------
    design
        The engine.
    network, x
        The quantised network, and images, one a row.
    sim
        "verilator" or "icarus".
    progress
        Called with result beats that have arrived, their total, and the layer.

    Raises
    ------
    Mismatch
        A product differs from NumPy's in any element, or took other than `design.cycles` cycles.
    bitweight_verif.SimulatorMissing, bitweight_verif.SimulationError
        The simulator is not there, or failed.
    """
    runs: list[ProductRun] = []
    layers = len(network.layers)

    def multiply(layer: int, A: NDArray[Any], B: NDArray[Any]) -> NDArray[Any]:
        def show(done: int, total: int) -> None:
            if progress is not None:
                progress(done, total, f"results of layer {layer + 1} of {layers}")

        [(got, cycles)] = bitweight_verif.run_gemms(design, [(A, B)], sim=sim, progress=show)
        where = f"{design.name} under {sim}, layer {layer + 1}"
        _compare(where, got, numpy_product(layer, A, B))
        expected = design.cycles(A, B)
        if cycles != expected:
            raise Mismatch(f"{where}: it must take {expected} cycles, not {cycles}")
        runs.append(ProductRun(layer, A.shape[0], A.shape[1], B.shape[1], cycles))
        return got

    digits = network.classify(x, multiply)
    return EngineRun(design, sim, digits, tuple(runs))


def _compare(where: str, got: NDArray[Any], expected: NDArray[Any]) -> None:
    if got.shape != expected.shape:
        raise Mismatch(f"{where}: the result must be {expected.shape}, not {got.shape!r}")
    wrong = np.argwhere(got != expected)
    if len(wrong):
        row, col = (int(index) for index in wrong[0])
        raise Mismatch(
            f"{where}: element [{row}, {col}] must be {int(expected[row, col])}, "
            f"not {int(got[row, col])} ({len(wrong)} of {got.size} elements differ)"
        )
