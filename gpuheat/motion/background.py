"""The picture behind a motion heat map, from frames as they pass by."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol

import cv2
import numpy as np

from gpuheat.backends.cpu_loops import processors, share
from gpuheat.errors import InputError
from gpuheat.motion.plane_sums import PlaneSums
from gpuheat.pixels import FrameLayout, YuvToBgr, to_bgr, to_grey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gpuheat.pixels import Pixels

__all__ = ["BACKGROUNDS", "Background", "Mean"]

MEDIAN_FRAMES: Final = 22  # at most this many are kept, at least half as many once there were enough
ALL_OF: Final = 64  # frames, of which the mean takes every one
STEP: Final = 16  # behind those: two a second of usual video, at next to no cost
LAST: Final = 2**24  # frames, whose sums still fit 32 bits: six days at 30 frames/s
ROWS_AT_ONCE: Final = 64  # to spare memory
PIXELS_WORTH_A_THREAD: Final = 1 << 19


class Background(Protocol):
    """Watches frames, all of one size, and makes one picture of them.

    Made with the number of frames that others watch before it.
    """

    def add(self, pixels: Callable[[], Pixels], bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Take notice of the next frame.

        ``pixels`` gives the frame as it lies in its file, on the host, or its BGR picture where its planes do not
        tell that; ``bgr`` its (h, w, 3) BGR or (h, w) grey picture. Each is called only if that is needed.
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
    """The mean of frames spread over all that passed.

    Of the first ``ALL_OF`` frames each is looked at, of those behind them every ``STEP``-th, which stands for as many;
    none from frame ``LAST`` on. What is added up, in whole numbers, are the planes; the mean of each, rounded half up,
    is turned into BGR once. The choice depends on the numbers of the frames alone.
    """

    def __init__(self, before: int = 0) -> None:
        self._next = before
        self._sums: dict[FrameLayout, PlaneSums] = {}

    def add(self, pixels: Callable[[], Pixels], _bgr: Callable[[], NDArray[np.uint8]]) -> None:
        """Add some frames up."""
        weight = _weight(self._next)
        self._next += 1
        if weight > 0:
            frame = pixels()
            self._sums_for(frame.layout, [plane.shape for plane in frame.planes]).add(frame.planes, weight)

    def pass_by(self, frames: int) -> list[tuple[slice, int]]:
        """Take notice of the next frames, which are added up elsewhere: which of them, and how often each.

        See :meth:`add_sums`.
        """
        weights = [_weight(self._next + place) for place in range(frames)]
        self._next += frames
        runs = []
        for weight, places in groupby(range(frames), weights.__getitem__):
            first, *others = places
            if weight > 0:
                runs.append((slice(first, first + 1 + len(others)), weight))
        return runs

    def add_sums(self, layout: FrameLayout, planes: Sequence[NDArray[Any]], weight: int) -> None:
        """Take in the sums of planes that were added up elsewhere; ``weight`` is how many frames they stand for."""
        if layout.pixel_format == "nv12":
            layout = replace(layout, pixel_format="yuv420p")
            planes = planes[0], planes[1][..., 0], planes[1][..., 1]
        self._sums_for(layout, [plane.shape for plane in planes]).add_sums(planes, weight)

    def append(self, other: Mean) -> None:
        """Add the sums."""
        self._next = other._next
        for layout, sums in other._sums.items():
            self.add_sums(layout, sums.planes, sums.weight)

    def picture(self) -> NDArray[np.uint8] | None:
        """The rounded mean; where frames were compared in several ways, of the pictures of each."""
        weight = sum(sums.weight for sums in self._sums.values())
        if weight == 0:
            return None
        pictures = [(sums.weight, _picture(sums, layout)) for layout, sums in self._sums.items()]
        if len(pictures) == 1:
            return pictures[0][1]
        total = sum(weight * picture.astype(np.int64) for weight, picture in pictures)
        return np.asarray((2 * total + weight) // (2 * weight), np.uint8)

    @property
    def state(self) -> dict[str, Any]:
        """The sums."""
        sums = {
            str(number): {"layout": asdict(layout)} | sums.state
            for number, (layout, sums) in enumerate(self._sums.items())
        }
        return {"next": self._next, "sums": sums}

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with them."""
        self._next = state["next"]
        self._sums = {}
        for each in state["sums"].values():
            conversion = each["layout"]["conversion"]
            layout = FrameLayout(each["layout"]["pixel_format"], None if conversion is None else YuvToBgr(**conversion))
            self._sums[layout] = PlaneSums.restored(each)

    def _sums_for(self, layout: FrameLayout, shapes: Sequence[tuple[int, ...]]) -> PlaneSums:
        if layout not in self._sums:
            self._sums[layout] = PlaneSums(shapes, STEP)
        sums = self._sums[layout]
        if sums.shapes != shapes:
            raise InputError(f"a frame must have the size of those before, got {shapes[0]} px")
        return sums


def _weight(number: int) -> int:
    """For how many frames the one of this number stands in the mean."""
    if number < ALL_OF:
        return 1
    return STEP if number % STEP == 0 and number < LAST else 0


def _picture(sums: PlaneSums, layout: FrameLayout) -> NDArray[np.uint8]:
    """The mean of frames of a layout, (h, w, 3) BGR."""
    height, width = sums.shapes[0][:2]
    picture = np.empty((height, width, 3), np.uint8)

    def strips(first: int, last: int) -> None:
        for begin in range(first * ROWS_AT_ONCE, last * ROWS_AT_ONCE, ROWS_AT_ONCE):
            end = min(begin + ROWS_AT_ONCE, height)
            picture[begin:end] = _bgr(_as_shown(sums.mean(begin, end), layout))

    least = max(1, PIXELS_WORTH_A_THREAD // (ROWS_AT_ONCE * width))
    share(strips, -(-height // ROWS_AT_ONCE), least, processors())
    return picture


def _as_shown(planes: tuple[NDArray[np.uint8], ...], layout: FrameLayout) -> NDArray[np.uint8]:
    """The BGR or grey picture of a frame."""
    if layout.planar:
        return to_bgr(planes, layout)
    return planes[0] if layout.conversion is None else to_grey(planes[0], layout.conversion)


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
