"""`bitweight run` and `bitweight bench sim`, as a person uses them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bitweight import MAC, Design, SystolicOS
from bitweight.sim import CACHE_VARIABLE

DESIGN = Design(SystolicOS(2, 3), MAC, a=4, b=4, acc=12)
SET = ("--set", "rows=2", "--set", "cols=3", "--set", "a=4", "--set", "b=4", "--set", "acc=12")
NAME = "systolic-os-mac-small"


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return shared / "compiled-models"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from bitweight.cli import main; main()", *arguments]


@pytest.fixture
def run(models, tmp_path):
    def call(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=os.environ | {CACHE_VARIABLE: str(models)},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


@pytest.fixture
def files(tmp_path, rng):
    """A.npy and B.npy whose product has sums beyond what 31 products can hold."""
    A, B = rng.integers(-2, 3, (7, 50)), rng.integers(-2, 3, (50, 5), dtype=np.int8)
    np.save(tmp_path / "A.npy", A)
    np.save(tmp_path / "B.npy", B)
    return A, B


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_product_and_statistics(run, files, tmp_path):
    A, B = files
    result = run("run", NAME, "A.npy", "B.npy", "-o", "C.npy", "--stats", "stats.json", *SET)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    C = np.load(tmp_path / "C.npy")
    assert C.dtype == np.int32
    np.testing.assert_array_equal(C, A @ B)
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["k_blocks"] == 2 and stats["design"]["rows"] == 2
    assert (stats["m"], stats["k"], stats["n"]) == (7, 50, 5)
    assert f"{stats['cycles']} cycles" in result.stdout
    assert names(tmp_path) == {"A.npy", "B.npy", "C.npy", "stats.json"}
    plain = (tmp_path / "A.npy").stat().st_mode
    assert (tmp_path / "C.npy").stat().st_mode == plain


def test_wrap(run, tmp_path):
    A, B = np.full((2, 40), -8), np.full((40, 2), -8)
    np.save(tmp_path / "A.npy", A)
    np.save(tmp_path / "B.npy", B)
    result = run("run", NAME, "A.npy", "B.npy", "-o", "C.npy", *SET)
    assert result.returncode == 2 and "12 accumulator bits" in result.stderr
    assert result.stderr.count("\n") == 1 and names(tmp_path) == {"A.npy", "B.npy"}
    assert run("run", NAME, "A.npy", "B.npy", "-o", "C.npy", "--wrap", *SET).returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "C.npy"), DESIGN.reference(A, B, wrap=True))


def _broken(tmp_path: Path) -> None:
    whole = (tmp_path / "A.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-100])
    (tmp_path / "text.npy").write_text("1 2 3")
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "objects.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    np.save(tmp_path / "float.npy", np.ones((7, 50)))
    np.save(tmp_path / "vector.npy", np.ones(50, np.int8))
    np.save(tmp_path / "large.npy", np.full((7, 50), 8))


BAD = {
    "cut": ("cut.npy", "B.npy", "C.npy", "cut.npy is not a whole .npy file"),
    "text": ("text.npy", "B.npy", "C.npy", "text.npy is not a whole .npy file"),
    "empty": ("empty.npy", "B.npy", "C.npy", "empty.npy is not a whole .npy file"),
    "objects": ("objects.npy", "B.npy", "C.npy", "objects.npy is not a whole .npy file"),
    "missing": ("none.npy", "B.npy", "C.npy", "none.npy: No such file"),
    "folder": (".", "B.npy", "C.npy", "must be a .npy file, not a folder"),
    "float": ("float.npy", "B.npy", "C.npy", "float.npy: A must be integers, not 'float64'"),
    "vector": ("A.npy", "vector.npy", "C.npy", r"vector.npy: B must be a matrix .*\(50,\)"),
    "shapes": ("A.npy", "A.npy", "C.npy", "B must have 50 rows, as A has columns, not 7"),
    "range": ("large.npy", "B.npy", "C.npy", "elements of A must be from -8 to 7, not 8"),
    "output": ("A.npy", "B.npy", "no/C.npy", "no/C.npy must be in a folder that exists"),
    "output folder": ("A.npy", "B.npy", ".", "must be a file, not a folder"),
    "overwrite": ("A.npy", "B.npy", "A.npy", "A.npy must be another file than the operands"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, run, files, tmp_path):
    _broken(tmp_path)
    before = names(tmp_path)
    a, b, c, message = BAD[case]
    result = run("run", NAME, a, b, "-o", c, *SET)
    assert result.returncode == 2, result.stdout
    assert result.stdout == ""
    assert result.stderr.startswith("bitweight: ") and result.stderr.count("\n") == 1
    assert re.search(message, result.stderr), result.stderr
    assert names(tmp_path) == before
    np.testing.assert_array_equal(np.load(tmp_path / "A.npy"), files[0])


def test_an_interrupt_leaves_nothing(run, models, tmp_path):
    np.save(tmp_path / "A.npy", np.ones((1, 20), np.int8))
    np.save(tmp_path / "B.npy", np.ones((20, 3), np.int8))
    assert run("run", NAME, "A.npy", "B.npy", "-o", "C.npy", *SET).returncode == 0
    kept = (tmp_path / "C.npy").read_bytes()
    # Hours of work; the file is a hole.
    A = np.lib.format.open_memmap(tmp_path / "A.npy", "w+", np.int8, (50_000_000, 20))
    del A
    # A job in the background of a shell ignores interrupts, and so would what it starts.
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    python, option, code, *arguments = command("run", NAME, "A.npy", "B.npy", "-o", "C.npy", *SET)
    with subprocess.Popen(
        [python, option, heeds + code, *arguments],
        cwd=tmp_path,
        env=os.environ | {CACHE_VARIABLE: str(models)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        limit = time.monotonic() + 60
        while not list(tmp_path.glob(".C.npy.*")) and time.monotonic() < limit:
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        try:
            message = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 130 and message.strip() == "bitweight: interrupted"
    assert names(tmp_path) == {"A.npy", "B.npy", "C.npy"}
    assert (tmp_path / "C.npy").read_bytes() == kept


def test_bench(run):
    result = run("bench", "sim", NAME, "--gemm", "192x20x6", "--json", *SET)
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    rows = {row["simulation"]: row for row in record["simulations"]}
    assert list(rows) == ["cocotb, icarus", "cocotb, verilator", "compiled"]
    # Of cocotb a product of one row is subtracted.
    assert [row["m"] for row in rows.values()] == [192 // 32 - 1, 192 - 1, 192]
    assert rows["compiled"]["ratio"] == 1 and rows["compiled"]["start_cpu_seconds"] == 0
    for row in rows.values():
        assert row["macs"] == row["m"] * 20 * 6
        assert row["macs_per_cpu_second"] == pytest.approx(row["macs"] / row["cpu_seconds"])
        assert row["ratio"] > 0
    assert rows["cocotb, verilator"]["start_cpu_seconds"] > 0


def test_help_fits_a_screen(run):
    for arguments in (["run", "--help"], ["bench", "sim", "--help"]):
        lines = run(*arguments).stdout.splitlines()
        assert 5 < len(lines) <= 40 and max(map(len, lines)) <= 80
