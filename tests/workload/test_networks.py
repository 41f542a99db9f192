"""Convolutions and the encoder layer: against plain loops, and against the trained model itself."""

from __future__ import annotations

import numpy as np
import pytest

from bitweight.workload import numpy_product, transformer
from bitweight.workload.convolution import (
    FloatConvolutions,
    QuantisedConvolutions,
    im2col,
    pool,
)
from bitweight.workload.encoder import encode, encode_float, gaussian_layer
from bitweight.workload.images import Images, load_images
from bitweight.workload.integers import Quantised
from bitweight.workload.passage import TOKENS
from bitweight.workload.trained import model_file, trained_layer


def test_im2col_times_filters_is_a_convolution(rng):
    images = rng.integers(-5, 6, (2, 4, 6, 3))
    filters = rng.integers(-5, 6, (3, 3, 3, 7))
    found = (im2col(images) @ filters.reshape(-1, 7)).reshape(2, 4, 6, 7)
    for at, y, x in np.ndindex(2, 4, 6):
        expected = np.zeros(7, int)
        for dy, dx in np.ndindex(3, 3):
            row, col = y + dy - 1, x + dx - 1
            if 0 <= row < 4 and 0 <= col < 6:
                expected += images[at, row, col] @ filters[dy, dx]
        assert (found[at, y, x] == expected).all()
    small = pool(images)
    assert small.shape == (2, 2, 3, 3)
    assert (small[1, 1, 2] == images[1, 2:4, 4:6].max(axis=(0, 1))).all()


def small_network(rng) -> tuple[FloatConvolutions, np.ndarray, np.ndarray]:
    sizes = ((9, 2), (18, 3), (12, 10))
    network = FloatConvolutions(
        tuple(rng.normal(size=size) for size in sizes),
        tuple(rng.normal(size=size[1]) for size in sizes),
    )
    return network, rng.random((4, 64)), rng.integers(0, 10, 4)


def test_training_follows_the_gradient(rng):
    """Against differences of the loss, for one weight and one bias of each layer."""
    network, x, labels = small_network(rng)

    def loss(changed: FloatConvolutions) -> float:
        scores = changed.activations(x)[-1]
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return -float(logs[np.arange(len(x)), labels].mean())

    tensors = [*network.weights, *network.biases]
    slopes = network._slopes(x, labels)
    for at, slope in enumerate(slopes):
        place = tuple(int(rng.integers(size)) for size in slope.shape)
        sides = []
        for step in (1e-6, -1e-6):
            moved = [one.copy() for one in tensors]
            moved[at][place] += step
            sides.append(loss(FloatConvolutions(tuple(moved[:3]), tuple(moved[3:]))))
        assert slope[place] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-6)


def test_integers_classify_as_floating_point_does():
    images = load_images(100)
    # The fewest epochs that tell most digits apart.
    network = FloatConvolutions.train(images, (4, 8), epochs=6)
    again = FloatConvolutions.train(
        Images(images.train_x, images.train_y, images.test_x[:1], images.test_y[:1]),
        (4, 8),
        epochs=6,
    )
    for one, other in zip(network.weights, again.weights, strict=True):
        assert (one == other).all()
    integers = QuantisedConvolutions.of(network, images.train_x)
    products = []

    def multiply(product):
        products.append(product)
        return numpy_product(product)

    found = integers.classify(images.test_x, multiply)
    right = np.mean(network.classify(images.test_x) == images.test_y)
    assert right > 0.7 and abs(right - np.mean(found == images.test_y)) < 0.04
    sizes = [(one.layer, *one.A.shape, one.B.shape[1]) for one in products]
    assert sizes == [
        ("convolution 1", 6400, 9, 4),
        ("convolution 2", 1600, 36, 8),
        ("dense", 100, 32, 10),
    ]
    assert all(one.A.dtype == one.B.dtype == np.int8 for one in products)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_quantised_is_close(axis, rng):
    x = rng.normal(size=(6, 9)) * 10.0 ** rng.integers(-3, 4, (6, 9))
    x[:, 2], x[3] = 0, 0
    integers = Quantised.of(x, axis)
    assert np.abs(integers.values).max() == 127
    assert (np.abs(integers.real - x) <= integers.scale * 0.5000001).all()
    assert (Quantised.of(-x, axis).values == -integers.values).all()


def test_the_encoder_in_int8_is_close_to_floating_point():
    layer = gaussian_layer(sequence=9, hidden=24, heads=3, wide=40, seed=3)
    exact = encode_float(layer)
    assert exact.shape == (9, 24)
    error = np.linalg.norm(encode(layer, numpy_product) - exact) / np.linalg.norm(exact)
    assert 0 < error < 0.03
    assert transformer(layer).run(numpy_product)["error"] == pytest.approx(error)
    # One product that is wrong shows in the result.
    worse = encode(layer, lambda one: numpy_product(one) * (-1 if one.layer == "scores" else 1))
    assert np.linalg.norm(worse - exact) / np.linalg.norm(exact) > 10 * error


def test_heads_share_the_hidden_size():
    with pytest.raises(ValueError, match="hidden must be a multiple of the 3 heads, not 8"):
        gaussian_layer(hidden=8, heads=3)


trained = pytest.mark.skipif(model_file() is None, reason="needs the extra 'transformer'")


@trained
def test_the_trained_layer_is_that_of_the_model():
    """The model as ONNX's own reference evaluates it, up to the end of the first layer."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(model_file())
    norms = [node.output[0] for node in model.graph.node if node.op_type == "LayerNormalization"]
    wanted = [norms[0], norms[2]]  # of the embeddings, and of the first layer's end
    end = next(at for at, node in enumerate(model.graph.node) if wanted[1] in node.output)
    del model.graph.node[end + 1 :]
    del model.graph.output[:]
    for name in wanted:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, None))
    ids = np.array([TOKENS])
    feeds = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
    }
    inputs, outputs = ReferenceEvaluator(model).run(wanted, feeds)
    layer = trained_layer(model_file())
    assert layer.inputs.shape == (128, 384) and layer.up.weight.values.shape == (384, 1536)
    np.testing.assert_allclose(layer.inputs, inputs[0], atol=1e-5)
    np.testing.assert_allclose(encode_float(layer), outputs[0], atol=1e-4)
    assert transformer().run(numpy_product)["error"] < 0.05


@trained
def test_another_file_than_the_model_is_refused(tmp_path):
    other = tmp_path / "model.onnx"
    other.write_bytes(model_file().read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"must have the SHA-256 checksum 8199be6f.*, not '"):
        trained_layer(other)
