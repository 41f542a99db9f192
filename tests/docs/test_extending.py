"""The worked examples: their files are added to a copy of the package, their commands run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "extending"
EXAMPLES = ROOT / "docs" / "examples"


def commands(page: Path) -> list[str]:
    """Return the lines of a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)
    return [line for block in blocks for line in block.splitlines()]


def prepared(name: str, folder: Path) -> Path:
    """Return a copy of the package with the files of an example where its page says."""
    ignore = shutil.ignore_patterns("__pycache__")
    for part in ("hw", "verif", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    for file in (EXAMPLES / name).iterdir():
        if file.suffix == ".py":
            (place,) = re.findall(rf"`(\S*/{file.name})`", page)
            shutil.copy(file, folder / place)
        elif file.suffix == ".patch":
            subprocess.run(["git", "apply", str(file)], cwd=folder, check=True)
        elif file.is_file():
            shutil.copy(file, folder)
    return folder


def run(line: str, folder: Path) -> str:
    """Run a command of a page on the package in a folder, and return what it printed."""
    program, *arguments = shlex.split(line)
    module = {"bitweight": ["-c", "from bitweight.cli import main; main()"], "pytest": ["-mpytest"]}
    done = subprocess.run(
        [sys.executable, *module[program], *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder / 'hw'}{os.pathsep}{folder / 'verif'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("encoding", [r"\d\d passed", r"passed, \d+ of \d+ cases", r"per operand: 2\.3"]),
        ("transformation", ["2 lanes along k", r"\d+ passed", r"passed, \d+ of \d+ cases"]),
        ("array", ["systolic-dot-opt1-small", r"\d+ passed", r"passed, \d+ of \d+ cases"]),
        ("technology", [r"DFF, .* on tiny|on tiny"]),
    ],
)
def test_example(name, shown, tmp_path):
    lines = commands(PAGES / f"{name}.md")
    folder = prepared(name, tmp_path)
    for line, expected in zip(lines, shown, strict=True):
        assert re.search(expected, run(line, folder)), line


def test_every_page_is_run():
    pages = {page.stem for page in PAGES.glob("*.md")} - {"index"}
    assert pages == {"encoding", "transformation", "array", "technology"}
