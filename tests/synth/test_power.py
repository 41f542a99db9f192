"""Power: activity by hand, against Icarus, wrong netlists, and what follows from the figures."""

import dataclasses
import json

import numpy as np
import pytest

from bitweight import catalog
from bitweight.emit import emit
from bitweight.stats import draw_quantised
from bitweight.synth import (
    ToolError,
    YosysOptions,
    find_technology,
    power,
    simulated,
    synthesise,
    tools,
)
from bitweight.synth.cell_power import cell_power
from bitweight.synth.gate_level import run_trace
from bitweight.synth.netlist import read_netlist
from bitweight.synth.timing import analyse

SMALL = catalog["systolic-os-opt1-small"].with_(rows=2, cols=2, a=4, b=4, acc=16)
PERIOD = 3.0

# q and x change in every cycle, r in every second one.
TOGGLING = {
    "generic": """module tiny(clk, x, y, z);
  input clk, x;
  output y, z;
  wire q, n, r, m;
  DFF_X1 first (.CK(clk), .D(n), .Q(q));
  INV_X1 invert (.A(q), .Y(n));
  XOR2_X1 add (.A(q), .B(r), .Y(m));
  DFF_X1 second (.CK(clk), .D(m), .Q(r));
  INV_X4 out (.A(r), .Y(y));
  INV_X1 pass (.A(x), .Y(z));
endmodule
""",
    "sky130hd": """module tiny(clk, x, y, z);
  input clk, x;
  output y, z;
  wire q, n, r, m;
  sky130_fd_sc_hd__dfxtp_1 first (.CLK(clk), .D(n), .Q(q));
  sky130_fd_sc_hd__inv_1 invert (.A(q), .Y(n));
  sky130_fd_sc_hd__xor2_1 add (.A(q), .B(r), .X(m));
  sky130_fd_sc_hd__dfxtp_1 second (.CLK(clk), .D(m), .Q(r));
  sky130_fd_sc_hd__inv_4 out (.A(r), .Y(y));
  sky130_fd_sc_hd__inv_1 pass (.A(x), .Y(z));
endmodule
""",
}
VOLTS = {"generic": 1.0, "sky130hd": 1.8}
CLOCK = {"generic": "CK", "sky130hd": "CLK"}
RATES = {"first": 1.0, "invert": 1.0, "add": 0.5, "second": 0.5, "out": 0.5, "pass": 1.0}


def operands(design, rng, size=(6, 24, 4)):
    M, K, N = size
    return draw_quantised(rng, (M, K), design.a), draw_quantised(rng, (K, N), design.b)


@pytest.fixture(scope="module")
def synthesis():
    made = emit(SMALL)
    options = YosysOptions(clock_gating=False)
    return synthesise(made.verilog, made.top, "generic", PERIOD, options=options)


@pytest.mark.parametrize("name", TOGGLING)
def test_by_hand(name, tech_path, tmp_path):
    technology = find_technology(name)
    netlist = read_netlist(TOGGLING[name], "tiny", technology, tmp_path)
    run, seen = run_trace(netlist, {"x": np.arange(41)[:, None] % 2}, ("y",))
    assert run.cycles == 40 and (np.diff(seen["y"][:, 0].astype(int)) != 0).sum() == 20
    period = 2.0
    always = np.ones(len(netlist.cells))

    reports = analyse(tmp_path, "tiny", technology, 1.7, cells=True).cells

    def cells_at(rate, period):
        [found] = cell_power(netlist, reports, [rate], always, technology, period)
        return found

    found = cells_at(run.toggles / run.cycles, period)
    cells = technology.library.cells
    kind = dict(zip(netlist.cells, netlist.kinds, strict=True))
    load = {"first": [("invert", "A"), ("add", "A")], "invert": [("first", "D")],
            "add": [("second", "D")], "second": [("add", "B"), ("out", "A")],
            "out": [], "pass": []}  # fmt: skip
    unit = technology.library.cap_unit_ff * 1e-15
    for at, cell in enumerate(netlist.cells):
        charge = sum(cells[kind[sink]].inputs[pin] for sink, pin in load[cell])
        charge += technology.output_load if cell in ("out", "pass") else 0
        half = 0.5 * charge * unit * VOLTS[name] ** 2
        # sky130hd brings a wire load of its own, some 0.3 fF a pin.
        off = 2e-3 if name == "generic" else 0.25
        assert found.switching[at] == pytest.approx(RATES[cell] * half / (period * 1e-9), rel=off)
        pin = cells[kind[cell]].inputs.get(CLOCK[name], 0.0)
        assert found.clock_pins[at] == pytest.approx(
            pin * unit * VOLTS[name] ** 2 / (period * 1e-9)
        )
    if name == "sky130hd":
        # What the clock costs inside of a flip-flop is there without any change of its output.
        still, slow = (cells_at(0 * run.toggles, time) for time in (period, 2 * period))
        first = netlist.cells.index("first")
        assert found.internal[first] > still.internal[first] > 0
        assert slow.internal[first] == pytest.approx(still.internal[first] / 2, rel=1e-4)
        assert still.switching.max() == 0 and found.leakage.min() > 0
        assert slow.leakage == pytest.approx(still.leakage)


@pytest.mark.parametrize("name", TOGGLING)
def test_gated_flip_flops_draw_power_when_clocked(name, designs, tech_path, tmp_path, rng):
    technology = find_technology(name)
    result = synthesise(designs["small"], "small", technology, PERIOD, cell_reports=True)
    netlist = read_netlist(result.netlist, "small", technology, tmp_path)
    given = {
        port: rng.integers(2, size=(201, len(bits)), dtype=np.uint8)
        for port, bits in netlist.ports.items()
        if port in ("rst", "en", "a", "b", "s")
    }
    given["en"] = np.uint8(np.arange(201) % 4 == 0)[:, None]
    given["rst"] = np.uint8(np.arange(201) < 2)[:, None]
    run, _ = run_trace(netlist, given)
    clocked = run.clocked / run.cycles
    gated = clocked < 1
    opened = (given["en"] | given["rst"])[1:].mean()
    # q and e have an enable, r takes its input always.
    assert gated.sum() == 12 and clocked[gated] == pytest.approx(opened)
    [part], [full] = (
        cell_power(netlist, result.cell_reports, [0 * run.toggles], some, technology, 2.0)
        for some in (clocked, 1 + 0 * clocked)
    )
    for now, always in ((part.clock_pins, full.clock_pins), (part.internal, full.internal)):
        assert now == pytest.approx(clocked * always) and (name == "generic" or always.any())
    assert part.leakage == pytest.approx(full.leakage)


@pytest.mark.parametrize("gate", range(3))
def test_a_wrong_netlist_has_no_power(gate, synthesis, rng):
    A, B = operands(SMALL, rng)
    right = synthesis.netlist
    swaps = [("XNOR2_X1 ", "XOR2_X1 "), ("NAND2_X1 ", "NOR2_X1 "), ("DFFE_X1 ", "DFF_X1 ")]
    old, new = swaps[gate]
    wrong = right.replace(old, new, 1)
    if old == "DFFE_X1 ":
        wrong = right.replace(".E(", ".D(", 1).replace(".D(", ".E(", 1)
    assert wrong != right
    with pytest.raises(ToolError, match=r"is wrong: (C\[\d+,\d+\] must be|it |last )"):
        power(SMALL, "generic", PERIOD, A, B,
              synthesis=dataclasses.replace(synthesis, netlist=wrong))  # fmt: skip


def test_whole_array(synthesis, rng):
    A, B = operands(SMALL, rng)
    seen = []
    found = power(SMALL, "generic", PERIOD, A, B, synthesis=synthesis, operands="drawn", seed=3,
                  progress=lambda *step: seen.append(step))  # fmt: skip
    assert [step[0] for step in seen] == [1, 2, 3, 4, 5]
    assert found.cycles == SMALL.cycles(A, B) and found.gemm == (6, 24, 4)
    assert found.period_ns == max(PERIOD, synthesis.min_period_ns)
    assert found.blocks["pe"].instances == found.pes == 4
    for key in ("internal", "switching", "leakage", "clock_pins"):
        total = sum(getattr(block, key) for block in found.blocks.values())
        assert getattr(found, key) == pytest.approx(total)
    assert sum(block.cells for block in found.blocks.values()) == sum(
        kind.count for kind in synthesis.cells.values()
    )
    # Every flip-flop's clock pin has 1 fF, charged to 1 V once per cycle.
    charge = synthesis.flip_flops * 1e-15 / (found.period_ns * 1e-9)
    assert found.clock_pins == pytest.approx(charge)
    energy = found.total * found.cycles * found.period_ns * 1e-9
    assert found.energy_per_mac_pj == pytest.approx(energy / (6 * 24 * 4) * 1e12)
    assert found.tops_per_watt == pytest.approx(2 * 6 * 24 * 4 / energy / 1e12)
    record = json.loads(json.dumps(found.to_dict()))
    assert record["seed"] == 3 and record["gemm"] == [6, 24, 4] and "glitches" in record["method"]
    assert record["energy_per_mac_pj"] == found.energy_per_mac_pj
    alone = power(SMALL, "generic", PERIOD, A, B, synthesis=synthesis, pe=True)
    assert alone.total == pytest.approx(found.blocks["pe"].total)


def test_opensta_need_not_run_again(synthesis, rng, tmp_path):
    A, B = operands(SMALL, rng)
    made = emit(SMALL)
    options = YosysOptions(clock_gating=False)
    found = []
    for name, reports in (("with", True), ("without", False)):
        one = synthesise(made.verilog, made.top, "generic", PERIOD, options=options,
                         cell_reports=reports)  # fmt: skip
        assert one.netlist == synthesis.netlist and (one.cell_reports is not None) == reports
        # The reports are of the target; the clock is another one.
        found.append(power(SMALL, "generic", 3 * PERIOD, A, B, synthesis=one,
                           workdir=tmp_path / name))  # fmt: skip
        assert (tmp_path / name / "sta.tcl").exists() != reports
    for key in ("internal", "switching", "leakage", "clock_pins", "glitches"):
        assert getattr(found[0], key) == getattr(found[1], key)
    slow, fast = found[0], power(SMALL, "generic", PERIOD, A, B, synthesis=one)
    ratio = fast.period_ns / slow.period_ns
    assert ratio < 0.5
    assert slow.switching == pytest.approx(ratio * fast.switching)
    assert slow.leakage == pytest.approx(fast.leakage)


@pytest.mark.parametrize("report", ["quiet", "busy"])
def test_a_cell_without_power_is_an_error(report, tmp_path):
    technology = find_technology("generic")
    netlist = read_netlist(TOGGLING["generic"], "tiny", technology, tmp_path)
    reports = analyse(tmp_path, "tiny", technology, 2.0, cells=True).cells
    lines = getattr(reports, report).splitlines()
    fewer = "\n".join(line for line in lines if not line.endswith(" second"))
    assert fewer.count("\n") == len(lines) - 2
    reports = dataclasses.replace(reports, **{report: fewer})
    nothing, always = np.zeros(netlist.nets), np.ones(len(netlist.cells))
    with pytest.raises(ToolError, match=r"no power for 1 of 6 cells, such as second$"):
        cell_power(netlist, reports, [nothing], always, technology, 2.0)


def test_idle_takes_less(synthesis, rng):
    A, B = operands(SMALL, rng)
    busy, idle = (
        power(SMALL, "generic", PERIOD, *pair, synthesis=synthesis)
        for pair in ((A, B), (0 * A, 0 * B))
    )
    assert idle.cycles == busy.cycles and idle.clock_pins == busy.clock_pins
    assert idle.switching - idle.clock_pins < 0.15 * (busy.switching - busy.clock_pins)


def test_element_stands_in_a_small_array():
    assert simulated(catalog["systolic-os-mac"], pe=True).array.sizes["rows"] == 4
    assert simulated(catalog["systolic-os-mac"]) is catalog["systolic-os-mac"]
    # The lanes of an adder tree are its element's own.
    assert simulated(catalog["adder-tree-mac"], pe=True).array.sizes["rows"] == 16


def test_errors(synthesis, rng, monkeypatch):
    A, B = operands(SMALL, rng)
    for period in (0, -1.0, float("inf")):
        with pytest.raises(ValueError, match=r"^period_ns must be above 0, not"):
            power(SMALL, "generic", period, A, B)
        with pytest.raises(ValueError, match=r"^period_ns must be above 0, not"):
            power(SMALL, "generic", period, A, B, synthesis=synthesis)
    with pytest.raises(ValueError, match=r"^B must have 24 rows"):
        power(SMALL, "generic", PERIOD, A, B[:-1], synthesis=synthesis)
    other = dataclasses.replace(synthesis, design="other")
    with pytest.raises(ValueError, match=r"^synthesis must hold a netlist of .*, not 'other'"):
        power(SMALL, "generic", PERIOD, A, B, synthesis=other)
    monkeypatch.setattr(tools.shutil, "which", lambda _name: None)
    with pytest.raises(ToolError, match=r"OpenSTA \(sta\) is missing: scripts/install-system"):
        power(SMALL, "generic", PERIOD, A, B, synthesis=synthesis)
