"""`bitweight prove` as a person uses it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bitweight.prove import FAMILIES


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", "from bitweight.cli import main; main()", "prove", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_block(tmp_path):
    result = run("first-nonzero", "--width", "8", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert re.search(r"first-nonzero +1 +1 +SAT", result.stdout)
    assert not list(tmp_path.iterdir())


def test_json_has_every_claim():
    result = run("first-nonzero", "--json")
    records = json.loads(result.stdout)
    assert [record["case"]["size"] for record in records] == list(range(1, 17))
    assert {record["result"] for record in records} == {"proven"}


def test_list_says_what_is_claimed():
    rows = json.loads(run("--list", "--json").stdout)
    assert [row["block"] for row in rows] == list(FAMILIES)
    text = run("--list").stdout
    assert all(name in text for name in FAMILIES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one or more blocks or --all"),
        (["skid-buffer", "--all"], "give one or more blocks or --all"),
        (["nope"], "block must be one of .*, not 'nope'"),
        (["skid-buffer", "--width", "3"], "--width must be .* skid-buffer .*, not 3"),
        (["--all", "--width", "3"], "--width goes with named blocks"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message):
    result = run(*arguments)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and re.search(message, result.stderr)


def test_help_fits_a_screen():
    lines = run("--help").stdout.splitlines()
    assert 5 < len(lines) <= 40 and max(map(len, lines)) <= 80
