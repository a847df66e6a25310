"""The activity over time: how much of the picture moved, pair by pair, as a chart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpuheat.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["Activity", "Envelope", "draw_activity", "envelope", "format_time", "time_ticks"]

MEAN_COLOR = "#1f4e79"
HIGHEST_COLOR = "#a9c5de"
SKIPPED_COLOR = "#f2c894"
MOST_TICKS = 12
TICK_ROOM = 80
"""px for the label of a time."""
PAIRS_MISSING = 10
"""Where so many pairs are missing, there were no frames."""
EMPTY_TOP = 0.011
"""Where the axis of a chart without any motion ends: a little above 1 %."""
_STEPS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
_STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)


@dataclass(frozen=True, eq=False)
class Activity:
    """How much of the picture was in motion in each pair of frames.

    Attributes
    ----------
    times
        (n,) float64, s, never decreasing: when the later frame of the pair is shown.
    share
        (n,) float64 in [0, 1]: moved pixels over all pixels.
    counted
        (n,) bool: false where the pair was left out of the heat map.

    Raises
    ------
    InputError
        If the three differ in length or the times decrease.
    """

    times: NDArray[np.float64]
    share: NDArray[np.float64]
    counted: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shapes = (self.times.shape, self.share.shape, self.counted.shape)
        if len(self.times.shape) != 1 or len(set(shapes)) != 1:
            raise InputError(f"times, share and counted must have one length (n,), got {shapes}")
        if not (np.isfinite(self.times).all() and np.all(np.diff(self.times) >= 0)):
            raise InputError("the times of an activity must be finite and must not decrease; sort the pairs by time")


class Envelope(NamedTuple):
    """An activity in columns: ``highest`` and ``mean`` are NaN where no pair of the column was counted.

    A stretch of time without any frame is a column without pairs.
    """

    edges: NDArray[np.float64]  # [columns + 1] s
    highest: NDArray[np.float64]  # [columns]
    mean: NDArray[np.float64]  # [columns]
    skipped: NDArray[np.bool_]  # [columns] a pair of the column was not counted


def envelope(activity: Activity, columns: int) -> Envelope:
    """An activity of n > 0 pairs in at most ``columns`` columns of equal duration, empty ones left out.

    Up to ``columns`` pairs have a column each. Every pair is in exactly one column, so no peak is lost. Where frames
    are missing, a column of no pairs comes in between.
    """
    times, share, counted = activity.times, activity.share, activity.counted
    n = len(times)
    if n <= columns:
        starts = np.arange(n)
    else:
        starts = np.unique(np.searchsorted(times, np.linspace(times[0], times[-1], columns, endpoint=False)))
    ends = np.append(starts[1:], n)
    pairs = np.add.reduceat(counted.astype(np.int64), starts)
    highest = np.maximum.reduceat(np.where(counted, share, -np.inf), starts)
    mean = np.add.reduceat(np.where(counted, share, 0.0), starts) / np.maximum(pairs, 1)
    nothing = pairs == 0
    apart = np.diff(times)
    usual = float(np.median(apart[apart > 0])) if apart.any() else 1.0
    before = times[0] - usual
    edges = np.concatenate(([before], times[ends - 1]))
    begins = times[starts] - usual
    missing = begins - edges[:-1] > max(PAIRS_MISSING * usual, (times[-1] - times[0]) / columns)
    gaps = np.flatnonzero(missing & (begins < times[starts]))  # float64 may not tell such times apart
    return Envelope(
        edges=np.insert(edges, gaps + 1, begins[gaps]),
        highest=np.insert(np.where(nothing, np.nan, highest), gaps, np.nan),
        mean=np.insert(np.where(nothing, np.nan, mean), gaps, np.nan),
        skipped=np.insert(pairs < ends - starts, gaps, False),
    )


def format_time(seconds: float, decimals: int = 0) -> str:
    """A time as m:ss or h:mm:ss, with ``decimals`` digits of the second.

    >>> format_time(75), format_time(3675), format_time(0.25, 2)
    ('1:15', '1:01:15', '0:00.25')
    """
    unit = 10**decimals
    whole, fraction = divmod(round(abs(seconds) * unit), unit)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
    return ("-" if seconds < 0 else "") + text + (f".{fraction:0{decimals}d}" if decimals else "")


def time_ticks(start: float, end: float, most: int = MOST_TICKS) -> tuple[list[float], list[str]]:
    """At most ``most`` round times from ``start`` to ``end``, in s, and their labels."""
    least = (end - start) / (most - 1)
    days = 86400.0 * max(1, math.ceil(least / 86400))
    step = next((step for step in (*_STEPS_S, *(60 * m for m in _STEPS_MIN)) if step >= least), days)
    decimals = max(0, -math.floor(math.log10(step)))
    ticks = [k * step for k in range(math.ceil(start / step), math.floor(end / step) + 1)]
    return ticks, [format_time(tick, decimals) for tick in ticks]


def draw_activity(axes: Axes, activity: Activity, columns: int) -> tuple[str, list[tuple[str, str]]]:
    """Draw the chart into empty axes ``columns`` px wide.

    Returns its facts in words, and a legend: colours and what each of them means.
    """
    axes.set_ylim(0, EMPTY_TOP)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    if not len(activity.times):
        axes.set_xticks([])
        return "no pair of frames", []
    parts = envelope(activity, columns)
    start, end = float(parts.edges[0]), float(parts.edges[-1])
    axes.set_xlim(start, end)
    axes.set_xticks(*time_ticks(start, end, min(MOST_TICKS, max(2, columns // TICK_ROOM))))

    shares, times = activity.share[activity.counted], activity.times[activity.counted]
    top = EMPTY_TOP
    if len(shares):
        first, peak, mean = int(shares.argmax()), float(shares.max()), float(shares.mean())
    if not len(shares) or peak == 0:
        facts = "no motion" if len(shares) else "no pair of frames was counted"
    else:
        top = 1.1 * peak
        when = format_time(float(times[first]), 1 if end - start < 60 else 0)
        facts = f"peak {100 * peak:.3g} % at {when}, mean {100 * mean:.3g} %"
        middle = (parts.edges[:-1] + parts.edges[1:])[np.nanargmax(parts.highest)] / 2
        axes.plot(middle, peak, "o", color=MEAN_COLOR, markersize=6, markeredgecolor="white", zorder=3, clip_on=False)
    axes.set_ylim(0, top)

    legend = []
    if len(parts.mean) < len(activity.times):
        legend += [(HIGHEST_COLOR, "highest pair"), (MEAN_COLOR, "mean")]
        axes.stairs(parts.highest, parts.edges, fill=True, facecolor=HIGHEST_COLOR, edgecolor=HIGHEST_COLOR)
    axes.stairs(parts.mean, parts.edges, fill=True, facecolor=MEAN_COLOR, edgecolor=MEAN_COLOR, linewidth=0.5)
    if parts.skipped.any():
        skipped = np.count_nonzero(~activity.counted)
        legend.append((SKIPPED_COLOR, f"{skipped:,} of {len(activity.times):,} pairs not counted"))
        bands = np.where(parts.skipped, top, np.nan)
        axes.stairs(
            bands, parts.edges, fill=True, facecolor=SKIPPED_COLOR, edgecolor=SKIPPED_COLOR, linewidth=1.5, zorder=0.75
        )
    return facts, legend
