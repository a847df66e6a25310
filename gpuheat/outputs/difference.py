"""Pictures of the difference of two heat maps: one for people, and both maps beside it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from gpuheat.outputs.figure import (
    BAR,
    INK,
    MARGIN,
    MIN_WIDTH,
    SMALL,
    TEXT,
    draw_bar,
    draw_head,
    head_height,
)
from gpuheat.outputs.layout import CAPTION, Box, arrange_alike, arrange_one
from gpuheat.outputs.page import Page, TextRuler
from gpuheat.outputs.picture import encode_png, fitted
from gpuheat.outputs.tone import tone_curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Bar", "dimmed", "draw_difference", "draw_side_by_side", "signed_ticks", "ticks"]

PAPER: Final = 244  # the grey a background is dimmed towards
KEPT: Final = 0.45  # of its own brightness
BAR_ROOM: Final = BAR + 8 + SMALL + 2 * TEXT + 34


@dataclass(frozen=True)
class Bar:
    """A colour bar: its colours, its places and their labels, its name and what it means."""

    colormap: str
    ticks: Sequence[tuple[float, str]]
    name: str
    meaning: str


def dimmed(background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A background (h, w, 3) in pale grey, so that all the colour there is belongs to the difference."""
    grey = cv2.cvtColor(background, cv2.COLOR_BGR2GRAY)
    pale = cv2.addWeighted(grey, KEPT, np.full_like(grey, PAPER), 1 - KEPT, 0)
    return cv2.cvtColor(pale, cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)


def signed_ticks(heat: NDArray[np.float32], tone: str, full: float) -> list[tuple[float, str]]:
    """Places in [0, 1] along the colour map and the differences they stand for, ``full`` being 1 in the heat."""
    curve = tone_curve(tone, np.abs(heat))
    upper = full * curve.inverse(np.array([0.5, 1], np.float32))
    beyond = (" and below", " and above") if curve.saturation < 1 else ("", "")
    signs = ((-1, "\N{MINUS SIGN}"), (1, "+"))
    ends = [(0.5 + sign / 2, f"{mark}{upper[1]:.3g}{more}") for (sign, mark), more in zip(signs, beyond, strict=True)]
    halves = [(0.5 + sign / 4, f"{mark}{upper[0]:.3g}") for sign, mark in signs]
    return sorted([*ends, *halves, (0.5, "0")]) if full > 0 else [(0.5, "0")]


def ticks(full: float) -> list[tuple[float, str]]:
    """Five places along a linear colour map and the values they stand for."""
    return [(place, f"{place * full:.3g}") for place in (0.0, 0.25, 0.5, 0.75, 1.0)] if full > 0 else [(0.0, "0")]


def draw_difference(picture: NDArray[np.uint8], *, title: str, subtitle: str, bar: Bar) -> bytes:
    """The figure for people, as the bytes of a PNG file: the difference over the background, and its scale.

    Parameters
    ----------
    picture
        (h, w, 3) uint8 BGR.
    title
        What it shows, one line.
    subtitle
        Facts, in one line or a few.
    bar
        The scale.
    """
    box = arrange_one(*picture.shape[:2])
    raised = Box(box.left, 0, box.width, box.height)  # the title says what the picture is
    return _draw([("", fitted(picture, box), raised)], [bar], title, subtitle)


def draw_side_by_side(
    pictures: Sequence[tuple[str, NDArray[np.uint8]]], *, title: str, subtitle: str, bars: Sequence[Bar]
) -> bytes:
    """Three pictures of about one shape with their names, and the scales below them, as the bytes of a PNG file."""
    boxes = arrange_alike(*pictures[0][1].shape[:2])
    parts = [(name, fitted(picture, box), box) for (name, picture), box in zip(pictures, boxes, strict=True)]
    return _draw(parts, bars, title, subtitle)


def _draw(parts: Sequence[tuple[str, NDArray[np.uint8], Box]], bars: Sequence[Bar], title: str, subtitle: str) -> bytes:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a letter the font lacks is drawn as an empty box
        ruler = TextRuler()
        block = max(box.right for _, _, box in parts)
        width = max(MIN_WIDTH, block)
        facts = ruler.wrap(subtitle, width, TEXT)
        pictures_top = head_height(facts)
        bars_top = pictures_top + max(box.bottom for _, _, box in parts)
        page = Page(width + 2 * MARGIN, bars_top + BAR_ROOM * len(bars) + MARGIN)
        draw_head(page, ruler, title, facts, width)
        for name, picture, box in parts:
            left, top = MARGIN + (width - block) // 2 + box.left, pictures_top + box.top
            page.text(left, top - CAPTION + TEXT, ruler.shorten(name, box.width, TEXT, bold=True), TEXT, INK, bold=True)
            page.picture(picture, left, top)
        for number, bar in enumerate(bars, 1):
            box = Box(MARGIN, bars_top + BAR_ROOM * number - BAR - 8 - SMALL, width, BAR)
            draw_bar(page, ruler, box, bar.colormap, bar.ticks, name=bar.name, meaning=bar.meaning)
        return encode_png(page.render())
