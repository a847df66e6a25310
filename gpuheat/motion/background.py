"""The picture behind a motion heat map, from frames as they pass by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import cv2
import numpy as np

from gpuheat.backends.cpu_loops import numba_cpu
from gpuheat.backends.cpu_planes import flat_planes, yuv_style

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gpuheat.pixels import Pixels

__all__ = ["BACKGROUNDS", "Background"]

MEDIAN_FRAMES: Final = 22  # at most this many are kept, at least half as many once there were enough
FRAMES_IN_16_BITS: Final = (2**16 - 1) // 255
FRAMES_IN_32_BITS: Final = (2**32 - 1) // 255


class Background(Protocol):
    """Watches frames, all of one size, and makes one picture of them."""

    def add(self, pixels: Callable[[], Pixels], bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Take notice of the next frame.

        ``pixels`` gives the frame as it was compared, on the host; ``bgr`` its (h, w, 3) BGR or (h, w) grey
        picture. Each is called only if that is needed.
        """

    def picture(self) -> NDArray[np.uint8] | None:
        """The (h, w, 3) BGR picture, or None when there was no frame."""


class First:
    """The first frame."""

    def __init__(self) -> None:
        self._frame: NDArray[np.uint8] | None = None

    def add(self, _pixels: Callable[[], Pixels], bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Keep the first."""
        if self._frame is None:
            self._frame = bgr().copy()

    def picture(self) -> NDArray[np.uint8] | None:
        """The first frame."""
        return None if self._frame is None else _bgr(self._frame)


class Mean:
    """The mean of the BGR pictures of all frames: whole-number sums, divided once at the end, rounded half up.

    Sums are gathered in 16 bits, where adding a frame costs least, and emptied before they could overflow.
    Planar frames are added up without making a BGR picture of each.
    """

    def __init__(self) -> None:
        self._frames = 0
        self._recent: dict[bool, NDArray[np.uint16]] = {}  # (3, h, w) of planar frames, (h, w[, 3]) of others
        self._sums: dict[bool, NDArray[Any]] = {}

    def add(self, pixels: Callable[[], Pixels], _bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Add every frame up."""
        frame = pixels()
        layout = frame.layout
        first = frame.planes[0]
        if layout.planar not in self._recent:
            self._recent[layout.planar] = np.zeros((3, *first.shape) if layout.planar else first.shape, np.uint16)
        recent = self._recent[layout.planar]
        if layout.conversion is None:
            np.add(recent, first, out=recent)
        else:
            chroma_step, factors = yuv_style(layout, layout.conversion)
            rows, width = first.shape[0] // 2, first.shape[1]
            planes = flat_planes(frame.planes, layout)
            numba_cpu.add_picture_rows_yuv(*planes, 0, rows, chroma_step, width, factors, recent)
        self._frames += 1
        if self._frames % FRAMES_IN_16_BITS == 0:
            for planar in self._recent:
                self._sums[planar] = self._total(planar)
                self._recent[planar][...] = 0

    def picture(self) -> NDArray[np.uint8] | None:
        """The rounded mean."""
        if not self._frames:
            return None
        if len(self._recent) == 1:
            (planar,) = self._recent
            mean = self._mean(self._total(planar))
            return _bgr(np.ascontiguousarray(mean.transpose(1, 2, 0)) if planar else mean)
        return _bgr(self._mean(self._total(True).transpose(1, 2, 0) + self._total(False)))

    def _total(self, planar: bool) -> NDArray[Any]:
        bits = np.uint32 if self._frames < FRAMES_IN_32_BITS else np.uint64
        total: NDArray[Any] = self._recent[planar].astype(bits)
        return total + self._sums[planar].astype(bits) if planar in self._sums else total

    def _mean(self, total: NDArray[Any]) -> NDArray[np.uint8]:
        return np.asarray((total + self._frames // 2) // self._frames).astype(np.uint8)


class Median:
    """The median of frames spread evenly over all that passed.

    Every ``step``-th frame is kept; when there are too many, every other one is dropped and the step
    doubles. The choice depends on the number of frames alone.
    """

    def __init__(self) -> None:
        self._frames = 0
        self._step = 1
        self._kept: list[NDArray[np.uint8]] = []

    def add(self, _pixels: Callable[[], Pixels], bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Keep some."""
        if self._frames % self._step == 0:
            self._kept.append(bgr().copy())
            if len(self._kept) == MEDIAN_FRAMES:
                self._kept = self._kept[::2]
                self._step *= 2
        self._frames += 1

    def picture(self) -> NDArray[np.uint8] | None:
        """The median, row by row to spare memory; of an even number the mean of the middle two, rounded down."""
        if not self._kept:
            return None
        rows = zip(*self._kept, strict=True)
        return _bgr(np.stack([np.median(np.stack(row), axis=0).astype(np.uint8) for row in rows]))


BACKGROUNDS: Final[dict[str, Callable[[], Background]]] = {"first": First, "mean": Mean, "median": Median}


def _bgr(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if frame.ndim == 3:
        return frame
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8)
