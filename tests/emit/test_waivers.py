"""Waived warnings of Verilator: each is still given somewhere, and faults of a kind are seen."""

import re
import subprocess

import pytest

from bitweight import catalog
from bitweight.emit import emit
from bitweight.emit.lint import MESSAGES, WAIVERS, WALL_WAIVERS, control_file
from bitweight.sim.installation import verilator_environment, verilator_program

DESIGN = catalog["laconic-small"]
"""Has them all: broadcasts of one row, shifts by terms, sums modulo the accumulator."""


@pytest.fixture(scope="module")
def verilog():
    return emit(DESIGN).verilog


def warnings(text, folder, *, waived: bool) -> list[tuple[str, str]]:
    """Return kind and message of all that Verilator says."""
    (folder / "waivers.vlt").write_text(control_file())
    (folder / f"{DESIGN.top}.v").write_text(text)
    files = ["waivers.vlt"] * waived + [f"{DESIGN.top}.v"]
    command = [str(verilator_program()), "--lint-only", "-Wall", "--top-module", DESIGN.top]
    run = subprocess.run(
        [*command, *files], cwd=folder, env=verilator_environment(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    found = re.findall(r"^%(?:Warning|Error)-(\w+): \S+ (.*)", run.stderr, re.MULTILINE)
    assert bool(found) == bool(run.returncode), run.stderr
    return found


def test_every_waiver_is_needed(verilog, tmp_path):
    """One that is not any more must go, lest it hide something."""
    found = warnings(verilog, tmp_path, waived=False)
    assert {name if name not in MESSAGES else "WIDTH" for name, _ in found} == set(WALL_WAIVERS)
    assert {name for name, _ in found if name in MESSAGES} == set(MESSAGES)
    assert set(WAIVERS) <= set(WALL_WAIVERS)


def test_nothing_is_left(verilog, tmp_path):
    assert warnings(verilog, tmp_path, waived=True) == []


FAULTS = [
    ("WIDTHTRUNC", r"\.drain_in\(turn\)", ".drain_in({turn, turn})", "'drain_in'"),
    ("PINMISSING", r"^    \.first_in\(first.*\n", "", "'first_in'"),
    (
        "WIDTHTRUNC",
        r"^endmodule",
        "wire [3:0] cut = a__payload[7:0];\nendmodule",
        "4 bits on the Assign",
    ),
    (
        "WIDTHEXPAND",
        r"^endmodule",
        "wire [7:0] longer = a__payload[3:0];\nendmodule",
        "8 bits on the Assign",
    ),
    ("UNDRIVEN", r"^endmodule", "wire open, user = open;\nendmodule", "'open'"),
]
"""Kind, what is replaced once in the Verilog and by what, and what the warning names."""


def test_faults_of_other_signals_are_reported(verilog, tmp_path):
    """Also of those kinds that are waived in part."""
    for _, pattern, planted, _ in FAULTS:
        verilog, count = re.subn(pattern, planted, verilog, count=1, flags=re.MULTILINE)
        assert count == 1, pattern
    found = warnings(verilog, tmp_path, waived=True)
    for kind, _, planted, name in FAULTS:
        assert any(kind == seen and name in text for seen, text in found), (kind, planted, found)
    assert len(found) >= len(FAULTS)
