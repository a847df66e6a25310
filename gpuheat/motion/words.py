"""A motion heat map in words: its captions, and its activity as a table."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.outputs.description import Description

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from gpuheat.motion.events import Event
    from gpuheat.motion.heatmap import MotionHeatmap
    from gpuheat.outputs.activity import Activity

__all__ = [
    "activity_csv",
    "describe",
    "events_csv",
    "full_scale",
    "headline",
    "pair_columns",
    "subtitle",
    "title",
    "videos_of_pairs",
    "watched",
]

FRAMES: Final = "% of the frames"
PAIRS_AT_ONCE: Final = 10_000  # to spare memory


def full_scale(heatmap: MotionHeatmap) -> str:
    """What 100 % on the colour bar stands for."""
    if heatmap.peak == 0:
        return "nothing moved"
    value, unit = _full(heatmap)
    return f"100 % = {value:.4g} {unit}" if heatmap.decayed is not None else f"100 % = in motion in {value:.3g} {unit}"


def title(heatmap: MotionHeatmap) -> str:
    """What it is of."""
    return str(heatmap.facts.get("input", {}).get("name", "Motion"))


def describe(heatmap: MotionHeatmap, activity: Activity | None) -> Description:
    """What a notebook and a plot say of it."""
    shown = heatmap.counts if heatmap.background is None else heatmap.background
    blocks = heatmap.settings.get("downscale", 1) if heatmap.background is None else 1
    height, width = blocks * shown.shape[0], blocks * shown.shape[1]
    value, unit = _full(heatmap)
    counted = heatmap.activity[heatmap.counted]
    settings = [f"threshold {heatmap.settings['threshold']}", *_unusual(heatmap)]
    facts = [
        ("Picture", f"{width:,} x {height:,} px"),
        ("Compared", ", ".join(_pairs(heatmap))),
        ("Over all", _moved(heatmap)),
        *(
            [("At a time", f"mean {100 * counted.mean():.3g} %, peak {100 * counted.max():.3g} %")]
            if counted.size
            else []
        ),
        ("Scale", full_scale(heatmap)),
        ("Settings", ", ".join(settings)),
        ("Backend", heatmap.settings["backend"]),
    ]
    return Description(
        title=title(heatmap),
        full=value,
        unit=unit if heatmap.decayed is not None else f"% of the frames in motion{unit.removeprefix(FRAMES)}",
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),  # the centres of pixels have whole numbers
        facts=facts,
        warnings=heatmap.facts.get("warnings", ()),
        activity=activity,
    )


def watched(heatmap: MotionHeatmap, everything: str = "picture") -> str:
    """What shares are of: the watched pixels, called otherwise where these are all."""
    return everything if heatmap.pixels_watched == heatmap.counts.size else "watched pixels"


def headline(heatmap: MotionHeatmap) -> str:
    """What came out, in one line."""
    facts = [_moved(heatmap), *_pairs(heatmap)]
    if "events" in heatmap.facts:
        number = heatmap.facts["events"]["number"]
        facts.append(f"{number:,} event{'' if number == 1 else 's'}")
    if "time" in heatmap.facts:
        time = heatmap.facts["time"]
        facts.append(f"{time['seconds']:.1f} s, {time['frames_per_second']:,.0f} frames/s")
    return f"{heatmap.facts.get('input', {}).get('name', 'frames')}: {', '.join(facts)}"


def subtitle(heatmap: MotionHeatmap) -> str:
    """The facts under the title of the figure: what was looked at, what came out, and how it was made."""
    height, width = (heatmap.counts if heatmap.background is None else heatmap.background).shape[:2]
    facts = [f"{width} x {height} px", *_pairs(heatmap), _moved(heatmap)]
    facts += [f"threshold {heatmap.settings['threshold']}", *_unusual(heatmap)]
    return "  ·  ".join(facts)


def pair_columns(heatmap: MotionHeatmap) -> dict[str, NDArray[Any] | None]:
    """The columns of the activity, one row per pair; ``time_s`` is None where there are no times.

    Where several videos were counted, ``video`` comes first: its place among them, from 0.
    """
    columns: dict[str, NDArray[Any] | None] = {
        "frame": heatmap.frames,
        "time_s": heatmap.times,
        "moved_pixels": heatmap.moved,
        "moved_share": heatmap.activity,
        "counted": heatmap.counted,
    }
    videos = videos_of_pairs(heatmap)
    return columns if videos is None else {"video": videos, **columns}


def _unusual(heatmap: MotionHeatmap) -> list[str]:
    """The settings that are not the usual ones."""
    settings = heatmap.settings
    return [
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
    ]


def activity_csv(heatmap: MotionHeatmap) -> Iterator[str]:
    """One row per pair: ``frame,time_s,moved_pixels,moved_share,counted``; ``video`` comes first for several.

    ``time_s`` is empty where there are no times. The text comes in parts.
    """
    pairs = len(heatmap.moved)
    empty = np.broadcast_to("", pairs)
    columns = {name: empty if column is None else column for name, column in pair_columns(heatmap).items()}
    columns["counted"] = heatmap.counted.astype(np.uint8)
    yield _csv([list(columns)])
    for first in range(0, pairs, PAIRS_AT_ONCE):
        rows = slice(first, first + PAIRS_AT_ONCE)
        yield _csv(zip(*(column[rows].tolist() for column in columns.values()), strict=True))


def events_csv(heatmap: MotionHeatmap, events: Sequence[Event]) -> str:
    """One row per event: ``event,start_s,end_s,duration_s,peak_s,peak_frame,peak_share,mean_share``.

    Where several videos were counted, ``video`` comes before them: in which of them, from 0, the peak is. ``peak_s`` is
    as in the activity, the other times are rounded to 1 us.
    """
    rows: list[list[object]] = [
        ["event", "start_s", "end_s", "duration_s", "peak_s", "peak_frame", "peak_share", "mean_share"]
    ]
    for number, event in enumerate(events, 1):
        times = [round(time, 6) for time in (event.start, event.end, event.duration)]
        peak = [event.peak_time, event.peak_frame, event.peak_share]
        rows.append([number, *times, *peak, event.mean_share])
    if (videos := videos_of_pairs(heatmap)) is not None:
        for row, video in zip(rows, ["video", *(int(videos[event.peak_pair]) for event in events)], strict=True):
            row.insert(0, video)
    return _csv(rows)


def videos_of_pairs(heatmap: MotionHeatmap) -> NDArray[np.intp] | None:
    """In which of several videos each pair is, from 0; None where there was one."""
    if "inputs" not in heatmap.facts:
        return None
    pairs = [entry["pairs"] for entry in heatmap.facts["inputs"]]
    return np.repeat(np.arange(len(pairs)), pairs)


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _full(heatmap: MotionHeatmap) -> tuple[float, str]:
    """What 100 % stands for: a number and its unit."""
    blurred = ", blurred" if heatmap.settings["blur"] else ""
    if heatmap.decayed is not None:
        return heatmap.peak, f"recent frames in motion (half-life {heatmap.settings['half_life']:g} s{blurred})"
    share = heatmap.peak / max(1, int(np.count_nonzero(heatmap.counted)))
    return 100 * share, f"{FRAMES}{blurred}"


def _moved(heatmap: MotionHeatmap) -> str:
    if heatmap.moved_share == 0:
        return "nothing moved"
    return f"motion in {100 * heatmap.moved_share:.3g} % of the {watched(heatmap, 'pixels')}"


def _pairs(heatmap: MotionHeatmap) -> list[str]:
    left_out = len(heatmap.counted) - int(np.count_nonzero(heatmap.counted))
    return [f"{len(heatmap.moved):,} frame pairs", *([f"{left_out:,} of them not counted"] if left_out else [])]
