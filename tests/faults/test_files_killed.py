"""What writers that are killed, or write at the same time, leave: real processes, real signals."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bitweight.files import check_writable, temporary_folder, write_files

HALF = """
import sys
from pathlib import Path
from bitweight.files import staged
with staged(Path(sys.argv[1])) as file:
    file.write(b"half")
    print("half", flush=True)
    sys.stdin.read()
"""
FOLDER = """
import sys
from bitweight.files import temporary_folder
class Logged(Exception): pass
with temporary_folder("fault", Logged) as folder:
    (folder / "log").write_text("why")
    print(folder, flush=True)
    sys.stdin.read()
    raise Logged
"""
WRITER = """
import sys
from pathlib import Path
from bitweight.files import write_files
for _ in range(100):
    write_files(Path(sys.argv[1]), {name: sys.argv[2] for name in "abcdef"})
"""
ADDER = """
import sys
from pathlib import Path
from bitweight.files import exclusive, write_files
path = Path(sys.argv[1])
for _ in range(50):
    with exclusive(path.parent):
        write_files(path.parent, {path.name: str(int(path.read_text()) + 1)})
"""


@contextmanager
def started(code: str, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run Python until it has said its first line; afterwards it is gone."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_the_next_writer_removes_what_a_killed_one_has_left(tmp_path):
    (tmp_path / ".C.npy.notes").write_text("the user's own")
    with started(HALF, tmp_path / "C.npy") as (process, _):
        write_files(tmp_path, {"C.npy": "whole"})
        assert len(list(tmp_path.glob(".C.npy.*.part"))) == 1  # of a writer that is at work
        process.kill()
        process.wait()
    write_files(tmp_path, {"C.npy": "whole"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".C.npy.notes", "C.npy"]
    assert (tmp_path / "C.npy").read_text() == "whole"


def test_a_temporary_folder_of_a_killed_process_goes_and_others_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "bitweight-mine").mkdir()
    with started(FOLDER) as (alive, used), started(FOLDER) as (killed, left):
        killed.kill()
        killed.wait()
        assert {used, left} < set(map(str, tmp_path.iterdir()))
        with temporary_folder("fault") as folder:
            assert {path.name for path in tmp_path.iterdir()} == {
                "bitweight-mine", Path(used).name, folder.name
            }  # fmt: skip
        alive.communicate()
    # One that failed stays for its log, whoever comes next.
    with temporary_folder("fault"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"bitweight-mine", Path(used).name}
    assert [path.name for path in Path(used).iterdir()] == ["log"]


def test_files_of_two_writers_are_never_mixed(tmp_path):
    both = [subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, who]) for who in "xy"]
    assert [process.wait() for process in both] == [0, 0]
    assert len({path.read_text() for path in tmp_path.iterdir()}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == list("abcdef")


def test_what_is_read_and_written_again_is_not_lost(tmp_path):
    write_files(tmp_path, {"count": "0"})
    both = [subprocess.Popen([sys.executable, "-c", ADDER, tmp_path / "count"]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert (tmp_path / "count").read_text() == "100"


def test_a_full_disk_leaves_the_old_files_and_names_the_new():
    """Under a limit of file size, which any user can set: it is an error of the same kind."""
    code = """
import resource, sys
from pathlib import Path
from bitweight.files import write_files
place = Path(sys.argv[1])
write_files(place, {"a.v": "old", "b.v": "old"})
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_files(place, {"a.v": "new", "b.v": "x" * 5000})
except OSError as error:
    print(error.filename, sorted((path.name, path.read_text()) for path in place.iterdir()))
"""
    with temporary_folder("fault") as folder:
        (place := folder / "place").mkdir()
        run = subprocess.run(
            [sys.executable, "-c", code, place], capture_output=True, text=True, check=True
        )
        assert run.stdout == f"{place / 'b.v'} [('a.v', 'old'), ('b.v', 'old')]\n"


@pytest.mark.parametrize("deep", [False, True])
def test_asking_whether_a_folder_is_writable_leaves_nothing(tmp_path, deep):
    folder = tmp_path / "a/b" if deep else tmp_path
    check_writable("-o", folder)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"^-o must be a writable folder \(.*\), not '.*/file/x'$"):
        check_writable("-o", tmp_path / "file/x")
