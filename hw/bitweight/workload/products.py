"""The matrix products that a workload consists of, whoever computes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["WEIGHTS", "Multiply", "Product", "Workload", "numpy_product"]

WEIGHTS = ("activations", "weights")
"""What the operands of most layers hold."""


@dataclass(frozen=True, eq=False)
class Product:
    """One product of INT8 matrices.

    Attributes
    ----------
    layer
        Which layer asks for it; several products may belong to one.
    A, B
        INT8 [M, K] and [K, N].
    names
        What A and B hold.
    """

    layer: str
    A: NDArray[np.int8]
    B: NDArray[np.int8]
    names: tuple[str, str] = WEIGHTS

    @property
    def macs(self) -> int:
        """Multiply-accumulate steps, M·K·N."""
        return self.A.size * self.B.shape[1]


Multiply = Callable[[Product], NDArray[np.int32]]
"""Computes a product: NumPy, or an engine."""


@dataclass(frozen=True)
class Workload:
    """A computation whose matrix products are to run on engines.

    Attributes
    ----------
    name
        For commands and files.
    description
        What is computed with which operands, in sentences.
    run
        Does it, with the given product; returns what is to be known of the result by name:
        ``accuracy`` and ``float_accuracy``, or ``error``.
    """

    name: str
    description: str
    run: Callable[[Multiply], Mapping[str, Any]]


def numpy_product(product: Product) -> NDArray[np.int32]:
    """Multiply two INT8 matrices in INT32."""
    return product.A.astype(np.int32) @ product.B.astype(np.int32)
