"""A small network that reads handwritten digits, in floating point and in 8-bit integers.

The integer network is what hardware runs: symmetric scales, one for each tensor, chosen from the
training images; products of INT8 matrices in INT32; biases and requantisation in integers outside
the product.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitweight.workload.images import Images, one_thread
from bitweight.workload.integers import TOP, Layer, integer_layers, scale_of
from bitweight.workload.products import Multiply, Product, numpy_product

__all__ = ["HIDDEN", "FloatNetwork", "QuantisedNetwork", "quantise", "train"]

HIDDEN = (64, 32)
"""Outputs of the layers before the last one."""


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
class QuantisedNetwork:
    """The network in integers; `scale` is that of the input pixels."""

    layers: tuple[Layer, ...]
    scale: float

    def inputs(self, x: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return pixels as INT8."""
        return np.clip(np.rint(x / self.scale), -TOP, TOP).astype(np.int8)

    def scores(
        self, x: NDArray[np.float64], multiply: Multiply = numpy_product
    ) -> NDArray[np.int64]:
        """Return the scores of each digit.

        Parameters
        ----------
        x
            Images, one a row.
        multiply
            Computes the product of each layer.
        """
        values = self.inputs(x)
        for at, layer in enumerate(self.layers):
            out = layer.finish(multiply(Product(f"layer {at + 1}", values, layer.weight)))
            if at == len(self.layers) - 1:
                return out
            values = out.astype(np.int8)
        raise ValueError("layers must hold at least one, not ()")

    def classify(
        self, x: NDArray[np.float64], multiply: Multiply = numpy_product
    ) -> NDArray[np.int64]:
        """Return the digit that each row shows; see :meth:`scores`."""
        return np.argmax(self.scores(x, multiply), axis=1)


def train(
    images: Images, hidden: Sequence[int] = HIDDEN, seed: int = 0, epochs: int = 60
) -> FloatNetwork:
    """Train a network: the same one for the same seed."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  (an optional dependency)
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415

    model = MLPClassifier(
        hidden_layer_sizes=tuple(hidden),
        alpha=1e-3,
        batch_size=64,
        learning_rate_init=3e-3,
        max_iter=epochs,
        random_state=seed,
    )
    with one_thread(), warnings.catch_warnings():
        # The number of epochs is chosen, not reached by waiting for the loss to settle.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(images.train_x, images.train_y)
    return FloatNetwork(tuple(model.coefs_), tuple(model.intercepts_))


def quantise(network: FloatNetwork, x: NDArray[np.float64]) -> QuantisedNetwork:
    """Quantise a trained network to INT8, with scales taken from the images `x`."""
    scales = [scale_of(value) for value in network.activations(x)]
    return QuantisedNetwork(integer_layers(network.weights, network.biases, scales), scales[0])
