"""Prints where the generator's core file is."""

from __future__ import annotations

from pathlib import Path

print(Path(__file__).parent)
