"""One decoded frame of a video, and the forms in which it can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from gpuheat.backends.cpu_loops import numba_cpu
from gpuheat.backends.cpu_planes import flat_plane, luma_style
from gpuheat.errors import VideoError
from gpuheat.pixels import YUV_TO_BGR, FrameLayout, Pixels, YuvToBgr

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from av.video.plane import VideoPlane
    from numpy.typing import NDArray

__all__ = [
    "PLANAR_FORMATS",
    "BgrConverter",
    "VideoFrame",
    "conversion_of",
    "full_range",
    "is_bottom_up",
    "rotation_of",
]

FULL_RANGE: Final = 2  # AVCOL_RANGE_JPEG
LIMITED: Final = FrameLayout("gray8", YUV_TO_BGR["bt601", "limited"])  # a grey picture's luma is then its BGR value
PLANAR_FORMATS: Final = ("yuv420p", "yuvj420p")  # not nv12, of which FFmpeg makes another picture
MATRICES: Final[dict[int, Literal["bt601", "bt709"]]] = {1: "bt709", 2: "bt601", 5: "bt601", 6: "bt601"}
# AVCOL_SPC_BT709, UNSPECIFIED, BT470BG and SMPTE170M


@dataclass(frozen=True)
class VideoFrame:
    """One decoded frame.

    Attributes
    ----------
    number
        Counts the decoded frames from 0.
    time
        Seconds since the stream's first time stamp, exact.
    picture
        PyAV's frame.
    """

    number: int
    time: Fraction
    picture: av.VideoFrame
    _convert: Callable[[av.VideoFrame], av.VideoFrame] = field(repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Width and height, px, and degrees counter-clockwise by which it is to be turned for display."""
        return self.picture.width, self.picture.height, rotation_of(self.picture)

    def shows_the_same_as(self, other: VideoFrame) -> bool:
        """Whether both show the same picture, in colour and in brightness."""
        ours, theirs = self.native(PLANAR_FORMATS), other.native(PLANAR_FORMATS)
        if ours.layout.planar and ours.layout == theirs.layout:
            return all(map(np.array_equal, ours.planes, theirs.planes))
        return np.array_equal(self.bgr(), other.bgr()) and np.array_equal(self.luma(), other.luma())

    def native(self, native_formats: Sequence[str]) -> Pixels:
        """The decoder's own planes where they are wanted and our conversion equals FFmpeg's, else :meth:`bgr`.

        It does for progressive 8-bit YUV 4:2:0 of even sides in BT.601 or BT.709, limited or full range. A frame
        that says nothing is BT.601, limited.
        """
        layout = _planar_layout(self.picture)
        if (
            layout is None
            or layout.pixel_format not in native_formats
            or any(plane.line_size < 0 for plane in self.picture.planes)
        ):
            return Pixels(FrameLayout.BGR24, (self.bgr(),))
        shapes = layout.plane_shapes(self.picture.height, self.picture.width)
        return Pixels(layout, tuple(_plane(*each) for each in zip(self.picture.planes, shapes, strict=True)))

    def bgr(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8, FFmpeg's own conversion; rows may be padded. The memory is the frame's own."""
        converted = self._convert(self.picture)
        if is_bottom_up(converted):
            return np.asarray(converted.to_ndarray(), np.uint8)
        return _plane(converted.planes[0], (converted.height, converted.width, 3))

    def luma(self) -> NDArray[np.uint8]:
        """(h, w) uint8, the brightness from 0 to 255.

        The luma plane, expanded to the full range, where an 8-bit format keeps it in a plane of its own;
        otherwise OpenCV's grey of :meth:`bgr`.
        """
        return full_range(self.native_luma(("gray8",)))

    def native_luma(self, native_formats: Sequence[str]) -> Pixels:
        """The luma plane as it lies in memory, in whatever range it is, where gray8 is wanted; else :meth:`luma`."""
        if "gray8" not in native_formats:
            return Pixels(FrameLayout.GRAY8, (self.luma(),))
        if not _has_luma_plane(self.picture.format) or is_bottom_up(self.picture):
            return Pixels(FrameLayout.GRAY8, (np.asarray(cv2.cvtColor(self.bgr(), cv2.COLOR_BGR2GRAY), np.uint8),))
        luma = _plane(self.picture.planes[0], (self.picture.height, self.picture.width))
        return Pixels(FrameLayout.GRAY8 if _range(self.picture) == "full" else LIMITED, (luma,))


class BgrConverter:
    """FFmpeg's conversion of the pictures of one file to BGR, for one thread after the other."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._reformatter = VideoReformatter()
        self._lock = Lock()

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The same picture in BGR.

        Raises
        ------
        VideoError
            If FFmpeg cannot.
        """
        try:
            with self._lock:
                return self._reformatter.reformat(picture, format="bgr24")
        except (av.FFmpegError, OSError) as error:
            raise VideoError(
                f"{self._path}: FFmpeg cannot turn its {picture.format.name} pictures (colour matrix "
                f"{picture.colorspace}) into BGR: {error}; brightness alone may do (pixels='luma')"
            ) from error


def rotation_of(picture: av.VideoFrame) -> int:
    """Degrees counter-clockwise, a multiple of 90, by which a picture is to be turned for display."""
    return round(picture.rotation / 90) * 90 % 360


def full_range(native: Pixels) -> NDArray[np.uint8]:
    """(h, w) uint8, the brightness from 0 to 255 of a luma plane in whatever range it is."""
    luma = native.planes[0]
    if native.layout == FrameLayout.GRAY8:
        return luma
    expanded = np.empty(luma.shape, np.uint8)
    numba_cpu.expand_luma(*flat_plane(luma), *luma_style(native.layout), expanded)
    return expanded


def _plane(plane: VideoPlane, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A plane's pixels, without the padding at the end of its rows; not a copy."""
    return np.ndarray(shape, np.uint8, memoryview(plane), strides=(plane.line_size, *shape[2:], 1)[: len(shape)])


def conversion_of(picture: av.VideoFrame) -> YuvToBgr | None:
    """The conversion to BGR of a picture in 8-bit YUV 4:2:0, where ours equals FFmpeg's; None where FFmpeg has to."""
    matrix = MATRICES.get(picture.colorspace)
    odd = picture.width % 2 or picture.height % 2
    # of interlaced frames FFmpeg converts each field by itself, which pairs other rows of chroma
    if matrix is None or odd or picture.interlaced_frame:
        return None
    return YUV_TO_BGR[matrix, _range(picture)]


def _planar_layout(picture: av.VideoFrame) -> FrameLayout | None:
    """The layout of a frame whose planes can be compared as they are; None where FFmpeg has to convert it."""
    conversion = conversion_of(picture)
    if picture.format.name not in PLANAR_FORMATS or conversion is None:
        return None
    return FrameLayout("yuv420p", conversion)


def _range(picture: av.VideoFrame) -> Literal["limited", "full"]:
    full = picture.color_range == FULL_RANGE or picture.format.name.startswith("yuvj")
    return "full" if full else "limited"


def is_bottom_up(picture: av.VideoFrame) -> bool:
    """Whether the last row lies first in memory, as in uncompressed AVI files."""
    return picture.planes[0].line_size < 0


def _has_luma_plane(pixel_format: av.VideoFormat) -> bool:
    luma, *others = pixel_format.components
    return (
        luma.bits == 8
        and luma.is_luma
        and any(component.is_chroma for component in others)
        and all(component.plane != luma.plane for component in others)
    )
