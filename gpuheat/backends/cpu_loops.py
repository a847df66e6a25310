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

__all__ = ["at_most", "numba_cpu", "processors", "share"]

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


def share(part: Callable[[int, int], Result], size: int, least: int, threads: int, strips: int = 1) -> list[Result]:
    """Call ``part(first, last)`` for consecutive parts of ``range(size)`` side by side.

    Returns the results in order. No thread has less than ``least`` unless there is only one; the last part is done by
    the caller's thread. :func:`at_most` may allow fewer threads. Each has so many ``strips`` that lie apart, so that
    work that lies close together, as things that move do, is shared alike.
    """
    busy = max(1, min(threads, size // least, _most.get() or threads))
    number = busy * strips if busy > 1 else 1
    bounds = [size * i // number for i in range(number + 1)]

    def strips_of(thread: int) -> list[Result]:
        return [part(*bounds[i : i + 2]) for i in range(thread, number, busy)]

    others = [_pool(os.getpid()).submit(strips_of, thread) for thread in range(busy - 1)]
    last = strips_of(busy - 1)
    done = [*(other.result() for other in others), last]
    return [done[i % busy][i // busy] for i in range(number)]


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """Operations asked for in here are shared by so many threads at most, None: by as many as they ask for.

    For callers that are one of many threads which keep the processors busy.
    """
    before = _most.set(threads)
    try:
        yield
    finally:
        _most.reset(before)


_most: ContextVar[int | None] = ContextVar("_most", default=None)


@cache
def _pool(_process: int) -> ThreadPoolExecutor:
    """The pool of a process: threads do not survive a fork, so a child makes its own."""
    return ThreadPoolExecutor(max(1, processors() - 1), thread_name_prefix="gpuheat")
