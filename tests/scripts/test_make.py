"""The Makefile and .ci/run as far as they can be judged without running the whole job."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = ("all", "gen", "verify", "synth", "test", "lint", "clean", "help")


def make(folder: Path, *arguments: str, **environment: str) -> str:
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / "scripts" / "install-system", folder / "scripts")
    return folder


def test_help_has_a_line_for_every_target():
    lines = make(ROOT, "help").splitlines()
    told = {line.split()[1]: line.split()[2:] for line in lines}
    assert set(TARGETS) <= set(told)
    assert all(told.values())


def test_fresh_checkout_makes_the_environment_before_the_main_job(checkout):
    lines = [line for line in make(checkout, "-n").splitlines() if line.strip()]
    assert lines[0].endswith("scripts/install-system")
    assert lines[1] == "python3 -m venv .venv"
    assert lines[-1].strip() == ".venv/bin/python -m bitweight.demo"


def test_environment_is_made_once_and_again_when_requirements_change(checkout):
    stamp = checkout / ".venv" / ".installed"
    stamp.parent.mkdir()
    stamp.touch()
    assert "venv .venv" not in make(checkout, "-n", "test")
    os.utime(stamp, (1, 1))
    assert "venv .venv" in make(checkout, "-n", "test")


def test_variables_reach_the_commands(checkout):
    synth = make(checkout, "-n", "synth", "NAME=a", "TECH=sky130hd", "PERIOD=1.0,2")
    assert "for name in a;" in synth
    assert "--tech sky130hd --period-ns 1.0,2" in synth
    assert "verify b --sim icarus" in make(checkout, "-n", "verify", "NAME=b", "SIM=icarus")


def shown(folder: Path, **environment: str) -> str:
    (folder / "show.mk").write_text("include Makefile\nshow:\n\t@echo [$$BITWEIGHT_TECH_PATH]\n")
    return make(folder, "-f", "show.mk", "show", **environment).strip()


def test_libraries_beside_the_checkout_are_found(checkout):
    assert shown(checkout) == "[]"
    beside = checkout.parent / "shared" / "tech"
    beside.mkdir(parents=True)
    assert shown(checkout) == f"[{beside}]"
    assert shown(checkout, BITWEIGHT_TECH_PATH="mine") == "[mine]"


def test_clean_keeps_the_environment(checkout):
    for name in (".venv", "build", "hw/bitweight/__pycache__", "verif", "tests"):
        (checkout / name).mkdir(parents=True)
    make(checkout, "clean")
    assert (checkout / ".venv").is_dir()
    assert not (checkout / "build").exists()
    assert not (checkout / "hw/bitweight/__pycache__").exists()


def test_ci_is_executable_parses_and_runs_the_command_of_the_readme():
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert re.search(r"^\s*make test\b", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert re.search(r"^make .*\btest\b", path.read_text(), re.MULTILINE)


def test_workflow_runs_ci():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert "bash .ci/run" in text
    assert all(re.search(r"@v\d+$", line) for line in re.findall(r"uses: \S+", text))
