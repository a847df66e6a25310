"""Video files, decoded by FFmpeg through PyAV, one frame at a time."""

from __future__ import annotations

import os
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import av

from gpuheat.errors import VideoError
from gpuheat.inputs.container import decoded, open_video
from gpuheat.inputs.keyframes import Part, cut_into_parts
from gpuheat.inputs.video_frame import BgrConverter, VideoFrame, rotation_of
from gpuheat.inputs.video_part import NotAsPromisedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from gpuheat.inputs.keyframes import Cut, Packet

__all__ = ["VideoReader"]

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
    frames_skipped
        Frames before the first that was wanted, which were not even decoded.
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
        self._container, self._stream = open_video(self.path, "many")
        self.width, self.height = self._stream.width, self._stream.height  # until a frame says otherwise
        self._to_bgr = BgrConverter(self.path)
        self.frames_in_header = self._stream.frames or None
        self.frames_decoded = 0
        self.frames_skipped = 0
        self.corrupt_frames = 0
        self.broken_packets = 0
        self.damaged_from: int | None = None
        self._begin: Cut | None = None
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
        """Every frame that can be decoded and was not passed, in the order of showing. To be used once."""
        if self._at_end:
            return
        start = self._stream.start_time
        for picture in self._pictures():
            if self.frames_decoded == 0:
                self.width, self.height = picture.width, picture.height
                self.rotation = rotation_of(picture)
            if self.frames_read == 0:
                start = picture.pts if start is None else start
            if (picture.width, picture.height) != (self.width, self.height):
                raise VideoError(
                    f"{self.path}: the picture changes from {self.width} x {self.height} to "
                    f"{picture.width} x {picture.height} px at frame {self.frames_read}; "
                    "cut the file there and run the parts one by one"
                )
            time = self._time(picture, start)
            self.corrupt_frames += picture.is_corrupt
            self.frames_decoded += 1
            yield VideoFrame(self.frames_read - 1, time, picture, self._to_bgr)
        self._at_end = True
        if self.frames_decoded == 0:
            raise VideoError(f"{self.path}: not one frame can be decoded ({self.broken_packets} broken packets)")

    @property
    def frames_read(self) -> int:
        """How far reading came: the number of the next frame."""
        return self.frames_decoded + self.frames_skipped

    def parts(self) -> Iterator[Part]:
        """The parts into which the file can be cut, found by reading it once without decoding."""
        if self._stream.start_time is None or self._stream.time_base is None:
            yield Part(None, None, None, 0)
            return
        container, stream = open_video(self.path, "one")
        with container:
            yield from cut_into_parts(
                container.demux(stream), stream.codec.canonical_name, stream.codec_context.extradata
            )

    def times_of(self, part: Part) -> list[Fraction]:
        """When each frame of a part is shown, s, as :attr:`VideoFrame.time`."""
        start, unit = self._stream.start_time or 0, self._stream.time_base or Fraction(1)
        return [(stamp - start) * unit for stamp in part.stamps or ()]

    def passed(self, part: Part, last: VideoFrame | None) -> None:
        """Take note that another reader read a part, which begins where this one is; it goes on behind it.

        ``last`` is the last frame that was decoded, None where none was wanted.

        Raises
        ------
        NotAsPromisedError
            If its pictures have another size or rotation than those before.
        """
        frames = len(part.stamps or ())
        if last is None:
            self.frames_skipped += frames
        else:
            shape = last.picture.width, last.picture.height, rotation_of(last.picture)
            if self.frames_decoded > 0 and shape != (self.width, self.height, self.rotation):
                raise NotAsPromisedError(f"frame {part.first:,} has another size")
            self.width, self.height, self.rotation = shape
            frames = last.number + 1 - part.first
            self.frames_decoded += frames
        self._packets = part.packets
        self._begin, self._at_end = part.end, part.end is None and frames == len(part.stamps or ())

    def begin_again(self) -> None:
        """Decode from the beginning when reading goes on: how damage is concealed depends on all frames before it."""
        self._begin = None

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
            "frames_skipped": self.frames_skipped,
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

    def _pictures(self) -> Iterator[av.VideoFrame]:
        """Every frame: decoded by several threads up to the first damage, by one from there on."""
        number = 0 if self._begin is None else self._begin.number
        already = self.frames_read
        ahead = FRAMES_AHEAD if self._stream.codec_context.has_b_frames else 0
        held: deque[av.VideoFrame] = deque()  # what damage noticed now may have spoilt already
        for picture in self._decoded():
            if picture is None or picture.is_corrupt:
                break
            held.append(picture)
            if len(held) > ahead:
                spared = held.popleft()
                number += 1
                if number > already:
                    yield spared
        else:
            # a decoder with several threads may lose what it holds at the end, and say nothing
            if number + len(held) >= self._packets_shown:
                yield from list(held)[max(0, already - number) :]
                return
        held.clear()
        self._container.close()
        self._container, self._stream = open_video(self.path, "one")
        self.begin_again()
        number, already = 0, self.frames_read
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
        """Every frame the decoder gives behind those that were passed, and None for each packet it cannot decode."""
        self._packets = 0 if self._begin is None else self._begin.packets
        self._packets_shown = 0 if self._begin is None else self._begin.number
        return decoded(self._container, self._stream, self._begin, note=self._note)

    def _note(self, packet: Packet) -> None:
        self._packets += 1
        led_in = self._begin is not None and packet.pts is not None and packet.pts < self._begin.pts
        self._packets_shown += not packet.is_discard and not led_in

    def _time(self, picture: av.VideoFrame, start: int | None) -> Fraction:
        if picture.pts is not None and picture.time_base and start is not None:
            return (picture.pts - start) * picture.time_base
        self.frames_without_time += 1
        return self.frames_read / (self._stream.average_rate or Fraction(25))


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
