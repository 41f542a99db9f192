"""Programs that fail, fall silent or are no longer wanted, with real ones."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bitweight import MAC, Design, SystolicOS
from bitweight.sim import Cache, CompiledDesign, SimulationError, verilated
from bitweight.sim.process import WatchedPool, run_watched

PARENT = ["sh", "-c", "sleep 600 & echo $! > child; wait"]


def run(command: list[str], folder: Path, patience: float = 60.0, **options) -> str:
    with (folder / "output").open("wb") as output:
        return run_watched(command, folder, os.environ, output, patience=patience, **options)


def gone(child: Path) -> bool:
    """Whether a process has ended; what nobody has waited for yet is a zombie."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{child.read_text().strip()}/stat").read_text().split()[2]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_silent_program_is_ended_with_its_children(tmp_path):
    with pytest.raises(SimulationError, match=r"^sh gave no sign of life for 1 s$") as caught:
        run(PARENT, tmp_path, 1.0)
    assert caught.value.category == "silent" and gone(tmp_path / "child")


def test_what_a_pool_runs_ends_with_it(tmp_path):
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), WatchedPool(1) as pool:
        # A pool in a thread of another one: its programs are ended too.
        work = pool.submit(lambda: list(WatchedPool(1).map(run, [PARENT], [tmp_path])))
        while not (tmp_path / "child").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert work.result() == ["sh was ended by SIGKILL"]
    assert gone(tmp_path / "child") and time.monotonic() - started < 30


def test_a_sign_of_life_is_waited_for(tmp_path):
    assert run(["sleep", "0.5"], tmp_path, 0.1, alive=lambda: 0.0) == ""


def test_how_it_failed(tmp_path):
    assert run(["sh", "-c", "echo why >&2; exit 3"], tmp_path) == "sh ended with exit status 3"
    assert (tmp_path / "output").read_text() == "why\n"
    assert run(["sh", "-c", "kill -SEGV $$"], tmp_path) == "sh was ended by SIGSEGV"


def test_a_compiler_that_does_not_end_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(verilated, "_PATIENCE", 0.1)
    design = Design(SystolicOS(1, 1), MAC, a=2, b=2, acc=8)
    with pytest.raises(SimulationError, match=r"gave no sign of life for 0\.1 s"):
        CompiledDesign(design, cache=Cache(tmp_path))
    left = [path.name for path in (tmp_path / "models").iterdir()]
    assert len(left) == 1 and left[0].endswith(".lock")
