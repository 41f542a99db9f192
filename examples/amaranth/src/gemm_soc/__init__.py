"""A dense layer of a neural network in hardware: weights, an array, and requantisation."""

from gemm_soc.layer import DenseLayer

__all__ = ["DenseLayer"]
