"""The contact sheet: many maps of one scene on one page, in one scale."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from gpuheat.outputs.figure import (
    BAR,
    INK,
    LINE,
    MARGIN,
    MIN_WIDTH,
    SMALL,
    SOFT,
    TEXT,
    draw_bar_of_shares,
    draw_head,
    head_height,
)
from gpuheat.outputs.layout import Box, arrange_many
from gpuheat.outputs.page import Page, TextRuler
from gpuheat.outputs.picture import as_bgr, encode_png, fitted, overlay
from gpuheat.outputs.tone import tone_curve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from gpuheat.outputs.style import PictureStyle

__all__ = ["MOST_PICTURES", "Caption", "draw_contact_sheet"]

MOST_PICTURES: Final = 400
SMALLEST, LARGEST = 12, SMALL  # px, the height of the type of a caption
TWO_LINES = 14  # px; smaller type has a short name in one line rather than a long one in two
KEEP_VISIBLE = 6  # maps enlarged this far keep their pixels visible


@dataclass(frozen=True)
class Caption:
    """What stands over a picture: its name, a shorter one for where that does not fit, and a fact."""

    name: str
    short: str
    fact: str


def draw_contact_sheet(
    maps: Iterable[NDArray[Any]],
    captions: Sequence[Caption],
    background: NDArray[np.uint8],
    style: PictureStyle,
    *,
    title: str,
    subtitle: str,
    full_scale: Callable[[float], str],
) -> bytes:
    """Maps over their background with one colour bar for all, as the bytes of a PNG file.

    Parameters
    ----------
    maps
        (h, w) values of at least 0; the largest that is to be seen gets the hottest colour.
    captions
        One for each, ``MOST_PICTURES`` at most.
    background
        (H, W, 3) uint8 BGR or (H, W) grey; the pictures have its aspect.
    style
        Colour map, tone and alpha.
    title
        What the sheet shows, one line.
    subtitle
        Facts, in one line or a few.
    full_scale
        What 100 % stands for, given the largest value that is to be seen.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a letter the font lacks is drawn as an empty box
        return _draw(maps, captions, as_bgr(background), style, title, subtitle, full_scale)


def _draw(
    maps: Iterable[NDArray[Any]],
    captions: Sequence[Caption],
    background: NDArray[np.uint8],
    style: PictureStyle,
    title: str,
    subtitle: str,
    full_scale: Callable[[float], str],
) -> bytes:
    boxes = arrange_many(background.shape[0], background.shape[1], len(captions))
    scene = fitted(background, boxes[0])
    height, width = scene.shape[:2]
    heats = np.zeros((len(captions), height, width), np.float32)
    for heat, values in zip(heats, maps, strict=True):
        heat[...] = _resized(values.astype(np.float32), height, width)
    peak = float(heats.max())
    if peak > 0:
        heats /= peak
    stacked = heats.reshape(-1, width)  # as one map: a tone looks at all of it
    pictures = overlay(stacked, np.tile(scene, (len(captions), 1, 1)), style).reshape(-1, height, width, 3)

    ruler = TextRuler()
    block = max(box.right for box in boxes)
    page_width = max(MIN_WIDTH, block)
    facts = ruler.wrap(subtitle, page_width, TEXT)
    size = min(max(width / 14, SMALLEST), LARGEST)
    lines = _caption_lines(captions, width, size, ruler)
    room = round(size * LINE * len(lines[0])) + 4
    top = head_height(facts)
    rows = sorted({box.top for box in boxes})
    bar_top = top + boxes[-1].bottom + room * len(rows) + 2 * TEXT + 34
    page = Page(page_width + 2 * MARGIN, bar_top + BAR + 8 + SMALL + MARGIN)
    draw_head(page, ruler, title, facts, page_width)
    for box, picture, caption in zip(boxes, pictures, lines, strict=True):
        left = MARGIN + (page_width - block) // 2 + box.left
        picture_top = top + box.top + room * (rows.index(box.top) + 1)
        _draw_caption(page, caption, Box(left, picture_top - room, width, room), size)
        page.picture(picture, left, picture_top)
    bar = Box(MARGIN, bar_top, page_width, BAR)
    draw_bar_of_shares(page, ruler, bar, tone_curve(style.tone, stacked), style, full_scale(peak))
    return encode_png(page.render())


def _resized(values: NDArray[np.float32], height: int, width: int) -> NDArray[Any]:
    """A map at another size; none of the ways overshoots."""
    factor = max(height / values.shape[0], width / values.shape[1])
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR if factor < KEEP_VISIBLE else cv2.INTER_NEAREST
    return cv2.resize(values, (width, height), interpolation=way)


def _caption_lines(
    captions: Sequence[Caption], room: int, size: float, ruler: TextRuler
) -> list[list[tuple[str, str]]]:
    """The lines of each caption, of a text at the left and one at the right: the same way for all, so that all fit."""
    ways = [[[(caption.name, caption.fact)] for caption in captions]]
    if size >= TWO_LINES:
        ways.append([[(caption.name, ""), (caption.fact, "")] for caption in captions])
    ways.append([[(caption.short, caption.fact)] for caption in captions])
    ways.append([[(caption.short, ""), (caption.fact, "")] for caption in captions])

    def fits(way: list[list[tuple[str, str]]]) -> bool:
        return all(
            sum(ruler.width(text, size) for text in line) + (size if line[1] else 0) <= room
            for lines in way
            for line in lines
        )

    return next((way for way in ways if fits(way)), ways[-1])


def _draw_caption(page: Page, lines: list[tuple[str, str]], box: Box, size: float) -> None:
    for number, (left, right) in enumerate(lines):
        baseline = box.bottom - 0.35 * size - LINE * size * (len(lines) - 1 - number)
        page.text(box.left, baseline, left, size, INK if number == 0 else SOFT)
        page.text(box.right, baseline, right, size, SOFT, align="right")
