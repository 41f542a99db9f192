"""Packing of beats, against Python's own integers."""

from __future__ import annotations

import numpy as np
import pytest

from bitweight_verif.beats import StreamShape, UnknownBitsError


@pytest.mark.parametrize("bits", [1, 2, 8, 13, 32, 63, 64])
@pytest.mark.parametrize("signed", [True, False])
def test_round_trip(rng, bits, signed):
    if bits == 64 and not signed:
        low, high = 0, 2**63 - 1
    else:
        low = -(2 ** (bits - 1)) if signed else 0
        high = 2 ** (bits - signed) - 1
    data = rng.integers(low, high, (50, 3), endpoint=True)
    data[0], data[1] = low, high
    last = rng.random(50) < 0.5
    shape = StreamShape(3, bits, signed)
    beats = list(shape.encode(data, last))
    for row, flag, beat in zip(data, last, beats, strict=True):
        value = sum((int(x) % 2**bits) << (bits * i) for i, x in enumerate(row))
        assert beat == format(value | int(flag) << (3 * bits), f"0{3 * bits + 1}b")
    back, flags = shape.decode(beats)
    np.testing.assert_array_equal(back, data)
    np.testing.assert_array_equal(flags, last)


def test_no_beats():
    shape = StreamShape(2, 4)
    assert list(shape.encode(np.zeros((0, 2)), np.zeros(0))) == []
    data, last = shape.decode([])
    assert data.shape == (0, 2)
    assert last.shape == (0,)


def test_unknown_digits_are_named():
    with pytest.raises(UnknownBitsError, match="beat 1 holds unknown bits: 01X00"):
        StreamShape(2, 2).decode(["00000", "01X00"])


@pytest.mark.parametrize(
    ("data", "last", "message"),
    [
        (np.zeros((4, 3)), np.zeros(4), r"data must have the shape \[T, 2\], not \(4, 3\)"),
        (np.zeros((4, 2)), np.zeros(3), r"last must have the shape \[4\], not \(3,\)"),
    ],
)
def test_wrong_shapes(data, last, message):
    with pytest.raises(ValueError, match=message):
        StreamShape(2, 8).encode(data, last)
