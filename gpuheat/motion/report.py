"""What the report of a motion heat map shows, in so few bytes that the page stays small for any length of video."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.motion import words
from gpuheat.motion.timeline import Timeline, TimelineSlice, block_size
from gpuheat.outputs.activity import Activity, Envelope, envelope
from gpuheat.outputs.report.pack import pack
from gpuheat.outputs.report.page import drawing, report_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gpuheat.motion.heatmap import MotionHeatmap
    from gpuheat.outputs.style import PictureStyle

__all__ = ["fitted", "motion_report", "packed_mask"]

COLUMNS: Final = 480
"""Of the chart of the activity, at most."""
SLICES_BYTES: Final = 1_900_000
"""Of all slices together and of what is watched, in base64."""
WATCHED_BYTES: Final = 200_000
"""Of what is watched, in base64, where it is given pixel by pixel."""
CELLS: Final = 3_000_000
"""More cells than this are not tried to be packed: they do not fit."""
FEWEST: Final = 64
"""Slices are merged down to this number, then blocks."""


def motion_report(heatmap: MotionHeatmap, style: PictureStyle) -> str:
    """The page of a motion heat map, as HTML."""
    title = str(heatmap.facts.get("input", {}).get("name", "Motion"))
    shown = heatmap.counts if heatmap.background is None else heatmap.background
    packed = _map(heatmap)
    data = {
        "kind": "motion",
        "title": title,
        "facts": words.subtitle(heatmap),
        "warnings": list(heatmap.facts.get("warnings", [])),
        "notes": _notes(heatmap, packed["block"]),
        "timed": heatmap.times is not None,
        "activity": _activity(heatmap),
        "map": packed,
        **drawing(style, heatmap.background, (shown.shape[0], shown.shape[1]), heatmap.areas),
    }
    return report_page(title, data)


def fitted(timeline: Timeline, most_bytes: int = SLICES_BYTES) -> tuple[Timeline, dict[str, Any]]:
    """The finest form of a time line that fits, and its slices packed.

    Slices are merged in pairs while there are more than ``FEWEST``, then blocks in 2 x 2, then slices again.
    """
    while True:
        packed = _packed(timeline)
        if packed is not None and sum(len(array["data"]) for array in packed.values()) <= most_bytes:
            return timeline, packed
        if len(timeline.slices) > FEWEST or timeline.grid == (1, 1):
            timeline = _with_longer_slices(timeline)
        else:
            timeline = _with_larger_blocks(timeline)


def packed_mask(mask: NDArray[np.bool_], most_bytes: int = WATCHED_BYTES) -> dict[str, Any]:
    """How many pixels are watched of each square of an (h, w) mask, row by row, packed, and the squares' ``side``, px.

    The side is 1, which is the mask itself, unless that takes too many bytes: then it is that of the blocks of a time
    line that was not merged, so that the sums of all its blocks, and of larger ones, are exact.
    """
    side, packed = 1, pack(mask.ravel())
    if len(packed["data"]) > most_bytes:
        side = block_size(*mask.shape)
        packed = pack(_block_sums(mask, side).ravel())
    return {"side": side, **packed}


def _map(heatmap: MotionHeatmap) -> dict[str, Any]:
    times = np.arange(heatmap.moved.size, dtype=np.float64) if heatmap.times is None else heatmap.times
    if heatmap.timeline is None:
        timeline = _one_slice(heatmap.counts)
        numbers = np.zeros(times.size, np.int64)
    else:
        timeline = heatmap.timeline
        if heatmap.times is None and timeline.step < 1:
            timeline = _with_longer_slices(timeline)  # of whole pairs
    watched = None if heatmap.watched is None else packed_mask(heatmap.watched)
    timeline, packed = fitted(timeline, SLICES_BYTES - (len(watched["data"]) if watched else 0))
    if heatmap.timeline is not None:
        numbers = np.floor(times / timeline.step).astype(np.int64)
    first, last = (int(numbers.min()), int(numbers.max())) if numbers.size else (0, 0)
    pairs = np.bincount(numbers[heatmap.counted] - first, minlength=last - first + 1)
    rows, columns = timeline.grid
    return {
        "height": timeline.shape[0],
        "width": timeline.shape[1],
        "block": timeline.block,
        "rows": rows,
        "columns": columns,
        "watched": watched,
        "step": timeline.step if heatmap.timeline is not None and numbers.size else None,
        "first": first,
        "pairs": pack(pairs),
        "numbers": pack(np.array([part.number - first for part in timeline.slices], np.int64)),
        **packed,
    }


def _packed(timeline: Timeline) -> dict[str, Any] | None:
    """For all slices one after the other: how many cells each has, how far each is from the last, and its counts.

    None where there are more than ``CELLS`` cells.
    """
    sizes: list[int] = []
    gaps: list[NDArray[Any]] = [np.zeros(0, np.uint32)]
    counts: list[NDArray[Any]] = [np.zeros(0, np.uint64)]
    for part in timeline.slices:
        sizes.append(part.cells.size)
        if sum(sizes) > CELLS:
            return None
        gaps.append((np.diff(part.cells.astype(np.int64), prepend=-1) - 1).astype(np.uint32))
        counts.append(part.counts)
    return {
        "sizes": pack(np.array(sizes, np.int64)),
        "gaps": pack(np.concatenate(gaps)),
        "counts": pack(np.concatenate(counts)),
    }


def _with_longer_slices(timeline: Timeline) -> Timeline:
    """Each two slices in one of twice their length."""

    def merged() -> Iterator[TimelineSlice]:
        for number, parts in groupby(timeline.slices, lambda part: part.number // 2):
            total = np.zeros(timeline.grid[0] * timeline.grid[1], np.uint64)
            for part in parts:
                total[part.cells] += part.counts
            yield _slice(number, total)

    return replace(timeline, step=2 * timeline.step, slices=tuple(merged()))


def _with_larger_blocks(timeline: Timeline) -> Timeline:
    """Each 2 x 2 blocks in one."""
    columns = timeline.grid[1]
    larger = replace(timeline, block=2 * timeline.block, slices=())

    def merged(part: TimelineSlice) -> TimelineSlice:
        place = part.cells // columns // 2 * larger.grid[1] + part.cells % columns // 2
        total = np.zeros(larger.grid[0] * larger.grid[1], np.uint64)
        np.add.at(total, place, part.counts)
        return _slice(part.number, total)

    return replace(larger, slices=tuple(map(merged, timeline.slices)))


def _slice(number: int, counts: NDArray[np.uint64]) -> TimelineSlice:
    cells = np.flatnonzero(counts)
    return TimelineSlice(number, cells.astype(np.uint32), counts.ravel()[cells])


def _one_slice(counts: NDArray[np.uint32]) -> Timeline:
    """All of the time in one slice, of a map for which no time line was kept."""
    block = block_size(*counts.shape)
    return Timeline((counts.shape[0], counts.shape[1]), block, 1.0, (_slice(0, _block_sums(counts, block)),))


def _block_sums(values: NDArray[Any], block: int) -> NDArray[np.uint64]:
    """The sums of blocks of (h, w) whole numbers; those at the right and the lower border are what is left."""
    rows, columns = (np.arange(0, side, block) for side in values.shape)
    sums: NDArray[np.uint64] = np.add.reduceat(values, rows, axis=0, dtype=np.uint64)
    return np.add.reduceat(sums, columns, axis=1)


def _activity(heatmap: MotionHeatmap) -> dict[str, Any] | None:
    """The activity in columns; by the number of the pair where there are no times."""
    if not heatmap.moved.size:
        return None
    times = np.arange(heatmap.moved.size, dtype=np.float64) if heatmap.times is None else heatmap.times
    order = np.argsort(times, kind="stable")
    activity = Activity(times[order], heatmap.activity[order], heatmap.counted[order])
    parts = envelope(activity, COLUMNS)
    return {
        "when": pack(_highest_at(activity, parts)),
        "edges": pack(parts.edges),
        "highest": pack(parts.highest.astype(np.float32)),
        "mean": pack(parts.mean.astype(np.float32)),
        "skipped": pack(parts.skipped),
        "pairs": int(heatmap.moved.size),
        "left_out": int(np.count_nonzero(~heatmap.counted)),
        "average": float(heatmap.activity[heatmap.counted].mean()) if heatmap.counted.any() else None,
    }


def _highest_at(activity: Activity, parts: Envelope) -> NDArray[np.float64]:
    """When the highest pair of each column is shown; where none was counted, when its last one is."""
    column = np.searchsorted(parts.edges[1:], activity.times)
    highest = activity.counted & (activity.share == parts.highest[column])
    columns, first = np.unique(column[highest], return_index=True)
    when = parts.edges[1:].copy()
    when[columns] = activity.times[highest][first]
    return when


def _notes(heatmap: MotionHeatmap, block: int) -> list[str]:
    """What differs from the files beside the page."""
    other = [
        *(["half-life"] if heatmap.decayed is not None else []),
        *(["blur"] if heatmap.settings.get("blur") else []),
    ]
    notes = [f"The plain counts, without the {' and the '.join(other)} of the pictures beside this page."] * bool(other)
    if block > 1:
        notes.append(f"The map and the shares of zones are made of blocks of {block} x {block} px.")
    return notes
