"""The wheel is built once, and installed twice: alone with what it needs, and with everything."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import HOST, ROOT, Environment, build, link, make, required


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """No extras: what ``pip install bitweight`` brings, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    return make(folder / "venv", wheel, link(required(), folder / "libraries"))


@pytest.fixture(scope="session")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """With all extras, which are those of the environment that the tests run in."""
    return make(tmp_path_factory.mktemp("full") / "venv", wheel, HOST)
