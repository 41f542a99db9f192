"""Writing files: they are either whole or not there.

What is being written is a hidden file beside its place, ``.NAME.xxxxxxxx.part``, and what is worked
on a folder of the system's temporary one, ``bitweight-KIND-xxxxxxxx``. Both are locked while their
process lives. The lock is the operating system's and gone when the process is, whatever ended it:
the next one that writes to the same place, or needs such a folder, removes what has none.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path

__all__ = [
    "Staged",
    "check_writable",
    "exclusive",
    "keep",
    "staged",
    "temporary_folder",
    "write_files",
]

_PART = ".part"
_IN_USE = ".in-use"
_local = threading.local()


class Staged:
    """A file that is being written.

    Attributes
    ----------
    path
        Where it will be.
    temporary
        Where it is until then.
    stream
        Open for writing.
    """

    def __init__(self, path: Path, temporary: Path, stream: FileIO) -> None:
        self.path, self.temporary, self.stream = path, temporary, stream

    def write(self, content: bytes) -> None:
        """Write all of it; a full disk is found here, not later."""
        with _naming(self.path):
            left = memoryview(content)
            while left:
                left = left[self.stream.write(left) :]
            os.fsync(self.stream.fileno())

    def reserve(self, size: int) -> None:
        """Take the space of a file that is mapped: a disk that is full later ends the process."""
        if hasattr(os, "posix_fallocate"):  # macOS has none
            with _naming(self.path):
                os.posix_fallocate(self.stream.fileno(), 0, size)

    def publish(self) -> None:
        """Put it in its place, whatever was there."""
        with _naming(self.path):
            # mkstemp makes files for the owner alone.
            os.fchmod(self.stream.fileno(), 0o666 & ~_umask())
            os.replace(self.temporary, self.path)  # noqa: PTH105


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Staged]:
    """Yield a file that is beside its place until it is published; otherwise it is removed.

    Raises
    ------
    OSError
        If it cannot be made; it names the path.
    """
    _remove_dead_parts(path)
    with _naming(path):
        temporary, stream = _locked_part(path)
    try:
        with stream:
            yield Staged(path, temporary, stream)
    finally:
        temporary.unlink(missing_ok=True)


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write texts, or bytes, into a folder, which is made if need be; return their paths.

    All of them are written beside their places before the first is moved there, so that a full
    disk or an interruption leaves the old files, or none. Of two processes that write the same
    files, all are the one's or all the other's.

    Raises
    ------
    OSError
        If the folder cannot be made or written; it names the path of a file.
    """
    folder = Path(folder)
    with _naming(folder / next(iter(files), "")):
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        ready = []
        for name, content in files.items():
            one = stack.enter_context(staged(folder / name))
            one.write(content.encode() if isinstance(content, str) else content)
            ready.append(one)
        with exclusive(folder):
            for one in ready:
                one.publish()
    return [one.path for one in ready]


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep other processes' :func:`write_files` to a folder waiting, and others that ask for it.

    What reads a file in order to write it again does so inside. A folder that is not there, or
    cannot be locked, as on some network drives, is not.
    """
    held: set[Path] = _local.__dict__.setdefault("held", set())
    place = folder.resolve()
    with contextlib.ExitStack() as stack:
        if place not in held:
            with contextlib.suppress(OSError):
                handle = os.open(place, os.O_RDONLY)
                stack.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
                held.add(place)
                stack.callback(held.discard, place)
        yield


def check_writable(name: str, folder: Path) -> None:
    """Find out before long work, and not after it, that a folder cannot be written to.

    It leaves nothing, the folder itself neither.

    Raises
    ------
    ValueError
        With `name`, which is what the folder was given as.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        (probe,) = write_files(folder, {".bitweight-probe": ""})
        probe.unlink()
    except OSError as error:
        raise ValueError(
            f"{name} must be a writable folder ({error.strerror}), not {str(folder)!r}"
        ) from None
    finally:
        for one in missing:
            with contextlib.suppress(OSError):  # somebody else's work is in it by now
                one.rmdir()


@contextlib.contextmanager
def temporary_folder(
    kind: str, kept: type[BaseException] | tuple[type[BaseException], ...] = ()
) -> Iterator[Path]:
    """Yield an empty folder that goes at the end, with those that killed processes have left.

    Parameters
    ----------
    kind
        In its name, so that a person sees what it is from.
    kept
        Errors that name a log in it: after one of them it stays.
    """
    base = Path(tempfile.gettempdir())
    _remove_dead_folders(base)
    folder = Path(tempfile.mkdtemp(prefix=f"bitweight-{kind}-", dir=base))
    mark, stream = _locked_part(folder / _IN_USE)
    with stream:
        mark.rename(folder / _IN_USE)
        try:
            yield folder
        except kept:
            keep(folder)
            raise
        finally:
            if (folder / _IN_USE).exists():
                shutil.rmtree(folder, ignore_errors=True)


def keep(folder: Path) -> None:
    """Let a temporary folder stay when its time has come, for a person to look at."""
    (folder / _IN_USE).unlink(missing_ok=True)


def _locked_part(path: Path) -> tuple[Path, FileIO]:
    """Return a new locked file beside a place, and its name."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent)
        stream = os.fdopen(handle, "w+b", buffering=0)
        with contextlib.suppress(OSError):  # what cannot be locked is never taken for dead
            fcntl.flock(handle, fcntl.LOCK_EX)
        # Before it was locked, it may have been.
        if Path(name).exists():
            return Path(name), stream
        stream.close()


def _remove_dead_parts(path: Path) -> None:
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????{_PART}"):
        with _dead(left) as dead:
            if dead:
                left.unlink(missing_ok=True)


def _remove_dead_folders(base: Path) -> None:
    for mark in base.glob(f"bitweight-*/{_IN_USE}"):
        with _dead(mark) as dead:
            if dead:
                shutil.rmtree(mark.parent, ignore_errors=True)


@contextlib.contextmanager
def _dead(path: Path) -> Iterator[bool]:
    """Tell, and keep it so, whether a file is this user's and no process has it locked."""
    handle, dead = -1, False
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        dead = os.fstat(handle).st_uid == os.getuid()
    try:
        yield dead
    finally:
        if handle >= 0:
            os.close(handle)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Give errors the name of the file that was asked for."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
