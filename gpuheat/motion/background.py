"""The picture behind a motion heat map, from frames as they pass by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["BACKGROUNDS", "Background"]

MEDIAN_FRAMES: Final = 22  # at most this many are kept, at least half as many once there were enough
FRAMES_IN_16_BITS: Final = 65535 // 255


class Background(Protocol):
    """Watches (h, w, 3) BGR or (h, w) grey uint8 frames, all of one shape, and makes one picture of them."""

    wants_all: bool
    """Whether it needs the pixels of every frame, and not only of a few."""

    def add(self, frame: Callable[[], NDArray[np.uint8]]) -> None:
        """Take notice of the next frame; it is made only if it is needed."""

    def picture(self) -> NDArray[np.uint8] | None:
        """The (h, w, 3) BGR picture, or None when there was no frame."""


class First:
    """The first frame."""

    wants_all = False

    def __init__(self) -> None:
        self._frame: NDArray[np.uint8] | None = None

    def add(self, frame: Callable[[], NDArray[np.uint8]]) -> None:
        """Keep the first."""
        if self._frame is None:
            self._frame = frame().copy()

    def picture(self) -> NDArray[np.uint8] | None:
        """The first frame."""
        return None if self._frame is None else _bgr(self._frame)


class Mean:
    """The mean of all frames: whole-number sums, divided once at the end and rounded half up.

    Sums are gathered in 16 bits, where adding a frame costs least, and emptied into 64 bits before they
    could overflow.
    """

    wants_all = True

    def __init__(self) -> None:
        self._frames = 0
        self._recent: NDArray[np.uint16] | None = None
        self._sums: NDArray[np.uint64] | None = None

    def add(self, frame: Callable[[], NDArray[np.uint8]]) -> None:
        """Add every frame up."""
        pixels = frame()
        if self._recent is None or self._sums is None:
            self._recent = np.zeros(pixels.shape, np.uint16)
            self._sums = np.zeros(pixels.shape, np.uint64)
        np.add(self._recent, pixels, out=self._recent)
        self._frames += 1
        if self._frames % FRAMES_IN_16_BITS == 0:
            self._sums += self._recent
            self._recent[...] = 0

    def picture(self) -> NDArray[np.uint8] | None:
        """The rounded mean."""
        if self._recent is None or self._sums is None:
            return None
        total = self._sums + self._recent
        return _bgr(((total + self._frames // 2) // self._frames).astype(np.uint8))


class Median:
    """The median of frames spread evenly over all that passed.

    Every ``step``-th frame is kept; when there are too many, every other one is dropped and the step
    doubles. The choice depends on the number of frames alone.
    """

    wants_all = False

    def __init__(self) -> None:
        self._frames = 0
        self._step = 1
        self._kept: list[NDArray[np.uint8]] = []

    def add(self, frame: Callable[[], NDArray[np.uint8]]) -> None:
        """Keep some."""
        if self._frames % self._step == 0:
            self._kept.append(frame().copy())
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
