"""Which frames of a video are looked at."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from gpuheat.errors import OptionError
from gpuheat.inputs.arrays import exact_seconds
from gpuheat.options import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gpuheat.inputs.frames import Frame

__all__ = ["Stretch", "end_of"]

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

    Attributes
    ----------
    start
        When it begins, s; None: with the video.
    first
        The number of its first frame; None until that was seen.
    over
        Whether its end was seen.
    end
        When it ends, s; None: with the video.
    every
        It has every so many-th frame.

    Raises
    ------
    OptionError
        If ``every`` is less than 1 or ``end`` does not come after ``start``.
    """

    def __init__(
        self, every: int, start: float | str | Fraction | None = None, end: float | str | Fraction | None = None
    ) -> None:
        self.every = whole_number("every", every, 1, MOST)
        self.start = None if start is None else exact_seconds(start)
        self.end = None if end is None else exact_seconds(end)
        self._last_time: Fraction | None = None
        self._frames = 0
        self.first: int | None = None
        self.over = False
        if self.end is not None and self.end <= (self.start or 0):
            raise OptionError(f"end must come after start, got {float(self.start or 0):g} s and {float(self.end):g} s")

    def of(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames of the stretch; reading stops at its end."""
        for frame in frames:
            self._last_time, self._frames = frame.time, frame.number + 1
            if self.start is not None or self.end is not None:
                if frame.time is None:
                    raise OptionError("start and end need the times of the frames")
                if self.end is not None and frame.time >= self.end:
                    self.over = True
                    return
                if self.first is None and self.start is not None and frame.time < self.start:
                    continue
            if self.first is None:
                self.first = frame.number
            if (frame.number - self.first) % self.every == 0:
                yield frame

    def within(self, first: int, times: Sequence[Fraction]) -> range:
        """The numbers of those frames of the stretch that are among these; they follow what was asked for before.

        Parameters
        ----------
        first
            The number of the first of them.
        times
            When each is shown, s, ascending.
        """
        begin, end = 0, len(times)
        if self.first is None and self.start is not None:
            begin = bisect_left(times, self.start)
        if self.end is not None:
            end = bisect_left(times, self.end)
            self.over = end < len(times)
        if times:
            last = min(end, len(times) - 1)
            self._last_time, self._frames = times[last], first + last + 1
        if self.first is None and begin < end:
            self.first = first + begin
        if self.first is None or begin >= end:
            return range(first + end, first + end)
        to_next = (self.first - first - begin) % self.every
        return range(first + begin + to_next, first + end, self.every)

    def pairs_of(self, frames: int) -> int:
        """How many pairs so many frames without times make."""
        return max(0, -(-frames // self.every) - 1)

    @property
    def decisive(self) -> dict[str, Any]:
        """The choice, exactly."""
        start, end = (None if time is None else str(time) for time in (self.start, self.end))
        return {"every": self.every, "start": start, "end": end}

    def restore(self, first: int) -> None:
        """Go on with a stretch whose first frame was seen in an earlier run."""
        self.first = first

    def later(self, seconds: Fraction) -> tuple[Fraction | None, Fraction | None] | None:
        """Start and end on a time line that begins so much later; None where it ends before that begins."""
        if self.end is not None and self.end <= seconds:
            return None
        start = None if self.start is None or self.start <= seconds else self.start - seconds
        return start, None if self.end is None else self.end - seconds

    @property
    def seen_until(self) -> Fraction:
        """The time of the last frame that was seen, s; 0 where none was timed."""
        return self._last_time or Fraction(0)

    def forget(self, number: int) -> None:
        """Forget what was seen from this frame on, which is going to be seen again."""
        self.over = False
        if self.first is not None and self.first >= number:
            self.first = None

    @property
    def frames_seen(self) -> str:
        """How far reading came, in words."""
        last = "none of them timed" if self._last_time is None else f"the last one at {float(self._last_time):g} s"
        return f"{self._frames:,} frames were read, {last}"

    @property
    def settings(self) -> dict[str, Any]:
        """The choice, for ``summary.json``."""
        return {
            "every": self.every,
            "start": None if self.start is None else float(self.start),
            "end": None if self.end is None else float(self.end),
        }


def end_of(
    start: float | str | Fraction | None, end: float | str | Fraction | None, duration: float | str | Fraction | None
) -> float | str | Fraction | None:
    """The end of a stretch that is given by its end or by how long it is, s; None where neither is given.

    Raises
    ------
    OptionError
        If both are given, or the duration is not above 0.
    """
    if duration is None:
        return end
    if end is not None:
        raise OptionError("end and duration exclude each other: one follows from the other")
    seconds = exact_seconds(duration)
    if seconds <= 0:
        raise OptionError(f"duration must be above 0 s, got {float(seconds):g}")
    return seconds if start is None else exact_seconds(start) + seconds
