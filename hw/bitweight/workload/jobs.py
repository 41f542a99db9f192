"""The named workloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bitweight.workload.convolution import CHANNELS, FloatConvolutions, QuantisedConvolutions
from bitweight.workload.encoder import EncoderLayer, encode, encode_float, gaussian_layer
from bitweight.workload.images import Images, load_images
from bitweight.workload.perceptron import HIDDEN, quantise, train
from bitweight.workload.products import Multiply, Workload
from bitweight.workload.trained import model_file, trained_layer

__all__ = ["IMAGES", "WORKLOADS", "convolution", "digits", "transformer"]

IMAGES = 450
"""Held-out images, a quarter of all."""


def digits(images: int = IMAGES, hidden: Sequence[int] = HIDDEN, seed: int = 0) -> Workload:
    """Return the classification of held-out digits by a multi-layer perceptron.

    Parameters
    ----------
    images
        Held-out images.
    hidden
        Sizes of the hidden layers.
    seed
        Of the split and the training.
    """
    data = load_images(images, seed)
    network = train(data, hidden, seed)
    integers = quantise(network, data.train_x)
    outputs = [len(one.bias) for one in integers.layers]
    sizes = " → ".join(str(n) for n in (data.test_x.shape[1], *outputs))
    return _classification(
        "digits", f"A multi-layer perceptron ({sizes}, seed {seed})", data, network, integers
    )


def convolution(
    images: int = IMAGES, channels: Sequence[int] = CHANNELS, seed: int = 0
) -> Workload:
    """Return the same with two convolutions and a dense layer; `channels` of the convolutions."""
    data = load_images(images, seed)
    network = FloatConvolutions.train(data, channels, seed)
    integers = QuantisedConvolutions.of(network, data.train_x)
    filters = " and ".join(str(n) for n in channels)
    return _classification(
        "conv",
        f"Two convolutions (3 × 3, {filters} filters) and a dense layer (seed {seed})",
        data,
        network,
        integers,
    )


def _classification(name: str, what: str, data: Images, network: Any, integers: Any) -> Workload:
    exact = float(np.mean(network.classify(data.test_x) == data.test_y))

    def run(multiply: Multiply) -> Mapping[str, Any]:
        found = integers.classify(data.test_x, multiply)
        return {"accuracy": float(np.mean(found == data.test_y)), "float_accuracy": exact}

    description = (
        f"{what} reads {len(data.test_x)} held-out images of scikit-learn's digits. Weights and "
        "activations are INT8 with a scale for each tensor."
    )
    return Workload(name, description, run)


def transformer(layer: EncoderLayer | None = None) -> Workload:
    """Return one encoder layer of a transformer.

    Parameters
    ----------
    layer
        By default that of a trained model where the extra `transformer` is installed, which
        carries its weights, and :func:`~bitweight.workload.encoder.gaussian_layer` otherwise.
    """
    if layer is None:
        file = model_file()
        layer = gaussian_layer() if file is None else trained_layer(file)
    chosen, exact = layer, encode_float(layer)

    def run(multiply: Multiply) -> Mapping[str, Any]:
        found = encode(chosen, multiply)
        return {"error": float(np.linalg.norm(found - exact) / np.linalg.norm(exact))}

    (sequence, hidden), wide = layer.inputs.shape, len(layer.up.bias)
    description = (
        f"One encoder layer of a transformer: hidden {hidden}, {layer.heads} heads, sequence "
        f"{sequence}, feed-forward {wide}. {layer.source} Every product is INT8; softmax, "
        "normalisation and GELU between them are in floating point."
    )
    return Workload("transformer", description, run)


WORKLOADS: Mapping[str, Callable[[], Workload]] = {
    "digits": digits,
    "conv": convolution,
    "transformer": transformer,
}
"""By name, how to make each: those of digits train a network, which takes some seconds."""
