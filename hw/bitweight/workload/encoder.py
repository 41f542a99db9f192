"""One encoder layer of a transformer, after Vaswani et al. (2017), with INT8 products.

All products of matrices are in 8-bit integers: projections to queries, keys and values, scores,
attention times values, output projection and the two layers of the feed-forward network. What lies
between them (bias, softmax, normalisation, GELU, residuals) is in floating point. Before each
product every row of A, and every column of B, is quantised by its own maximum: these scales do not
depend on k, and are applied to the sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workload.integers import Quantised
from bitweight.workload.products import WEIGHTS, Multiply, Product

__all__ = ["EncoderLayer", "Linear", "Norm", "encode", "encode_float", "gaussian_layer"]

_erf = np.frompyfunc(math.erf, 1, 1)

#: Multiplies a real matrix by another one, which may be quantised already.
_Times = Callable[
    [str, NDArray[np.float64], "NDArray[np.float64] | Quantised", tuple[str, str]],
    NDArray[np.float64],
]


@dataclass(frozen=True, eq=False)
class Linear:
    """Weights [inputs, outputs] in INT8 with a scale for each output, and real biases."""

    weight: Quantised
    bias: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Norm:
    """Layer normalisation: gain and bias of each element."""

    gain: NDArray[np.float64]
    bias: NDArray[np.float64]
    epsilon: float = 1e-12

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return every row with mean 0 and variance 1, then gain and bias."""
        mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
        return (x - mean) / np.sqrt(variance + self.epsilon) * self.gain + self.bias


@dataclass(frozen=True, eq=False)
class EncoderLayer:
    """A layer and what goes into it.

    Attributes
    ----------
    inputs
        Real [sequence, hidden].
    heads
        Heads of the attention; they share the hidden size out among themselves.
    query, key, value, output
        [hidden, hidden].
    up, down
        The feed-forward network: [hidden, wide] and [wide, hidden].
    after_attention, after_feed_forward
        Normalisations of the sums with the residuals.
    source
        Where weights and inputs come from, in a sentence.
    """

    inputs: NDArray[np.float64]
    heads: int
    query: Linear
    key: Linear
    value: Linear
    output: Linear
    up: Linear
    down: Linear
    after_attention: Norm
    after_feed_forward: Norm
    source: str


def encode(layer: EncoderLayer, multiply: Multiply) -> NDArray[np.float64]:
    """Return what comes out of the layer, [sequence, hidden], with every product in INT8."""

    def times(
        name: str, x: NDArray[np.float64], y: Any, names: tuple[str, str]
    ) -> NDArray[np.float64]:
        a = Quantised.of(x, axis=1)
        b = y if isinstance(y, Quantised) else Quantised.of(y, axis=0)
        sums = multiply(Product(name, a.values, b.values, names))
        return sums * (a.scale * b.scale)

    return _forward(layer, times)


def encode_float(layer: EncoderLayer) -> NDArray[np.float64]:
    """Return the same with the same weights, but nothing else quantised."""

    def times(_: str, x: NDArray[np.float64], y: Any, __: tuple[str, str]) -> NDArray[np.float64]:
        return x @ (y.real if isinstance(y, Quantised) else y)

    return _forward(layer, times)


def _forward(layer: EncoderLayer, times: _Times) -> NDArray[np.float64]:
    def linear(name: str, x: NDArray[np.float64], part: Linear) -> NDArray[np.float64]:
        return times(name, x, part.weight, WEIGHTS) + part.bias

    x = layer.inputs
    queries = linear("query", x, layer.query)
    keys = linear("key", x, layer.key)
    values = linear("value", x, layer.value)
    size = x.shape[1] // layer.heads
    heads = [slice(at, at + size) for at in range(0, x.shape[1], size)]
    scores = [
        times("scores", queries[:, one], keys[:, one].T, ("queries", "keys")) / math.sqrt(size)
        for one in heads
    ]
    mixed = [
        times("attention × value", _softmax(score), values[:, one], ("probabilities", "values"))
        for score, one in zip(scores, heads, strict=True)
    ]
    x = layer.after_attention(x + linear("output", np.hstack(mixed), layer.output))
    wide = _gelu(linear("feed-forward 1", x, layer.up))
    return layer.after_feed_forward(x + linear("feed-forward 2", wide, layer.down))


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _gelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x * (1 + np.asarray(_erf(x / math.sqrt(2)), dtype=np.float64)) / 2


def gaussian_layer(
    sequence: int = 128, hidden: int = 384, heads: int = 12, wide: int = 1536, seed: int = 0
) -> EncoderLayer:
    """Return a layer with seeded Gaussian weights and inputs, in place of a trained one.

    Weights have variance ``1 / inputs``, so that every layer keeps the size of its operands, and
    are quantised by the maximum of each output; inputs are N(0, 1).
    """
    if hidden % heads:
        raise ValueError(f"hidden must be a multiple of the {heads} heads, not {hidden!r}")
    rng = np.random.default_rng(seed)

    def linear(inputs: int, outputs: int) -> Linear:
        real = rng.normal(0, 1 / math.sqrt(inputs), (inputs, outputs))
        return Linear(Quantised.of(real, axis=0), np.zeros(outputs))

    def norm() -> Norm:
        return Norm(np.ones(hidden), np.zeros(hidden))

    return EncoderLayer(
        inputs=rng.normal(size=(sequence, hidden)),
        heads=heads,
        query=linear(hidden, hidden),
        key=linear(hidden, hidden),
        value=linear(hidden, hidden),
        output=linear(hidden, hidden),
        up=linear(hidden, wide),
        down=linear(wide, hidden),
        after_attention=norm(),
        after_feed_forward=norm(),
        source=f"Weights and inputs are seeded Gaussian ones, not trained (seed {seed}).",
    )
