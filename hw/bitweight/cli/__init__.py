"""The `bitweight` command."""

from __future__ import annotations

from bitweight.cli.main import main

__all__ = ["main"]
