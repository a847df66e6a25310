"""A motion heat map in words: its captions, and its activity as a table."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["activity_csv", "full_scale", "headline", "subtitle"]

PAIRS_AT_ONCE: Final = 10_000  # to spare memory


def full_scale(heatmap: MotionHeatmap) -> str:
    """What 100 % on the colour bar stands for."""
    if heatmap.peak == 0:
        return "nothing moved"
    blurred = ", blurred" if heatmap.settings["blur"] else ""
    if heatmap.decayed is not None:
        half_life = f"half-life {heatmap.settings['half_life']:g} s"
        return f"100 % = {heatmap.peak:.4g} recent frames in motion ({half_life}{blurred})"
    share = heatmap.peak / int(np.count_nonzero(heatmap.counted))
    return f"100 % = in motion in {100 * share:.3g} % of the frames{blurred}"


def headline(heatmap: MotionHeatmap) -> str:
    """What came out, in one line."""
    facts = [_moved(heatmap), *_pairs(heatmap)]
    if "time" in heatmap.facts:
        time = heatmap.facts["time"]
        facts.append(f"{time['seconds']:.1f} s, {time['frames_per_second']:,.0f} frames/s")
    return f"{heatmap.facts.get('input', {}).get('name', 'frames')}: {', '.join(facts)}"


def subtitle(heatmap: MotionHeatmap) -> str:
    """The facts under the title of the figure: what was looked at, what came out, and how it was made."""
    height, width = (heatmap.counts if heatmap.background is None else heatmap.background).shape[:2]
    facts = [f"{width} x {height} px", *_pairs(heatmap), _moved(heatmap)]
    settings = heatmap.settings
    facts.append(f"threshold {settings['threshold']}")
    facts.extend(
        text.format(settings[name])
        for name, usual, text in (
            ("pixels", "bgr", "brightness only"),
            ("every", 1, "frames {} apart"),
            ("keyframes", False, "key frames only"),
            ("start", None, "from {:g} s"),
            ("end", None, "to {:g} s"),
            ("downscale", 1, "means of {0} x {0} px"),
            ("mask", None, "masked"),
            ("max_changed", 1.0, "pairs with more than {:g} in motion left out"),
            ("blur", 0.0, "blurred with sigma {:g} px"),
        )
        if settings.get(name, usual) != usual
    )
    return "  ·  ".join(facts)


def activity_csv(heatmap: MotionHeatmap) -> Iterator[str]:
    """One row per pair: ``frame,time_s,moved_pixels,moved_share,counted``; no time where there are none.

    Where several videos were counted, ``video`` comes before them: its place among them, from 0. The text comes in
    parts.
    """
    columns = {
        "frame": heatmap.frames,
        "time_s": np.broadcast_to("", len(heatmap.moved)) if heatmap.times is None else heatmap.times,
        "moved_pixels": heatmap.moved,
        "moved_share": heatmap.activity,
        "counted": heatmap.counted.astype(np.uint8),
    }
    if "inputs" in heatmap.facts:
        pairs = [entry["pairs"] for entry in heatmap.facts["inputs"]]
        columns = {"video": np.repeat(np.arange(len(pairs)), pairs)} | columns
    yield _csv([list(columns)])
    for first in range(0, max(map(len, columns.values())), PAIRS_AT_ONCE):
        rows = slice(first, first + PAIRS_AT_ONCE)
        yield _csv(zip(*(column[rows].tolist() for column in columns.values()), strict=True))


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _moved(heatmap: MotionHeatmap) -> str:
    if heatmap.moved_share == 0:
        return "nothing moved"
    watched = "watched pixels" if heatmap.pixels_watched < heatmap.counts.size else "pixels"
    return f"motion in {100 * heatmap.moved_share:.3g} % of the {watched}"


def _pairs(heatmap: MotionHeatmap) -> list[str]:
    left_out = len(heatmap.counted) - int(np.count_nonzero(heatmap.counted))
    return [f"{len(heatmap.moved):,} frame pairs", *([f"{left_out:,} of them not counted"] if left_out else [])]
