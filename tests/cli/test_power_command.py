"""`bitweight power` as a person uses it."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from bitweight import catalog


def run(*arguments, cwd=None, **env):
    return subprocess.run(
        [sys.executable, "-c", "from bitweight.cli import main; main()", "power", *arguments],
        cwd=cwd,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


NAME = "systolic-os-mac-small"
BAD = {
    "no period": ([NAME], "Missing option '--period-ns'"),
    "period": ([NAME, "--period-ns", "x"], "--period-ns must be a number above 0, not 'x'"),
    "endless": ([NAME, "--period-ns", "inf"], "--period-ns must be .*, not 'inf'"),
    "gemm": ([NAME, "--period-ns", "3", "--gemm", "4x4"], "--gemm must be MxKxN .*, not '4x4'"),
    "huge": (
        [NAME, "--period-ns", "3", "--gemm", "999x999x999"],
        "at most 67108864, not 997002999",
    ),
    "sigma": ([NAME, "--period-ns", "3", "--sigma", "0"], "sigma must be a number above 0, not 0"),
    "seed": ([NAME, "--period-ns", "3", "--seed", "-1"], "seed must be .* at least 0, not -1"),
    "a alone": ([NAME, "--period-ns", "3", "--a", "a.npy"], "both --a and --b, or neither"),
    "a and sigma": (
        [NAME, "--period-ns", "3", "--a", "a.npy", "--b", "a.npy", "--sigma", "3"],
        "--a and --b, or --sigma and --gemm",
    ),
    "no file": (
        [NAME, "--period-ns", "3", "--a", "no.npy", "--b", "a.npy"],
        "no.npy: No such file",
    ),
    "do not fit": (
        [NAME, "--period-ns", "3", "--a", "a.npy", "--b", "a.npy"],
        "B must have 5 rows, as A has columns, not 3",
    ),
    "tech": ([NAME, "--period-ns", "3", "--tech", "tsmc"], "not 'tsmc'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 5), dtype=np.int64))
    arguments, message = BAD[case]
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert result.stdout == "" and result.stderr.count("\n") == 1
    assert re.search(message, result.stderr), result.stderr


def test_missing_tools_are_named(tmp_path):
    result = run(NAME, "--period-ns", "3", PATH=str(tmp_path))
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert "sta" in result.stderr and "scripts/install-system" in result.stderr


def test_record_and_files(tmp_path):
    A = np.arange(-12, 12).reshape(4, 6)
    np.save(tmp_path / "a.npy", A)
    np.save(tmp_path / "b.npy", A.T)
    given = ["--period-ns", "4", "--a", "a.npy", "--b", "b.npy", "-o", "kept", "--json"]
    result = run(NAME, *given, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["cycles"] == catalog[NAME].cycles(A, A.T)
    assert record["gemm"] == [4, 6, 4] and record["operands"] == "a.npy and b.npy"
    assert record["seed"] is None and record["design"] == NAME
    assert record["energy_per_mac_pj"] == pytest.approx(
        record["total"] * record["cycles"] * record["period_ns"] * 1e3 / (4 * 6 * 4)
    )
    kept = {path.name for path in (tmp_path / "kept" / "synthesis").iterdir()}
    assert {"netlist.v", "sta.tcl", "quiet.txt", "busy.txt", "sta.log"} <= kept


def test_table_says_what_was_measured():
    result = run(NAME, "--period-ns", "4", "--gemm", "8x16x6", "--sigma", "20", "--pe")
    assert result.returncode == 0, result.stderr
    for text in (
        "12 processing elements of systolic-os-mac-small (rows 4, cols 3) on generic",
        "GEMM 8x16x6 (normal, sigma 20, seed 0)",
        "pJ per MAC",
        "TOPS/W",
        "glitches count from rail to rail",
    ):
        assert text in result.stdout
