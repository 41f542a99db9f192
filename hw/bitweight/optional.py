"""What not every installation has: extras of this package, and programs."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["NotInstalled", "import_optional"]


class NotInstalled(RuntimeError):
    """A package or program is missing; the message says how to install it."""


def import_optional(module: str, extra: str) -> Any:
    """Return a module that needs an extra of this package.

    Raises
    ------
    NotInstalled
        If something that it imports is missing.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"{error.name} is not installed: pip install 'bitweight[{extra}]'"
        ) from None
