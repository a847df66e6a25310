"""The picture behind a motion heat map, from frames as they pass by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import cv2
import numpy as np

from gpuheat.motion.planar_sums import PlanarSums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gpuheat.pixels import Pixels

__all__ = ["BACKGROUNDS", "Background", "Mean"]

MEDIAN_FRAMES: Final = 22  # at most this many are kept, at least half as many once there were enough
ROWS_AT_ONCE: Final = 64  # to spare memory
FRAMES_IN_16_BITS: Final = (2**16 - 1) // 255
FRAMES_IN_32_BITS: Final = (2**32 - 1) // 255


class Background(Protocol):
    """Watches frames, all of one size, and makes one picture of them.

    Made with the number of frames that others watch before it.
    """

    def add(self, pixels: Callable[[], Pixels], bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Take notice of the next frame.

        ``pixels`` gives the frame as it was compared, on the host; ``bgr`` its (h, w, 3) BGR or (h, w) grey
        picture. Each is called only if that is needed.
        """

    def append(self, other: Any) -> None:
        """Take in what another of the same kind saw, whose frames directly follow."""

    def picture(self) -> NDArray[np.uint8] | None:
        """The (h, w, 3) BGR picture, or None when there was no frame."""

    @property
    def state(self) -> dict[str, Any]:
        """What it saw, for :meth:`restore`: arrays and numbers. They may change with the next frame."""

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with what another of the same kind saw and gave as its state."""


class First:
    """The first frame."""

    def __init__(self, before: int = 0) -> None:
        self._wanted = before == 0
        self._frame: NDArray[np.uint8] | None = None

    def add(self, _pixels: Callable[[], Pixels], bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Keep the first."""
        if self._wanted:
            self._frame, self._wanted = bgr().copy(), False

    def append(self, other: First) -> None:
        """Take the other's where there is none."""
        self._frame = other._frame if self._frame is None else self._frame
        self._wanted = self._wanted and self._frame is None

    def picture(self) -> NDArray[np.uint8] | None:
        """The first frame."""
        return None if self._frame is None else _bgr(self._frame)

    @property
    def state(self) -> dict[str, Any]:
        """That frame."""
        return {"wanted": self._wanted, "frame": self._frame}

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with it."""
        self._wanted, self._frame = state["wanted"], state["frame"]


class Mean:
    """The mean of the BGR pictures of all frames: whole-number sums, divided once at the end, rounded half up.

    Planar frames are added up without making a BGR picture of each; see :class:`PlanarSums`. The sums of others are
    gathered in 16 bits, where adding a frame costs least, and emptied before they could overflow.
    """

    def __init__(self, _before: int = 0) -> None:
        self._frames = 0
        self._planar: PlanarSums | None = None
        self._recent: NDArray[np.uint16] | None = None  # (h, w[, 3]) of frames that are not planar
        self._in_16_bits = 0
        self._sums: NDArray[Any] | None = None

    def add(self, pixels: Callable[[], Pixels], _bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Add every frame up."""
        frame = pixels()
        first = frame.planes[0]
        self._frames += 1
        if frame.layout.planar:
            self._planar = self._planar or PlanarSums(*first.shape)
            self._planar.add(frame)
            return
        if self._recent is None:
            self._recent = np.zeros(first.shape, np.uint16)
        np.add(self._recent, first, out=self._recent)
        self._in_16_bits += 1
        if self._in_16_bits == FRAMES_IN_16_BITS:
            self._empty()

    def add_sums(self, sums: NDArray[np.uint32], frames: int) -> None:
        """Add up so many more frames, whose pictures were added up elsewhere: (3, h, w), blue, green and red."""
        self._frames += frames
        self._planar = self._planar or PlanarSums(*sums.shape[1:])
        self._planar.add_pictures(sums, frames)

    def append(self, other: Mean) -> None:
        """Add the sums. The other is not to be used any more."""
        self._frames += other._frames
        if self._planar is None:
            self._planar = other._planar
        elif other._planar is not None:
            self._planar.append(other._planar)
        for others in (other._recent, other._sums):
            if others is not None:
                sums = self._sums_of(others.shape)
                sums += others

    def picture(self) -> NDArray[np.uint8] | None:
        """The rounded mean."""
        if not self._frames:
            return None
        self._empty()
        parts = [part for part in (self._planar, self._sums) if part is not None]
        mean = np.empty(parts[0].shape, np.uint8)
        for first in range(0, len(mean), ROWS_AT_ONCE):
            last = min(len(mean), first + ROWS_AT_ONCE)
            total = sum((part[first:last] for part in parts[1:]), start=parts[0][first:last])
            mean[first:last] = (total + self._frames // 2) // self._frames
        return _bgr(mean)

    @property
    def state(self) -> dict[str, Any]:
        """The sums."""
        self._empty()
        planar = None if self._planar is None else self._planar.state
        return {"frames": self._frames, "planar": planar, "others": self._sums}

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with them."""
        self._frames = state["frames"]
        self._planar = None if state["planar"] is None else PlanarSums.restore(state["planar"])
        self._sums = state["others"]

    def _empty(self) -> None:
        """Move what was gathered in 16 bits to the sums."""
        if self._recent is not None:
            sums = self._sums_of(self._recent.shape)
            sums += self._recent
            self._recent[...] = 0
            self._in_16_bits = 0

    def _sums_of(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The sums of frames that are not planar, with bits enough for all frames so far."""
        bits = np.uint32 if self._frames < FRAMES_IN_32_BITS else np.int64
        self._sums = np.zeros(shape, bits) if self._sums is None else self._sums.astype(bits, copy=False)
        return self._sums


class Median:
    """The median of frames spread evenly over all that passed.

    Every ``step``-th frame is kept; when there are too many, every other one is dropped and the step
    doubles. The choice depends on the number of frames alone.
    """

    def __init__(self, before: int = 0) -> None:
        self._frames = before
        self._step = 1
        self._kept: list[tuple[int, NDArray[np.uint8]]] = []  # each with how many came before it

    def add(self, _pixels: Callable[[], Pixels], bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Keep some."""
        if self._frames % self._step == 0:
            self._kept.append((self._frames, bgr().copy()))
            self._thin_out(self._step)
        self._frames += 1

    def append(self, other: Median) -> None:
        """Keep those that would have been kept of all."""
        self._frames = other._frames
        self._kept += other._kept
        self._thin_out(max(self._step, other._step))

    @property
    def state(self) -> dict[str, Any]:
        """The frames that are kept, by their numbers."""
        kept = {str(number): frame for number, frame in self._kept}
        return {"frames": self._frames, "step": self._step, "kept": kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with them."""
        self._frames, self._step = state["frames"], state["step"]
        self._kept = [(int(number), frame) for number, frame in state["kept"].items()]

    def _thin_out(self, step: int) -> None:
        """Keep every ``step``-th, and fewer where those are too many."""
        while True:
            self._kept = [(number, frame) for number, frame in self._kept if number % step == 0]
            self._step = step
            if len(self._kept) < MEDIAN_FRAMES:
                return
            step *= 2

    def picture(self) -> NDArray[np.uint8] | None:
        """The median, row by row to spare memory; of an even number the mean of the middle two, rounded down."""
        if not self._kept:
            return None
        rows = zip(*(frame for _, frame in self._kept), strict=True)
        return _bgr(np.stack([np.median(np.stack(row), axis=0).astype(np.uint8) for row in rows]))


BACKGROUNDS: Final[dict[str, Callable[..., Background]]] = {"first": First, "mean": Mean, "median": Median}


def _bgr(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if frame.ndim == 3:
        return frame
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8)
