"""The plain recipe in NumPy and OpenCV: the reference the other backends are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from gpuheat.backends import gaussian
from gpuheat.backends.checks import check_image, check_motion, check_points
from gpuheat.backends.host import HostArrays
from gpuheat.pixels import FrameLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.grid import BinGrid

__all__ = ["NumpyBackend"]


class NumpyBackend(HostArrays):
    """Backend ``numpy``; see :class:`gpuheat.backends.base.Backend` for what the operations do."""

    name = "numpy"

    @property
    def device(self) -> str:
        """What it computes on, for people."""
        return f"CPU, NumPy {np.__version__} and OpenCV {cv2.__version__}"

    def add_points(
        self,
        histogram: NDArray[np.uint64],
        grid: BinGrid,
        x: NDArray[Any],
        y: NDArray[Any],
        weight: NDArray[np.uint32] | None = None,
    ) -> None:
        """Points into bins, by a binary search among the edges."""
        check_points(histogram, grid, x, y, weight)
        column, row = _bins(grid.x_edges, x), _bins(grid.y_edges, y)
        inside = (column >= 0) & (column < grid.nx) & (row >= 0) & (row < grid.ny)
        amount = np.ones(x.shape, np.uint64) if weight is None else weight.astype(np.uint64)
        np.add.at(histogram, (row[inside], column[inside]), amount[inside])

    def add_motion(
        self,
        previous: NDArray[np.uint8],
        frames: NDArray[np.uint8],
        layout: FrameLayout,
        *,
        threshold: int,
        moved: NDArray[np.uint32],
        counts: NDArray[np.uint32] | None = None,
        mask: NDArray[np.uint8] | None = None,
        decayed: NDArray[np.float64] | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        """Difference, grey, threshold, add."""
        check_motion(
            previous,
            frames,
            layout,
            threshold=threshold,
            moved=moved,
            counts=counts,
            mask=mask,
            decayed=decayed,
            weights=weights,
        )
        for pair, frame in enumerate(frames):
            difference = cv2.absdiff(np.ascontiguousarray(previous), np.ascontiguousarray(frame))
            grey = cv2.cvtColor(difference, cv2.COLOR_BGR2GRAY) if layout is FrameLayout.BGR24 else difference
            motion = np.asarray(cv2.threshold(grey, threshold, 1, cv2.THRESH_BINARY)[1], np.uint8)
            if mask is not None:
                motion[mask == 0] = 0
            moved[pair] = np.count_nonzero(motion)
            if counts is not None:
                counts += motion
            if decayed is not None and weights is not None:
                decayed += motion * weights[pair]
            previous = frame

    def gaussian_blur(self, image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """OpenCV's separable filter with the shared weights."""
        check_image(image)
        kernel = gaussian.weights(sigma)
        if image.size == 0:
            return image.copy()
        blurred = cv2.sepFilter2D(
            np.ascontiguousarray(image), cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT_101
        )
        return np.asarray(blurred, np.float32)


def _bins(edges: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.intp]:
    """The bin of each value: -1 or the number of bins where it lies outside or is NaN."""
    bins = np.searchsorted(edges, values, side="right") - 1
    bins[values == edges[-1]] = len(edges) - 2
    return bins
