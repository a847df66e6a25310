"""Reading frames in a thread of its own, so that they are decoded while others are counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Full, Queue
from threading import Event
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["read_ahead"]

Item = TypeVar("Item")
DEPTH: Final = 4
"""Frames that wait at most; each takes its memory."""
LOOK: Final = 0.1  # s


def read_ahead(items: Iterable[Item], look: Callable[[], None]) -> Iterator[Item]:
    """The same items in the same order, read by another thread, which stops when they are not wanted any more.

    ``look`` is called now and then while none comes. An error of the items is raised here.
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

    with ThreadPoolExecutor(1, thread_name_prefix="gpuheat-reading") as pool:
        reading = pool.submit(read)
        try:
            while True:
                try:
                    item = waiting.get(timeout=LOOK)
                except Empty:
                    look()
                    continue
                if item is None:
                    break
                yield item[0]
        finally:
            stop.set()
        reading.result()
