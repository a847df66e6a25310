"""Threads that read, of which one may never come back.

They are daemons: neither the end of a run nor that of the interpreter waits for one that hangs.
"""

from __future__ import annotations

from concurrent.futures import Future, wait
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpuheat.inputs.watch import Watch

__all__ = ["GRACE", "LOOK", "outcome", "start"]

Result = TypeVar("Result")
LOOK: Final = 0.1  # s between two looks at how far the work is
GRACE: Final = 5.0  # s in which a thread that is not wanted any more may end by itself


def start(work: Callable[[], Result], name: str) -> Future[Result]:
    """What ``work`` returns or raises, once it has ended in a thread of its own."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
            future.set_exception(error)
        else:
            future.set_result(result)

    Thread(target=run, name=f"gpuheat-{name}", daemon=True).start()
    return future


def outcome(future: Future[Result], watch: Watch, look: Callable[[], None] = lambda: None) -> Result:
    """The result, waited for; ``look`` is called now and then.

    Raises
    ------
    VideoError
        If reading makes no progress.
    """
    while not wait([future], LOOK).done:
        look()
        watch.look(LOOK)
    return future.result()
