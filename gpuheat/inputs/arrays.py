"""Frames that are in memory already, in the form in which a video's frames come."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from gpuheat.backends.host import HostArrays, lies_on_gpu
from gpuheat.errors import InputError, OptionError
from gpuheat.pixels import FrameLayout, Pixels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from gpuheat.backends import Backend

__all__ = ["ArrayFrame", "ArrayFrames"]


@dataclass(frozen=True)
class ArrayFrame:
    """One frame: its number from 0, its time in s where there is one, and its pixels where they were given."""

    number: int
    time: Fraction | None
    pixels: Any
    backend: Backend

    def native(self, _native_formats: Sequence[str]) -> Pixels:
        """The pixels as they are."""
        return Pixels(FrameLayout.GRAY8 if self.pixels.ndim == 2 else FrameLayout.BGR24, (self.pixels,))

    def native_luma(self, _native_formats: Sequence[str]) -> Pixels:
        """That of :meth:`luma`."""
        return Pixels(FrameLayout.GRAY8, (self.luma(),))

    def bgr(self) -> NDArray[np.uint8]:
        """The pixels on the host: (h, w, 3) BGR, or (h, w) grey."""
        return self.pixels if isinstance(self.pixels, np.ndarray) else self.backend.to_host(self.pixels)

    def luma(self) -> NDArray[np.uint8]:
        """(h, w) uint8: grey pixels as they are, OpenCV's grey of BGR ones."""
        if self.pixels.ndim == 2:
            return self.bgr()
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(self.bgr()), cv2.COLOR_BGR2GRAY), np.uint8)


class ArrayFrames:
    """An iterable of :class:`ArrayFrame` over a batch of frames, or over an iterable of single ones.

    Parameters
    ----------
    frames
        An array (n, h, w, 3) BGR or (n, h, w) grey, or an iterable of (h, w, 3) or (h, w), uint8.
    times
        The time of each frame, s; None where there are none.
    backend
        Takes arrays that lie on a GPU; those of the host stay there.

    Raises
    ------
    InputError
        While reading, for a frame that is not one, or not of the first one's shape.
    OptionError
        While reading, if there are fewer or more times than frames.
    """

    rotation = 0
    warnings: tuple[str, ...] = ()
    time_unit = None

    def __init__(self, frames: Iterable[Any], times: Sequence[float] | None, backend: Backend) -> None:
        self._backend = backend
        is_array = hasattr(frames, "shape") or hasattr(frames, "__dlpack__") or lies_on_gpu(frames)
        self._frames = self._asarray(frames) if is_array else frames
        self._times = None if times is None else [*times]
        self._shape: tuple[int, ...] | None = None
        self.frames_decoded = 0

    def __iter__(self) -> Iterator[ArrayFrame]:
        """Every frame, in order."""
        for number, frame in enumerate(self._frames):
            pixels = self._asarray(frame)
            if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
                raise InputError(
                    f"frame {number} must be uint8 of shape (h, w, 3) or (h, w), got {pixels.dtype} of shape "
                    f"{pixels.shape}"
                )
            if self._shape is None:
                self._shape = pixels.shape
            if pixels.shape != self._shape:
                raise InputError(f"frame {number} has the shape {pixels.shape}, the first one {self._shape}")
            if self._times is not None and number >= len(self._times):
                raise OptionError(f"times must be one number per frame, got {len(self._times)} and more frames")
            self.frames_decoded += 1
            time = None if self._times is None else exact_seconds(self._times[number])
            yield ArrayFrame(number, time, pixels, self._backend)
        if self._times is not None and len(self._times) > self.frames_decoded:
            raise OptionError(f"times must be one number per frame, got {len(self._times)} for {self.frames_decoded}")

    def _asarray(self, values: Any) -> Any:
        return self._backend.asarray(values) if lies_on_gpu(values) else HostArrays().asarray(values)

    @property
    def frames_expected(self) -> int | None:
        """How many frames there are, where that is known beforehand."""
        return len(self._frames) if isinstance(self._frames, Sized) else None

    @property
    def length(self) -> Fraction | None:
        """The last time and, for the last frame, the mean distance of two, s; None where there are no times."""
        if not self._times:
            return None
        times = [exact_seconds(time) for time in self._times]
        return max(times) + (max(times) - min(times)) / max(1, len(times) - 1)

    @property
    def frame_interval(self) -> Fraction:
        """How long a frame is shown on average, s; 0 where there are no times."""
        if self._times is None or len(self._times) < 2:
            return Fraction(0)
        return abs(exact_seconds(self._times[-1]) - exact_seconds(self._times[0])) / (len(self._times) - 1)

    @property
    def facts(self) -> dict[str, Any]:
        """What was read, for ``summary.json``."""
        return {"name": "frames in memory", "frames_decoded": self.frames_decoded}


def exact_seconds(time: float | str | Fraction) -> Fraction:
    """A time as the number it was written as: the float 0.1 is meant as 1/10.

    Raises
    ------
    OptionError
        If it is no finite number.
    """
    try:
        return time if isinstance(time, Fraction) else Fraction(Decimal(str(time)))
    except (InvalidOperation, ValueError, OverflowError):
        raise OptionError(f"a time must be a finite number of seconds, got {time!r}") from None
