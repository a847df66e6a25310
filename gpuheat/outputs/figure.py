"""The figure for people: background, heat map, overlay, colour bar and activity on one page."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from gpuheat.outputs.activity import Activity, draw_activity
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.layout import CAPTION, Box, arrange
from gpuheat.outputs.outlines import draw_outlines
from gpuheat.outputs.page import Page, TextRuler
from gpuheat.outputs.picture import as_bgr, colorize, encode_png, fitted, overlay, resize_heat
from gpuheat.outputs.tone import ToneCurve, tone_curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpuheat.outputs.style import PictureStyle
    from gpuheat.zones import Area

__all__ = [
    "BAR",
    "INK",
    "LINE",
    "MARGIN",
    "MIN_WIDTH",
    "SMALL",
    "SOFT",
    "TEXT",
    "bar_ticks",
    "draw_bar",
    "draw_bar_of_shares",
    "draw_figure",
    "draw_head",
    "draw_legend",
    "head_height",
]

MARGIN = 60
MIN_WIDTH = 1080
TITLE, TEXT, SMALL = 36, 22, 20  # px, the heights of the type
LINE = 1.45
BAR = 22
CHART = 250
CHART_LEFT = 84
INK, SOFT = "#1b1f24", "#5a6370"
_ROUND_SHARES = (0.5, 0.25, 0.75, 0.1, 0.05, 0.02, 0.01)


def draw_figure(
    *,
    heat: NDArray[np.float32],
    background: NDArray[np.uint8],
    style: PictureStyle,
    title: str,
    subtitle: str,
    full_scale: str,
    activity: Activity | None = None,
    areas: Sequence[Area] = (),
) -> bytes:
    """The background, the heat map and the overlay with a colour bar, as the bytes of a PNG file.

    The page is 1200 to 1800 px wide and as high as it needs to be. Lines too long for it are broken
    (subtitle) or shortened in the middle (title).

    Parameters
    ----------
    heat
        (h, w) float32 in [0, 1].
    background
        (h, w, 3) uint8 BGR or (h, w) uint8 grey; the pictures have its aspect.
    style
        Colour map, tone and alpha.
    title
        What the figure shows, one line.
    subtitle
        Facts, in one line or a few.
    full_scale
        What 100 % stands for, such as ``"100 % = 3.21 s of fixation"``.
    activity
        Drawn under the pictures where it is given.
    areas
        Zones whose outlines and names are drawn over the overlay.

    Raises
    ------
    InputError
        If ``heat`` or ``background`` is not what is asked for above.

    Examples
    --------
    >>> from gpuheat.outputs.style import PictureStyle
    >>> heat = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    >>> png = draw_figure(heat=heat, background=np.zeros((6, 8), np.uint8), style=PictureStyle(),
    ...                   title="A ramp", subtitle="8 x 6 px", full_scale="100 % = everything")
    >>> png[1:4]
    b'PNG'
    """
    background = as_bgr(background)
    heat = resize_heat(heat, background.shape[0], background.shape[1])
    boxes = arrange(background.shape[0], background.shape[1])
    pictures = {  # one after the other, to spare memory
        "Overlay": fitted(overlay(heat, background, style), boxes[0]),
        "Background": fitted(background, boxes[1]),
        "Heat map": fitted(colorize(heat, style), boxes[2]),
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a letter the font lacks is drawn as an empty box
        return _draw(pictures, boxes, tone_curve(style.tone, heat), style, title, subtitle, full_scale, activity, areas)


def _draw(
    pictures: dict[str, NDArray[np.uint8]],
    boxes: Sequence[Box],
    curve: ToneCurve,
    style: PictureStyle,
    title: str,
    subtitle: str,
    full_scale: str,
    activity: Activity | None,
    areas: Sequence[Area],
) -> bytes:
    ruler = TextRuler()
    block = max(box.right for box in boxes)
    width = max(MIN_WIDTH, block)
    facts = ruler.wrap(subtitle, width, TEXT)
    pictures_top = head_height(facts)
    bar_top = pictures_top + max(box.bottom for box in boxes) + 2 * TEXT + 34
    bar_bottom = bar_top + BAR + 8 + SMALL
    chart_top = bar_bottom + 2 * TEXT + 40
    bottom = bar_bottom if activity is None else chart_top + CHART + 2 * (SMALL + 16)

    page = Page(width + 2 * MARGIN, bottom + MARGIN)
    draw_head(page, ruler, title, facts, width)
    for (name, picture), box in zip(pictures.items(), boxes, strict=True):
        left, top = MARGIN + (width - block) // 2 + box.left, pictures_top + box.top
        page.text(left, top - CAPTION + TEXT, name, TEXT, INK, bold=True)
        page.picture(picture, left, top)
        if name == "Overlay":
            draw_outlines(page, ruler, Box(left, top, picture.shape[1], picture.shape[0]), areas)
    draw_bar_of_shares(page, ruler, Box(MARGIN, bar_top, width, BAR), curve, style, full_scale)
    if activity is not None:
        _draw_chart(page, ruler, Box(MARGIN + CHART_LEFT, chart_top, width - CHART_LEFT, CHART), activity)
    return encode_png(page.render())


def head_height(facts: Sequence[str]) -> int:
    """Where the pictures begin below a title and lines of facts, px."""
    return MARGIN + TITLE + 8 + round(LINE * TEXT * len(facts)) + 28


def draw_head(page: Page, ruler: TextRuler, title: str, facts: Sequence[str], width: int) -> None:
    """The title, and below it the facts, line by line."""
    page.text(MARGIN, MARGIN + TITLE, ruler.shorten(title, width, TITLE, bold=True), TITLE, INK, bold=True)
    for line, text in enumerate(facts, 1):
        page.text(MARGIN, MARGIN + TITLE + 8 + round(LINE * TEXT * line), text, TEXT, SOFT)


def bar_ticks(curve: ToneCurve) -> list[tuple[float, str]]:
    """Places in [0, 1] along the colour map and the share of the maximum that each stands for.

    The ends always have one. Where the tone gives the hottest colour to more than the maximum alone, the
    last label says from which share on.
    """
    first = f"{100 * curve.saturation:.2g}" if curve.saturation < 0.995 else ""
    ticks = [(0.0, "0 %"), (1.0, f"{first}\N{EN DASH}100 %" if first else "100 %")]
    shares = np.array([share for share in _ROUND_SHARES if share < curve.saturation], np.float32)
    for share, place in zip(shares, curve(shares).tolist(), strict=True):
        if all(abs(place - other) >= 0.12 for other, _ in ticks):
            ticks.append((place, f"{100 * share:.2g} %"))
    return sorted(ticks)


def draw_bar_of_shares(
    page: Page, ruler: TextRuler, box: Box, curve: ToneCurve, style: PictureStyle, full_scale: str
) -> None:
    """The colour bar of a heat map, with what 100 % stands for."""
    name = "Share of the maximum" if curve.kind == "linear" else f"Share of the maximum ({style.tone} tone)"
    draw_bar(page, ruler, box, style.colormap, bar_ticks(curve), name=name, meaning=full_scale)


def draw_bar(
    page: Page,
    ruler: TextRuler,
    box: Box,
    colormap: str,
    ticks: Sequence[tuple[float, str]],
    *,
    name: str,
    meaning: str,
) -> None:
    """A colour bar with its name above it on the left, what it means on the right, and ticks below it."""
    page.text(box.left, box.top - 14, name, TEXT, INK, bold=True)
    room = box.width - ruler.width(name, TEXT, bold=True) - 2 * TEXT
    page.text(box.right, box.top - 14, ruler.shorten(meaning, room, TEXT), TEXT, INK, align="right")
    colors = lookup_table(colormap)[np.linspace(0, 255.999, box.width).astype(np.uint8)]
    page.picture(np.broadcast_to(colors, (box.height, box.width, 3)), box.left, box.top)
    for place, label in ticks:
        x = box.left + place * box.width
        align: Literal["left", "right", "center"] = "left" if place == 0 else "right" if place == 1 else "center"
        page.rule(x, box.bottom, 7, SOFT)
        page.text(x, box.bottom + 8 + SMALL, label, SMALL, SOFT, align=align)


def _draw_chart(page: Page, ruler: TextRuler, box: Box, activity: Activity) -> None:
    facts, legend = draw_activity(page.axes(box, SMALL, SOFT), activity, box.width)
    page.text(MARGIN, box.top - 18, "Picture in motion over time", TEXT, INK, bold=True)
    page.text(box.right, box.top - 18, facts, TEXT, INK, align="right")
    draw_legend(page, ruler, box.left, box.bottom + 2 * (SMALL + 14), legend)


def draw_legend(page: Page, ruler: TextRuler, left: float, baseline: float, legend: list[tuple[str, str]]) -> None:
    """One line: what each colour means."""
    for color, meaning in legend:
        page.text(left, baseline, "\N{BLACK SQUARE}", SMALL, color)
        left += 1.1 * SMALL
        page.text(left, baseline, meaning, SMALL, SOFT)
        left += ruler.width(meaning, SMALL) + 1.5 * SMALL
