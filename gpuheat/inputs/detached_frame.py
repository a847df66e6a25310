"""Decoded frames in memory of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, TypeVar

from gpuheat.errors import VideoError
from gpuheat.pixels import FrameLayout, Pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from gpuheat.inputs.video_frame import VideoFrame

__all__ = ["DetachedFrame"]

PLANAR_FORMATS: Final = ("yuv420p",)
Made = TypeVar("Made")


@dataclass(frozen=True)
class DetachedFrame:
    """What a :class:`VideoFrame` shows, in every form it can be asked for, without the decoder's picture.

    A decoder writes the next picture into the memory of one that nobody needs any more, and of a damaged picture it
    may write a part alone. So what such a picture shows depends on when those before it were let go.
    """

    number: int
    time: Fraction
    _native: Pixels | VideoError = field(repr=False)
    _bgr: NDArray[np.uint8] | VideoError = field(repr=False)
    _luma: NDArray[np.uint8] | VideoError = field(repr=False)

    @classmethod
    def of(cls, frame: VideoFrame) -> Self:
        """A copy of a frame."""

        def native() -> Pixels:
            pixels = frame.native(PLANAR_FORMATS)
            return Pixels(pixels.layout, tuple(plane.copy() for plane in pixels.planes))

        made = (_or_error(make) for make in (lambda: frame.bgr().copy(), lambda: frame.luma().copy()))
        return cls(frame.number, frame.time, _or_error(native), *made)

    def native(self, native_formats: Sequence[str]) -> Pixels:
        """As :meth:`VideoFrame.native`."""
        pixels = _unless_error(self._native)
        if pixels.layout.pixel_format in native_formats:
            return pixels
        return Pixels(FrameLayout.BGR24, (self.bgr(),))

    def native_luma(self, _native_formats: Sequence[str]) -> Pixels:
        """That of :meth:`luma`."""
        return Pixels(FrameLayout.GRAY8, (self.luma(),))

    def bgr(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8, as :meth:`VideoFrame.bgr`."""
        return _unless_error(self._bgr)

    def luma(self) -> NDArray[np.uint8]:
        """(h, w) uint8, as :meth:`VideoFrame.luma`."""
        return _unless_error(self._luma)


def _or_error(make: Callable[[], Made]) -> Made | VideoError:
    """What can be made of a frame, or why it cannot."""
    try:
        return make()
    except VideoError as error:
        return error


def _unless_error(made: Made | VideoError) -> Made:
    if isinstance(made, VideoError):
        raise made
    return made
