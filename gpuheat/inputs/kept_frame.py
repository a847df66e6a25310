"""A frame in memory of its own, which can be sent to another machine or written to a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from gpuheat.inputs.video_frame import PLANAR_FORMATS, full_range
from gpuheat.pixels import FrameLayout, Pixels, YuvToBgr, to_bgr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpuheat.inputs.video_frame import VideoFrame

__all__ = ["KeptFrame", "LastRead", "looks"]


class LastRead(NamedTuple):
    """The last frame that was read of a part: its number, and its shape as of :class:`VideoFrame`."""

    number: int
    shape: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class KeptFrame:
    """What a :class:`VideoFrame` of the CPU's decoder shows, without the decoder.

    Attributes
    ----------
    number, time, shape
        Those of the frame.
    colours
        Its own planes where they stand for just the picture that FFmpeg makes of them, else that picture.
    brightness
        Its luma plane, in whatever range it is.
    """

    number: int
    time: Fraction
    shape: tuple[int, int, int]
    colours: Pixels
    brightness: Pixels

    @classmethod
    def of(cls, frame: VideoFrame) -> Self:
        """A copy of a frame."""
        colours = _copied(frame.native(PLANAR_FORMATS))
        luma = frame.native_luma(("gray8",))
        # of planar frames it is the same plane, held once
        brightness = Pixels(luma.layout, colours.planes[:1]) if colours.layout.planar else _copied(luma)
        return cls(frame.number, frame.time, frame.shape, colours, brightness)

    def native(self, native_formats: Sequence[str]) -> Pixels:
        """See :meth:`VideoFrame.native`."""
        if self.colours.layout.pixel_format in native_formats:
            return self.colours
        return Pixels(FrameLayout.BGR24, (self.bgr(),))

    def native_luma(self, native_formats: Sequence[str]) -> Pixels:
        """See :meth:`VideoFrame.native_luma`."""
        return self.brightness if "gray8" in native_formats else Pixels(FrameLayout.GRAY8, (self.luma(),))

    def bgr(self) -> NDArray[np.uint8]:
        """See :meth:`VideoFrame.bgr`."""
        layout, planes = self.colours.layout, self.colours.planes
        return to_bgr(planes, layout) if layout.planar else planes[0]

    def luma(self) -> NDArray[np.uint8]:
        """See :meth:`VideoFrame.luma`."""
        return full_range(self.brightness)

    @property
    def state(self) -> dict[str, Any]:
        """All of it, for :meth:`restored`: arrays, texts and numbers."""
        return {
            "number": self.number,
            "time": str(self.time),
            "shape": [*self.shape],
            "colours": _state(self.colours),
            "brightness": _state(self.brightness),
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """The frame that gave this as its state."""
        width, height, rotation = state["shape"]
        return cls(
            state["number"],
            Fraction(state["time"]),
            (width, height, rotation),
            _pixels(state["colours"]),
            _pixels(state["brightness"]),
        )


def looks(frame: VideoFrame) -> str:
    """A text that is the same for two frames only where they show the same picture, in colour and in brightness."""
    shown = frame.native(PLANAR_FORMATS)
    planes = shown.planes if shown.layout.planar else (*shown.planes, frame.luma())
    digest = sha256(f"{shown.layout} {[plane.shape for plane in planes]}".encode())
    for plane in planes:
        digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()


def _copied(pixels: Pixels) -> Pixels:
    return Pixels(pixels.layout, tuple(np.array(plane) for plane in pixels.planes))


def _state(pixels: Pixels) -> dict[str, Any]:
    planes = {str(place): plane for place, plane in enumerate(pixels.planes)}
    return {"layout": asdict(pixels.layout), "planes": planes}


def _pixels(state: dict[str, Any]) -> Pixels:
    conversion = state["layout"]["conversion"]
    layout = FrameLayout(state["layout"]["pixel_format"], None if conversion is None else YuvToBgr(**conversion))
    return Pixels(layout, tuple(state["planes"].values()))
