"""Where the pictures of a figure, or of a contact sheet, go. All numbers are px, the origin is the top left corner."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Box", "arrange", "arrange_alike", "arrange_many", "arrange_one"]

GAP = 28
"""Between two pictures."""
CAPTION = 34
"""Above every picture, for its name."""
MAX_WIDTH = 1680
MAX_HEIGHT = 1000
SHEET_HEIGHT = 1250
"""A contact sheet has as few columns as it needs to be no higher than this."""
SHEET_GAP = 14
NARROWEST = 70
"""A picture of a contact sheet, unless the sheet becomes higher."""
_ASPECTS = (1 / 6, 14.0)
"""Pictures thinner than this get a box of this aspect and do not fill it."""


@dataclass(frozen=True)
class Box:
    """A rectangle: the distance of its left and its upper edge from the page's, its width and its height."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height


def arrange(picture_height: int, picture_width: int) -> tuple[Box, Box, Box]:
    """Boxes for the overlay, the background and the heat map, ``CAPTION`` px of room above each.

    Of three arrangements the one with the largest pictures is taken, the overlay's area counting twice: side by
    side (portrait), below each other (panorama), or a large overlay with two small ones beside it (all between).
    """
    aspect = _aspect(picture_height, picture_width)
    candidates = (_large_and_two(aspect), _side_by_side(aspect), _stacked(aspect))
    return max(candidates, key=lambda boxes: sum(box.width * box.height for box in (boxes[0], *boxes)))


def arrange_many(picture_height: int, picture_width: int, number: int) -> list[Box]:
    """Boxes for so many pictures of one size, row by row; what stands over a row is not allowed for.

    Columns are as few as are needed, or up to two more where that fills all rows.
    """
    aspect = _aspect(picture_height, picture_width)

    def size(columns: int) -> tuple[int, int]:
        width = (MAX_WIDTH - SHEET_GAP * (columns - 1)) / columns
        height = min(width / aspect, MAX_HEIGHT)
        return max(1, int(height * aspect)), max(1, int(height))

    most = min(number, (MAX_WIDTH + SHEET_GAP) // (NARROWEST + SHEET_GAP))
    fits = (c for c in range(1, most + 1) if -(-number // c) * (size(c)[1] + CAPTION) <= SHEET_HEIGHT)
    fewest = next(fits, most)
    columns = next((c for c in range(fewest, min(fewest + 2, most) + 1) if number % c == 0), fewest)
    width, height = size(columns)
    return [
        Box(place % columns * (width + SHEET_GAP), place // columns * (height + SHEET_GAP), width, height)
        for place in range(number)
    ]


def arrange_alike(picture_height: int, picture_width: int) -> tuple[Box, Box, Box]:
    """Three boxes of one size, ``CAPTION`` px of room above each: side by side, or below each other (panorama)."""
    aspect = _aspect(picture_height, picture_width)
    return max(_side_by_side(aspect), _stacked(aspect), key=lambda boxes: boxes[0].width)


def arrange_one(picture_height: int, picture_width: int) -> Box:
    """One large box, ``CAPTION`` px of room above it."""
    aspect = _aspect(picture_height, picture_width)
    height = max(1, int(min(MAX_HEIGHT, MAX_WIDTH / aspect)))
    return Box(0, CAPTION, max(1, int(height * aspect)), height)


def _aspect(height: int, width: int) -> float:
    return min(max(width / height, _ASPECTS[0]), _ASPECTS[1])


def _large_and_two(aspect: float) -> tuple[Box, Box, Box]:
    between = GAP + CAPTION
    fits_height = (MAX_HEIGHT - between) / 2
    fits_width = (MAX_WIDTH - GAP - aspect * between) / (3 * aspect)
    small = max(1, int(min(fits_height, fits_width)))
    small_width = max(1, int(small * aspect))
    large = 2 * small + between
    left = int(large * aspect) + GAP
    return (
        Box(0, CAPTION, left - GAP, large),
        Box(left, CAPTION, small_width, small),
        Box(left, CAPTION + small + between, small_width, small),
    )


def _side_by_side(aspect: float) -> tuple[Box, Box, Box]:
    height = int(min(MAX_HEIGHT, (MAX_WIDTH - 2 * GAP) / 3 / aspect))
    width = int(height * aspect)
    first, second, third = (Box(k * (width + GAP), CAPTION, width, height) for k in range(3))
    return first, second, third


def _stacked(aspect: float) -> tuple[Box, Box, Box]:
    between = GAP + CAPTION
    height = int(min((MAX_HEIGHT - 2 * between) / 3, MAX_WIDTH / aspect))
    width = int(height * aspect)
    step = height + between
    first, second, third = (Box(0, CAPTION + k * step, width, height) for k in range(3))
    return first, second, third
