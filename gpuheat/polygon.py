"""What lies inside a polygon: one exact rule for pixels and for points.

Corners and points are taken to the nearest 1/256 px, and everything is whole numbers from there on. A point is inside
where a ray from it to the right crosses the polygon's border an odd number of times (even-odd: where a border crosses
itself, what it goes around twice is outside). Borders are half-open, as in scan conversion: a point on a left or upper
edge is inside, one on a right or lower edge is not. So polygons that share an edge share no point, and leave none out.
A pixel is inside where its centre is.

The algorithm is the crossing test of Foley, van Dam, Feiner, Hughes: Computer Graphics, Principles and Practice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["FINENESS", "FURTHEST", "Polygon"]

FINENESS: Final = 256
"""Places for a corner or a point, per px."""
FURTHEST: Final = 1 << 21
"""px from the origin, at most: then all products fit into 64 bits."""
POINTS_AT_ONCE: Final = 1 << 14  # what the cache holds


class Polygon:
    """A polygon on a picture of ``width`` x ``height`` px, the origin the upper left corner of the upper left pixel.

    Parameters
    ----------
    corners
        (n, 2) px, x and y, within ``FURTHEST`` px of the origin; they may lie outside the picture.
    width, height
        At most ``FURTHEST``.

    Examples
    --------
    >>> triangle = Polygon([(0, 0), (3, 0), (0, 3)], 4, 3)
    >>> triangle.mask().astype(int).tolist()
    [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    >>> triangle.contains([0.0, 3.0, 1.0], [0.0, 0.0, 2.0]).tolist()
    [True, False, False]
    """

    def __init__(self, corners: ArrayLike, width: int, height: int) -> None:
        self.width, self.height = width, height
        ends = _places(np.asarray(corners, np.float64))
        begins = np.roll(ends, 1, axis=0)
        edges = np.where((begins[:, 1] <= ends[:, 1])[:, None], np.hstack([begins, ends]), np.hstack([ends, begins]))
        edges = edges[edges[:, 1] < edges[:, 3]]  # a ray to the right crosses no horizontal edge
        self._x, self._y = edges[:, 0], edges[:, 1]  # the upper end of each
        self._dx, self._dy = edges[:, 2] - self._x, edges[:, 3] - self._y

    def contains(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
        """(n,) bool: which of n points on the picture, px, lie inside.

        One on the right or lower border of the picture counts as directly before it.
        """
        xs = np.minimum(_places(np.asarray(x, np.float64)), FINENESS * self.width - 1)
        ys = np.minimum(_places(np.asarray(y, np.float64)), FINENESS * self.height - 1)
        inside = np.zeros(xs.shape, np.bool_)
        for first in range(0, xs.size, POINTS_AT_ONCE):
            part = slice(first, first + POINTS_AT_ONCE)
            for x0, y0, dx, dy in zip(self._x, self._y, self._dx, self._dy, strict=True):
                down = ys[part] - y0
                inside[part] ^= (down >= 0) & (down < dy) & ((xs[part] - x0) * dy < down * dx)
        return inside

    def mask(self) -> NDArray[np.bool_]:
        """(h, w) bool: which pixels lie inside."""
        rows = FINENESS * np.arange(self.height) + FINENESS // 2  # the centres
        # every row that an edge crosses, edge by edge
        firsts, ends = np.searchsorted(rows, self._y), np.searchsorted(rows, self._y + self._dy)
        edge = np.repeat(np.arange(firsts.size), ends - firsts)
        row = np.arange(edge.size) - np.repeat(np.cumsum(ends - firsts) - ends, ends - firsts)
        x, dx, dy = self._x[edge], self._dx[edge], self._dy[edge]
        crossing = x * dy + (rows[row] - self._y[edge]) * dx  # its x, times dy
        # the first column whose centre is not left of it
        column = -((FINENESS // 2 * dy - crossing) // (FINENESS * dy))
        toggles = np.zeros((self.height, self.width + 1), np.uint8)
        np.bitwise_xor.at(toggles, (row, np.clip(column, 0, self.width)), np.uint8(1))
        return np.bitwise_xor.accumulate(toggles, axis=1)[:, :-1].view(np.bool_)


def _places(px: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest places; of two equally near ones the one to the right or below."""
    return np.floor(px * FINENESS + 0.5).astype(np.int64)
