"""Products on compiled designs, each compared with NumPy and with the exact cycle count."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitweight.arith import ENCODINGS
from bitweight.design import Design
from bitweight.sim import Cache, CompiledDesign, GemmStats
from bitweight.sim.cache import content_key
from bitweight.sources import CYCLES, sources_digest
from bitweight.stats import digit_statistics
from bitweight.workload.products import Product, numpy_product

__all__ = ["Engine", "Mismatch", "ProductRun", "multiply_on"]

_ENTRY = "product.json"


class Mismatch(RuntimeError):
    """The simulated engine and NumPy (or the engine's own cycle count) do not agree."""


def multiply_on(
    rtl: CompiledDesign,
    product: Product,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.int32], GemmStats]:
    """Return a product as the simulated hardware computes it, and what it took.

    Parameters
    ----------
    rtl
        The hardware.
    product
        What to multiply.
    progress
        Called with the result elements that are complete and their total.

    Raises
    ------
    Mismatch
        If an element is not that of NumPy, or it took other than `Design.cycles` cycles.
    ValueError
        If K is beyond `Design.max_k`, or an operand out of range.
    bitweight.sim.SimulationError
        If the design hangs or breaks a rule of its streams.
    """
    cycles = rtl.design.cycles(product.A, product.B)
    got, stats = rtl.gemm(product.A, product.B, progress=progress)
    where, expected = f"{rtl.design.name}, {product.layer}", numpy_product(product)
    wrong = np.argwhere(got != expected)
    if len(wrong):
        row, col = (int(index) for index in wrong[0])
        raise Mismatch(
            f"{where}: element [{row}, {col}] must be {int(expected[row, col])}, "
            f"not {int(got[row, col])} ({len(wrong)} of {got.size} elements differ)"
        )
    if stats.cycles != cycles:
        raise Mismatch(f"{where}: it must take {cycles} cycles, not {stats.cycles}")
    return got, stats


@dataclass(frozen=True)
class ProductRun:
    """One product on an engine.

    Attributes
    ----------
    layer, names
        Of the :class:`~bitweight.workload.products.Product`.
    m, k, n
        Its size.
    cycles
        That the simulated hardware took; they are those of the exact cycle model.
    swapped_cycles
        Those of the model for ``B.T @ A.T``, in which B is the operand that is encoded.
    digits
        Non-zero digits per element of A and of B under the design's encoding.
    work
        Cycles of a lane that the products need, all together: a product takes as many as its
        element of A has non-zero digits where others are left out, and a fixed number otherwise.
    seconds
        Wall-clock time of the simulation, when it was done.
    """

    layer: str
    names: tuple[str, str]
    m: int
    k: int
    n: int
    cycles: int
    swapped_cycles: int
    digits: tuple[float, float]
    work: float
    seconds: float

    @property
    def macs(self) -> int:
        """Useful multiply-accumulate steps, M·K·N."""
        return self.m * self.k * self.n


@dataclass(frozen=True)
class _Kept:
    """What was found once, by the content of the product, the model and the cycle model."""

    cycles: int
    swapped_cycles: int
    seconds: float


class Engine:
    """A design that computes the products of a workload.

    What was simulated and found equal is kept in the user's cache, so that interrupted work goes
    on where it was.

    Parameters
    ----------
    rtl
        The compiled design.
    cache
        Where results are kept; by default the user's.

    Attributes
    ----------
    encoding
        In which digits of operands are counted.
    runs
        What each product took, in their order.
    """

    def __init__(self, rtl: CompiledDesign, cache: Cache | None = None) -> None:
        self.rtl = rtl
        self.cache = Cache() if cache is None else cache
        self.encoding = ENCODINGS[rtl.design.array.own_encoding or rtl.design.encoding]
        self.runs: list[ProductRun] = []

    def multiply(
        self, product: Product, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.int32]:
        """Return the product; see :func:`multiply_on` for the arguments and the errors."""
        design, A, B = self.rtl.design, product.A, product.B
        results: list[NDArray[np.int32]] = []

        def simulate(folder: Path) -> None:
            C, stats = multiply_on(self.rtl, product, progress)
            results.append(C)
            other = design.with_(a=design.b.bits, b=design.a.bits)
            kept = _Kept(stats.cycles, other.cycles(B.T, A.T), stats.seconds)
            (folder / _ENTRY).write_text(json.dumps(asdict(kept)), encoding="utf-8")

        entry = self.cache.entry("products", self._key(product), simulate) / _ENTRY
        kept = _Kept(**json.loads(entry.read_text(encoding="utf-8")))
        digits = (
            digit_statistics(A, self.encoding, design.a).mean,
            digit_statistics(B, self.encoding, design.b).mean,
        )
        self.runs.append(
            ProductRun(
                product.layer,
                product.names,
                A.shape[0],
                A.shape[1],
                B.shape[1],
                kept.cycles,
                kept.swapped_cycles,
                digits,
                _work(design, product),
                kept.seconds,
            )
        )
        # It is in the cache only where it was equal to NumPy.
        return results[0] if results else numpy_product(product)

    def _key(self, product: Product) -> str:
        return content_key(
            model=self.rtl.program.parent.name,
            cycles=sources_digest(*CYCLES),
            kept=[field.name for field in fields(_Kept)],
            design=self.rtl.design.to_dict(),
            operands=[_content(one) for one in (product.A, product.B)],
        )


def _work(design: Design, product: Product) -> float:
    """Return the cycles of a lane that a product needs; see :class:`ProductRun`."""
    A, B = product.A, product.B
    if design.array.own_encoding:
        # It recodes both operands, and takes a pair of their digits at a time.
        encoding = ENCODINGS[design.array.own_encoding]
        a = (encoding.recode(A.astype(np.int64), design.a.bits) != 0).sum(axis=(0, 2))
        b = (encoding.recode(B.astype(np.int64), design.b.bits) != 0).sum(axis=(1, 2))
        return int(a @ b)
    if design.array.skips:
        encoding = ENCODINGS[design.encoding]
        return int(digit_statistics(A, encoding, design.a).by_weight.sum()) * B.shape[1]
    return product.macs * design.lanes / design.macs_per_cycle


def _content(matrix: NDArray[np.int8]) -> list[object]:
    digest = hashlib.sha256(np.ascontiguousarray(matrix).tobytes()).hexdigest()
    return [str(matrix.dtype), list(matrix.shape), digest]
