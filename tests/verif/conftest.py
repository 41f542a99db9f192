"""Verilator's own library is compiled once for all workers of a test run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from bitweight_verif.runner import OBJECTS_VARIABLE


@pytest.fixture(scope="session", autouse=True)
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(OBJECTS_VARIABLE, str(shared / "verilator-objects"))
        yield
