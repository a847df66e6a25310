"""Writing H.264 into MP4: what every browser plays."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import av
import numpy as np

from gpuheat.backends.cpu_loops import processors
from gpuheat.errors import OptionError, OutputError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from gpuheat.outputs.yuv import YuvStandard

__all__ = ["VideoWriter", "check_video_name"]

ENCODER: Final = "libx264"
OPTIONS: Final = {"preset": "superfast", "crf": "23", "x264-params": "weightp=0:b-adapt=0"}
"""x264 neither looks for fades nor for the best number of B-frames, which costs 5 % of its time.

Without, three clips of real cameras came out 11 to 24 % smaller and 0.6 to 1.0 dB further from the pictures (PSNR 42.5
to 46.5 dB), one of fades larger by a third.
"""
THREADS_MORE: Final = 2  # than processors: of those that encode frames side by side some wait for others
CLOCK: Final = Fraction(1, 90000)
"""s; for time stamps whose own unit an MP4 file cannot hold."""
FASTEST_CLOCK: Final = 2**31 - 1  # units in 1 s
USUAL_RATE: Final = Fraction(25)
FASTEST: Final = 1000  # frames/s that x264 is told, at most
MATRICES: Final = {"bt601": 6, "bt709": 1}  # AVCOL_SPC_SMPTE170M, AVCOL_SPC_BT709
RANGES: Final[dict[Literal["limited", "full"], int]] = {"limited": 1, "full": 2}  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG


def check_video_name(name: str) -> None:
    """Raise OptionError for a name that is not that of an MP4 file."""
    if not name.lower().endswith(".mp4"):
        raise OptionError(f"the video is H.264 in an MP4 file: give it a name that ends with .mp4, not {name!r}")


class VideoWriter:
    """A file with one stream of YUV 4:2:0 pictures, its index in front so that a browser can begin at once.

    A context manager; the file is whole when its block has ended well.

    Parameters
    ----------
    path
        The file, which is not there yet.
    height, width
        Of the pictures, px, both even.
    standard
        How they stand for colours.
    rate
        About how many come in a second, for the encoder to plan with; None where that is unknown.
    unit
        Of the time stamps, s; None where they have none.

    Attributes
    ----------
    frames
        How many were written.
    retimed
        How many of them had a time stamp that does not come after the one before, and are shown right behind that.

    Raises
    ------
    OutputError
        If it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        height: int,
        width: int,
        standard: YuvStandard,
        rate: Fraction | None,
        unit: Fraction | None,
    ) -> None:
        self._path = path
        self._size = (height, width)
        self._unit = CLOCK if unit is None or unit.denominator > FASTEST_CLOCK else unit
        self._last: int | None = None
        self._written: deque[av.VideoFrame] = deque(maxlen=4)  # whose memory can be used again
        self.frames = 0
        self.retimed = 0
        options = {"movflags": "faststart", "video_track_timescale": str(self._unit.denominator)}
        try:
            self._container = av.open(str(path), "w", format="mp4", options=options)
            stream: Any = self._container.add_stream(
                ENCODER, rate=min(rate or USUAL_RATE, Fraction(FASTEST)).limit_denominator(1001), options=OPTIONS
            )
        except (av.FFmpegError, ValueError) as error:
            raise OutputError(f"cannot write {path.name}: {_reason(error)}") from error
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.thread_count = processors() + THREADS_MORE
        stream.thread_type = "FRAME"  # x264's own way; PyAV would have every picture cut into slices
        stream.codec_context.time_base = self._unit
        stream.codec_context.colorspace = MATRICES[standard.matrix]
        stream.codec_context.color_range = RANGES[standard.range]
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._encode(None)
        finally:
            self._close(kind is None)

    def empty_picture(self) -> tuple[av.VideoFrame, tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]]:
        """A picture to be written, and its three planes to be filled, of any content before."""
        height, width = self._size
        if self._written:  # memory that is there already
            picture = self._written.popleft()
            picture.make_writable()
        else:
            picture = av.VideoFrame(width, height, "yuv420p")
        sizes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
        luma, u, v = (
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: size[0], : size[1]]
            for plane, size in zip(picture.planes, sizes, strict=True)
        )
        return picture, (luma, u, v)

    def write(self, picture: av.VideoFrame, time: Fraction) -> None:
        """Write the next picture, shown at ``time``, s from the beginning of the file."""
        stamp = round(time / self._unit)
        if self._last is not None and stamp <= self._last:
            stamp = self._last + 1
            self.retimed += 1
        self._last = stamp
        picture.pts, picture.time_base = stamp, self._unit
        self._encode(picture)
        self._written.append(picture)
        self.frames += 1

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except av.FFmpegError as error:
            raise OutputError(f"cannot write {self._path.name}: {_reason(error)}") from error

    def _close(self, whole: bool) -> None:
        try:
            self._container.close()
        except av.FFmpegError as error:
            if whole:
                raise OutputError(f"cannot write {self._path.name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, av.PatchWelcomeError):  # the only thing that is not in FFmpeg's MP4
        return f"frames lie further apart in time than an MP4 file can tell ({error.strerror})"
    return getattr(error, "strerror", None) or str(error)
