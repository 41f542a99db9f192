"""Writing files: they are either whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["check_writable", "write_files"]


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write texts, or bytes, into a folder, which is made if need be; return their paths.

    All of them are written beside their places before the first is moved there, so that a full
    disk or an interruption leaves the old files, or none.

    Raises
    ------
    OSError
        If the folder cannot be made or written; it names the path.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    staged: list[tuple[str, Path]] = []
    try:
        for name, content in files.items():
            handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
            staged.append((temporary, folder / name))
            with os.fdopen(handle, "wb") as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
            # mkstemp makes files for the owner alone.
            os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101
        for temporary, path in staged:
            os.replace(temporary, path)  # noqa: PTH105
    finally:
        for temporary, _ in staged:
            Path(temporary).unlink(missing_ok=True)
    return [path for _, path in staged]


def check_writable(name: str, folder: Path) -> None:
    """Find out before long work, and not after it, that a folder cannot be written to.

    Raises
    ------
    ValueError
        With `name`, which is what the folder was given as.
    """
    try:
        (probe,) = write_files(folder, {".bitweight-probe": ""})
        probe.unlink()
    except OSError as error:
        raise ValueError(
            f"{name} must be a writable folder ({error.strerror}), not {str(folder)!r}"
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
