"""Fused, multi-threaded loops on the CPU, compiled by Numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpuheat.backends import gaussian
from gpuheat.backends.checks import check_image, check_motion, check_points, planes_of
from gpuheat.backends.cpu_loops import numba_cpu, processors, share
from gpuheat.backends.cpu_planes import flat_planes, luma_style, yuv_style
from gpuheat.backends.host import HostArrays
from gpuheat.kernels import grey
from gpuheat.pixels import FrameLayout

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gpuheat.grid import BinGrid

__all__ = ["NumbaBackend"]

PIXELS_WORTH_A_THREAD = 1 << 17
POINTS_WORTH_A_THREAD = 1 << 17


class NumbaBackend(HostArrays):
    """Backend ``numba``; see :class:`gpuheat.backends.base.Backend` for what the operations do.

    Parameters
    ----------
    threads
        How many threads share one operation; None is one for each processor this process may use.
        Small inputs are not worth a second thread and stay on the caller's.
    """

    name = "numba"
    native_formats = ("yuv420p", "nv12", "gray8")

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or processors()

    @property
    def device(self) -> str:
        """What it computes on, for people."""
        return f"CPU, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def add_points(
        self,
        histogram: NDArray[np.uint64],
        grid: BinGrid,
        x: NDArray[Any],
        y: NDArray[Any],
        weight: NDArray[np.uint32] | None = None,
    ) -> None:
        """Points into private bins, one set per thread, added up at the end."""
        check_points(histogram, grid, x, y, weight)
        number = x.dtype.type
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        weight = np.empty(0, np.uint32) if weight is None else np.ascontiguousarray(weight)

        def part(first: int, last: int) -> NDArray[np.uint64]:
            bins = np.zeros(grid.shape, np.uint64)
            numba_cpu.add_points_part(
                x,
                y,
                weight,
                first,
                last,
                grid.x_edges,
                grid.y_edges,
                *map(number, grid.scales),
                *map(number, grid.margins(x.dtype)),
                bins.reshape(-1),
            )
            return bins

        for bins in share(part, x.size, max(POINTS_WORTH_A_THREAD, grid.nx * grid.ny), self.threads):
            histogram += bins

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
        """One pass over each pair of frames, its rows shared among the threads."""
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
        height, width = planes_of(previous, layout)[0].shape[:2]
        compare, rows, how = _comparison(layout, height, width, threshold)
        least = max(1, PIXELS_WORTH_A_THREAD * rows // (width * height))
        mask_rows = _rows(mask, np.uint8)
        count_rows = _rows(counts, np.uint32)
        decayed_rows = _rows(decayed, np.float64)
        before = flat_planes(planes_of(previous, layout), layout)
        for pair, planes in enumerate(zip(*planes_of(frames, layout), strict=True)):
            now = flat_planes(planes, layout)
            both = (*before, *now)
            sums = (mask_rows, count_rows, decayed_rows, 0.0 if weights is None else float(weights[pair]))

            def part(first: int, last: int, both: Any = both, sums: Any = sums) -> int:
                return int(compare(*both, first, last, *how, *sums))

            moved[pair] = sum(share(part, rows, least, self.threads))
            before = now
        for array, own in ((counts, count_rows), (decayed, decayed_rows)):
            if array is not None and own is not array:
                array[...] = own

    def gaussian_blur(self, image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """Two passes, their rows shared among the threads."""
        check_image(image)
        kernel = gaussian.weights(sigma)
        if image.size == 0:
            return image.copy()
        height, width = image.shape
        radius = kernel.size // 2
        columns, rows = _mirrored(width, radius), _mirrored(height, radius)
        source = np.ascontiguousarray(image)
        between, blurred = np.empty_like(source), np.empty_like(source)
        least = max(1, PIXELS_WORTH_A_THREAD // (width * kernel.size))

        def along_rows(first: int, last: int) -> None:
            numba_cpu.blur_along_rows(source, columns, kernel, first, last, between)

        def along_columns(first: int, last: int) -> None:
            numba_cpu.blur_along_columns(between, rows, kernel, first, last, blurred)

        share(along_rows, height, least, self.threads)
        share(along_columns, height, least, self.threads)
        return blurred


def _rows(array: NDArray[Any] | None, dtype: Any) -> NDArray[Any]:
    """C-contiguous rows, the array itself where it has them; None becomes the (0, 0) the loops know."""
    return np.empty((0, 0), dtype) if array is None else np.ascontiguousarray(array)


def _comparison(
    layout: FrameLayout, height: int, width: int, threshold: int
) -> tuple[Callable[..., Any], int, tuple[Any, ...]]:
    """The loop that compares frames of a layout, how many rows of work it has, and what it is to be told."""
    limit = np.int32(grey.lowest_moving_sum(threshold))
    if layout.pixel_format == "gray8":
        return numba_cpu.add_motion_rows_grey, height, (width, np.int32(threshold), *luma_style(layout))
    if layout.conversion is None:
        return numba_cpu.add_motion_rows_bgr, height, (width, np.uint8(threshold), limit)
    chroma_step, factors = yuv_style(layout, layout.conversion)
    return numba_cpu.add_motion_rows_yuv, height // 2, (chroma_step, width, limit, factors)


def _mirrored(size: int, radius: int) -> NDArray[np.intp]:
    """Which of ``size`` places lies at each of -radius ... size - 1 + radius (OpenCV's BORDER_REFLECT_101)."""
    place = np.arange(-radius, size + radius)
    if size == 1:
        return np.zeros_like(place)
    turn = np.abs(place) % (2 * (size - 1))
    return np.asarray(np.minimum(turn, 2 * (size - 1) - turn))
