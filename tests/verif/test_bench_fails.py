"""The bench finds what is broken: one fault at a time, each with its category.

Faults at the ports are made by a wrapper around the sound design, so they work for every array;
faults in the arithmetic by breaking one circuit before Verilog is made.
"""

from __future__ import annotations

import dataclasses
import re

import pytest
from amaranth.hdl import Const

from bitweight import catalog
from bitweight.arith import bitheap
from bitweight.arith.product import PartialProduct
from bitweight.emit import emit
from bitweight_verif import verify

DESIGN = catalog["systolic-os-mac-small"]
CARRY_SAVE = catalog["systolic-os-opt1-small"]
SEED = 20


SOUND = emit(DESIGN)


def wrapped(design, *, body="", **replaced):
    """Put the design into a wrapper in which some connections are other than straight."""
    emission = SOUND if design is DESIGN else emit(design)
    ports = {port["name"]: port for port in emission.manifest["ports"]}
    text, names = [], ", ".join(ports)
    text.append(f"module broken({names});")
    for name, port in ports.items():
        kind = "input" if port["direction"] == "in" else "output"
        text.append(f"  {kind} [{port['width'] - 1}:0] {name};")
    text.append(body)
    pins = ", ".join(f".{name}({replaced.get(name, name)})" for name in ports)
    text.append(f"  {emission.top} sound({pins});\nendmodule")
    verilog = emission.verilog + "\n".join(text) + "\n"
    return dataclasses.replace(emission, verilog=verilog, top="broken")


def faults(emission, tmp_path, design=DESIGN, **options):
    result = verify(design, "icarus", seed=SEED, emission=emission, build_dir=tmp_path, **options)
    assert not result.passed
    assert result.failures
    return result.failures


WIDTH = {port["name"]: port["width"] for port in SOUND.manifest["ports"]}
LANE = SOUND.manifest["streams"]["c"]["bits"]
TOP = WIDTH["c__payload"] - 1

PORT_FAULTS = {
    "a stall is ignored": ({"c__ready": "1'b1"}, "", "protocol"),
    "valid waits for ready": (
        {"c__valid": "valid"},
        "wire valid; assign c__valid = valid & c__ready;",
        "timeout|protocol",
    ),
    "valid is unknown": ({"c__valid": "valid"}, "wire valid; assign c__valid = 1'bx;", "protocol"),
    "no result leaves": ({"c__valid": "valid"}, "wire valid; assign c__valid = 0;", "timeout"),
    "results appear from nowhere": (
        {"c__valid": "valid"},
        "wire valid; assign c__valid = 1;",
        "extra|protocol",
    ),
    "last comes one beat late": (
        {"c__payload": "payload"},
        f"wire [{TOP}:0] payload; reg late = 0;"
        f"always @(posedge clk) if (c__valid & c__ready) late <= payload[{TOP}];"
        f"assign c__payload = {{late, payload[{TOP - 1}:0]}};",
        "last",
    ),
    "two lanes are swapped": (
        {"c__payload": "payload"},
        f"wire [{TOP}:0] payload; assign c__payload = {{payload[{TOP}:{2 * LANE}], "
        f"payload[{LANE - 1}:0], payload[{2 * LANE - 1}:{LANE}]}};",
        "element",
    ),
    "the reset does not reach": ({"rst": "1'b0"}, "", "extra|element|protocol|timeout"),
    "results come one cycle late": (
        {"c__valid": "valid", "c__ready": "ready", "c__payload": "payload"},
        f"wire valid, ready; wire [{TOP}:0] payload; reg full = 0; reg [{TOP}:0] held;"
        "assign ready = ~full | c__ready; assign c__valid = full; assign c__payload = held;"
        "always @(posedge clk) begin if (ready) begin full <= valid; held <= payload; end "
        "if (rst) full <= 0; end",
        "cycles",
    ),
    "an operand bit is lost": (
        {"a__payload": f"{{a__payload[{WIDTH['a__payload'] - 1}:1], 1'b0}}"},
        "",
        "element",
    ),
    "a beat is dropped after a stall": (
        {"a__valid": "a__valid & ~skip", "a__ready": "ready"},
        "wire ready; reg idle = 0; wire skip = idle & a__valid;"
        "assign a__ready = ready | skip;"
        "always @(posedge clk) idle <= ~a__valid & b__valid & ~rst;",
        "element|timeout|extra",
    ),
}


@pytest.mark.parametrize("name", PORT_FAULTS)
def test_a_fault_at_the_ports_is_found(name, tmp_path):
    replaced, body, category = PORT_FAULTS[name]
    found = faults(wrapped(DESIGN, body=body, **replaced), tmp_path, max_failures=1)
    assert re.fullmatch(category, found[0].category), found[0].message


def test_the_wrapper_itself_is_sound(tmp_path):
    result = verify(
        DESIGN, "icarus", (3, 2, 4), 1, SEED, emission=wrapped(DESIGN), build_dir=tmp_path
    )
    assert result.passed, [case.message for case in result.failures]


def test_a_missing_plus_one_of_negative_digits_is_found(monkeypatch, tmp_path):
    sound = PartialProduct.hardware

    def broken(self, *inputs):
        return sound(self, *inputs) | {self.negative: Const(0, 1)}

    before = emit(CARRY_SAVE)
    monkeypatch.setattr(PartialProduct, "hardware", broken)
    after = emit(CARRY_SAVE)
    assert after.verilog != before.verilog
    found = faults(after, tmp_path, CARRY_SAVE, max_failures=1)
    assert found[0].category == "element"


@pytest.mark.parametrize("number", [0, 10, 25])
def test_a_lost_carry_is_found(monkeypatch, tmp_path, number):
    sound, calls = bitheap._carry, 0

    def broken(inputs, *, plus_one):
        nonlocal calls
        calls += 1
        return Const(0, 1) if calls == number + 1 else sound(inputs, plus_one=plus_one)

    monkeypatch.setattr(bitheap, "_carry", broken)
    emission = emit(CARRY_SAVE)
    assert calls > number
    found = faults(emission, tmp_path, CARRY_SAVE, max_failures=1)
    assert found[0].category == "element"


def test_a_failure_says_all_and_its_command_repeats_it(tmp_path):
    replaced, body, _ = PORT_FAULTS["two lanes are swapped"]
    emission = wrapped(DESIGN, body=body, **replaced)
    first = faults(emission, tmp_path, max_failures=4)[-1]
    pattern = (
        rf"systolic-os-mac-small under icarus, seed {SEED}, (\S+) (\d+)x(\d+)x(\d+) trial (\d+): "
        r".*element \(\d+, \d+\): expected -?\d+, got -?\d+ \(\d+ of \d+ wrong\); repeat: "
        r"bitweight verify mine\.toml --sim icarus "
        rf"--gemm \2x\3x\4 --trials (\d+) --seed {SEED}"
    )
    text = first.message.replace("verify systolic-os-mac-small", "verify mine.toml")
    match = re.fullmatch(pattern, text)
    assert match, first.message
    size = (int(match[2]), int(match[3]), int(match[4]))
    again = faults(
        emission, tmp_path, gemm=size, trials=int(match[6]), spelled="mine.toml", max_failures=99
    )
    assert text in [case.message for case in again]


def test_verilog_that_does_not_parse_is_a_failure_of_the_build(tmp_path):
    result = verify(DESIGN, "icarus", seed=SEED, verilog="module x(; endmodule", build_dir=tmp_path)
    assert [case.category for case in result.cases] == ["build"]
    assert "syntax error; see " in result.cases[0].message
    assert not result.passed


def test_a_simulator_that_hangs_is_ended(tmp_path):
    emission = wrapped(DESIGN, body="reg x; initial begin #1; forever #0 x = 0; end")
    found = faults(emission, tmp_path, patience=2)
    assert [case.category for case in found] == ["silent"]
    assert "no sign of life for 2 s; see " in found[0].message


def test_a_simulator_that_stops_is_a_failure(tmp_path):
    emission = wrapped(DESIGN, body="initial #400 $finish;")
    found = faults(emission, tmp_path)
    assert found[-1].category == "crash"
    assert str(tmp_path) in found[-1].message
