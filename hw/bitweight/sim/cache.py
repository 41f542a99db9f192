"""Folders of built files, kept by the content that they are made from.

An entry is a folder `kind/key` with its files and `entry.json`, which has the checksum of each.
It is made in a folder beside its place and then moved there, under a lock of the operating system
that is gone when its holder is, whatever ends it: an entry is whole or not there, and of several
processes that want the same one, one builds and the others wait for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["CACHE_VARIABLE", "Cache", "cache_folder", "content_key"]

CACHE_VARIABLE = "BITWEIGHT_CACHE"
"""Names the folder of the cache, in place of the usual one."""

_RECORD = "entry.json"


def cache_folder() -> Path:
    """Return the folder for what can be made again, as the platform has it for a user."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bitweight"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative path there is to be ignored, says the XDG Base Directory Specification.
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return folder / "bitweight"


def content_key(**parts: Any) -> str:
    """Return a key that is another one whenever any of the parts, as JSON has them, is."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Cache:
    """Entries of a folder.

    Parameters
    ----------
    folder
        Where they are; made when the first entry is.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = cache_folder() if folder is None else folder

    def entry(self, kind: str, key: str, build: Callable[[Path], None]) -> Path:
        """Return the folder of an entry; `build` makes its files, where it is not there whole.

        Parameters
        ----------
        kind, key
            Which entry.
        build
            Called with an empty folder, which it fills. What it raises is passed on, and nothing
            is kept then.

        Raises
        ------
        OSError
            If the folder of the cache cannot be written; it names the path.
        """
        place = self.folder / kind / key
        if _whole(place):
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(place.parent / f".{key}.lock"):
            # Another process may have built it in the meantime.
            if not _whole(place):
                self._make(place, build)
        return place

    @staticmethod
    def _make(place: Path, build: Callable[[Path], None]) -> None:
        # What builders that were killed have left, here and of keys that nobody wants any more.
        for left in place.parent.glob(".*.build-*"):
            key = left.name[1:].rpartition(".build-")[0]
            with contextlib.ExitStack() as stack:
                lock = left.with_name(f".{key}.lock")
                if key == place.name or stack.enter_context(_locked(lock, wait=False)):
                    shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.build-", dir=place.parent))
        try:
            build(folder)
            sums = {path.name: _checksum(path) for path in sorted(folder.iterdir())}
            (folder / _RECORD).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")
            if place.exists():  # and is damaged
                old = Path(tempfile.mkdtemp(prefix=f".{place.name}.build-", dir=place.parent))
                os.replace(place, old / "damaged")  # noqa: PTH105
                shutil.rmtree(old, ignore_errors=True)
            os.replace(folder, place)  # noqa: PTH105
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _whole(place: Path) -> bool:
    """Tell whether an entry has all files that it was made with, unchanged."""
    try:
        sums = json.loads((place / _RECORD).read_text(encoding="utf-8"))
        return bool(sums) and all(_checksum(place / name) == sum_ for name, sum_ in sums.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock that ends with the process at the latest; tell whether it could be had."""
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
