"""The events of a heat map, as a table and as a page with a frame of each."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from gpuheat.errors import VideoError
from gpuheat.inputs.picked_frames import picked_frames
from gpuheat.motion.words import events_csv, videos_of_pairs, watched
from gpuheat.outputs.events_page import MOST_THUMBNAILS, EventPicture, draw_events_page, thumbnail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gpuheat.motion.events import Event, EventRule
    from gpuheat.motion.heatmap import MotionHeatmap
    from gpuheat.outputs.files import OutputFolder

__all__ = ["event_facts", "write_events"]


def event_facts(events: Sequence[Event], rule: EventRule) -> dict[str, Any]:
    """How many there are and what they are, for ``summary.json``."""
    total = round(sum(event.duration for event in events), 6)
    return {"number": len(events), "rule": asdict(rule), "total_s": total}


def write_events(
    out: OutputFolder,
    heatmap: MotionHeatmap,
    events: Sequence[Event],
    rule: EventRule,
    videos: Sequence[str],
    progress: Callable[[int, int], None],
    max_pixels: int,
) -> list[str]:
    """Write ``events.csv`` and, where there are videos to take frames of, ``events.png``.

    Parameters
    ----------
    out
        Where the files go.
    heatmap
        Of ``videos``, with its events found by ``rule``.
    videos
        The files; none of them where they cannot be read again.
    progress
        Called with the number of frames that were fetched, and that of all; may raise an exception.
    max_pixels
        Of a picture, at most.

    Returns
    -------
    warnings
        Why frames are missing, one line each.
    """
    out.write_text("events.csv", events_csv(heatmap, events))
    activity = heatmap.activity_over_time
    if not videos or activity is None:
        return []
    pictures, problems = _frames(heatmap, events[:MOST_THUMBNAILS], videos, progress, max_pixels)
    shown = [
        EventPicture(event.start, event.end, event.peak_time, event.peak_share, pictures.get(number))
        for number, event in enumerate(events)
    ]
    name = str(heatmap.facts["input"]["name"])
    page = draw_events_page(shown, activity, title=f"Events in {name}", subtitle=_subtitle(heatmap, events, rule))
    out.write("events.png", page)
    return problems


def _frames(
    heatmap: MotionHeatmap,
    events: Sequence[Event],
    videos: Sequence[str],
    progress: Callable[[int, int], None],
    max_pixels: int,
) -> tuple[dict[int, NDArray[np.uint8]], list[str]]:
    """The frame at the peak of each event, by its place; and what went wrong."""
    of_pairs = videos_of_pairs(heatmap)
    wanted: dict[int, dict[int, list[int]]] = {}  # the events by video and frame
    for place, event in enumerate(events):
        video = 0 if of_pairs is None else int(of_pairs[event.peak_pair])
        wanted.setdefault(video, {}).setdefault(event.peak_frame, []).append(place)
    found: dict[int, NDArray[np.uint8]] = {}
    problems = []
    for video, places in sorted(wanted.items()):
        try:
            for number, picture in picked_frames(videos[video], places, max_pixels):
                found.update(dict.fromkeys(places[number], thumbnail(picture)))
                progress(len(found), len(events))
        except VideoError as error:
            problems.append(f"events.png lacks frames: {error}")
    return found, problems


def _subtitle(heatmap: MotionHeatmap, events: Sequence[Event], rule: EventRule) -> str:
    picture = watched(heatmap)
    if events:
        total = sum(event.duration for event in events)
        facts = [f"{len(events):,} event{'s' if len(events) > 1 else ''}, {total:,.1f} s in all"]
    else:
        facts = ["no event"]
    if len(events) > MOST_THUMBNAILS:
        facts.append(f"the first {MOST_THUMBNAILS} are shown, all are in events.csv")
    terms = [f"an event comes to {_percent(rule.enter)} of the {picture} in motion"]
    terms.append(f"ends when less than {_percent(rule.leave)} moves for more than {rule.gap:g} s")
    if rule.shortest:
        terms.append(f"lasts {rule.shortest:g} s at least")
    if rule.pad:
        terms.append(f"with {rule.pad:g} s added on either side")
    return "\n".join("  ·  ".join(line) for line in (facts, terms))


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
