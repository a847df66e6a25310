"""Stretches of motion: from when to when something moved.

A pair of frames is in motion where the moved share of the watched pixels reaches ``leave``. The share is the median of
the pair's own and its two neighbours', so that a single pair (a key frame of another quality, a flash) neither makes
nor prolongs a stretch. Pairs in motion that lie at most ``gap`` apart belong to one stretch, which is an event where
its share comes to ``enter`` and it lasts long enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from gpuheat.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Event", "EventRule", "find_events"]

QUIETEST: Final = 0.2
"""The share of the pairs that is taken for still: what is above their noise is motion."""
SPREADS: Final = 12.0
"""The noise ends so many spreads above the median of the quietest fifth, 3.7 standard deviations above the mean of
noise that is normally distributed."""
MAD_TO_SIGMA: Final = 1.4826
NOISE: Final = (5e-5, 2.5e-3)
"""The share of the watched pixels at which it ends, at least (104 px of 1080p) and at most: where more moves in the
quietest fifth, it is motion that never stops."""
ENTER_PER_LEAVE: Final = 4.0
GAP: Final = 2.0  # s
PAIRS_OF_A_GAP: Final = 3.0
DIRECTLY: Final = 1.5  # times the usual distance of two pairs, in which they follow each other
SHORTEST: Final = 0.5  # s


@dataclass(frozen=True)
class Event:
    """A stretch of motion.

    Attributes
    ----------
    start, end
        s, to the nanosecond: when the later frames of its first and its last pair in motion were shown, with the
        padding around them.
    peak_time
        s: when most moved.
    peak_share, mean_share
        The share of the watched pixels that moved then, and on average over its counted pairs without the padding.
    peak_frame
        The number of the frame shown then.
    peak_pair
        The place of its pair among those of the heat map.
    """

    start: float
    end: float
    peak_time: float
    peak_share: float
    mean_share: float
    peak_frame: int
    peak_pair: int

    @property
    def duration(self) -> float:
        """From the start to the end, s."""
        return round(self.end - self.start, 9)


@dataclass(frozen=True)
class EventRule:
    """What is an event.

    Parameters
    ----------
    enter
        The moved share of the watched pixels that an event comes to, above 0.
    leave
        The share from which on a pair is in motion, above 0 and at most ``enter``.
    gap
        Pairs in motion at most so far apart, s, belong to one event.
    shortest
        From the first pair in motion of an event to its last, s, at least.
    pad
        By so much, s, an event begins earlier and ends later, within the video. Events that would then meet are one.

    Raises
    ------
    OptionError
        If one of them is outside its range.
    """

    enter: float
    leave: float
    gap: float = GAP
    shortest: float = SHORTEST
    pad: float = 0.0

    def __post_init__(self) -> None:
        for name in ("enter", "leave"):
            if not 0 < getattr(self, name) <= 1:
                raise OptionError(f"{name} must be a share above 0 and up to 1, got {getattr(self, name)!r}")
        if self.leave > self.enter:
            raise OptionError(f"leave must be at most enter, got {self.leave:g} and {self.enter:g}")
        for name in ("gap", "shortest", "pad"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"{name} must be a number of seconds from 0, got {getattr(self, name)!r}")

    @classmethod
    def fitted(
        cls,
        times: NDArray[np.float64],
        share: NDArray[np.float64],
        *,
        enter: float | None = None,
        leave: float | None = None,
        gap: float | None = None,
        shortest: float = SHORTEST,
        pad: float = 0.0,
    ) -> Self:
        """The rule with what is not given taken from the counted pairs.

        ``leave`` is the end of the noise: the median of the quietest fifth of the shares and 12 spreads (MAD) above it,
        from 0.005 % to 0.25 %. ``enter`` is four times that. ``gap`` is 2 s, or three pairs where these lie further
        apart; a given one is raised so far that pairs which follow each other directly are not parted.
        """
        if leave is None:
            leave = min(_end_of_noise(share), 1.0 if enter is None else enter)
        if enter is None:
            enter = min(1.0, ENTER_PER_LEAVE * leave)
        rule = cls(enter, leave, GAP if gap is None else gap, shortest, pad)
        distance = float(np.median(np.diff(np.sort(times)))) if len(times) > 1 else 0.0
        return replace(rule, gap=max(rule.gap, (PAIRS_OF_A_GAP if gap is None else DIRECTLY) * distance))


def _end_of_noise(share: NDArray[np.float64]) -> float:
    least, most = NOISE
    quiet = np.sort(share)[: round(QUIETEST * len(share))]
    if not len(quiet):
        return least
    level = np.median(quiet)
    spread = MAD_TO_SIGMA * np.median(np.abs(quiet - level))
    return float(np.clip(level + SPREADS * spread, least, most))


def find_events(
    times: NDArray[np.float64],
    share: NDArray[np.float64],
    counted: NDArray[np.bool_],
    frames: NDArray[np.int64],
    rule: EventRule,
) -> list[Event]:
    """The events of n pairs of frames, in order of time.

    Parameters
    ----------
    times
        (n,) s, when the later frame of each pair is shown; pairs are looked at in the order of these.
    share
        (n,) the moved share of the watched pixels.
    counted
        (n,) Pairs that were not counted are taken for still: none of them is in motion.
    frames
        (n,) the number of the later frame.
    """
    order = np.argsort(times, kind="stable")
    time, counts = times[order], counted[order]
    moved = np.where(counts, share[order], 0.0)
    around = np.concatenate(([0.0], moved, [0.0]))
    steady = np.median(np.stack([around[:-2], around[1:-1], around[2:]]), axis=0)
    on = np.flatnonzero(counts & (steady >= rule.leave))
    ends = np.flatnonzero(np.diff(time[on]) > max(rule.gap, 2 * rule.pad)) + 1
    events = []
    for stretch in np.split(on, ends) if len(on) else []:
        first, last = int(stretch[0]), int(stretch[-1])
        if time[last] - time[first] < rule.shortest or steady[stretch].max() < rule.enter:
            continue
        inside = moved[first : last + 1]
        peak = first + int(inside.argmax())
        events.append(
            Event(
                start=round(float(max(time[0], time[first] - rule.pad)), 9),
                end=round(float(min(time[-1], time[last] + rule.pad)), 9),
                peak_time=float(time[peak]),
                peak_share=float(moved[peak]),
                mean_share=float(inside[counts[first : last + 1]].mean()),
                peak_frame=int(frames[order[peak]]),
                peak_pair=int(order[peak]),
            )
        )
    return events
