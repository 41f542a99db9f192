"""The quantised network against plain integers, and what quantisation costs in accuracy."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np
import pytest

from bitweight.workload import numpy_product
from bitweight.workload.images import load_images
from bitweight.workload.integers import Layer, fixed_point
from bitweight.workload.perceptron import FloatNetwork, QuantisedNetwork, quantise, train


def scores_in_plain_integers(network: QuantisedNetwork, row: list[int]) -> list[int]:
    values = row
    for at, layer in enumerate(network.layers):
        sums = [
            sum(value * int(layer.weight[k, n]) for k, value in enumerate(values))
            + int(layer.bias[n])
            for n in range(layer.weight.shape[1])
        ]
        if at == len(network.layers) - 1:
            return sums
        exact = [Fraction(one * layer.multiplier, 2**layer.shift) for one in sums]
        values = [min(127, max(0, floor(one + Fraction(1, 2)))) for one in exact]
    raise AssertionError


def random_network(rng: np.random.Generator, *sizes: int) -> FloatNetwork:
    pairs = list(pairwise(sizes))
    return FloatNetwork(
        tuple(rng.normal(size=pair) for pair in pairs),
        tuple(rng.normal(size=pair[1]) for pair in pairs),
    )


def test_integer_network_equals_plain_integers(rng):
    network = random_network(rng, 20, 12, 9, 5)
    x = rng.random((30, 20))
    integers = quantise(network, x)
    expected = [scores_in_plain_integers(integers, row) for row in integers.inputs(x).tolist()]
    assert integers.scores(x).tolist() == expected


def test_operands_of_every_product_are_int8_and_use_the_range(rng):
    network = random_network(rng, 20, 12, 5)
    x = rng.random((40, 20))
    seen = []

    def multiply(product):
        seen.append((product.A, product.B))
        return numpy_product(product)

    quantise(network, x).scores(x, multiply)
    assert len(seen) == 2
    for A, B in seen:
        assert A.dtype == B.dtype == np.int8
        assert np.abs(B.astype(int)).max() == 127
        assert 126 <= A.max() <= 127


def test_rounding_is_half_up_and_saturates():
    layer = Layer(np.zeros((1, 4), np.int8), np.zeros(4, np.int32), 1, 1)
    out = layer.finish(np.array([[1, 3, -1, 2**31 - 1]], np.int32))
    assert out.tolist() == [[1, 2, 0, 127]]


@pytest.mark.parametrize("factor", [1e-9, 0.001, 0.4999, 0.5, 1.0, 3.3, 8000.0])
def test_fixed_point_is_close(factor):
    multiplier, shift = fixed_point(factor)
    assert shift >= 1
    assert abs(multiplier / 2**shift / factor - 1) <= 2**-15


@pytest.mark.parametrize("factor", [0.0, -1.0, 8192.0])
def test_fixed_point_refuses(factor):
    with pytest.raises(ValueError, match=r"factor must be .*, not "):
        fixed_point(factor)


def test_quantisation_keeps_the_accuracy_and_training_is_repeatable():
    images = load_images(450)
    assert len(images.test_x) == len(images.test_y) == 450
    network = train(images)
    again = train(images)
    for one, other in zip(network.weights, again.weights, strict=True):
        assert (one == other).all()
    right = np.mean(network.classify(images.test_x) == images.test_y)
    integers = quantise(network, images.train_x)
    kept = np.mean(integers.classify(images.test_x) == images.test_y)
    assert right > 0.95
    assert abs(right - kept) < 0.01


def test_held_out_images_are_not_trained_on():
    images = load_images(100, seed=3)
    assert len(images.train_x) == 1797 - 100
    known = {row.tobytes() for row in images.train_x}
    assert sum(row.tobytes() in known for row in images.test_x) == 0


@pytest.mark.parametrize("count", [0, -1, 899, 2000])
def test_impossible_number_of_images(count):
    with pytest.raises(ValueError, match=f"images must be an integer from 1 to 898, not {count}"):
        load_images(count)


def test_number_of_images_of_another_kind():
    with pytest.raises(TypeError, match=r"images must be .*, not 1\.5"):
        load_images(1.5)
