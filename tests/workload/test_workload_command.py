"""`bitweight workload`, as a person uses it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bitweight.cli import main
from bitweight.sim import CompiledDesign
from bitweight.workload import tables

NAME = "systolic-os-mac-small"


@pytest.fixture
def command(tmp_path):
    def call(*arguments: str) -> subprocess.CompletedProcess:
        code = "from bitweight.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, "workload", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_digits(command, tmp_path):
    result = command("digits", "--design", NAME, "--json", "-o", "out")
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    [engine] = record["engines"]
    assert record["figures"]["accuracy"] > 0.95 and engine["bit_exact"]
    assert [(one["k"], one["n"]) for one in engine["layers"]] == [(64, 64), (64, 32), (32, 10)]
    names = ["workload-digits.json", "workload-digits.md"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert json.loads((tmp_path / "out" / names[0]).read_text(encoding="utf-8")) == record
    text = (tmp_path / "out" / names[1]).read_text(encoding="utf-8")
    assert text == tables.markdown(record)
    shown = command("digits", "--design", NAME)
    assert shown.returncode == 0 and f"{engine['cycles']:,}" in shown.stdout
    assert "layer 3" in shown.stdout and shown.stderr == ""


def test_a_wrong_result_is_one_line_and_status_1(monkeypatch, capsys, tmp_path):
    # Of a design whose products no other test has kept.
    name, genuine = "systolic-os-opt1-small", CompiledDesign.gemm

    def flipped(*given, **rest):
        C, stats = genuine(*given, **rest)
        C[2, 1] ^= 1
        return C, stats

    monkeypatch.setattr(CompiledDesign, "gemm", flipped)
    with pytest.raises(SystemExit) as caught:
        main(["workload", "digits", "--design", name, "-o", str(tmp_path / "out")])
    assert caught.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(f"bitweight: {name}, layer 1: element [2, 1] must be ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


BAD = {
    "workload": (("nope",), "'nope' is not one of 'digits', 'conv', 'transformer'"),
    "design": (("digits", "--design", "nope"), "design must be one of"),
    "toml": (("digits", "--design", "none.toml"), "none.toml: No such file"),
    "narrow": (("digits", "--design", "narrow.toml"), "elements of A must be from -8 to 7"),
    "output": (("digits", "--design", NAME, "-o", "file"), "--output must be a writable folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, command, tmp_path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "narrow.toml").write_text('array = "systolic-os"\nrows = 2\ncols = 3\na = 4\n')
    arguments, message = BAD[case]
    result = command(*arguments)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("bitweight: ") and result.stderr.count("\n") == 1
    assert message in result.stderr
    assert (tmp_path / "file").read_text() == "kept"


def test_help_fits_a_screen(command):
    lines = command("--help").stdout.splitlines()
    assert 10 < len(lines) <= 30 and max(map(len, lines)) <= 80


def test_importing_loads_nothing_heavy():
    code = "import sys, bitweight.cli.workload; print({'sklearn', 'onnx'} & set(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "set()"
