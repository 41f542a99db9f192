"""scripts/install-system on machines that lack this or that, made of a PATH of stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "install-system"
PROGRAMS = ("iverilog", "sta", "g++", "make", "python3")


class Machine:
    """A folder that is the whole PATH, with programs that note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "calls"
        for tool in ("sh", "cat", "ln"):
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.add(*PROGRAMS)
        self.user(0)

    def add(self, *names: str, then: str = "exit 0") -> None:
        for name in names:
            path = self.bin / name
            path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.calls}"\n{then}\n')
            path.chmod(0o755)

    def user(self, number: int) -> None:
        (self.bin / "id").write_text(f"#!/bin/sh\necho {number}\n")
        (self.bin / "id").chmod(0o755)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.bin / name).unlink()

    def apt(self, *brings: str) -> None:
        """An apt-get that makes these programs appear."""
        made = "\n".join(f'ln -s "{self.bin}/make" "{self.bin}/{name}"' for name in brings) or ":"
        self.add("apt-get", then=f'case "$*" in *install*)\n{made}\n;; esac')

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPT), *arguments],
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def called(self) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if not line.startswith("python3")]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_does_nothing_when_all_is_there(machine):
    machine.apt()
    done = machine.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.called() == []


def test_installs_only_what_is_missing_as_root(machine):
    machine.remove("iverilog", "sta")
    machine.apt("iverilog", "sta")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "installing iverilog opensta through apt" in done.stdout
    update, install = machine.called()
    assert update.startswith("apt-get update")
    assert install.startswith("apt-get install") and install.endswith("iverilog opensta")


def test_uses_sudo_when_not_root(machine):
    machine.remove("g++")
    machine.apt("g++")
    machine.user(1000)
    machine.add("sudo", then='exec "$@"')
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "with sudo" in done.stdout
    assert [call.split()[0] for call in machine.called()] == ["sudo", "apt-get"] * 2


@pytest.mark.parametrize(
    ("user", "apt", "why"),
    [(0, False, "there is no apt here"), (1000, True, "there is no sudo here")],
)
def test_says_what_to_install_where_it_cannot(machine, user, apt, why):
    machine.remove("sta")
    machine.user(user)
    if apt:
        machine.apt("sta")
    done = machine.run()
    assert done.returncode == 2
    assert why in done.stderr
    assert "OpenSTA 2.0.17 or later" in done.stderr
    assert done.stderr.rstrip().endswith("Missing now, by Debian's names: opensta")
    assert machine.called() == []


def test_an_installation_that_brings_nothing_is_a_failure(machine):
    machine.remove("sta")
    machine.apt()
    done = machine.run()
    assert done.returncode == 2
    assert "opensta: still not there after apt" in done.stderr


def test_apt_that_fails_is_a_failure(machine):
    machine.remove("sta")
    machine.add("apt-get", then="exit 100")
    done = machine.run()
    assert done.returncode == 2
    assert "apt-get update failed" in done.stderr


def test_a_python_without_venv_is_missing_something(machine):
    machine.add("python3", then="exit 1")
    done = machine.run("--check")
    assert (done.returncode, done.stdout) == (1, "missing: python3-venv\n")


def test_check_says_and_does_nothing(machine):
    machine.remove("iverilog", "g++")
    machine.apt("iverilog", "g++")
    done = machine.run("--check")
    assert (done.returncode, done.stdout) == (1, "missing: iverilog g++\n")
    assert machine.called() == []


def test_unknown_option(machine):
    done = machine.run("--force")
    assert done.returncode == 2
    assert "not '--force'" in done.stderr


def test_is_executable():
    assert os.access(SCRIPT, os.X_OK)
