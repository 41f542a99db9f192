"""What can go wrong when a design is synthesised: a library, or a tool."""

from __future__ import annotations

from bitweight.optional import NotInstalled


class TechnologyError(ValueError):
    """A technology is unknown, or one of its files is missing or damaged."""


class ToolError(RuntimeError):
    """A tool is missing, failed, ran out of time, or left no result."""


class ToolMissing(ToolError, NotInstalled):
    """A tool is not installed."""
