"""Sums modulo two to the width of a register."""

import numpy as np
import pytest

from bitweight.notation.integer import wrap

LIMIT = 1 << 63


@pytest.mark.parametrize("bits", range(1, 65))
def test_wrap_is_two_s_complement(bits, rng):
    half = 1 << (bits - 1)
    values = [0, 1, -1, half - 1, -half, half % LIMIT, LIMIT - 1, -LIMIT, LIMIT - half]
    values = [value for value in values if -LIMIT <= value < LIMIT]
    values += rng.integers(-LIMIT, LIMIT, 50).tolist()
    wanted = [(value + half) % (2 * half) - half for value in values]
    assert wrap(np.array(values, dtype=np.int64), bits).tolist() == wanted
    assert [int(wrap(np.int64(value), bits)) for value in values] == wanted
