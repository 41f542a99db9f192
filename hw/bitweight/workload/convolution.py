"""A network of two convolutions that reads handwritten digits, as products of matrices.

Two times convolution (3 × 3, zeros around the edge), ReLU and the largest of each 2 × 2, then one
dense layer. A convolution is a product: every patch of the input becomes a row of A (`im2col`), and
the filters are the columns of B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workload.images import DIGITS, Images, one_thread
from bitweight.workload.integers import TOP, Layer, integer_layers, scale_of
from bitweight.workload.products import Multiply, Product, numpy_product

__all__ = ["CHANNELS", "FloatConvolutions", "QuantisedConvolutions", "im2col", "pool"]

CHANNELS = (8, 16)
"""Filters of the first and of the second convolution."""

_SIDE = 8
_KERNEL = 3
_POOLED = 2


def im2col(images: NDArray[Any]) -> NDArray[Any]:
    """Return the 3 × 3 patch around every pixel as a row, with zeros beyond the edge.

    Parameters
    ----------
    images
        [count, height, width, channels] of any dtype.

    Returns
    -------
    numpy.ndarray
        [count · height · width, 9 · channels], the channel varying fastest.
    """
    edge = _KERNEL // 2
    padded = np.pad(images, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (_KERNEL, _KERNEL), axis=(1, 2))
    rows = patches.transpose(0, 1, 2, 4, 5, 3)
    return rows.reshape(-1, _KERNEL * _KERNEL * images.shape[3])


def pool(images: NDArray[Any]) -> NDArray[Any]:
    """Return the largest of each 2 × 2 pixels: [count, height / 2, width / 2, channels]."""
    count, height, width, channels = images.shape
    shape = (count, height // _POOLED, _POOLED, width // _POOLED, _POOLED, channels)
    return images.reshape(shape).max(axis=(2, 4))


def _pixels(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(-1, _SIDE, _SIDE, 1)


@dataclass(frozen=True)
class FloatConvolutions:
    """Weights [9 · channels, filters] of both convolutions, then [inputs, 10]; biases."""

    weights: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...]

    def activations(self, x: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return what goes into each layer, as it is before `im2col`, and the scores."""
        values = [_pixels(x)]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            y = im2col(values[-1]) @ weight + bias
            shape = (*values[-1].shape[:3], weight.shape[1])
            values.append(pool(np.maximum(y, 0.0).reshape(shape)))
        values[-1] = values[-1].reshape(len(x), -1)
        return [*values, values[-1] @ self.weights[-1] + self.biases[-1]]

    def classify(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the digit that each row shows."""
        return np.argmax(self.activations(x)[-1], axis=1)

    @classmethod
    def train(
        cls,
        images: Images,
        channels: Sequence[int] = CHANNELS,
        seed: int = 0,
        epochs: int = 25,
    ) -> FloatConvolutions:
        """Train a network: the same one for the same seed.

        The method is Adam (Kingma and Ba, 2015) with batches of 64 and the mean cross-entropy.
        """
        rng = np.random.default_rng(seed)
        flat = (_SIDE // _POOLED ** len(channels)) ** 2 * channels[-1]
        inputs = [_KERNEL**2 * before for before in (1, *channels[:-1])]
        sizes = [*zip(inputs, channels, strict=True), (flat, DIGITS)]
        tensors = [rng.normal(0, np.sqrt(2 / size[0]), size) for size in sizes]
        tensors += [np.zeros(size[1]) for size in sizes]
        means = [np.zeros_like(one) for one in tensors]
        squares = [np.zeros_like(one) for one in tensors]
        count = len(images.train_x)
        batches = [
            order[start : start + 64]
            for order in (rng.permutation(count) for _ in range(epochs))
            for start in range(0, count, 64)
        ]
        with one_thread():
            for step, batch in enumerate(batches, start=1):
                network = cls(tuple(tensors[: len(sizes)]), tuple(tensors[len(sizes) :]))
                slopes = network._slopes(images.train_x[batch], images.train_y[batch])
                for at, slope in enumerate(slopes):
                    means[at] = 0.9 * means[at] + 0.1 * slope
                    squares[at] = 0.999 * squares[at] + 0.001 * slope**2
                    mean, square = means[at] / (1 - 0.9**step), squares[at] / (1 - 0.999**step)
                    tensors[at] = tensors[at] - 3e-3 * mean / (np.sqrt(square) + 1e-8)
        return cls(tuple(tensors[: len(sizes)]), tuple(tensors[len(sizes) :]))

    def _slopes(
        self, x: NDArray[np.float64], labels: NDArray[np.int64]
    ) -> list[NDArray[np.float64]]:
        """Return the gradient of the mean cross-entropy, weights first."""
        *values, scores = self.activations(x)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        back = odds / odds.sum(axis=1, keepdims=True)
        back[np.arange(len(x)), labels] -= 1
        back /= len(x)
        weights, biases = [values[-1].T @ back], [back.sum(axis=0)]
        back = back @ self.weights[-1].T
        for at in reversed(range(len(self.weights) - 1)):
            before, weight = values[at], self.weights[at]
            patches = im2col(before)
            full = (patches @ weight + self.biases[at]).reshape(*before.shape[:3], -1)
            chosen = np.maximum(full, 0.0)
            # To the pixels that were the largest of their four, and above 0.
            after = pool(chosen)
            spread = np.repeat(np.repeat(after, _POOLED, axis=1), _POOLED, axis=2)
            back = back.reshape(after.shape)
            back = np.repeat(np.repeat(back, _POOLED, axis=1), _POOLED, axis=2)
            back = np.where((full == spread) & (full > 0), back, 0.0)
            rows = back.reshape(-1, weight.shape[1])
            weights.insert(0, patches.T @ rows)
            biases.insert(0, rows.sum(axis=0))
            if at:
                # The filters turned by half a turn take the gradient back to the input.
                turned = weight.reshape(_KERNEL, _KERNEL, -1, weight.shape[1])[::-1, ::-1]
                turned = turned.transpose(0, 1, 3, 2).reshape(-1, before.shape[3])
                back = (im2col(back) @ turned).reshape(before.shape)
        return [*weights, *biases]


@dataclass(frozen=True)
class QuantisedConvolutions:
    """The network in integers; `scale` is that of the input pixels."""

    layers: tuple[Layer, ...]
    scale: float

    @classmethod
    def of(cls, network: FloatConvolutions, x: NDArray[np.float64]) -> QuantisedConvolutions:
        """Quantise a trained network to INT8, with scales taken from the images `x`."""
        scales = [scale_of(value) for value in network.activations(x)]
        return cls(integer_layers(network.weights, network.biases, scales), scales[0])

    def classify(
        self, x: NDArray[np.float64], multiply: Multiply = numpy_product
    ) -> NDArray[np.int64]:
        """Return the digit that each row shows.

        Parameters
        ----------
        x
            Images, one a row.
        multiply
            Computes the product of each layer.
        """
        values = np.clip(np.rint(_pixels(x) / self.scale), -TOP, TOP).astype(np.int8)
        for at, layer in enumerate(self.layers[:-1]):
            product = Product(f"convolution {at + 1}", im2col(values), layer.weight)
            out = layer.finish(multiply(product)).astype(np.int8)
            values = pool(out.reshape(*values.shape[:3], -1))
        last = self.layers[-1]
        product = Product("dense", values.reshape(len(x), -1), last.weight)
        return np.argmax(last.finish(multiply(product)), axis=1)
