"""Where the sums of a map were raised last, so that whoever looks at them now and then need not look at all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Raised"]


class Raised:
    """For each stretch of a row the number of the comparison that last raised a sum in it.

    Parameters
    ----------
    shape
        (h, w) of the sums.
    stretch
        So many pixels of a row belong together, px.

    Attributes
    ----------
    numbers
        (h, ceil(w / stretch)) uint64; 0 where nothing was raised.
    latest
        That of the latest comparison; 0 before the first.
    """

    def __init__(self, shape: tuple[int, int], stretch: int) -> None:
        self.numbers: NDArray[np.uint64] = np.zeros((shape[0], -(-shape[1] // stretch)), np.uint64)
        self.latest = 0
        self.stretch = stretch

    def next(self) -> int:
        """The number of the next comparison."""
        self.latest += 1
        return self.latest

    def everywhere(self) -> None:
        """Take note that the sums are others."""
        self.numbers[...] = self.next()
