"""Fused, multi-threaded loops on the CPU, compiled by Numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpuheat.backends import gaussian
from gpuheat.backends.checks import check_image, check_motion, check_points
from gpuheat.backends.cpu_loops import numba_cpu, processors, share
from gpuheat.backends.host import HostArrays
from gpuheat.kernels import grey
from gpuheat.pixels import FrameLayout

if TYPE_CHECKING:
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
        # x * scale rounds twice: it is off by less than eps * bins. Four times that is a margin.
        margin = 4 * float(np.finfo(x.dtype).eps)
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
                number(grid.nx / grid.width),
                number(grid.ny / grid.height),
                number(margin * grid.nx),
                number(margin * grid.ny),
                bins.reshape(-1),
            )
            return bins

        for bins in share(part, x.size, max(POINTS_WORTH_A_THREAD, grid.nx * grid.ny), self.threads):
            histogram += bins

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
        height, width = previous.shape[:2]
        channels = 3 if layout is FrameLayout.BGR24 else 1
        limit = np.int32(grey.lowest_moving_sum(threshold) if channels == 3 else threshold + 1)
        mask_rows = _rows(mask, np.uint8)
        count_rows = _rows(counts, np.uint32)
        decayed_rows = _rows(decayed, np.float64)
        before = _bytes(previous)
        for pair, frame in enumerate(frames):
            now = _bytes(frame)
            weight = 0.0 if weights is None else float(weights[pair])
            pixels = (*before, *now, channels, width)
            sums = (limit, mask_rows, count_rows, decayed_rows, weight)

            def part(first: int, last: int, pixels: Any = pixels, sums: Any = sums) -> int:
                return int(numba_cpu.add_motion_rows(*pixels, first, last, *sums))

            moved[pair] = sum(share(part, height, max(1, PIXELS_WORTH_A_THREAD // width), self.threads))
            before = now
        for array, rows in ((counts, count_rows), (decayed, decayed_rows)):
            if array is not None and rows is not array:
                array[...] = rows

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


def _bytes(frame: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """A frame as flat bytes and the distance between its rows, without a copy where its rows are whole."""
    row_bytes = frame[0].size
    pitch = frame.strides[0]
    if pitch < row_bytes or not frame[0].flags.c_contiguous:
        frame, pitch = np.ascontiguousarray(frame), row_bytes
    size = (frame.shape[0] - 1) * pitch + row_bytes
    return np.lib.stride_tricks.as_strided(frame, (size,), (1,)), pitch


def _mirrored(size: int, radius: int) -> NDArray[np.intp]:
    """Which of ``size`` places lies at each of -radius ... size - 1 + radius (OpenCV's BORDER_REFLECT_101)."""
    place = np.arange(-radius, size + radius)
    if size == 1:
        return np.zeros_like(place)
    turn = np.abs(place) % (2 * (size - 1))
    return np.asarray(np.minimum(turn, 2 * (size - 1) - turn))
