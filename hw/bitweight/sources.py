"""Checksums over the package's own sources: what was made with others is not looked up."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

__all__ = ["CYCLES", "HARDWARE", "sources_digest"]

HARDWARE = ("notation", "arith", "pe", "tpe", "emit", "_check.py", "block.py", "design.py")
"""All that circuits come from."""

CYCLES = tuple(part for part in HARDWARE if part != "emit")
"""All that the exact cycle counts come from."""


@functools.cache
def sources_digest(*parts: str, root: Path = Path(__file__).parent) -> str:
    """Return a checksum over files and folders of the package, such as :data:`HARDWARE`.

    Those of another folder are found under its `root`.
    """
    digest = hashlib.sha256()
    for part in parts:
        place = root / part
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(root)).encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
