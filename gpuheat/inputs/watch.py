"""Noticing that a call to FFmpeg does not come back."""

from __future__ import annotations

from itertools import count
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Final, Self

from gpuheat.errors import GpuheatError, VideoError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GivenUpError", "Watch"]

PATIENCE: Final = 60.0
"""Seconds after which a single call is taken for one that never returns."""


class GivenUpError(GpuheatError):
    """Nobody waits for what a thread was about to read: it is to end."""


class Watch:
    """The calls to FFmpeg that are under way for one video, each made in a ``with`` block.

    A pipe that gives nothing, a network volume that is gone or a decoder in an endless loop can be neither interrupted
    nor killed. So whoever waits for a thread that reads looks here now and then.

    Examples
    --------
    >>> watch = Watch(Path("a.mp4"))  # doctest: +SKIP
    >>> with watch:  # in the thread that reads
    ...     packet = next(packets)  # doctest: +SKIP
    >>> watch.look(0.1)  # in the thread that waited for 0.1 s  # doctest: +SKIP
    """

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._lock = Lock()
        self._numbers = count()
        self._calls: dict[int, int] = {}  # the number of the call each thread is in
        self._waited: dict[int, float] = {}  # for each of those calls, s
        self._given_up = False

    def __enter__(self) -> Self:
        with self._lock:
            if self._given_up:
                raise GivenUpError(f"{self.path}: no longer wanted")
            self._calls[get_ident()] = next(self._numbers)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            del self._calls[get_ident()]

    def look(self, seconds: float) -> None:
        """Take note that somebody waited for so long, in vain.

        What counts is the time waited, not that of the clock: a machine that slept is no reason to give up.

        Raises
        ------
        VideoError
            If one call has been waited for for PATIENCE seconds.
        """
        with self._lock:
            self._waited = {call: self._waited.get(call, 0.0) + seconds for call in self._calls.values()}
            longest = max(self._waited.values(), default=0.0)
        if longest >= PATIENCE:
            raise VideoError(f"{self.path}: reading made no progress for {PATIENCE:g} s and was ended")

    def give_up(self) -> bool:
        """Let no further call begin, which ends the threads; whether none is under way either."""
        with self._lock:
            self._given_up = True
            return not self._calls
