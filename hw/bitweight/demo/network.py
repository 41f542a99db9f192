"""A small network that reads handwritten digits, in floating point and in 8-bit integers.

The integer network is what hardware runs: symmetric scales, one for each tensor, chosen from the
training images; products of INT8 matrices in INT32; biases and requantisation in integers outside
the product.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FloatNetwork",
    "Images",
    "Layer",
    "QuantisedNetwork",
    "load_images",
    "quantise",
    "train",
]

#: Multiplies two INT8 matrices: NumPy, or an engine.
Product = Callable[[int, NDArray[np.int8], NDArray[np.int8]], NDArray[np.int32]]

_FULL_SCALE = 16.0
_TOP = 127
_MULTIPLIER_BITS = 15


@dataclass(frozen=True)
class Images:
    """Training and held-out images, with what they show; pixels are from 0 to 1."""

    train_x: NDArray[np.float64]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float64]
    test_y: NDArray[np.int64]


@dataclass(frozen=True)
class FloatNetwork:
    """Weights [inputs, outputs] and biases of each layer; ReLU between layers."""

    weights: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...]

    def activations(self, x: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the input and the output of every layer, the last one without ReLU."""
        values = [x]
        for at, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            y = values[-1] @ weight + bias
            values.append(y if at == len(self.weights) - 1 else np.maximum(y, 0.0))
        return values

    def classify(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the digit that each row shows."""
        return np.argmax(self.activations(x)[-1], axis=1)


@dataclass(frozen=True)
class Layer:
    """One layer in integers.

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
        return np.clip(scaled, 0, _TOP)


@dataclass(frozen=True)
class QuantisedNetwork:
    """The network in integers; `scale` is that of the input pixels."""

    layers: tuple[Layer, ...]
    scale: float

    def inputs(self, x: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return pixels as INT8."""
        return np.clip(np.rint(x / self.scale), -_TOP, _TOP).astype(np.int8)

    def scores(self, x: NDArray[np.float64], product: Product | None = None) -> NDArray[np.int64]:
        """Return the scores of each digit.

        Parameters
        ----------
        x
            Images, one a row.
        product
            Called with the layer's number and the INT8 matrices A (activations) and B (weights);
            NumPy multiplies by default.
        """
        multiply = numpy_product if product is None else product
        values = self.inputs(x)
        for at, layer in enumerate(self.layers):
            out = layer.finish(multiply(at, values, layer.weight))
            if at == len(self.layers) - 1:
                return out
            values = out.astype(np.int8)
        raise ValueError("layers must hold at least one, not ()")

    def classify(self, x: NDArray[np.float64], product: Product | None = None) -> NDArray[np.int64]:
        """Return the digit that each row shows; see :meth:`scores`."""
        return np.argmax(self.scores(x, product), axis=1)


def numpy_product(_: int, A: NDArray[np.int8], B: NDArray[np.int8]) -> NDArray[np.int32]:
    """Multiply two INT8 matrices in INT32."""
    return A.astype(np.int32) @ B.astype(np.int32)


def load_images(held_out: int, seed: int = 0) -> Images:
    """Return scikit-learn's bundled digits, shuffled, the last `held_out` kept for testing."""
    from sklearn.datasets import load_digits  # noqa: PLC0415  (an optional dependency)

    pixels, digits = load_digits(return_X_y=True)
    if isinstance(held_out, bool) or not isinstance(held_out, int):
        raise TypeError(f"images must be an integer from 1 to {len(digits) // 2}, not {held_out!r}")
    if not 1 <= held_out <= len(digits) // 2:
        raise ValueError(
            f"images must be an integer from 1 to {len(digits) // 2}, not {held_out!r}"
        )
    order = np.random.default_rng(seed).permutation(len(digits))
    x, y = pixels[order] / _FULL_SCALE, digits[order].astype(np.int64)
    return Images(x[:-held_out], y[:-held_out], x[-held_out:], y[-held_out:])


def train(
    images: Images, hidden: Sequence[int] = (64, 32), seed: int = 0, epochs: int = 60
) -> FloatNetwork:
    """Train a network: the same one for the same seed."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415

    model = MLPClassifier(
        hidden_layer_sizes=tuple(hidden),
        alpha=1e-3,
        batch_size=64,
        learning_rate_init=3e-3,
        max_iter=epochs,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # The number of epochs is chosen, not reached by waiting for the loss to settle.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(images.train_x, images.train_y)
    return FloatNetwork(tuple(model.coefs_), tuple(model.intercepts_))


def quantise(network: FloatNetwork, x: NDArray[np.float64]) -> QuantisedNetwork:
    """Quantise a trained network to INT8, with scales taken from the images `x`."""
    scales = [float(np.abs(value).max()) / _TOP or 1.0 for value in network.activations(x)]
    layers = []
    for at, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        step = float(np.abs(weight).max()) / _TOP or 1.0
        unit = scales[at] * step
        multiplier, shift = 0, 0
        if at < len(network.weights) - 1:
            multiplier, shift = fixed_point(unit / scales[at + 1])
        layers.append(
            Layer(
                np.rint(weight / step).astype(np.int8),
                np.rint(bias / unit).astype(np.int32),
                multiplier,
                shift,
            )
        )
    return QuantisedNetwork(tuple(layers), scales[0])


def fixed_point(factor: float) -> tuple[int, int]:
    """Return integers (multiplier, shift) with ``multiplier / 2**shift`` close to `factor`.

    The multiplier has 15 bits, the shift is at least 1.
    """
    if not 0 < factor < 2 ** (_MULTIPLIER_BITS - 2):
        raise ValueError(f"factor must be above 0 and below 8192, not {factor!r}")
    exponent = int(np.frexp(factor)[1])
    shift = _MULTIPLIER_BITS - exponent
    return round(factor * 2.0**shift), shift
