"""What the command line shows: messages and progress on standard error, tables on standard output."""

from __future__ import annotations

import logging
import re
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from gpuheat.backends import Backend, BackendStatus
    from gpuheat.jobs.dask import ClusterProgress

__all__ = [
    "SignalError",
    "cluster_bar",
    "log_to_stderr",
    "printable",
    "progress_bar",
    "show_backends",
    "show_gpus",
    "signals_kept",
]

OF_THE_BAR: Final = 50
"""Columns of a terminal for all of a progress bar but the name of what is read."""
SIGNALS: Final = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class SignalError(Exception):
    """Ctrl-C or SIGTERM came; ``exit_code`` is what the shell is told."""

    def __init__(self, number: int, more: str = "") -> None:
        super().__init__(SIGNALS[signal.Signals(number)] + more)
        self.number = number
        self.exit_code = 128 + number


@contextmanager
def signals_kept() -> Iterator[Callable[[], None]]:
    """Keep Ctrl-C and SIGTERM back until what this gives is called, which raises SignalError. A second acts at once."""
    kept: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def keep(number: int, frame: FrameType | None) -> None:
        kept.append(number)
        handler = before[signal.Signals(number)]
        if len(kept) > 1 and callable(handler):
            handler(number, frame)

    def look() -> None:
        if kept:
            raise SignalError(kept[0])

    handled = [number for number, handler in before.items() if callable(handler)]  # not where they are ignored
    for number in handled:
        signal.signal(number, keep)
    try:
        yield look
    finally:
        for number in handled:
            signal.signal(number, before[number])


def printable(text: str) -> str:
    """The text with control characters, which a terminal would obey, as escapes: names of files may have some.

    >>> printable("a\x1b[2Jb.mp4")
    'a\\x1b[2Jb.mp4'
    """
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", text)


class _OneLine(logging.Formatter):
    """A message without control characters, and behind it the traceback where there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name is that of logging
        message: str = super().formatMessage(record)
        return printable(message)


def log_to_stderr(level: int) -> None:
    """Show gpuheat's log messages of at least ``level``, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("gpuheat: %(message)s"))
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
    from rich.cells import cell_len
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.table import Column
    from rich.text import Text

    console = Console(stderr=True)

    def end_of(text: str) -> str:
        """As much of a path as leaves room for what is told of it; the end tells more than the beginning."""
        room = max(1, console.width - OF_THE_BAR)
        if cell_len(text) <= room:
            return text
        while cell_len(text) >= room:
            text = text[1:]
        return f"…{text}"

    class Name(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(end_of(task.description))

    class FramesPerSecond(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.0f} frames/s")

    columns = (
        Name(Column(no_wrap=True)),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        TextColumn("{task.completed:,} frames", table_column=Column(no_wrap=True)),
        FramesPerSecond(Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task(printable(name), total=None)

        def report(done: int, expected: int | None) -> None:
            progress.update(task, completed=done, total=None if expected is None else max(done, expected))

        yield report


class ClusterBar:
    """Shows how far a cluster is; here it does not, which is for whoever has no terminal, or wants quiet."""

    def show(self, state: ClusterProgress) -> None:
        """Show this state."""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Show nothing meanwhile, so that something else can be written."""
        yield


@contextmanager
def cluster_bar(what: str, *, quiet: bool) -> Iterator[ClusterBar]:
    """Shows how far a cluster is with so many of ``what``, on a terminal; nothing elsewhere, and with quiet."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield ClusterBar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    text = TextColumn("{task.fields[told]}", markup=False)
    progress = Progress(BarColumn(), text, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
    task = progress.add_task("", total=None, told=f"0 {what}")

    class OnTerminal(ClusterBar):
        def show(self, state: ClusterProgress) -> None:
            elapsed = progress.tasks[0].elapsed or 0.0
            told = [f"{state.done:,} of {state.of:,} {what}"]
            if state.seconds:
                as_fast = state.seconds / max(elapsed, 1.0)
                told.append(f"{state.seconds / 3600:,.2f} h of video, {as_fast:,.1f} times real time")
            told.append(f"{state.workers:,} worker{'' if state.workers == 1 else 's'}")
            if state.failed:
                told.append(f"{state.failed:,} failed")
            progress.update(task, completed=state.done, total=state.of, told=", ".join(told))

        @contextmanager
        def aside(self) -> Iterator[None]:
            progress.stop()
            try:
                yield
            finally:
                progress.start()

    with progress:
        yield OnTerminal()


def show_backends(statuses: Sequence[BackendStatus], default: Backend | None) -> None:
    """A table of the backends, and below it why those that cannot run here cannot.

    ``default`` is the one that "auto" takes; it has a row of its own where it is not on its backend's first device.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    table = Table("backend", "runs here", "on what", box=None, pad_edge=False)
    for status in statuses:
        runs = "no" if status.backend is None else "yes, the default" if status.backend is default else "yes"
        table.add_row(status.name, runs, "" if status.backend is None else status.backend.device)
    if default is not None and all(status.backend is not default for status in statuses):
        table.add_row(default.name, "yes, the default", default.device)
    console.print(table)
    for status in statuses:
        if status.backend is None:
            console.print(f"\n{status.name}: {status.reason}", soft_wrap=True)  # so that commands can be copied


def show_gpus() -> None:
    """A table of the GPUs, with the numbers they are asked for by; nothing where there are none."""
    from rich.console import Console
    from rich.table import Table

    from gpuheat.backends.cuda_devices import devices
    from gpuheat.errors import BackendUnavailableError

    try:
        found = devices()
    except BackendUnavailableError:  # the reasons of the CUDA backends say so already
        return
    table = Table("GPU", "name", "compute capability", "memory", box=None, pad_edge=False)
    for device in found:
        age = ", too old" if device.too_old else ""
        memory = f"{device.memory / 2**30:.1f} GiB"
        table.add_row(str(device.number), device.name, "{}.{}".format(*device.compute_capability) + age, memory)
    console = Console(highlight=False, markup=False)
    console.print()
    console.print(table)
