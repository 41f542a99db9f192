"""What all tests share: seeds that are printed when a test fails, and built models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bitweight.sim import CACHE_VARIABLE


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator whose seed is printed; BITWEIGHT_SEED repeats a run."""
    seed = int(os.environ.get("BITWEIGHT_SEED", np.random.SeedSequence().entropy % 2**32))
    print(f"repeat with BITWEIGHT_SEED={seed}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session", autouse=True)
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What is built once for all workers of a run: never in the user's cache, never from it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(shared / "cache"))
        yield shared / "cache"
