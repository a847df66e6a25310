"""Which frames of a video are looked at."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from gpuheat.errors import OptionError
from gpuheat.inputs.arrays import exact_seconds
from gpuheat.options import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpuheat.inputs.frames import Frame

__all__ = ["Stretch"]

MOST: Final = 10**9


class Stretch:
    """Every so many-th of the frames from the first with ``time >= start`` up to the first with ``time >= end``.

    That is one unbroken stretch also where time stamps jump back.

    Parameters
    ----------
    every
        At least 1.
    start, end
        s; None is the beginning or the end of the video.

    Raises
    ------
    OptionError
        If ``every`` is less than 1 or ``end`` does not come after ``start``.
    """

    def __init__(
        self, every: int, start: float | str | Fraction | None = None, end: float | str | Fraction | None = None
    ) -> None:
        self._every = whole_number("every", every, 1, MOST)
        self._start = None if start is None else exact_seconds(start)
        self._end = None if end is None else exact_seconds(end)
        self._last_time: Fraction | None = None
        if self._end is not None and self._end <= (self._start or 0):
            raise OptionError(
                f"end must come after start, got {float(self._start or 0):g} s and {float(self._end):g} s"
            )

    def of(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames of the stretch; reading stops at its end."""
        inside = 0
        for frame in frames:
            self._last_time = frame.time
            if self._start is not None or self._end is not None:
                if frame.time is None:
                    raise OptionError("start and end need the times of the frames")
                if self._end is not None and frame.time >= self._end:
                    return
                if not inside and self._start is not None and frame.time < self._start:
                    continue
            if inside % self._every == 0:
                yield frame
            inside += 1

    @property
    def last_seen(self) -> str:
        """How far reading came, in words."""
        return "none of them timed" if self._last_time is None else f"the last one at {float(self._last_time):g} s"

    @property
    def settings(self) -> dict[str, Any]:
        """The choice, for ``summary.json``."""
        return {
            "every": self._every,
            "start": None if self._start is None else float(self._start),
            "end": None if self._end is None else float(self._end),
        }
