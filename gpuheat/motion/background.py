"""The picture behind a motion heat map, from frames as they pass by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import cv2
import numpy as np

from gpuheat.backends.cpu_loops import numba_cpu
from gpuheat.backends.cpu_planes import flat_plane, flat_planes, luma_style, yuv_style

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

    Sums are gathered in 16 bits, where adding a frame costs least, and emptied before they could overflow.
    Planar frames are added up without making a BGR picture of each; some wait until they can be added together, and
    their memory has to stay as it is.
    """

    def __init__(self, _before: int = 0) -> None:
        self._frames = 0
        self._in_16_bits = 0
        self._waiting: list[Pixels] = []
        self._recent: dict[bool, NDArray[np.uint16]] = {}  # (3, h, w) of planar frames, (h, w[, 3]) of others
        self._sums: dict[bool, NDArray[Any]] = {}

    def add(self, pixels: Callable[[], Pixels], _bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Add every frame up."""
        frame = pixels()
        layout = frame.layout
        first = frame.planes[0]
        if layout.planar not in self._recent:
            self._recent[layout.planar] = np.zeros((3, *first.shape) if layout.planar else first.shape, np.uint16)
        if layout.planar:
            if self._waiting and self._waiting[0].layout != layout:
                self._add_waiting()
            self._waiting.append(frame)
            if len(self._waiting) == numba_cpu.FRAMES_AT_ONCE:
                self._add_waiting()
        elif layout.pixel_format == "gray8":
            numba_cpu.add_grey_rows(*flat_plane(first), *luma_style(layout), self._recent[False])
        else:
            np.add(self._recent[False], first, out=self._recent[False])
        self._frames += 1
        self._in_16_bits += 1
        if self._in_16_bits == FRAMES_IN_16_BITS:
            self._empty()

    def add_sums(self, sums: NDArray[np.uint32], frames: int) -> None:
        """Add up so many more frames, whose pictures were added up elsewhere: (3, h, w), blue, green and red."""
        self._empty()
        self._frames += frames
        own = self._sums_of(True, sums.shape)
        own += sums

    def append(self, other: Mean) -> None:
        """Add the sums."""
        other._add_waiting()
        self._frames += other._frames
        for planar, recent in other._recent.items():
            sums = self._sums_of(planar, recent.shape)
            sums += recent
        for planar, others in other._sums.items():
            sums = self._sums_of(planar, others.shape)
            sums += others

    def picture(self) -> NDArray[np.uint8] | None:
        """The rounded mean."""
        if not self._frames:
            return None
        self._empty()
        self._recent.clear()  # to spare memory
        sums = [total.transpose(1, 2, 0) if planar else total for planar, total in self._sums.items()]
        mean = np.empty(sums[0].shape, np.uint8)
        for first in range(0, len(mean), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            total = sum((each[rows] for each in sums[1:]), start=sums[0][rows])
            mean[rows] = (total + self._frames // 2) // self._frames
        return _bgr(mean)

    @property
    def state(self) -> dict[str, Any]:
        """The sums."""
        self._empty()
        return {"frames": self._frames, "planar": self._sums.get(True), "others": self._sums.get(False)}

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with them."""
        self._frames = state["frames"]
        given = {True: state["planar"], False: state["others"]}
        self._sums = {planar: sums for planar, sums in given.items() if sums is not None}

    def _add_waiting(self) -> None:
        """Add the planar frames that wait for others: all at once, or one by one where there are too few."""
        at_once = len(self._waiting) == numba_cpu.FRAMES_AT_ONCE
        for frames in [self._waiting] if at_once else [[frame] for frame in self._waiting]:
            layout, (rows, width) = frames[0].layout, frames[0].planes[0].shape
            flat = [value for frame in frames for value in flat_planes(frame.planes, layout)]
            assert layout.conversion is not None
            how = yuv_style(layout, layout.conversion)
            planes, pitches = tuple(flat[::2]), tuple(flat[1::2])
            numba_cpu.add_picture_rows_yuv(planes, pitches, 0, rows // 2, how[0], width, how[1], self._recent[True])
        self._waiting = []

    def _empty(self) -> None:
        """Move what was gathered in 16 bits to the sums."""
        self._add_waiting()
        for planar, recent in self._recent.items():
            sums = self._sums_of(planar, recent.shape)
            sums += recent
            recent[...] = 0
        self._in_16_bits = 0

    def _sums_of(self, planar: bool, shape: tuple[int, ...]) -> NDArray[Any]:
        """The sums, with bits enough for all frames so far."""
        bits = np.uint32 if self._frames < FRAMES_IN_32_BITS else np.uint64
        sums = self._sums.get(planar)
        self._sums[planar] = np.zeros(shape, bits) if sums is None else sums.astype(bits, copy=False)
        return self._sums[planar]


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
