"""What the README says is true: its Python runs, its commands exist, its reasons are given."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bitweight.catalog import SIZES, refused
from bitweight.cli.main import command
from bitweight.demo.readme import filled
from bitweight.notation import TRANSFORMATIONS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(tmp_path):
    code = re.search(r"```python\n(.*?)```", README, flags=re.S)[1]
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "sum, carry = accumulate" in ran.stdout and "cycles" in ran.stdout
    assert len(code.splitlines()) <= 12


def test_the_commands_exist():
    named = set(re.findall(r"^    bitweight (\w+)", README, flags=re.M))
    assert named <= set(command.commands) and len(named) > 4


def test_its_results_are_those_of_the_records(tmp_path):
    """As they are committed: `make` writes records of its own, from what the machine has."""
    root = Path(__file__).parents[1]
    archive = subprocess.run(
        ["git", "archive", "HEAD", "README.md", "reports"],
        cwd=root,
        check=True,
        capture_output=True,
    )
    subprocess.run(["tar", "-x", "-C", tmp_path], input=archive.stdout, check=True)
    readme, reports = (tmp_path / "README.md").read_text(encoding="utf-8"), tmp_path / "reports"
    assert filled(readme, reports) == readme, "run make report"
    for name in ("digits.json", "measured-asap7.json"):
        text = (reports / name).read_text(encoding="utf-8")
        (reports / name).write_text(text.replace('"asap7"', '"another"'), encoding="utf-8")
        assert filled(readme, reports) != readme
        (reports / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="must have the line"):
        filled(readme.replace("<!-- end of results -->", ""), reports)


def test_every_pair_of_array_and_transformation_is_in_the_table():
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    for array, _ in SIZES:
        row = next(line for line in rows if line.startswith(f"| `{array.name}`"))
        cells = [cell.strip() for cell in row.strip("|").split("|")][2:]
        for cell, mac in zip(cells, TRANSFORMATIONS, strict=True):
            assert cell == ("no" if (array.name, mac) in refused else "yes"), (array.name, mac)
    for reason in refused.values():
        assert reason.split(": ", 1)[1] in README
