"""The page of events: when they were, and the frame at the peak of each."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gpuheat.outputs.activity import draw_activity, format_time
from gpuheat.outputs.figure import INK, LINE, MARGIN, SMALL, SOFT, TEXT, draw_head, draw_legend, head_height
from gpuheat.outputs.layout import MAX_WIDTH, Box
from gpuheat.outputs.page import Page, TextRuler
from gpuheat.outputs.picture import encode_png, fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gpuheat.outputs.activity import Activity

__all__ = ["MOST_THUMBNAILS", "EventPicture", "draw_events_page", "thumbnail"]

MOST_THUMBNAILS: Final = 60
COLUMNS: Final = 4
GAP: Final = 28
CELL: Final = (MAX_WIDTH - (COLUMNS - 1) * GAP) // COLUMNS
HIGHEST: Final = 420  # px of a thumbnail, for portrait pictures
CHART: Final = 180
CHART_LEFT: Final = 84
BAND: Final = "#cfe6c8"
BETWEEN_NUMBERS: Final = 8  # px above the chart


@dataclass(frozen=True, eq=False)
class EventPicture:
    """An event on the page: its times, s, the share of the picture that moved at its peak, and the frame then.

    ``picture`` is what :func:`thumbnail` makes; None where the frame is not to be had, or not shown any more.
    """

    start: float
    end: float
    peak_time: float
    peak_share: float
    picture: NDArray[np.uint8] | None


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame in the size that it has on the page."""
    return fitted(picture, Box(0, 0, CELL, HIGHEST))


def draw_events_page(events: Sequence[EventPicture], activity: Activity, *, title: str, subtitle: str) -> bytes:
    """The activity with the events marked in it, and a thumbnail of each, as the bytes of a PNG file.

    The events that have no picture are marked in the chart alone.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a letter the font lacks is drawn as an empty box
        return _draw(events, activity, title, subtitle)


def _draw(events: Sequence[EventPicture], activity: Activity, title: str, subtitle: str) -> bytes:
    ruler = TextRuler()
    facts = ruler.wrap(subtitle, MAX_WIDTH, TEXT)
    chart_top = head_height(facts) + 76
    chart = Box(MARGIN + CHART_LEFT, chart_top, MAX_WIDTH - CHART_LEFT, CHART)
    shown = [(number, event, event.picture) for number, event in enumerate(events, 1) if event.picture is not None]
    rows = [shown[first : first + COLUMNS] for first in range(0, len(shown), COLUMNS)]
    heights = [max(picture.shape[0] for _, _, picture in row) for row in rows]
    row_room = 2 * round(LINE * TEXT) + 26
    top = chart.bottom + 2 * (SMALL + 14) + 44
    page = Page(MAX_WIDTH + 2 * MARGIN, top + sum(heights) + row_room * len(rows) + MARGIN // 2)

    draw_head(page, ruler, title, facts, MAX_WIDTH)
    _draw_chart(page, ruler, chart, events, activity)
    for row, height in zip(rows, heights, strict=True):
        for column, (number, event, picture) in enumerate(row):
            left = MARGIN + column * (CELL + GAP)
            page.picture(picture, left, top)
            baseline = top + height + 6 + TEXT
            page.text(left, baseline, str(number), TEXT, INK, bold=True)
            indent = left + ruler.width(str(number), TEXT, bold=True) + 12
            page.text(indent, baseline, _span(event), TEXT, INK)
            page.text(indent, baseline + round(LINE * TEXT), _peak(event), SMALL, SOFT)
        top += height + row_room
    return encode_png(page.render())


def _draw_chart(page: Page, ruler: TextRuler, box: Box, events: Sequence[EventPicture], activity: Activity) -> None:
    axes = page.axes(box, SMALL, SOFT)
    facts, legend = draw_activity(axes, activity, box.width)
    page.text(MARGIN, box.top - 44, "Picture in motion over time", TEXT, INK, bold=True)
    page.text(box.right, box.top - 44, facts, TEXT, INK, align="right")
    marks = [(BAND, "event")] if events else []
    draw_legend(page, ruler, box.left, box.bottom + 2 * (SMALL + 14), marks + legend)
    start, end = axes.get_xlim()
    free = float(MARGIN)
    for number, event in enumerate(events, 1):
        axes.axvspan(event.start, event.end, facecolor=BAND, edgecolor=BAND, linewidth=1, zorder=0.5)
        x = box.left + ((event.start + event.end) / 2 - start) / (end - start) * box.width
        half = ruler.width(str(number), SMALL) / 2
        if x - half >= free:  # else there is no room for it
            page.text(x, box.top - 10, str(number), SMALL, SOFT, align="center")
            free = x + half + BETWEEN_NUMBERS


def _span(event: EventPicture) -> str:
    decimals = 1 if event.end - event.start < 60 else 0
    from_to = f"{format_time(event.start, 1)} \N{EN DASH} {format_time(event.end, 1)}"
    return f"{from_to}  ({event.end - event.start:.{decimals}f} s)"


def _peak(event: EventPicture) -> str:
    return f"peak {100 * event.peak_share:.3g} % at {format_time(event.peak_time, 1)}"
