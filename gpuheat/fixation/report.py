"""What the report of a fixation heat map shows: the histograms of every recording, few bytes each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.fixation.recording import RecordingHistograms, SparseHistogram, weight_of
from gpuheat.outputs.report.pack import pack
from gpuheat.outputs.report.page import drawing, report_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpuheat.fixation.heatmap import FixationHeatmap
    from gpuheat.outputs.style import PictureStyle

__all__ = ["fitted", "fixation_report"]

RECORDINGS_BYTES: Final = 1_900_000
"""Of all recordings together, in base64, names included."""


def fixation_report(heatmap: FixationHeatmap, style: PictureStyle, *, title: str, facts: str) -> str:
    """The page of a fixation heat map, as HTML."""
    recordings, packed = fitted(_recordings(heatmap))
    weight = weight_of(heatmap.unit)
    both = heatmap.by_recording is not None and packed["durations"] is not None
    apart = heatmap.by_recording is not None and len(recordings) == len(heatmap.by_recording)
    equal = heatmap.balanced is not None
    rows, columns = heatmap.grid.shape
    data = {
        "kind": "fixations",
        "title": title,
        "facts": facts,
        "warnings": list(heatmap.facts.get("warnings", [])),
        "notes": _notes(heatmap, apart=apart),
        "map": {
            "rows": rows,
            "columns": columns,
            "points": "gaze samples" if heatmap.unit == "gaze" else "fixations",
            "settings": {
                "weight": weight,
                "weights": ["duration", "count"] if both else [weight],
                "scale": heatmap.settings["scale"],
                "equal": equal and apart,
                "can_be_equal": apart,
            },
            **packed,
        },
        **drawing(style, heatmap.background, (heatmap.heat.shape[0], heatmap.heat.shape[1]), heatmap.areas),
    }
    return report_page(title, data)


def fitted(
    recordings: Sequence[RecordingHistograms], most_bytes: int = RECORDINGS_BYTES
) -> tuple[Sequence[RecordingHistograms], dict[str, Any]]:
    """As many recordings apart as fit, and their histograms packed: neighbours are added up in pairs until it is so."""
    while True:
        packed = _packed(recordings)
        size = sum(len(array["data"]) for array in packed.values() if isinstance(array, dict))
        names = sum(len(text) for text in (*packed["names"], *packed["ids"]))
        if size + names <= most_bytes or len(recordings) == 1:
            return recordings, packed
        recordings = [_together(recordings[first : first + 2]) for first in range(0, len(recordings), 2)]


def _packed(recordings: Sequence[RecordingHistograms]) -> dict[str, Any]:
    """For all recordings one after the other: how many bins each fills, how far each is from the last, what it holds.

    Durations are in as many us as divide all of them.
    """
    nothing = np.zeros(0, np.uint64)
    places = [each.count.places for each in recordings]
    durations = None
    unit = 1
    if any(each.duration is not None for each in recordings):
        durations = np.concatenate([nothing, *map(_durations, recordings)])
        unit = max(1, int(np.gcd.reduce(durations)))
        durations //= np.uint64(unit)
    return {
        "ids": [each.id for each in recordings],
        "names": [each.id if each.name is None else each.name for each in recordings],
        "sizes": pack(np.array([part.size for part in places], np.int64)),
        "gaps": pack(np.concatenate([np.zeros(0, np.int64), *(np.diff(part, prepend=-1) - 1 for part in places)])),
        "counts": pack(np.concatenate([nothing, *(each.count.values for each in recordings)])),
        "durations": None if durations is None else pack(durations),
        "unit": unit,
    }


def _durations(recording: RecordingHistograms) -> NDArray[np.uint64]:
    """The sum of the durations in each bin in which a recording has any point."""
    if recording.duration is None:
        return np.zeros(recording.count.places.size, np.uint64)
    values: NDArray[np.uint64] = recording.duration.dense.ravel()[recording.count.places]
    return values


def _together(recordings: Sequence[RecordingHistograms]) -> RecordingHistograms:
    if len(recordings) == 1:
        return recordings[0]
    first, last = recordings
    names = [each.id if each.name is None else each.name for each in recordings]
    ends = names[0].split(" \N{HORIZONTAL ELLIPSIS} ")[0], names[1].split(" \N{HORIZONTAL ELLIPSIS} ")[-1]
    return replace(first + last, name=" \N{HORIZONTAL ELLIPSIS} ".join(ends))


def _recordings(heatmap: FixationHeatmap) -> Sequence[RecordingHistograms]:
    """What each recording adds; all as one where it is not known."""
    if heatmap.by_recording:
        return heatmap.by_recording
    whole = SparseHistogram.of(heatmap.histogram)
    timed = heatmap.unit == "duration"
    return [RecordingHistograms("all", None, heatmap.points, heatmap.points * timed, whole, whole if timed else None)]


def _notes(heatmap: FixationHeatmap, *, apart: bool) -> list[str]:
    """What differs from the pictures beside the page."""
    if apart:
        return []
    notes = []
    if heatmap.by_recording is not None:
        notes.append(f"{len(heatmap.by_recording):,} recordings, of which neighbours are shown together.")
    if heatmap.balanced is not None:
        notes.append("The recordings are added up here; in the pictures beside this page each weighs the same.")
    return notes
