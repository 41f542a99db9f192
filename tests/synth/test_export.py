"""A folder with scripts, run by Yosys and OpenSTA alone, gives what the flow gives."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bitweight import OPT1, Design, SystolicOS
from bitweight.emit import emit
from bitweight.synth import export, find_technology, synthesise

DESIGN = Design(SystolicOS(4, 3), OPT1, a=4, b=4, acc=12, name="exported")
# What ``yosys -q -l LOG -s SCRIPT`` does, with the Yosys that is installed as a Python module.
YOSYS = """#!{python} -I
import os, sys
_, _, _, log, _, script = sys.argv
os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
from pyosys import libyosys
libyosys.run_pass("script " + script)
assert "bitweight" not in sys.modules
"""


@pytest.fixture(scope="module")
def emission():
    return emit(DESIGN)


@pytest.fixture
def alone(tmp_path):
    """The environment of somebody without bitweight: a ``yosys`` on the PATH, and ``sta``."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "yosys").write_text(YOSYS.format(python=sys.executable))
    (programs / "yosys").chmod(0o755)
    for name in ("sta", "sh", "grep", "sed", "dirname", "python3"):
        found = shutil.which(name, path="/usr/bin:/bin") or shutil.which(name)
        (programs / name).symlink_to(found)
    return {"PATH": str(programs), "HOME": str(tmp_path)}


def run(folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    # The script must not depend on where it stands or on where it is called from.
    moved = folder.rename(folder.with_name("moved"))
    return subprocess.run(
        ["sh", str(moved / "run.sh")],
        cwd=moved.parent,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_measures_what_the_flow_measures(emission, alone, tmp_path):
    technology = find_technology("generic")
    top, period = emission.top, 2.5
    names = {path.name for path in export(tmp_path / "out", emission.verilog, top, technology, 2.5)}
    assert {"run.sh", "yosys.ys", "sta.tcl", "design.v", "library0.lib"} <= names
    assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())
    texts = [(tmp_path / "out" / name).read_text() for name in names]
    assert not any(str(Path(__file__).parents[2]) in text for text in texts)
    done = run(tmp_path / "out", alone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "buffers added" in done.stdout and not done.stdout.startswith("0 ")
    wanted = synthesise(emission.verilog, top, technology, period)
    log = (tmp_path / "moved" / "sta.log").read_text()
    slack = float(re.search(r"^BITWEIGHT slack (\S+)", log, re.M)[1])
    assert slack == pytest.approx(wanted.slack_ns, abs=1e-5)
    cells = json.loads((tmp_path / "moved" / "stat.json").read_text())["design"]
    modules = set(wanted.modules)
    kinds = {k: n for k, n in cells["num_cells_by_type"].items() if k not in modules}
    assert kinds == {kind: one.count for kind, one in wanted.cells.items()}


def test_a_failure_of_opensta_is_one_of_the_script(emission, alone, tmp_path):
    technology = find_technology("generic")
    top = f"{emission.top}_pe"
    export(tmp_path / "out", emission.verilog, top, technology, 2.5)
    script = tmp_path / "out" / "sta.tcl"
    script.write_text(script.read_text().replace("link_design", "link_nothing"))
    done = run(tmp_path / "out", alone)
    assert done.returncode == 1 and "OpenSTA failed" in done.stderr


def test_a_users_design_and_technology(tmp_path):
    """Two TOML files and a library of one's own are all that the command needs."""
    (library,) = find_technology("generic").library.files
    shutil.copy(library, tmp_path / "cells.lib")
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\narray = "matrix2d"\nrows = 2\ncols = 2\nmac = "opt1"\na = 3\nb = 3\nacc = 8'
    )
    package = Path(sys.modules["bitweight.synth"].__file__).parent / "technologies" / "generic.toml"
    text = re.sub(r"^liberty.*$", 'liberty = ["cells.lib"]', package.read_text(), flags=re.M)
    text = re.sub(r"^name.*$", 'name = "own"', text, flags=re.M)
    (tmp_path / "own.toml").write_text(text)
    command = [sys.executable, "-c", "from bitweight.cli import main; main()", "synth"]
    asked = [*command, "mine.toml", "--tech", "own.toml", "--period-ns", "3", "--json"]
    options = {"cwd": tmp_path, "env": os.environ | {"BITWEIGHT_TECH_PATH": ""}}
    done = subprocess.run(asked, **options, capture_output=True, text=True, check=True)
    (record,) = json.loads(done.stdout)
    assert (record["design"], record["technology"]) == ("mine", "own")
    assert record["area"] > 0 and record["min_period_ns"] > 0
    done = subprocess.run(
        [*asked, "--export", "out"], **options, capture_output=True, text=True, check=True
    )
    assert "out/run.sh" in json.loads(done.stdout)
    assert (tmp_path / "out" / "library0.lib").read_bytes() == library.read_bytes()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--export", "x", "--tech", "ecp5"], "--export is for standard cells, not 'ecp5'"),
        (["--export", "x", "-o", "y"], "give --export or -o, not both"),
        (["--no-place"], "--no-place is for xilinx, ecp5, ice40, not 'generic'"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, message, capsys):
    from bitweight.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["synth", "systolic-os-mac-small", *arguments])
    assert ended.value.code == 2 and message in capsys.readouterr().err
