"""What all commands have in common: help on one screen, JSON, exit statuses, no colour in pipes."""

from __future__ import annotations

import inspect
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import click
import pytest

from bitweight import catalog
from bitweight.cli import main as entry
from bitweight.cli.main import command

PROGRAM = [sys.executable, "-c", "from bitweight.cli import main; main()"]
SMALL = "systolic-os-mac-small"


def walk(group: click.Group, before: tuple[str, ...] = ()):
    for name, entry_ in group.commands.items():
        if isinstance(entry_, click.Group):
            yield from walk(entry_, (*before, name))
        yield (*before, name), entry_


COMMANDS = dict(walk(command))
PRINTS_NAMES_OF_FILES = {("measure",), ("report",)}
PRINTS_ONE_LINE = {("run",)}


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], env=os.environ | env, capture_output=True, text=True, check=False
    )


def invoked(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        entry(list(arguments))
    return ended.value.code or 0, *capsys.readouterr()


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=lambda path: "-".join(path) or "bitweight")
def test_help_is_one_screen(path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, text, errors = invoked(capsys, *path, "--help")
    lines = text.splitlines()
    assert (status, errors) == (0, "")
    assert 5 < len(lines) <= 30 and max(map(len, lines)) <= 80
    assert lines[0].startswith("Usage: bitweight")
    assert "..." not in re.sub(r"\]\.\.\.|P\.\.\.", "", text), "a description is cut"
    assert invoked(capsys, *path, "-h")[1] == text


@pytest.mark.parametrize("path", COMMANDS, ids="-".join)
def test_an_unknown_option_is_bad_input(path, capsys):
    status, text, errors = invoked(capsys, *path, "--frobnicate")
    assert (status, text, errors.count("\n")) == (2, "", 1)
    assert errors.startswith("bitweight: No such option")


@pytest.mark.parametrize("path", COMMANDS, ids="-".join)
def test_a_table_is_there_as_json_too(path):
    entry_ = COMMANDS[path]
    if isinstance(entry_, click.Group) or path in PRINTS_NAMES_OF_FILES | PRINTS_ONE_LINE:
        assert "Table(" not in inspect.getsource(inspect.unwrap(entry_.callback))
    else:
        assert "--json" in {name for option in entry_.params for name in option.opts}


QUICK = {
    "list": ["list"],
    "show": ["show", SMALL],
    "stats": ["stats", SMALL, "--gemm", "3x4x5", "--seed", "1"],
    "gen": ["gen", SMALL, "-o", "out"],
    "tech": ["tech"],
    "synth": ["synth", SMALL, "--pe", "--tech", "ice40", "--no-place"],
}


@pytest.mark.parametrize("name", QUICK)
def test_output_is_plain_in_a_pipe_and_json_when_asked(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, text, errors = invoked(capsys, *QUICK[name])
    assert (status, errors) == (0, "") and text
    assert "\x1b" not in text
    status, text, errors = invoked(capsys, *QUICK[name], "--json")
    assert (status, errors) == (0, "")
    assert json.loads(text)


def on_terminal(*arguments: str) -> tuple[int, str]:
    """Run on a terminal of 80 × 30 of its own; return the status, and all that was shown."""
    ours, theirs = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI")}
    env |= {"COLUMNS": "80", "LINES": "30", "TERM": "xterm-256color"}
    shown = b""
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    ) as process:
        os.close(theirs)
        while True:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # the other end was closed
                    break
            elif process.poll() is not None:
                break
    os.close(ours)
    return process.returncode, shown.decode()


def test_a_terminal_has_colour_and_a_bar(tmp_path):
    status, shown = on_terminal("gen", SMALL, "cube-mac-small", "-o", str(tmp_path))
    assert status == 0 and "\x1b[" in shown
    assert "0/2" in shown, "the progress of the work is not shown"


def test_an_interrupt_is_130(tmp_path):
    process = subprocess.Popen(
        [*PROGRAM, "gen", "--all", "-o", str(tmp_path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell that started us in the background may have left it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*.core")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    text, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert errors.strip() == "bitweight: interrupted" and text == ""
    written = {path.suffix for path in tmp_path.iterdir()}
    assert written == {".v", ".json", ".core"}, "something half-written was left"


def test_work_that_fails_is_1_and_a_missing_program_2(monkeypatch, capsys):
    from bitweight.synth import ToolError, ToolMissing

    for error, status in ((ToolError("it broke"), 1), (ToolMissing("get it"), 2)):

        def fail(*_, error=error, **__):
            raise error

        monkeypatch.setattr("bitweight.synth.tools.yosys", fail)
        got, text, errors = invoked(capsys, *QUICK["synth"])
        assert (got, text, errors) == (status, "", f"bitweight: {error}\n")


def test_a_reader_that_has_seen_enough_is_no_error():
    program = " ".join(f"'{part}'" for part in PROGRAM)
    for arguments in ("list", "list --json"):
        done = subprocess.run(
            ["bash", "-c", f"{program} {arguments} | true; echo ${{PIPESTATUS[0]}}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == "" and done.stdout in ("0\n", "1\n")


@pytest.mark.parametrize(
    "words, wanted",
    [("bitweight s", {"show", "stats", "synth"}), ("bitweight gen cube-opt1", None)],
)
def test_the_shell_completes(words, wanted):
    count = str(len(words.split()) - 1)
    done = run(_BITWEIGHT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)
    found = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert found == (wanted or {name for name in catalog if name.startswith("cube-opt1")})
