"""Progress of long work, on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

__all__ = ["progress_bars"]


@contextmanager
def progress_bars(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that sets a bar: its label, how much is done, and of how much."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def advance(label: str, done: int, total: int) -> None:
            if label not in bars:
                bars[label] = progress.add_task(f"{title} {label}".strip(), total=total)
            progress.update(bars[label], completed=done)

        yield advance
