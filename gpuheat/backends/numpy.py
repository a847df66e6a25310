"""The plain recipe in NumPy and OpenCV: the reference the other backends are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from gpuheat.backends import gaussian
from gpuheat.backends.checks import check_image, check_motion, check_points, planes_of
from gpuheat.backends.host import HostArrays
from gpuheat.pixels import FrameLayout, to_bgr, to_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.grid import BinGrid

__all__ = ["NumpyBackend"]


class NumpyBackend(HostArrays):
    """Backend ``numpy``; see :class:`gpuheat.backends.base.Backend` for what the operations do."""

    name = "numpy"
    native_formats = ()

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
        previous: Any,
        frames: Any,
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
        before = _picture(planes_of(previous, layout), layout)
        for pair, planes in enumerate(zip(*planes_of(frames, layout), strict=True)):
            now = _picture(planes, layout)
            difference = cv2.absdiff(before, now)
            grey = difference if layout.pixel_format == "gray8" else cv2.cvtColor(difference, cv2.COLOR_BGR2GRAY)
            motion = np.asarray(cv2.threshold(grey, threshold, 1, cv2.THRESH_BINARY)[1], np.uint8)
            if mask is not None:
                motion[mask == 0] = 0
            moved[pair] = np.count_nonzero(motion)
            if counts is not None:
                counts += motion
            if decayed is not None and weights is not None:
                decayed += motion * weights[pair]
            before = now

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


def _picture(planes: tuple[NDArray[np.uint8], ...], layout: FrameLayout) -> NDArray[np.uint8]:
    """One frame as a picture OpenCV takes: (h, w, 3) BGR or (h, w) grey."""
    if layout.planar:
        return to_bgr(planes, layout)
    return np.ascontiguousarray(planes[0]) if layout.conversion is None else to_grey(planes[0], layout.conversion)


def _bins(edges: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.intp]:
    """The bin of each value: -1 or the number of bins where it lies outside or is NaN."""
    bins = np.searchsorted(edges, values, side="right") - 1
    bins[values == edges[-1]] = len(edges) - 2
    return bins
