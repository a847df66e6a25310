"""Video files, decoded by FFmpeg through PyAV, one frame at a time."""

from __future__ import annotations

import os
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import av
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from gpuheat.errors import VideoError
from gpuheat.inputs.video_frame import VideoFrame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from av.container import InputContainer

__all__ = ["VideoReader"]

# up to PyAV 18 a title that is not UTF-8 would be an error; later versions have no such option and no such error
OPEN_OPTIONS: Final[dict[str, Any]] = (
    {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
FRAMES_AHEAD: Final = 16  # a B-frame may depend on a frame that is shown as many frames later


class VideoReader:
    """The best video stream of a file, a context manager and an iterable of :class:`VideoFrame`.

    A frame takes the memory of one frame; nothing is kept. Broken packets are skipped and counted. What a
    decoder makes of damaged data depends on how many threads it has, and so on the machine; at the first
    damage it notices the file is therefore opened again and decoded with a single thread from there on.

    Attributes
    ----------
    path
        The file.
    width, height
        Size of the frames in px, before rotation.
    frames_in_header
        What the container says; None where it does not. It can be wrong.
    frames_decoded, corrupt_frames, broken_packets
        Counted while reading. A corrupt frame was decoded with errors, and is used.
    damaged_from
        Number of the first frame at which damage was noticed; None where there was none.
    frames_without_time
        Frames that had no time stamp and were placed by the frame rate.
    rotation
        Degrees counter-clockwise by which frames are to be turned for display, a multiple of 90, from the
        first frame read.

    Raises
    ------
    VideoError
        If the file cannot be opened or has no video; while reading, if no frame can be decoded or the size
        of the picture changes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._container, self._stream = self._open("FRAME")
        self.width, self.height = self._stream.width, self._stream.height  # until a frame says otherwise
        self._reformatter = VideoReformatter()
        self.frames_in_header = self._stream.frames or None
        self.frames_decoded = 0
        self.corrupt_frames = 0
        self.broken_packets = 0
        self.damaged_from: int | None = None
        self._packets = 0
        self._packets_shown = 0  # each of these should give a frame
        self._at_end = False
        self.frames_without_time = 0
        self.rotation = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Every frame that can be decoded, in the order of showing. To be used once."""
        start = self._stream.start_time
        for picture in self._pictures():
            if self.frames_decoded == 0:
                self.width, self.height = picture.width, picture.height
                self.rotation = round(picture.rotation / 90) * 90 % 360
                start = picture.pts if start is None else start
            if (picture.width, picture.height) != (self.width, self.height):
                raise VideoError(
                    f"{self.path}: the picture changes from {self.width} x {self.height} to "
                    f"{picture.width} x {picture.height} px at frame {self.frames_decoded}; "
                    "cut the file there and run the parts one by one"
                )
            time = self._time(picture, start)
            self.corrupt_frames += picture.is_corrupt
            self.frames_decoded += 1
            yield VideoFrame(self.frames_decoded - 1, time, picture, self._to_bgr)
        self._at_end = True
        if self.frames_decoded == 0:
            raise VideoError(f"{self.path}: not one frame can be decoded ({self.broken_packets} broken packets)")

    @property
    def frames_expected(self) -> int | None:
        """How many frames there may be, by the header or by duration and rate; None where neither says."""
        if self.frames_in_header:
            return self.frames_in_header
        rate, duration = self._stream.average_rate, self._container.duration
        return round(duration / av.time_base * rate) if rate and duration else None

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the file, and what reading it brought up, for ``summary.json``."""
        stream = self._stream
        start = stream.start_time * stream.time_base if stream.start_time is not None and stream.time_base else None
        return {
            "name": os.fsencode(self.path.name).decode("utf-8", "replace"),
            "path": os.fsencode(self.path).decode("utf-8", "replace"),
            "bytes": self.path.stat().st_size,
            "container": self._container.format.name,
            "stream": stream.index,
            "codec": stream.codec.canonical_name,
            "pixel_format": stream.codec_context.pix_fmt,
            "width": self.width,
            "height": self.height,
            "rotation": self.rotation,
            "frame_rate": str(stream.average_rate) if stream.average_rate else None,
            "time_base": str(stream.time_base) if stream.time_base else None,
            "start_time_s": None if start is None else {"exact": str(start), "seconds": float(start)},
            "frames_in_header": self.frames_in_header,
            "frames_decoded": self.frames_decoded,
            "frames_without_time": self.frames_without_time,
            "corrupt_frames": self.corrupt_frames,
            "broken_packets": self.broken_packets,
            "damaged_from_frame": self.damaged_from,
        }

    @property
    def warnings(self) -> list[str]:
        """What whoever looks at the result should know, one line each; complete when reading has ended."""
        warnings = []
        if self.damaged_from is not None:
            damage = f"{_many(self.broken_packets, 'broken packet')}, {_many(self.corrupt_frames, 'corrupt frame')}"
            warnings.append(
                f"{self.path}: damaged from frame {self.damaged_from:,} on ({damage}): motion there may be artefacts"
            )
        if self._at_end and self.frames_in_header and self._packets < self.frames_in_header:
            warnings.append(
                f"{self.path}: its header announces {self.frames_in_header:,} frames, but it holds {self._packets:,}"
            )
        if self.frames_without_time:
            warnings.append(
                f"{self.path}: {self.frames_without_time:,} frames have no time stamp and were placed by the frame rate"
            )
        return warnings

    def _open(self, threads: Literal["FRAME", "NONE"]) -> tuple[InputContainer, VideoStream]:
        try:
            if self.path.is_dir():
                raise VideoError(f"{self.path}: this is a folder, not a video")
            # with the protocol in front a colon in the name does not look like one
            container = av.open(f"file:{self.path}", **OPEN_OPTIONS)
        except (av.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise VideoError(f"{self.path}: cannot be opened as a video: {reason}") from error
        stream = container.streams.best("video")
        is_text = container.format.name == "tty"  # FFmpeg would draw the letters
        if is_text or not isinstance(stream, VideoStream) or Disposition.attached_pic in stream.disposition:
            container.close()
            raise VideoError(f"{self.path}: holds no video")
        if stream.codec_context is None:
            container.close()
            raise VideoError(f"{self.path}: there is no decoder for its video")
        stream.thread_type = threads
        if threads == "NONE":
            stream.codec_context.thread_count = 1
        else:
            # Whole frames side by side: as fast as FFmpeg's own choice for today's codecs. Threads that share a
            # frame (MPEG-1 and MPEG-2 have no others) conceal damage without a word, each number of them in its
            # own way. And have damage reported that the decoder would otherwise try to conceal.
            stream.codec_context.options = {"err_detect": "explode"}
        return container, stream

    def _pictures(self) -> Iterator[av.VideoFrame]:
        """Every frame: decoded by several threads up to the first damage, by one from there on."""
        ahead = FRAMES_AHEAD if self._stream.codec_context.has_b_frames else 0
        held: deque[av.VideoFrame] = deque()  # what damage noticed now may have spoilt already
        for picture in self._decoded():
            if picture is None or picture.is_corrupt:
                break
            held.append(picture)
            if len(held) > ahead:
                yield held.popleft()
        else:
            # a decoder with several threads may lose what it holds at the end, and say nothing
            if self.frames_decoded + len(held) >= self._packets_shown:
                yield from held
                return
        held.clear()
        self._container.close()
        self._container, self._stream = self._open("NONE")
        number, already = 0, self.frames_decoded
        for picture in self._decoded():
            if self.damaged_from is None and (picture is None or picture.is_corrupt):
                self.damaged_from = number
            if picture is None:
                self.broken_packets += 1
                continue
            number += 1
            if number > already:
                yield picture

    def _decoded(self) -> Iterator[av.VideoFrame | None]:
        """Every frame the decoder gives, and None for each packet it cannot decode."""
        packets = self._container.demux(self._stream)
        self._packets = self._packets_shown = 0
        broken = False
        while not broken:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, IndexError):  # it cannot be read on: let the decoder give what it holds back
                broken, packet = True, None
                yield None
            if packet is None and not broken:
                return
            if packet is not None and packet.is_corrupt:
                yield None
            if packet is not None and packet.size > 0:
                self._packets += 1
                self._packets_shown += not packet.is_discard
            try:
                yield from self._stream.decode(packet)
            except MemoryError:
                raise
            except av.FFmpegError:
                yield None

    def _to_bgr(self, picture: av.VideoFrame) -> av.VideoFrame:
        try:
            return self._reformatter.reformat(picture, format="bgr24")
        except (av.FFmpegError, OSError) as error:
            raise VideoError(
                f"{self.path}: FFmpeg cannot turn its {picture.format.name} pictures (colour matrix "
                f"{picture.colorspace}) into BGR: {error}; brightness alone may do (pixels='luma')"
            ) from error

    def _time(self, picture: av.VideoFrame, start: int | None) -> Fraction:
        if picture.pts is not None and picture.time_base and start is not None:
            return (picture.pts - start) * picture.time_base
        self.frames_without_time += 1
        return self.frames_decoded / (self._stream.average_rate or Fraction(25))


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
