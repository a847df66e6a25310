"""What the command line shows while it works, on standard error."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["log_to_stderr", "progress_bar"]


def log_to_stderr(level: int) -> None:
    """Show gpuheat's log messages of at least ``level``, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("gpuheat: %(message)s"))
    log = logging.getLogger("gpuheat")
    log.handlers = [handler]
    log.setLevel(level)
    log.propagate = False


@contextmanager
def progress_bar(name: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None] | None]:
    """A bar with frames, frames/s and time left, on a terminal; None elsewhere and where quiet is asked for.

    The bar is called with the number of frames done and the number expected, None where that is unknown.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class FramesPerSecond(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.0f} frames/s")

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,} frames"),
        FramesPerSecond(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)

        def report(done: int, expected: int | None) -> None:
            progress.update(task, completed=done, total=None if expected is None else max(done, expected))

        yield report
