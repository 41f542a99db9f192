"""Synthesis with the real tools: what comes out, that it is right, and that failures are seen."""

import json
import subprocess
import sys

import pytest

from bitweight.synth import (
    SynthesisResult,
    TechnologyError,
    ToolError,
    YosysOptions,
    best_of,
    best_point,
    find_technology,
    sweep,
    synthesise,
    variants,
    winner,
)
from bitweight.synth.timing import analyse

ALL = ("generic", "sky130hd", "asap7")
PERIOD = {"generic": 4.0, "sky130hd": 4.0, "asap7": 0.7}


def equivalent(folder, technology, rtl, netlist, top):
    """Prove a netlist with the library's cell models equal to its source, by induction."""
    (folder / "rtl.v").write_text(rtl)
    (folder / "net.v").write_text(netlist)
    models = "\n".join(
        f"read_liberty -ignore_miss_func -ignore_miss_dir -ignore_miss_data_latch {path}"
        for path in technology.library.files
    )
    (folder / "prove.ys").write_text(f"""
{models}
read_verilog {folder}/net.v
hierarchy -top {top}
flatten
async2sync
opt_clean
design -stash net
read_verilog {folder}/rtl.v
hierarchy -top {top}
proc
flatten
async2sync
opt_clean
design -stash rtl
design -copy-from rtl -as gold {top}
design -copy-from net -as gate {top}
miter -equiv -make_assert -flatten gold gate both
hierarchy -top both
opt -full
sat -verify -prove-asserts -tempinduct -seq 4 -maxsteps 9 -set-at 1 in_rst 1 -set-at 2 in_rst 1 both
""")
    code = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1])"
    return subprocess.run(
        [sys.executable, "-c", code, str(folder / "prove.ys")],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "enable_flop"),
    [("generic", "DFFE_X1"), ("generic", None), ("sky130hd", "sky130_fd_sc_hd__edfxtp_1"),
     ("asap7", None)],
)  # fmt: skip
def test_netlist_is_the_design(name, enable_flop, designs, tech_path, tmp_path):
    enable_flops = enable_flop is not None
    technology = find_technology(name)
    result = synthesise(
        designs["small"], "small", technology, 1.0,
        options=YosysOptions(enable_flops=enable_flops, clock_gating=False),
    )  # fmt: skip
    assert not enable_flops or result.cells[enable_flop].count == 4
    proof = equivalent(tmp_path, technology, designs["small"], result.netlist, "small")
    assert proof.returncode == 0, proof.stdout[-2000:]
    wrong = designs["small"].replace("q + a * b", "q + a * b + (a == 15 && b == 14)")
    refuted = equivalent(tmp_path, technology, wrong, result.netlist, "small")
    assert refuted.returncode != 0


@pytest.mark.parametrize("name", ALL)
def test_mac(name, designs, tech_path):
    result = synthesise(designs["mac_pe"], "mac_pe", name, PERIOD[name])
    assert result.flip_flops == 48
    assert 900 < result.nand2_equivalents < 1800
    assert result.area == pytest.approx(sum(cell.area for cell in result.cells.values()))
    assert result.area == pytest.approx(result.combinational_area + result.sequential_area)
    assert result.min_period_ns == pytest.approx(result.target_ns - result.slack_ns)
    assert result.register_period_ns <= result.min_period_ns + 1e-6
    assert result.critical_path[-1].arrival_ns < result.min_period_ns
    assert sum(step.delay_ns for step in result.critical_path) == pytest.approx(
        result.critical_path[-1].arrival_ns, rel=1e-3
    )
    assert sum("DFF" in step.cell.upper() or "df" in step.cell for step in result.critical_path)


@pytest.mark.parametrize(
    ("name", "area", "period", "adder", "recipe"),
    [
        ("sky130hd", 4690, 5.52, "sklansky", "fast"),
        ("asap7", 69.5, 0.883, "kogge-stone", "mixed"),
    ],
)
def test_better_than_the_anchor(name, area, period, adder, recipe, tech_path):
    # What `plain` gave: the plain MAC PE without reset and enable, -booth, the best of a sweep.
    plain = """module mac_pe(input clk, input [7:0] a, input [7:0] b, output reg [31:0] acc);
      reg signed [7:0] x, y;
      wire signed [15:0] p = x * y;
      always @(posedge clk) begin x <= a; y <= b; acc <= $signed(acc) + p; end
    endmodule"""
    options = YosysOptions(adder=adder, recipe=recipe, premap=False)
    found = synthesise(plain, "mac_pe", name, 0.35 * period, options=options)
    assert found.area * found.min_period_ns < area * period


def test_variants():
    labels = [label for label, _ in variants(adder=("brent-kung",), premap=(False, True))]
    assert len(labels) == len(set(labels)) == 3 * 4 * 2
    assert dict(variants())["booth+sklansky+fast"] == YosysOptions(
        adder="sklansky", recipe="fast", premap=False
    )


def test_carry_save_is_faster(designs):
    plain = synthesise(designs["mac_pe"], "mac_pe", "generic", 2.0)
    saved = synthesise(designs["csa_pe"], "csa_pe", "generic", 2.0)
    assert saved.flip_flops == 16 + 63  # bit 0 of the carries is 0
    assert saved.min_period_ns < plain.min_period_ns
    assert saved.sequential_area > plain.sequential_area


def test_deterministic(designs):
    first, second = (synthesise(designs["mac_pe"], "mac_pe", "generic", 3.0) for _ in range(2))
    assert first.netlist == second.netlist
    assert first.to_json() | {"seconds": 0} == second.to_json() | {"seconds": 0}


@pytest.mark.parametrize("name", ["generic", "sky130hd"])
def test_hierarchy(name, designs, tech_path, tmp_path):
    result = synthesise(designs["array"], "pe_array", name, PERIOD[name], workdir=tmp_path)
    alone = synthesise(designs["mac_pe"], "mac_pe", name, PERIOD[name])
    pe = result.modules["mac_pe"]
    assert pe.instances == 16 and pe.area == pytest.approx(alone.area)
    top = result.modules["pe_array"]
    assert result.area == pytest.approx(top.total_area) == pytest.approx(top.area + 16 * pe.area)
    assert result.flip_flops == 16 * 48 + 64 + 2 + 32
    assert result.netlist.count("module ") == 2
    # The broadcast nets are buffered: an array is not much slower than its PE.
    assert "fanout_buffer_" in result.netlist
    assert result.min_period_ns < 1.35 * alone.min_period_ns


def test_keep_and_flat(designs):
    text = designs["array"].replace("< 4;", "< 2;")
    kept = YosysOptions(keep=("mac_pe",))
    flat = synthesise(text, "pe_array", "generic", 4.0, hierarchical=False)
    some = synthesise(text, "pe_array", "generic", 4.0, options=kept)
    assert set(flat.modules) == {"pe_array"}
    assert set(some.modules) == {"pe_array", "mac_pe"}
    assert flat.area == pytest.approx(some.area, rel=0.15)


def test_combinational_module():
    text = "module add(input [7:0] a, input [7:0] b, output [8:0] y); assign y = a + b; endmodule"
    result = synthesise(text, "add", "generic", 1.0)
    assert result.flip_flops == 0 and result.register_period_ns is None
    assert 0.3 < result.min_period_ns < 3


def test_sweep_and_best(designs):
    seen = []
    results = sweep(
        designs["csa_pe"], "csa_pe", "generic", [1.5, 6.0], params={"width": 8},
        progress=lambda done, total, label: seen.append((done, total, label)),
    )  # fmt: skip
    assert [one.target_ns for one in results] == [1.5, 6.0]
    assert [one[:2] for one in seen] == [(1, 2), (2, 2)]
    assert results[0].min_period_ns <= results[1].min_period_ns
    assert results[0].area >= results[1].area
    assert best_point(results).efficiency == max(one.efficiency for one in results)


def test_best_of(designs):
    found = best_of(
        [(name, designs["mac_pe"], "mac_pe", YosysOptions(arithmetic=name))
         for name in ("default", "booth")],
        "generic",
        [2.0, 9.0],
    )  # fmt: skip
    assert [one.label for one in found.measured] == ["default"] * 2 + ["booth"] * 2
    loose = found.winners[9.0].result
    assert loose.min_period_ns <= 9.0
    assert loose.area == min(
        one.result.area for one in found.measured if one.result.min_period_ns <= 9.0
    )
    fastest = min(one.result.min_period_ns for one in found.measured)
    assert winner(found.measured, 0.01).result.min_period_ns == fastest
    with pytest.raises(ValueError, match=r"candidates must hold at least one, not \[\]$"):
        best_of([], "generic", [1.0])


def test_record(designs, tmp_path):
    result = synthesise(
        designs["small"], "small", "generic", 1.0, params={"b": 2, "a": 1}, workdir=tmp_path
    )
    text = (tmp_path / "result.json").read_text()
    assert text == result.dumps()
    table = json.loads(text)
    assert table["schema"] == 1 and list(table["params"]) == ["a", "b"]
    assert {"yosys", "sta", "bitweight"} <= set(table["tools"])
    again = SynthesisResult.from_json(table)
    assert again == result and again.dumps() == text
    assert str(tmp_path) not in text
    with pytest.raises(ValueError, match=r"must be 1, not 99$"):
        SynthesisResult.from_json(table | {"schema": 99})


@pytest.mark.parametrize(
    ("text", "top", "message"),
    [
        ("module small(", "small", r"syntax error"),
        ("module other; endmodule", "small", r"small"),
        ("module m(input a, output y); nix n(.a(a), .y(y)); endmodule", "m", r"nix"),
        (
            "module m(input a, input b, output y); assign y = a; assign y = b; endmodule",
            "m",
            r"check",
        ),
    ],
)
def test_broken_verilog(text, top, message, tmp_path):
    with pytest.raises(ToolError, match=message) as caught:
        synthesise(text, top, "generic", 1.0, workdir=tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path / "yosys.log") in str(caught.value)
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize("slow", ["inside", "input"])
def test_period_between_registers(slow):
    product = {"inside": "x * x", "input": "a * a + x"}[slow]
    text = (
        "module m(input clk, input [7:0] a, output reg [15:0] p); reg [7:0] x;"
        f" always @(posedge clk) begin x <= a; p <= {product}; end endmodule"
    )
    result = synthesise(text, "m", "generic", 1.0)
    if slow == "inside":
        assert result.register_period_ns == result.min_period_ns
    else:
        assert 0.1 < result.register_period_ns < 0.9 * result.min_period_ns


def test_an_old_result_does_not_survive_a_failure(designs, tmp_path):
    synthesise(designs["small"], "small", "generic", 1.0, workdir=tmp_path)
    with pytest.raises(ToolError):
        synthesise("module small(", "small", "generic", 1.0, workdir=tmp_path)
    assert not {"result.json", "netlist.v", "stat.json"} & {p.name for p in tmp_path.iterdir()}


def test_sta_errors_are_seen(tmp_path):
    (tmp_path / "netlist.v").write_text(
        "module m (a, y);\n  input signed a;\n  output y;\n  INV_X1 i (.A(a), .Y(y));\nendmodule\n"
    )
    with pytest.raises(ToolError, match=r"^OpenSTA failed: Error.*sta\.log\)$"):
        analyse(tmp_path, "m", find_technology("generic"), 1.0)
    (tmp_path / "netlist.v").write_text(
        "module m (a, y);\n  input a;\n  output y;\n  NO_CELL i (.A(a), .Y(y));\nendmodule\n"
    )
    with pytest.raises(ToolError):
        analyse(tmp_path, "m", find_technology("generic"), 1.0)


def test_timeout(designs, tmp_path):
    with pytest.raises(ToolError, match=r"^Yosys was stopped after 0\.05 s \(log: .*\)$"):
        synthesise(designs["mac_pe"], "mac_pe", "generic", 1.0, workdir=tmp_path, timeout=0.05)


def test_missing_sta(designs, monkeypatch, tmp_path):
    from bitweight.synth import tools

    tools.versions.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"scripts/install-system"):
        synthesise(designs["small"], "small", "generic", 1.0)


def test_bad_arguments(designs, tmp_path):
    text = designs["small"]
    with pytest.raises(ValueError, match=r"^period_ns must be above 0, not -1$"):
        synthesise(text, "small", "generic", -1)
    with pytest.raises(TypeError, match=r"^period_ns must be a number, not '3'$"):
        synthesise(text, "small", "generic", "3")
    with pytest.raises(ValueError, match=r"^top must be the name of a module, not 'a; b'$"):
        synthesise(text, "a; b", "generic", 1.0)
    with pytest.raises(ValueError, match=r"^recipe must be one of .*, not 'best'$"):
        YosysOptions(recipe="best")
    with pytest.raises(TechnologyError):
        synthesise(text, "small", "nowhere", 1.0)
    with pytest.raises(
        ValueError, match=r"^clock of small must be one of its inputs .*, not 'ck'$"
    ):
        synthesise(text, "small", "generic", 1.0, clock="ck", workdir=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"^workdir must be a writable folder .*, not '.*file'$"):
        synthesise(text, "small", "generic", 1.0, workdir=tmp_path / "file")
