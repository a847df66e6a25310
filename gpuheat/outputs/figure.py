"""The figure for people: background, heat map, overlay, colour bar and activity on one page."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from gpuheat.outputs.activity import Activity, draw_activity
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.layout import CAPTION, Box, arrange
from gpuheat.outputs.page import Page, TextRuler
from gpuheat.outputs.picture import as_bgr, colorize, encode_png, overlay, resize_heat
from gpuheat.outputs.tone import ToneCurve, tone_curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpuheat.outputs.style import PictureStyle

__all__ = ["bar_ticks", "draw_figure"]

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
        "Overlay": _fitted(overlay(heat, background, style), boxes[0]),
        "Background": _fitted(background, boxes[1]),
        "Heat map": _fitted(colorize(heat, style), boxes[2]),
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a letter the font lacks is drawn as an empty box
        return _draw(pictures, boxes, tone_curve(style.tone, heat), style, title, subtitle, full_scale, activity)


def _draw(
    pictures: dict[str, NDArray[np.uint8]],
    boxes: Sequence[Box],
    curve: ToneCurve,
    style: PictureStyle,
    title: str,
    subtitle: str,
    full_scale: str,
    activity: Activity | None,
) -> bytes:
    ruler = TextRuler()
    block = max(box.right for box in boxes)
    width = max(MIN_WIDTH, block)
    facts = ruler.wrap(subtitle, width, TEXT)
    facts_top = MARGIN + TITLE + 8
    pictures_top = facts_top + round(LINE * TEXT * len(facts)) + 28
    bar_top = pictures_top + max(box.bottom for box in boxes) + 2 * TEXT + 34
    bar_bottom = bar_top + BAR + 8 + SMALL
    chart_top = bar_bottom + 2 * TEXT + 40
    bottom = bar_bottom if activity is None else chart_top + CHART + 2 * (SMALL + 16)

    page = Page(width + 2 * MARGIN, bottom + MARGIN)
    page.text(MARGIN, MARGIN + TITLE, ruler.shorten(title, width, TITLE, bold=True), TITLE, INK, bold=True)
    for line, text in enumerate(facts, 1):
        page.text(MARGIN, facts_top + round(LINE * TEXT * line), text, TEXT, SOFT)
    for (name, picture), box in zip(pictures.items(), boxes, strict=True):
        left, top = MARGIN + (width - block) // 2 + box.left, pictures_top + box.top
        page.text(left, top - CAPTION + TEXT, name, TEXT, INK, bold=True)
        page.picture(picture, left, top)
    _draw_bar(page, ruler, Box(MARGIN, bar_top, width, BAR), curve, style, full_scale)
    if activity is not None:
        _draw_chart(page, ruler, Box(MARGIN + CHART_LEFT, chart_top, width - CHART_LEFT, CHART), activity)
    return encode_png(page.render())


def _fitted(picture: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The picture at the largest size that fits the box; far enlarged ones keep their pixels visible."""
    height, width = picture.shape[:2]
    factor = min(box.width / width, box.height / height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC if factor < 6 else cv2.INTER_NEAREST
    return cv2.resize(picture, size, interpolation=way).astype(np.uint8, copy=False)


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


def _draw_bar(page: Page, ruler: TextRuler, box: Box, curve: ToneCurve, style: PictureStyle, full_scale: str) -> None:
    name = "Share of the maximum" if curve.kind == "linear" else f"Share of the maximum ({style.tone} tone)"
    page.text(box.left, box.top - 14, name, TEXT, INK, bold=True)
    room = box.width - ruler.width(name, TEXT, bold=True) - 2 * TEXT
    page.text(box.right, box.top - 14, ruler.shorten(full_scale, room, TEXT), TEXT, INK, align="right")
    colors = lookup_table(style.colormap)[np.linspace(0, 255.999, box.width).astype(np.uint8)]
    page.picture(np.broadcast_to(colors, (box.height, box.width, 3)), box.left, box.top)
    for place, label in bar_ticks(curve):
        x = box.left + place * box.width
        align: Literal["left", "right", "center"] = "left" if place == 0 else "right" if place == 1 else "center"
        page.rule(x, box.bottom, 7, SOFT)
        page.text(x, box.bottom + 8 + SMALL, label, SMALL, SOFT, align=align)


def _draw_chart(page: Page, ruler: TextRuler, box: Box, activity: Activity) -> None:
    facts, legend = draw_activity(page.axes(box, SMALL, SOFT), activity, box.width)
    page.text(MARGIN, box.top - 18, "Picture in motion over time", TEXT, INK, bold=True)
    page.text(box.right, box.top - 18, facts, TEXT, INK, align="right")
    left, baseline = float(box.left), box.bottom + 2 * (SMALL + 14)
    for color, meaning in legend:
        page.text(left, baseline, "\N{BLACK SQUARE}", SMALL, color)
        left += 1.1 * SMALL
        page.text(left, baseline, meaning, SMALL, SOFT)
        left += ruler.width(meaning, SMALL) + 1.5 * SMALL
