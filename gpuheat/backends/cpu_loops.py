"""The compiled loops behind ``kernels/numba_cpu.py``, announced when they have to be compiled, and threads to run them.

The loops release the GIL and run on plain threads. Numba's own parallel loops are not used: their
default threading layer ends the process when two of a program's threads enter it at once.
"""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from numba.core import event

from gpuheat.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["numba_cpu", "one_thread", "processors", "share"]

Result = TypeVar("Result")
log = logging.getLogger("gpuheat")


class _Notice(event.Listener):
    """Says once that our loops are being compiled. Loading them from Numba's cache is no such event."""

    said = False

    def on_start(self, event: event.Event) -> None:
        module = event.data["dispatcher"].py_func.__module__ or ""  # None: of a function made by exec
        if not self.said and module.startswith("gpuheat.kernels.cpu_"):
            self.said = True
            log.warning("compiling the CPU loops for this processor: some seconds, only the first time")

    def on_end(self, event: event.Event) -> None:
        pass


event.register("numba:compile", _Notice())  # type: ignore[no-untyped-call]
try:
    from gpuheat.kernels import numba_cpu
except RuntimeError as error:  # "no locator available": Numba finds no folder to cache into
    raise BackendUnavailableError(
        "numba can keep its compiled loops nowhere: set NUMBA_CACHE_DIR to a folder that can be written"
    ) from error


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share(part: Callable[[int, int], Result], size: int, least: int, threads: int) -> list[Result]:
    """Call ``part(first, last)`` for consecutive parts of ``range(size)`` side by side.

    Returns the results in order. No part is smaller than ``least`` unless there is only one; the last
    part runs on the caller's thread. There is only one in :func:`one_thread`.
    """
    parts = 1 if _alone.get() else max(1, min(threads, size // least))
    bounds = [size * i // parts for i in range(parts + 1)]
    others = [_pool(os.getpid()).submit(part, *bounds[i : i + 2]) for i in range(parts - 1)]
    last = part(*bounds[-2:])
    return [*(other.result() for other in others), last]


@contextmanager
def one_thread() -> Iterator[None]:
    """Operations asked for in here are not shared: the caller's thread is one of many that work side by side."""
    before = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(before)


_alone = ContextVar("_alone", default=False)


@cache
def _pool(_process: int) -> ThreadPoolExecutor:
    """The pool of a process: threads do not survive a fork, so a child makes its own."""
    return ThreadPoolExecutor(max(1, processors() - 1), thread_name_prefix="gpuheat")
