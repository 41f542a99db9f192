"""What all tests share: seeds that are printed, built models, and a record of what they show."""

from __future__ import annotations

import datetime
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bitweight.evidence.record import TESTS, enter
from bitweight.evidence.testimony import named_tests
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record", type=Path, metavar="DIR", help=f"enter what ran of circuits into DIR/{TESTS}"
    )


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("--record")
    if folder is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(folder))


class Recorder:
    """Counts outcomes and adds up seconds of the tests that the page of verification names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: dict[str, Counter[str]] = {}
        self.seconds: Counter[str] = Counter()
        self.names = set(named_tests())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        function = report.nodeid.partition("[")[0]
        for name in self.names & {function, function.partition("::")[0]}:
            self.seconds[name] += report.duration
            if report.when == "call" or report.outcome != "passed":
                self.counts.setdefault(name, Counter())[report.outcome] += 1

    def pytest_sessionfinish(self) -> None:
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        enter(
            self.folder,
            TESTS,
            {
                name: {
                    **{outcome: counts[outcome] for outcome in ("passed", "failed", "skipped")},
                    "seconds": round(self.seconds[name], 1),
                    "date": today,
                }
                for name, counts in self.counts.items()
            },
        )
