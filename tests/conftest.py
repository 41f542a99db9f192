"""What all tests share: seeds that are printed when a test fails, and the measuring libraries."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator whose seed is printed; BITWEIGHT_SEED repeats a run."""
    seed = int(os.environ.get("BITWEIGHT_SEED", np.random.SeedSequence().entropy % 2**32))
    print(f"repeat with BITWEIGHT_SEED={seed}")
    return np.random.default_rng(seed)
