"""Fused, multi-threaded loops on the CPU, compiled by Numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpuheat.backends import gaussian
from gpuheat.backends.checks import check_image, check_motion, check_points, check_raised, planes_of
from gpuheat.backends.cpu_loops import numba_cpu, processors, share
from gpuheat.backends.cpu_planes import PlaneStack, flat_planes, luma_style, yuv_style
from gpuheat.backends.host import HostArrays
from gpuheat.kernels import grey
from gpuheat.pixels import FrameLayout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gpuheat.grid import BinGrid

__all__ = ["NumbaBackend"]

PIXELS_WORTH_A_THREAD = 1 << 21  # of all pairs together: 1 ms of work, where one has to be woken and others are busy
STRIPS = 4  # of rows that lie apart, which each thread has: what moves is seldom in all of a picture
POINTS_WORTH_A_THREAD = 1 << 17
PRODUCTS_WORTH_A_THREAD = 1 << 21  # of a blur, each of its two passes


class NumbaBackend(HostArrays):
    """Backend ``numba``; see :class:`gpuheat.backends.base.Backend` for what the operations do.

    Parameters
    ----------
    threads
        How many threads share one operation; None is one for each processor this process may use.
        Small inputs are not worth a second thread and stay on the caller's.
    """

    name = "numba"
    stretch = numba_cpu.STRETCH
    native_formats = ("yuv420p", "nv12", "gray8")
    frames_at_once = numba_cpu.PAIRS
    bytes_at_once = 1 << 25  # two frames of 4K: of larger ones another is much memory for little time

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or processors()

    @property
    def device(self) -> str:
        """What it computes on, for people."""
        return f"CPU, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def asarray(self, values: object) -> Any:
        """The same for frames that were gathered."""
        return values if isinstance(values, PlaneStack) else super().asarray(values)

    def gather(self, frames: Sequence[Sequence[NDArray[np.uint8]]]) -> tuple[Any, ...]:
        """Frames that come one by one as a batch, without a copy."""
        return tuple(PlaneStack(planes)[:] for planes in zip(*frames, strict=True))

    def add_points(
        self,
        histogram: NDArray[np.uint64],
        grid: BinGrid,
        x: NDArray[Any],
        y: NDArray[Any],
        weight: NDArray[np.uint32] | None = None,
    ) -> None:
        """The caller's thread counts into the histogram itself, others into private bins, added up at the end."""
        check_points(histogram, grid, x, y, weight)
        number = x.dtype.type
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        weight = np.empty(0, np.uint32) if weight is None else np.ascontiguousarray(weight)
        own = histogram if histogram.flags.c_contiguous else np.zeros(grid.shape, np.uint64)

        def part(first: int, last: int) -> NDArray[np.uint64]:
            bins = own if last == x.size else np.zeros(grid.shape, np.uint64)
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
            if bins is not histogram:
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
        raised: NDArray[np.uint64] | None = None,
        number: int = 0,
    ) -> None:
        """One pass over each two pairs of frames; each thread has some strips of rows."""
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
        if raised is not None:
            check_raised(raised, number, height, width, self.stretch)
        compare, rows, how = _comparison(layout, height, width, threshold)
        sums = (_rows(mask, np.uint8), _rows(counts, np.uint32), _rows(decayed, np.float64))
        marks = (_rows(raised, np.uint64), np.uint64(number))
        consecutive = [planes_of(previous, layout), *zip(*planes_of(frames, layout), strict=True)]
        flat = [flat_planes(planes, layout) for planes in consecutive]
        worth = np.zeros(moved.size) if weights is None else weights

        def part(first: int, last: int) -> NDArray[np.int64]:
            found = np.zeros(moved.size, np.int64)
            for begin in range(0, moved.size, numba_cpu.PAIRS):
                pairs = slice(begin, begin + numba_cpu.PAIRS)
                compare(*_together(flat[begin:]), first, last, *how, *sums, *marks, worth[pairs], found[pairs])
            return found

        least = max(1, PIXELS_WORTH_A_THREAD * rows // (width * height * max(1, moved.size)))
        moved[...] = np.sum(share(part, rows, least, self.threads, STRIPS), axis=0)
        for array, own in ((counts, sums[1]), (decayed, sums[2]), (raised, marks[0])):
            if array is not None and own is not array:
                array[...] = own

    def gaussian_blur(self, image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """Both passes over tiles of columns, which are shared among the threads."""
        check_image(image)
        kernel = gaussian.weights(sigma)
        if image.size == 0:
            return image.copy()
        height, width = image.shape
        source = np.ascontiguousarray(image)
        blurred = np.empty_like(source)
        tiles = -(-width // numba_cpu.TILE)
        least = max(1, PRODUCTS_WORTH_A_THREAD // (height * numba_cpu.TILE * kernel.size))

        def part(first: int, last: int) -> None:
            numba_cpu.blur_tiles(source, kernel, first, last, blurred)

        share(part, tiles, least, self.threads)
        return blurred


def _rows(array: NDArray[Any] | None, dtype: Any) -> NDArray[Any]:
    """C-contiguous rows, the array itself where it has them; None becomes the (0, 0) the loops know."""
    return np.empty((0, 0), dtype) if array is None else np.ascontiguousarray(array)


def _together(frames: Sequence[Sequence[tuple[NDArray[np.uint8], int]]]) -> list[tuple[Any, ...]]:
    """Of each plane the bytes of the first frames, as many as one pass compares, and the distances of their rows.

    Where there are fewer, the last stands for what is not compared.
    """
    of_one_pass = [*frames[: numba_cpu.PAIRS + 1]]
    of_one_pass += of_one_pass[-1:] * (numba_cpu.PAIRS + 1 - len(of_one_pass))
    return [of_all for planes in zip(*of_one_pass, strict=True) for of_all in zip(*planes, strict=True)]


def _comparison(
    layout: FrameLayout, height: int, width: int, threshold: int
) -> tuple[Callable[..., Any], int, tuple[Any, ...]]:
    """The loop that compares frames of a layout, how many rows of work it has, and what it is to be told."""
    limit = np.int32(grey.lowest_moving_sum(threshold))
    if layout.pixel_format == "gray8":
        return numba_cpu.add_motion_rows_grey, height, (width, np.int16(threshold), *luma_style(layout))
    if layout.conversion is None:
        return numba_cpu.add_motion_rows_bgr, height, (width, np.uint8(threshold), limit)
    chroma_step, factors = yuv_style(layout, layout.conversion)
    return numba_cpu.add_motion_rows_yuv, height // 2, (chroma_step, width, limit, factors)
