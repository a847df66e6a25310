"""What a run of consecutive frames adds up to: the counts, the background, and which frames there were."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gpuheat.errors import InputError
from gpuheat.motion.counter import MotionCounter
from gpuheat.motion.downscale import area_mean
from gpuheat.pixels import FrameLayout, Pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpuheat.backends import Backend
    from gpuheat.inputs.frames import Frame
    from gpuheat.jobs.scene import Scene
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["Counting", "Tally"]


@dataclass(frozen=True)
class Counting:
    """How frames are counted.

    The options are those of :func:`gpuheat.motion_heatmap`. ``copy``: whoever gave the frames may write into their
    memory again.
    """

    threshold: int
    pixels: Literal["bgr", "luma"]
    half_life: float | None
    max_changed: float
    downscale: int
    backend: Backend
    copy: bool = False

    @property
    def planar_formats(self) -> Sequence[str]:
        """The formats in which a decoder's own planes are compared as they are."""
        return self.backend.planar_formats if self.downscale == 1 else ()


class Tally:
    """Counts consecutive frames, and takes those in that were counted elsewhere.

    Parameters
    ----------
    counting
        How.
    scene
        The mask and the background, whose frames it has not seen yet.
    """

    def __init__(self, counting: Counting, scene: Scene) -> None:
        self._how = counting
        self.scene = scene
        self.counter: MotionCounter | None = None
        self.numbers = array("q")
        self.layouts: set[str] = set()
        self._first: Frame | None = None
        self._last: Frame | None = None

    def add(self, frame: Frame, rotation: int) -> None:
        """Count the next frame, of a video that is to be turned by ``rotation`` degrees for display."""
        pixels = self._pixels(frame)
        self.scene.see(pixels.planes[0].shape[:2], partial(self._on_host, pixels), frame.bgr)
        if self.counter is None:
            self._first = frame
        self._count(frame, pixels, rotation)
        self.numbers.append(frame.number)

    def append(self, other: Tally) -> None:
        """Take in the frames of another tally, which directly follow. It is not to be used any more."""
        if other.counter is None or other._first is None:
            return
        if self.counter is None:
            self.counter, self._first = other.counter, other._first
        else:
            if other.counter.shape != self.counter.shape:
                raise InputError(f"frames of {self.counter.shape} px and of {other.counter.shape} px do not add up")
            self._count(other._first, self._pixels(other._first), 0)  # the pair across the cut
            self.counter.merge(other.counter)
        self._last = other._last
        self.scene.append(other.scene)
        self.numbers.extend(other.numbers)
        self.layouts |= other.layouts

    def result(self, blur: float, rotation: int) -> MotionHeatmap:
        """The heat map as shown, with its background and the numbers of its frames."""
        assert self.counter is not None
        result = self.counter.result(blur=blur).turned(rotation)
        return replace(result, frames=np.array(self.numbers[1:], np.int64), background=self.scene.background(rotation))

    def _count(self, frame: Frame, pixels: Pixels, rotation: int) -> None:
        if self._how.downscale > 1:
            pixels = Pixels(pixels.layout, (area_mean(self._on_host(pixels).planes[0], self._how.downscale),))
        if self.counter is None:
            self.counter = MotionCounter(
                *pixels.planes[0].shape[:2],
                threshold=self._how.threshold,
                pixels=self._how.pixels,
                half_life=self._how.half_life,
                mask=self.scene.mask(rotation),
                max_changed=self._how.max_changed,
                backend=self._how.backend,
            )
        elif self._last is not None and pixels.layout != self.counter.layout:
            pixels = self._begin_anew(self.counter, self._last, frame)
        self.counter.push(pixels.frame, _seconds(frame), layout=pixels.layout, copy=self._how.copy)
        self.layouts.add(pixels.layout.pixel_format)
        self._last = frame

    def _pixels(self, frame: Frame) -> Pixels:
        """The frame as it is to be compared."""
        if self._how.pixels == "luma":
            return Pixels(FrameLayout.GRAY8, (frame.luma(),))
        return frame.native(self._how.planar_formats)

    def _on_host(self, pixels: Pixels) -> Pixels:
        """The same pixels in the host's memory."""
        backend = self._how.backend
        planes = (plane if isinstance(plane, np.ndarray) else backend.to_host(plane) for plane in pixels.planes)
        return Pixels(pixels.layout, tuple(planes))

    def _begin_anew(self, counter: MotionCounter, last: Frame, frame: Frame) -> Pixels:
        """``frame`` in a layout in which it can be compared with ``last``, which the counter is given again.

        Needed where a video changes its colour matrix or range half way.
        """
        before, now = last.native(self._how.planar_formats), frame.native(self._how.planar_formats)
        if before.layout != now.layout:
            before, now = last.native(()), frame.native(())
        counter.cut()
        counter.push(before.frame, _seconds(last), layout=before.layout)
        return now


def _seconds(frame: Frame) -> Any:
    return None if frame.time is None else float(frame.time)
