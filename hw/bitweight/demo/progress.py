"""Shows how far the job is: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["Update", "step"]

#: Called with what is done, what there is to do, and what was done last.
Update = Callable[[int, int, str], None]

_QUIET_SECONDS = 5.0


@contextmanager
def step(console: Console, label: str) -> Iterator[Update]:
    """Show one step of the job while the body of the ``with`` runs.

    On a terminal it is a bar with the time. Elsewhere it is a line at the start, one every few
    seconds in which something happened, and one at the end.
    """
    started = time.monotonic()
    if console.is_terminal:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} {task.fields[last]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console) as bars:
            task = bars.add_task(label, total=None, last="")

            def show(done: int, total: int, last: str = "") -> None:
                bars.update(task, completed=done, total=total, last=last)

            yield show
        return
    spoken = started

    def say(done: int, total: int, last: str = "") -> None:
        nonlocal spoken
        now = time.monotonic()
        if now - spoken >= _QUIET_SECONDS:
            spoken = now
            _line(console, f"  {label}: {done} of {total}{', ' + last if last else ''}")

    _line(console, f"{label} ...")
    yield say
    _line(console, f"{label}: done in {time.monotonic() - started:.1f} s")


def _line(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
