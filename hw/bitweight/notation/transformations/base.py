"""What a named transformation is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bitweight.notation.nest import Nest
from bitweight.notation.primitives import IllegalMove

__all__ = ["Transformation"]


@dataclass(frozen=True)
class Transformation:
    """A name for a function from nest to nest.

    Parameters
    ----------
    name
        In designs, catalog names and on the command line.
    summary
        What it does to the hardware, in one line.
    apply
        The function; it raises :class:`IllegalMove` where the move is not legal.
    """

    name: str
    summary: str
    apply: Callable[[Nest], Nest]

    def __call__(self, nest: Nest) -> Nest:
        """Return the transformed nest; the message of an illegal move begins with its name."""
        try:
            return self.apply(nest)
        except IllegalMove as error:
            raise IllegalMove(f"{self.name}: {error}") from None

    def __repr__(self) -> str:
        return self.name.upper()
