"""What two motion heat maps are together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.motion.heatmap import MotionHeatmap
    from gpuheat.motion.slice_counts import SliceCounts
    from gpuheat.motion.timeline import Timeline
    from gpuheat.motion.zones import MotionZones

__all__ = ["together"]

COUNTED_BY: Final = (
    "threshold",
    "pixels",
    "half_life",
    "max_changed",
    "every",
    "keyframes",
    "downscale",
    "mask_sha256",
    "zones",
    "blur",
    "slice",
)
"""The settings that decide what is counted; start, end, background and backend may differ between parts."""


def together(a: MotionHeatmap, b: MotionHeatmap) -> dict[str, Any]:
    """What is counted of both, by the names it has in a heat map; the pairs of ``b`` follow those of ``a``.

    Raises
    ------
    InputError
        If the two differ in size or settings, or in where slices of the time begin.
    """
    _check_same(a, b)
    return {
        "counts": a.counts + b.counts,
        "decayed": _decayed_together(a, b),
        "moved": np.concatenate([a.moved, b.moved]),
        "counted": np.concatenate([a.counted, b.counted]),
        "frames": np.concatenate([a.frames, b.frames]),
        "times": None if a.times is None or b.times is None else np.concatenate([a.times, b.times]),
        "pixels_watched": a.pixels_watched,
        "watched": a.watched,
        "timeline": _timelines_together(a, b),
        "slice_counts": _slices_together(a, b),
        "zones": _zones_together(a, b),
    }


def _check_same(a: MotionHeatmap, b: MotionHeatmap) -> None:
    if a.counts.shape != b.counts.shape:
        raise InputError(f"only equal maps can be merged: sizes {a.counts.shape} and {b.counts.shape}")
    if a.pixels_watched != b.pixels_watched:
        raise InputError(f"only equal maps can be merged: masks leave {a.pixels_watched} and {b.pixels_watched} pixels")
    for name in COUNTED_BY:
        if a.settings.get(name) != b.settings.get(name):
            raise InputError(
                f"only equal maps can be merged: {name} is {a.settings.get(name)} here and {b.settings.get(name)} there"
            )
    if a.watched is not None and b.watched is not None and not np.array_equal(a.watched, b.watched):
        raise InputError("only equal maps can be merged: their masks leave other pixels")
    if (a.times is None) != (b.times is None):
        raise InputError("only equal maps can be merged: one has times, the other has none")


def _decayed_together(a: MotionHeatmap, b: MotionHeatmap) -> NDArray[np.float64] | None:
    """Both maps' decayed sums as of the later of their last times."""
    sums, last = [], []
    for heatmap in (a, b):
        if heatmap.decayed is None or heatmap.times is None:
            return None
        if heatmap.times.size:
            sums.append(heatmap.decayed)
            last.append(float(heatmap.times.max()))
    together = np.zeros(a.counts.shape)
    for values, time in zip(sums, last, strict=True):
        together += values * math.exp2((time - max(last)) / a.settings["half_life"])
    return together


def _timelines_together(a: MotionHeatmap, b: MotionHeatmap) -> Timeline | None:
    """That of both; None where one has none, or both have pairs without times."""
    if a.timeline is None or b.timeline is None or a.times is None:
        return None
    return a.timeline.merge(b.timeline)


def _slices_together(a: MotionHeatmap, b: MotionHeatmap) -> SliceCounts | None:
    """The slices of both; None where none were asked for."""
    if a.slice_counts is None or b.slice_counts is None:
        return None
    if a.times is None:
        raise InputError("slices of pairs without times have no common time and cannot be merged: give times")
    return a.slice_counts.merge(b.slice_counts)


def _zones_together(a: MotionHeatmap, b: MotionHeatmap) -> MotionZones | None:
    """The zones of both; None where one has none, or both have pairs without times."""
    if a.zones is None or b.zones is None or a.times is None:
        return None
    return a.zones.merge(b.zones)
