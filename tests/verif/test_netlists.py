"""The bench on mapped netlists, from the command line: sound ones pass, broken ones do not."""

from __future__ import annotations

import re
import subprocess
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from bitweight import MAC, Design, SystolicOS
from bitweight.cli.main import command as bitweight
from bitweight.emit import emit
from bitweight.evidence.record import BENCH, NETLISTS, enter, load, verilog_digest
from bitweight.synth import find_technology
from bitweight_verif import netlists
from bitweight_verif.kept import bench_digest, same_run
from bitweight_verif.simulators import require

TINY = Design(SystolicOS(1, 1), MAC, a=2, b=2, acc=6, name="tiny")
TOML = (
    'array = "systolic-os"\nrows = 1\ncols = 1\nmac = "mac"\na = 2\nb = 2\nacc = 6\nname = "tiny"'
)
QUICK = ("--gemm", "1x2x1", "--trials", "1", "--seed", "5")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Verify the tiny design as if it were in the catalog."""
    path = tmp_path / "tiny.toml"
    path.write_text(TOML)
    monkeypatch.setattr("bitweight.cli.verify.catalog", {str(path): TINY})

    def invoke(*arguments):
        return CliRunner().invoke(bitweight, ["verify", str(path), *map(str, arguments)])

    return invoke


def test_a_sound_netlist_passes_and_is_kept(run, tmp_path):
    arguments = (*QUICK, "--tech", "generic", "-o", tmp_path)
    first = run(*arguments)
    assert first.exit_code == 0, first.output
    assert re.match(r"tiny on generic: passed, (\d+) of \1 cases under icarus", first.output)
    (record,) = load(tmp_path, NETLISTS).values()
    assert record["generic"]["sim"] == "icarus" and record["generic"]["passed"]
    rtl = verilog_digest(emit(TINY).verilog)
    assert record["generic"]["rtl"] == rtl != record["generic"]["verilog"]
    assert not load(tmp_path, BENCH)

    assert run(*arguments).output == "tiny on generic: passed before, unchanged\n"
    again = run(*arguments, "--trials", 2)
    assert "tiny on generic: passed, " in again.output


def test_a_broken_netlist_fails(run, tmp_path, monkeypatch):
    sound = netlists.with_models

    def broken(*arguments):
        text = sound(*arguments)
        text, count = re.subn(r"^  X?NOR2_X\d (_\d+_) \(", r"  BAD \1 (", text, count=1, flags=re.M)
        assert count == 1
        return text + "module BAD(input A, input B, output Y); assign Y = A & B; endmodule\n"

    monkeypatch.setattr(netlists, "with_models", broken)
    result = run(*QUICK, "--tech", "generic", "-o", tmp_path)
    assert result.exit_code == 1
    assert "repeat: bitweight verify" in result.output and "--tech generic" in result.output
    assert "tiny on generic: FAILED" in result.output
    assert not load(tmp_path, NETLISTS)["tiny"]["generic"]["passed"]
    # What failed is never kept.
    monkeypatch.setattr(netlists, "with_models", sound)
    assert "passed, " in run(*QUICK, "--tech", "generic", "-o", tmp_path).output


def test_flip_flops_begin_with_any_values(tmp_path):
    # An X would stay in y, which is 0 whatever the flip-flop holds.
    flops = "".join(
        f"DFFE_X1 f{at} (.CK(clk), .E(1'b0), .D(1'b0), .Q(q[{at}]));\n"
        f"XOR2_X1 x{at} (.A(q[{at}]), .B(q[{at}]), .Y(y[{at}]));\n"
        for at in range(32)
    )
    text = f"module m(input clk, output [31:0] q, y);\n{flops}endmodule\n"
    result = SimpleNamespace(netlist=text, cells={"DFFE_X1": 32, "XOR2_X1": 32})
    bench = (
        "module bench; reg clk = 0; wire [31:0] q, y; m dut(clk, q, y);\n"
        'initial begin #1 clk = 1; #1 $display("%b %b", q, y); end endmodule\n'
    )
    (tmp_path / "m.v").write_text(
        bench + netlists.with_models(result, find_technology("generic")), encoding="utf-8"
    )
    subprocess.run(["iverilog", "-g2012", "-o", "m", "m.v"], cwd=tmp_path, check=True)
    said = subprocess.run(["vvp", "-n", "m"], cwd=tmp_path, check=True, capture_output=True)
    q, y = said.stdout.decode().split()
    assert set(q) == {"0", "1"} and set(y) == {"0"}


def test_rtl_that_passed_is_kept_simulator_by_simulator(run, tmp_path):
    arguments = (*QUICK, "-o", tmp_path)
    assert run(*arguments, "--sim", "icarus").exit_code == 0
    (runs,) = load(tmp_path, BENCH).values()
    verilator = runs["icarus"] | {"version": require("verilator")}
    enter(tmp_path, BENCH, {"tiny": {"verilator": verilator}})
    assert run(*arguments).output == "tiny: passed before, unchanged\n"
    enter(tmp_path, BENCH, {"tiny": {"icarus": runs["icarus"] | {"passed": False}}})
    again = run(*arguments).output
    assert "icarus" in again and "verilator" not in again
    assert load(tmp_path, BENCH)["tiny"]["verilator"] == verilator


def test_one_simulator_for_the_record_of_netlists(run, tmp_path):
    result = run("--tech", "generic", "--sim", "all", "-o", tmp_path)
    assert str(result.exception) == "with --tech, -o is for one simulator, not --sim all"
    assert "technology must be one of" in str(run("--tech", "nope").exception)


RUN = {
    "passed": True, "verilog": "v", "version": "1", "trials": 2, "gemm": None, "seed": 3,
    "bench": bench_digest(),
}  # fmt: skip
ASKED = {"verilog": "v", "version": "1", "trials": 2, "gemm": None, "seed": None}


@pytest.mark.parametrize(
    ("run_change", "asked_change", "kept"),
    [
        ({}, {}, True),
        ({}, {"seed": 3}, True),
        ({}, {"trials": 1}, True),
        ({}, {"trials": 3}, False),
        ({}, {"seed": 4}, False),
        ({}, {"gemm": "1x1x1"}, False),
        ({}, {"verilog": "w"}, False),
        ({}, {"version": "2"}, False),
        ({"passed": False}, {}, False),
        ({"bench": "other"}, {}, False),
    ],
)
def test_what_is_kept(run_change, asked_change, kept):
    assert same_run({**RUN, **run_change}, **{**ASKED, **asked_change}) == kept
    assert not same_run(None, **ASKED)
