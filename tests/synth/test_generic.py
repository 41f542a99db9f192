"""The project's own library: its functions, its delays, and that it is always the same."""

import itertools
import re
import subprocess
import sys

import pytest

from bitweight.synth import find_technology, generic
from bitweight.synth.timing import analyse

EXPECTED = {
    "INV": lambda a: not a,
    "BUF": lambda a: a,
    "NAND2": lambda a, b: not (a and b),
    "NAND3": lambda a, b, c: not (a and b and c),
    "NAND4": lambda a, b, c, d: not (a and b and c and d),
    "NOR2": lambda a, b: not (a or b),
    "NOR3": lambda a, b, c: not (a or b or c),
    "AND2": lambda a, b: a and b,
    "OR2": lambda a, b: a or b,
    "AOI21": lambda a, b, c: not ((a and b) or c),
    "AOI22": lambda a, b, c, d: not ((a and b) or (c and d)),
    "OAI21": lambda a, b, c: not ((a or b) and c),
    "OAI22": lambda a, b, c, d: not ((a or b) and (c or d)),
    "XOR2": lambda a, b: a != b,
    "XNOR2": lambda a, b: a == b,
    "MUX2": lambda a, b, s: b if s else a,
    "MAJ3": lambda a, b, c: a + b + c >= 2,
    "TIEHI": lambda: True,
    "TIELO": lambda: False,
}


def combinational():
    text = generic.liberty_text()
    for cell in re.split(r"\n  cell \(", text)[1:]:
        name = cell[: cell.index(")")]
        if not name.startswith(("DFF", "CLKGATE")):
            pins = re.findall(r"pin \((\w+)\) \{\n      direction : input", cell)
            yield name, pins, re.search(r'function : "(.*)"', cell)[1]


@pytest.mark.parametrize(("name", "pins", "function"), list(combinational()))
def test_function(name, pins, function):
    expected = EXPECTED[name.partition("_X")[0]]
    python = function.replace("!", " not ").replace("&", " and ").replace("|", " or ")
    python = re.sub(r"(\w)\^(\w)", r"(\1 != \2)", python)
    for values in itertools.product((False, True), repeat=len(pins)):
        got = eval(python, {"__builtins__": {}}, dict(zip(pins, values, strict=True)))
        assert bool(got) == bool(expected(*values)), (name, values)


def test_every_kind_is_there():
    assert {name.partition("_X")[0] for name, _, _ in combinational()} == set(EXPECTED)


def test_same_text_in_another_process():
    code = "from bitweight.synth import generic; print(generic.liberty_text(), end='')"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout == generic.liberty_text()


def test_an_inverter_driving_four_takes_one_fo4(tmp_path):
    loads = "".join(f"  INV_X1 l{at} (.A(n), .Y(y[{at}]));\n" for at in range(4))
    (tmp_path / "netlist.v").write_text(
        "module fo4 (a, y);\n  input a;\n  output [3:0] y;\n  wire n;\n"
        f"  INV_X1 first (.A(a), .Y(n));\n{loads}endmodule\n"
    )
    found = analyse(tmp_path, "fo4", find_technology("generic"), 10.0)
    delay = {step.pin: step.delay_ns for step in found.path}
    assert delay["first/Y"] == pytest.approx(generic.FO4_NS, abs=1e-6)
    # Its load of 4 unit inverters is the output load: p + h = 5 tau again.
    assert found.path[-2].delay_ns == pytest.approx(generic.FO4_NS, abs=1e-6)


def test_areas_are_nand2_equivalents():
    technology = find_technology("generic")
    cells = technology.library.cells
    assert technology.nand2_area == pytest.approx(1.0)
    assert cells["INV_X1"].area < 1 < cells["XOR2_X1"].area < cells["DFF_X1"].area
    for kind in ("INV", "NAND2", "AOI21", "BUF"):
        assert cells[f"{kind}_X1"].area < cells[f"{kind}_X2"].area < cells[f"{kind}_X4"].area
    assert cells["DFFE_X1"].area < cells["DFF_X1"].area + cells["MUX2_X1"].area
    assert cells["DFF_X1"].sequential and not cells["MUX2_X1"].sequential
