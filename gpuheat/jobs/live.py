"""Counting what does not end by itself: over interruptions, with results in between."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from gpuheat.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gpuheat.inputs.frames import Frame
    from gpuheat.inputs.live import LiveReader
    from gpuheat.jobs.motion_run import MotionRun
    from gpuheat.jobs.tally import Tally
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["Refresh", "with_cuts"]


def with_cuts(frames: Iterable[tuple[Frame, bool]], reader: LiveReader, tally: Tally) -> Iterator[tuple[Frame, bool]]:
    """What was read ahead, not all frames of a reader maybe; the tally is cut where the reader was interrupted."""
    passed = 0  # interruptions
    for frame, is_ahead in frames:
        before = passed
        while passed < len(reader.first_frames) and reader.first_frames[passed] <= frame.number:
            passed += 1
        if passed > before:
            tally.cut()
        yield frame, is_ahead


class Refresh:
    """Hands out the heat map of what a run has counted, every so many seconds.

    Parameters
    ----------
    seconds
        At least so many lie between the end of one call and the next.
    hand_out
        Is called with the heat map.

    Raises
    ------
    OptionError
        If the time is none.
    """

    def __init__(self, seconds: float, hand_out: Callable[[MotionHeatmap], None]) -> None:
        if not (isinstance(seconds, int | float) and 0 < seconds < math.inf):
            raise OptionError(f"refresh must be a number of seconds above 0, got {seconds!r}")
        self._seconds = seconds
        self._hand_out = hand_out
        self._last = time.monotonic()

    def __call__(self, run: MotionRun) -> None:
        """Take note that everything read so far was counted."""
        if time.monotonic() - self._last >= self._seconds and len(run.tally.numbers) > 1:
            self._hand_out(run.result())
            self._last = time.monotonic()
