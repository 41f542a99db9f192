"""Real tensors as 8-bit integers: symmetric scales, requantisation without a division."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOP", "Layer", "Quantised", "fixed_point", "integer_layers", "scale_of"]

TOP = 127
"""The largest magnitude: -128 is not used, so that a negated tensor has the same scale."""

_MULTIPLIER_BITS = 15


@dataclass(frozen=True, eq=False)
class Quantised:
    """A real tensor as integers.

    Attributes
    ----------
    values
        INT8 of any shape, from -127 to 127.
    scale
        The real number that 1 stands for; one for all, or an array that is broadcast.
    """

    values: NDArray[np.int8]
    scale: Any

    @classmethod
    def of(cls, x: NDArray[np.float64], axis: int | None = None) -> Quantised:
        """Quantise a tensor by its largest magnitude, or by those along an axis."""
        if axis is None:
            scale: Any = scale_of(x)
        else:
            scale = np.abs(x).max(axis=axis, keepdims=True) / TOP
            scale[scale == 0] = 1.0
        return cls(np.rint(x / scale).astype(np.int8), scale)

    @property
    def real(self) -> NDArray[np.float64]:
        """The tensor that the integers stand for."""
        return self.values * self.scale


def scale_of(x: NDArray[np.float64]) -> float:
    """Return what 1 stands for where the largest magnitude of a tensor becomes 127."""
    return float(np.abs(x).max()) / TOP or 1.0


@dataclass(frozen=True)
class Layer:
    """One layer of a network in integers.

    Attributes
    ----------
    weight
        INT8 [inputs, outputs].
    bias
        INT32, in units of the product.
    multiplier, shift
        An output is ``sum * multiplier / 2**shift``, rounded half up and kept within INT8; the
        last layer has none (multiplier 0), its sums are the scores.
    """

    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: int = 0
    shift: int = 0

    def finish(self, product: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return scores or the next activations (ReLU, INT8) from the matrix product."""
        total = product.astype(np.int64) + self.bias
        if not self.multiplier:
            return total
        scaled = (total * self.multiplier + (1 << (self.shift - 1))) >> self.shift
        return np.clip(scaled, 0, TOP)


def integer_layers(
    weights: Sequence[NDArray[np.float64]],
    biases: Sequence[NDArray[np.float64]],
    scales: Sequence[float],
) -> tuple[Layer, ...]:
    """Quantise the layers of a network with ReLU between them.

    Parameters
    ----------
    weights, biases
        Of each layer, [inputs, outputs] and [outputs].
    scales
        Of the activations that go into each layer; what comes after them is not used.
    """
    layers = []
    for at, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        integers = Quantised.of(weight)
        unit = scales[at] * integers.scale
        multiplier, shift = 0, 0
        if at < len(weights) - 1:
            multiplier, shift = fixed_point(float(unit / scales[at + 1]))
        layers.append(
            Layer(integers.values, np.rint(bias / unit).astype(np.int32), multiplier, shift)
        )
    return tuple(layers)


def fixed_point(factor: float) -> tuple[int, int]:
    """Return integers (multiplier, shift) with ``multiplier / 2**shift`` close to `factor`.

    The multiplier has 15 bits, the shift is at least 1.
    """
    if not 0 < factor < 2 ** (_MULTIPLIER_BITS - 2):
        raise ValueError(f"factor must be above 0 and below 8192, not {factor!r}")
    exponent = int(np.frexp(factor)[1])
    shift = _MULTIPLIER_BITS - exponent
    return round(factor * 2.0**shift), shift
