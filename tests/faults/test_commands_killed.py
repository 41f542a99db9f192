"""Commands that are killed, run out of disk, or run twice at once: nothing half-made is left."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bitweight.sim import CACHE_VARIABLE

TOML = (
    'array = "systolic-os"\nrows = 1\ncols = 1\nmac = "mac"\na = {0}\nb = 2\nacc = 8\nname = "tiny"'
)
COMMANDS = {
    "gen": ("gen", "tiny.toml", "-o", "out"),
    "synth": ("synth", "tiny.toml", "-o", "out"),
    "run": ("run", "tiny.toml", "A.npy", "B.npy", "-o", "out/C.npy"),
    "measure": ("measure", "--tech", "generic", "-o", "out"),
}


@pytest.fixture
def folder(tmp_path, rng) -> Path:
    (tmp_path / "tiny.toml").write_text(TOML.format(2))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "out").mkdir()
    np.save(tmp_path / "A.npy", rng.integers(-2, 2, (400, 20)))
    np.save(tmp_path / "B.npy", rng.integers(-2, 2, (20, 300)))
    return tmp_path


def begin(folder: Path, *arguments: str, limit: int | None = None) -> subprocess.Popen[str]:
    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    env = os.environ | {"TMPDIR": str(folder / "tmp")}
    if arguments[0] != "run":  # a model takes long to build, and test_cache.py kills its builders
        env[CACHE_VARIABLE] = str(folder / "cache")
    return subprocess.Popen(
        [sys.executable, "-c", "from bitweight.cli import main; main()", *arguments],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=limited,  # noqa: PLW1509 - there are no threads
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return the exit status and what was said."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def signs(folder: Path) -> int:
    """Count what a command at work leaves to be seen."""
    return sum(1 for place in ("tmp", "out", "cache") for _ in (folder / place).rglob("*"))


def visible(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in sorted((folder / "out").iterdir())
        if not path.name.startswith(".")
    }


def whole(content: bytes, name: str) -> bool:
    if name.endswith(".json"):
        return isinstance(json.loads(content), (dict, list))
    if name.endswith(".v"):
        return content.rstrip().endswith(b"endmodule")
    return bool(content)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_leaves_nothing_half_made(name, folder, rng):
    process = begin(folder, *COMMANDS[name])
    while process.poll() is None and not signs(folder):
        time.sleep(0.005)
    time.sleep(float(rng.uniform(0, 0.4)))
    os.killpg(process.pid, signal.SIGKILL)
    end(process)
    assert all(whole(content, file) for file, content in visible(folder).items())
    # Every entry of the cache that has its place is whole.
    for record in (folder / "cache").glob("*/[!.]*/entry.json"):
        assert all((record.parent / file).is_file() for file in json.loads(record.read_text()))
    if name == "measure":
        assert not visible(folder)  # it has far to go
        return
    status, _, said = end(begin(folder, *COMMANDS[name]))
    assert status == 0, said
    files = visible(folder)
    assert files and all(whole(content, file) for file, content in files.items())
    assert not list((folder / "out").glob(".*.part"))
    if name == "run":
        C = np.load(folder / "out/C.npy")
        np.testing.assert_array_equal(C, np.load(folder / "A.npy") @ np.load(folder / "B.npy"))


@pytest.fixture
def full(folder) -> Iterator[Path]:
    """A folder out/ with room for a page of memory and no more."""
    out = folder / "out"
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(out)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a file system")
    yield folder
    subprocess.run(["umount", str(out)], check=True)


@pytest.mark.parametrize("name", ["gen", "synth", "run"])
def test_a_full_disk_is_one_line_and_leaves_nothing(name, full):
    status, out, err = end(begin(full, *COMMANDS[name]))
    assert status == 2, out
    assert "No space left" in err and "Traceback" not in err and err.count("\n") == 1, err
    assert not list((full / "out").iterdir())


def test_programs_that_are_begun_meet_a_full_disk(folder):
    """Under a limit of file size, which holds for Yosys as well."""
    status, out, err = end(begin(folder, *COMMANDS["synth"], limit=1000))
    assert status in (1, 2)
    assert "Traceback" not in err and len(err.strip().splitlines()) == 1, err
    assert not list((folder / "out").iterdir()), out


def test_two_at_once_in_the_same_folder(folder):
    """Both have a design of that name: all files are of the one, or all of the other."""
    (folder / "other.toml").write_text(TOML.format(5))
    alone = []
    for design in ("tiny.toml", "other.toml"):
        assert end(begin(folder, "gen", design, "-o", "out"))[0] == 0
        alone.append(visible(folder))
    assert alone[0].keys() == alone[1].keys() and alone[0] != alone[1]
    both = [begin(folder, "gen", one, "-o", "out") for one in ("tiny.toml", "other.toml")]
    assert [end(process)[0] for process in both] == [0, 0]
    assert visible(folder) in alone


TURNS = 60
IN_TURNS = f"""
import sys
from pathlib import Path
from bitweight.files import exclusive, write_files

folder, tag = Path("out"), sys.argv[1]
names = [f"{{i}}.txt" for i in range(6)]
for _ in range({TURNS}):
    write_files(folder, dict.fromkeys(names, tag))
    with exclusive(folder):
        found = {{(folder / name).read_text() for name in names}}
    assert len(found) == 1, found
"""


def test_two_take_turns_in_the_same_folder(folder):
    """Whoever looks when neither is writing sees all files of the one, or all of the other."""
    both = [
        subprocess.Popen([sys.executable, "-c", IN_TURNS, tag], cwd=folder, stderr=subprocess.PIPE)
        for tag in ("one", "other")
    ]
    said = [process.communicate(timeout=120)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
