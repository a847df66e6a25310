"""Zones drawn over a picture, with their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gpuheat.outputs.layout import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpuheat.outputs.page import Page, TextRuler
    from gpuheat.zones import Area

__all__ = ["draw_outlines", "place_name"]

SIZE: Final = 17  # px, the height of the type
PADDING: Final = 5
GAP: Final = 4  # px between a name and the outline
STEP: Final = 6  # px between the places that are tried for a name
MEANING: Final = {"zone": "", "include": " (watched)", "exclude": " (left out)"}


def draw_outlines(page: Page, ruler: TextRuler, picture: Box, areas: Sequence[Area]) -> None:
    """Draw the outline of each zone over a picture, those that are masks dashed, and its name in its upper left."""
    labels: list[Box] = []
    for area in areas:
        corners = [(picture.left + x * picture.width, picture.top + y * picture.height) for x, y in area.outline]
        page.outline(corners, picture, dashed=area.zone.kind != "zone")
    for area in areas:  # over all outlines
        name = ruler.shorten(area.zone.name + MEANING[area.zone.kind], 0.6 * picture.width, SIZE)
        box = place_name(labels, picture, area, round(ruler.width(name, SIZE)) + 2 * PADDING, SIZE + 2 * PADDING)
        labels.append(box)
        page.label(box, name, SIZE)


def place_name(taken: Sequence[Box], picture: Box, area: Area, width: int, height: int) -> Box:
    """Where a name goes: as far up, and then left, as it lies within its zone and covers no other name.

    Where there is no such place: right below the uppermost corner of the zone.
    """
    shown = np.clip(np.array(area.outline), 0, 1) * (picture.width, picture.height)
    (left, top), (right, bottom) = shown.min(axis=0), shown.max(axis=0)
    lefts, tops = np.arange(left + GAP, right - width - GAP, STEP), np.arange(top + GAP, bottom - height - GAP, STEP)
    y, x = (each.ravel() for each in np.meshgrid(tops, lefts, indexing="ij"))
    scale_x, scale_y = area.polygon.width / picture.width, area.polygon.height / picture.height
    fits = np.ones(x.size, np.bool_)
    for across, down in ((-GAP, -GAP), (width + GAP, -GAP), (-GAP, height + GAP), (width + GAP, height + GAP)):
        fits &= area.polygon.contains((x + across) * scale_x, (y + down) * scale_y)
    places = [*zip(x[fits].tolist(), y[fits].tolist(), strict=True), tuple(shown[np.lexsort(shown.T)[0]].tolist())]
    boxes = [
        Box(
            round(min(picture.left + x, picture.right - width)),
            round(min(picture.top + y, picture.bottom - height)),
            width,
            height,
        )
        for x, y in places
    ]
    return next((box for box in boxes if not any(_overlap(box, other) for other in taken)), boxes[-1])


def _overlap(one: Box, other: Box) -> bool:
    across = one.left < other.right and other.left < one.right
    return across and one.top < other.bottom and other.top < one.bottom
