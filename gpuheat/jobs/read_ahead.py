"""Reading frames in a thread of its own, so that they are decoded while others are counted."""

from __future__ import annotations

from concurrent.futures import wait
from queue import Empty, Full, Queue
from threading import Event
from typing import TYPE_CHECKING, Final, TypeVar

from gpuheat.jobs.threads import GRACE, LOOK, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gpuheat.inputs.watch import Watch

__all__ = ["read_ahead"]

Item = TypeVar("Item")
DEPTH: Final = 1
"""Frames that wait at most; each takes its memory."""


def read_ahead(items: Iterable[Item], watch: Watch, look: Callable[[], None]) -> Iterator[tuple[Item, bool]]:
    """The same items in the same order, read by another thread, which stops when they are not wanted any more.

    With each: whether it was there already when it was asked for, so that the other thread is ahead.

    ``look`` is called now and then while none comes.

    Raises
    ------
    VideoError
        If reading makes no progress; other errors are those of the items.
    """
    waiting: Queue[tuple[Item] | None] = Queue(DEPTH)
    stop = Event()

    def hand_over(item: tuple[Item] | None) -> None:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=LOOK)
            except Full:
                continue
            return

    def read() -> None:
        try:
            for item in items:
                hand_over((item,))
                if stop.is_set():
                    return
        finally:
            hand_over(None)

    reading = start(read, "reading")
    try:
        while True:
            is_ahead = waiting.full()
            try:
                item = waiting.get(timeout=LOOK)
            except Empty:
                look()
                watch.look(LOOK)
                continue
            if item is None:
                break
            yield item[0], is_ahead
        reading.result()
    finally:
        stop.set()
        if not reading.done():
            watch.give_up()
            wait([reading], GRACE)
