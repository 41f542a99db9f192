"""The command as a person uses it: in a process of its own, judged by what it prints."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bitweight import catalog


def run(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", "from bitweight.cli import main; main()", *arguments],
        cwd=cwd,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


BAD = {
    "unknown design": (["gen", "nope", "-o", "out"], "design must be one of .*, not 'nope'"),
    "width": (["gen", "systolic-os-mac", "--set", "a=1", "-o", "out"], "from 2 to 16, not 1"),
    "rows": (["show", "systolic-os-mac", "--set", "rows=0"], "rows of systolic-os .*, not 0"),
    "no integer": (["show", "systolic-os-mac", "--set", "b=1.5"], "width of b .*, not '1.5'"),
    "key": (["show", "systolic-os-mac", "--set", "color=1"], "parameter must be .*, not 'color'"),
    "no value": (["show", "systolic-os-mac", "--set", "rows"], "--set must be KEY=VALUE"),
    "no file": (["show", "missing.toml"], "missing.toml: No such file"),
    "bad file": (["show", "bad.toml"], "bad.toml is not a TOML file"),
    "bad parameter": (["show", "wrong.toml"], "wrong.toml: array must be .*, not 'x'"),
    "unwritable": (["gen", "systolic-os-mac-small", "-o", "bad.toml/out"], "bad.toml"),
    "nothing named": (["gen", "-o", "out"], "designs or --all"),
    "nothing to verify": (["verify"], "designs or --all"),
    "all and one": (["verify", "systolic-os-mac-small", "--all"], "designs or --all"),
    "gemm": (["verify", "systolic-os-mac", "--gemm", "4x4"], "--gemm must be MxKxN .*, not '4x4'"),
    "sim": (["verify", "systolic-os-mac", "--sim", "vcs"], "not 'vcs'"),
    "trials": (["verify", "systolic-os-mac", "--trials", "0"], "trials .*, not 0"),
    "too long": (
        ["verify", "systolic-os-mac", "--set", "acc=16", "--gemm", "4x2x4"],
        "K of gemm must be 1 to 1.*, not 2",
    ),
    "tech": (["synth", "systolic-os-mac", "--tech", "tsmc"], "not 'tsmc'"),
    "period": (["synth", "systolic-os-mac", "--period-ns", "1,x"], "--period-ns .*, not '1,x'"),
    "command": (["frobnicate"], "No such command"),
    "option": (["list", "--frobnicate"], "No such option"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, tmp_path):
    (tmp_path / "bad.toml").write_text("array = [")
    (tmp_path / "wrong.toml").write_text("array = 'x'")
    arguments, message = BAD[case]
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("bitweight: ") and result.stderr.count("\n") == 1
    assert re.search(message, result.stderr), result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"bad.toml", "wrong.toml"}


def test_missing_programs_are_named(tmp_path):
    no_programs = {"PATH": str(tmp_path)}
    result = run("verify", "systolic-os-mac-small", "--sim", "icarus", **no_programs)
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert "Icarus" in result.stderr and "scripts/install-system" in result.stderr
    result = run("synth", "systolic-os-mac-small", "--pe", **no_programs)
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert "sta" in result.stderr and "scripts/install-system" in result.stderr


def test_list_and_show():
    rows = json.loads(run("list", "--json").stdout)
    assert [row["name"] for row in rows] == list(catalog)
    assert {row["name"]: row["macs_per_cycle"] for row in rows}["systolic-os-opt1"] == 256
    text = run("list").stdout
    assert all(row["name"] in text and str(row["register_bits"]) in text for row in rows)
    shown = run("show", "systolic-os-opt1", "--set", "cols=8").stdout
    assert "sum, carry = accumulate(sum, carry over k)" in shown
    assert str(catalog["systolic-os-opt1"].with_(cols=8).nest) in shown
    record = json.loads(run("show", "systolic-os-opt1", "--gemm", "32x5x16", "--json").stdout)
    add = next(p for p in record["primitives"] if p["op"] == "add")
    assert (add["instances"], add["uses"]) == (16, 32)


def test_tech_says_where_files_are_published():
    record = json.loads(run("tech", "--json").stdout)
    assert {"generic", "sky130hd", "asap7"} <= set(record)
    text = run("tech").stdout
    for name in ("sky130hd", "asap7"):
        assert record[name]["where"] in text
        assert all(len(sum_) == 64 and sum_ in text for sum_ in record[name]["sha256"].values())


def test_gen_from_a_file(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\narray = "systolic-os"\nmac = "opt1"\nrows = 2\ncols = 5\na = 6\nacc = 20\n'
    )
    result = run("gen", "mine.toml", "--set", "b=4", "-o", "out", "--json", cwd=tmp_path)
    assert json.loads(result.stdout) == ["out/mine.v", "out/mine.json", "out/mine.core"]
    manifest = json.loads((tmp_path / "out/mine.json").read_text())
    given = {"name": "mine", "array": "systolic-os", "rows": 2, "cols": 5, "mac": "opt1"}
    assert manifest["design"] == manifest["design"] | given | {"a": 6, "b": 4, "acc": 20}
    assert "module mine(" in (tmp_path / "out/mine.v").read_text()


def test_help_fits_a_screen():
    for arguments in (["--help"], *([name, "--help"] for name in ("gen", "verify", "synth"))):
        result = run(*arguments)
        lines = result.stdout.splitlines()
        assert result.returncode == 0 and 5 < len(lines) <= 40
        assert max(len(line) for line in lines) <= 80
