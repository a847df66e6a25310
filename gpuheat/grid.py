"""The bins of a two-dimensional histogram."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gpuheat.errors import OptionError
from gpuheat.options import whole_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BinGrid"]


@dataclass(frozen=True)
class BinGrid:
    """``nx`` by ``ny`` equal bins over an image of ``width`` by ``height`` px, origin top left.

    A point falls where ``numpy.histogram2d`` puts it with the same edges: a bin holds its left and
    upper edge, the last bin of each axis its right and lower edge too. NaN and points outside the
    image fall nowhere.

    Parameters
    ----------
    nx, ny
        Number of bins along x and y, at least 1.
    width, height
        Extent in px, from 1e-6 to 1e12.

    Raises
    ------
    OptionError
        If a number is outside its range.

    Examples
    --------
    >>> BinGrid.for_image(4000, 3000).shape
    (225, 300)
    """

    nx: int
    ny: int
    width: float
    height: float

    def __post_init__(self) -> None:
        for name in ("nx", "ny"):
            whole_number(f"BinGrid: {name}", getattr(self, name), 1, 2**31 - 1)
        if self.nx * self.ny >= 2**31:
            raise OptionError(f"BinGrid: {self.nx} x {self.ny} bins are more than 2^31 - 1")
        for name in ("width", "height"):
            value = getattr(self, name)
            if not 1e-6 <= value <= 1e12:
                raise OptionError(f"BinGrid: {name} must be from 1e-6 to 1e12 px, got {value!r}")

    @classmethod
    def for_image(cls, width: int, height: int, bins: int = 300) -> BinGrid:
        """The grid of a fixation heat map: ``bins`` along the wider side, the other side in proportion.

        The other side's number is rounded to the nearest whole number (half to even) and at least 1.
        """
        bins = whole_number("bins", bins, 1, 2**31 - 1)
        width = whole_number("the width of an image, px,", width, 1, 2**31 - 1)
        height = whole_number("the height of an image, px,", height, 1, 2**31 - 1)
        wider = max(width, height)
        return cls(
            nx=max(1, round(bins * width / wider)),
            ny=max(1, round(bins * height / wider)),
            width=float(width),
            height=float(height),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the histogram, (ny, nx): row first, as images are."""
        return self.ny, self.nx

    @property
    def scales(self) -> tuple[float, float]:
        """Bins per px along x and y."""
        return self.nx / self.width, self.ny / self.height

    def margins(self, dtype: np.dtype[Any]) -> tuple[float, float]:
        """More than the error of ``coordinate * scale`` along x and y, in bins, where both are of this float type.

        It is less than 2 eps times the number of bins: scale and product are rounded once each, and an edge twice.
        This is twice as much.
        """
        import numpy as np

        eps = float(np.finfo(dtype).eps)
        return 4 * eps * self.nx, 4 * eps * self.ny

    @cached_property
    def x_edges(self) -> NDArray[np.float64]:
        """The (nx + 1,) edges along x in px, ``numpy.linspace(0, width, nx + 1)``."""
        return _edges(self.width, self.nx)

    @cached_property
    def y_edges(self) -> NDArray[np.float64]:
        """The (ny + 1,) edges along y in px, ``numpy.linspace(0, height, ny + 1)``."""
        return _edges(self.height, self.ny)


def _edges(extent: float, bins: int) -> NDArray[np.float64]:
    import numpy as np

    edges = np.linspace(0.0, extent, bins + 1)
    edges.flags.writeable = False
    return edges
