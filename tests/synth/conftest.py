import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BESIDE = HERE.parents[2] / "shared" / "tech"


@pytest.fixture(scope="session")
def designs():
    """The designs in designs/, by name; an array comes with the module that it instantiates."""
    found = {path.stem: path.read_text() for path in (HERE / "designs").glob("*.v")}
    found["array"] += found["mac_pe"]
    return found


@pytest.fixture
def tech_path(monkeypatch):
    """The folder with the real libraries; without one there is nothing to test them on."""
    folder = Path(os.environ.get("BITWEIGHT_TECH_PATH") or BESIDE)
    if not any(folder.glob("*.lib.gz")):
        pytest.skip("no technology files: neither BITWEIGHT_TECH_PATH nor ../shared/tech has any")
    monkeypatch.setenv("BITWEIGHT_TECH_PATH", str(folder))
    return folder


@pytest.fixture
def no_tech_path(monkeypatch, tmp_path):
    monkeypatch.delenv("BITWEIGHT_TECH_PATH", raising=False)
    return tmp_path
