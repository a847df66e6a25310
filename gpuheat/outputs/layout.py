"""Where the three pictures of a figure go. All numbers are px, the origin is the top left corner."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Box", "arrange"]

GAP = 28
"""Between two pictures."""
CAPTION = 34
"""Above every picture, for its name."""
MAX_WIDTH = 1680
MAX_HEIGHT = 1000
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
    aspect = min(max(picture_width / picture_height, _ASPECTS[0]), _ASPECTS[1])
    candidates = (_large_and_two(aspect), _side_by_side(aspect), _stacked(aspect))
    return max(candidates, key=lambda boxes: sum(box.width * box.height for box in (boxes[0], *boxes)))


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
