"""The package as users have it: a wheel in a fresh virtual environment."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
HOST = Path(sysconfig.get_path("purelib"))


@dataclass(frozen=True)
class Environment:
    """A virtual environment in which the package is installed from its wheel."""

    folder: Path

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    def run(
        self, *command: str, cwd: Path, path: str | None = None, check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with the environment's programs first; `path` is what follows them."""
        rest = os.environ.get("PATH", os.defpath) if path is None else path
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        done = subprocess.run(
            command,
            cwd=cwd,
            env=kept | {"PATH": f"{self.programs}{os.pathsep}{rest}"} | env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def install(self, wheel: Path) -> None:
        """Install a wheel, without what it requires."""
        arguments = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
        python = str(self.programs / "python")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--python", python, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def build(project: Path, target: Path) -> Path:
    """Build wheel and source distribution of a project, and return the wheel."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = target.glob("*.whl")
    return wheel


def make(folder: Path, wheel: Path, libraries: Path) -> Environment:
    """Make an environment with a wheel in it; other packages are those of a folder.

    The folder comes after the environment's own, and nothing in it is run at the start: what is
    installed there for editing stays out of the way.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    environment = Environment(folder)
    environment.install(wheel)
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    return environment


def required(wheel: str = "bitweight") -> set[str]:
    """Return the names of all packages that one needs, without its extras."""
    found: set[str] = set()
    waiting = [wheel]
    while waiting:
        name = waiting.pop()
        if name.lower() in found:
            continue
        found.add(name.lower())
        for text in importlib.metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found - {wheel}


def link(names: set[str], folder: Path) -> Path:
    """Return a folder with links to what these packages installed."""
    folder.mkdir()
    for name in names:
        for file in importlib.metadata.files(name) or ():
            top = file.parts[0]
            if top != ".." and not (folder / top).exists():
                (folder / top).symlink_to(HOST / top)
    return folder


def copied(example: str, folder: Path) -> Path:
    """Return a copy of an example, so that nothing is written into the source tree."""
    ignore = shutil.ignore_patterns("build", "__pycache__", "*.egg-info")
    return Path(shutil.copytree(ROOT / "examples" / example, folder / example, ignore=ignore))
