"""A video file: what it is called, what its header says, and the decoder that is open for it."""

from __future__ import annotations

import os
import stat
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av

from gpuheat.errors import VideoError
from gpuheat.inputs.container import ALL_PROCESSORS, look_at, open_video, packets_of, pixel_format
from gpuheat.inputs.keyframes import Part, cut_into_parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

    from gpuheat.inputs.gpu_decoding import GpuDecoder
    from gpuheat.inputs.keyframes import Packet
    from gpuheat.inputs.remote import RemoteFile
    from gpuheat.inputs.watch import Watch

__all__ = ["LATEST", "VideoFile"]

LATEST: Final = 10**12
"""s; no frame is shown later, whatever a damaged time stamp says."""


class VideoFile:
    """The best video stream of a file, opened for many threads where it can be opened again, else for one.

    Parameters
    ----------
    path
        The file.
    max_pixels
        Of a picture, at most.
    watch
        Notices if reading makes no progress.

    Attributes
    ----------
    can_be_read_again
        Whether it is a file, not a pipe or a device.
    container, stream
        As they were opened last.
    gpu
        What decodes; None: the CPU.
    codec
        FFmpeg's name of the codec.
    threads
        Which it was opened for last.
    frames_in_header
        What the container says; None where it does not. It can be wrong.

    Raises
    ------
    VideoError
        If the file cannot be opened or has no video.
    """

    container: InputContainer
    stream: VideoStream
    gpu: GpuDecoder | None
    threads: int

    def __init__(self, path: Path | RemoteFile, max_pixels: int, watch: Watch) -> None:
        self.path = path
        self.max_pixels = max_pixels
        self.watch = watch
        self._status = look_at(path, watch)
        self.can_be_read_again = stat.S_ISREG(self._status.st_mode)
        self.open(ALL_PROCESSORS if self.can_be_read_again else 1)
        self.codec = self.stream.codec.canonical_name  # a decoder that cannot be opened loses it
        self._pixel_format = pixel_format(self.stream)
        self.frames_in_header = self.stream.frames or None

    def open(self, threads: int, gpu: GpuDecoder | None = None) -> None:
        """Open it for so many threads, or for the GPU; what was open closes by itself, once nobody uses it any more.

        Raises
        ------
        BackendUnavailableError
            If the GPU cannot be used.
        VideoError
            If it cannot be opened, or is another file by now.
        """
        now = look_at(self.path, self.watch)
        if (now.st_dev, now.st_ino) != (self._status.st_dev, self._status.st_ino):
            raise VideoError(f"{self.path}: was replaced by another file while it was read")
        if gpu is not None:
            opened = gpu.open(self.path, self.watch, self.max_pixels)
        else:
            opened = open_video(self.path, threads, self.watch, self.max_pixels, explode=threads != 1)
        (self.container, self.stream), self.gpu, self.threads = opened, gpu, threads

    def check_that_nothing_was_cut_off(self) -> None:
        """Look at its size once more.

        Raises
        ------
        VideoError
            If the file is shorter than when it was opened.
        """
        if not self.can_be_read_again:
            return
        try:
            with self.watch:
                size = self.path.stat().st_size
        except FileNotFoundError:  # all of it was read all the same
            return
        if size < self._status.st_size:
            raise VideoError(
                f"{self.path}: was cut off while it was read, from {self._status.st_size:,} to {size:,} bytes"
            )

    def parts(self, watch: Watch) -> Iterator[Part]:
        """The parts into which the file can be cut, found by reading it once more without decoding."""
        if not self.can_be_read_again or self.stream.start_time is None or self.stream.time_base is None:
            yield Part(None, None, None, 0)
            return
        container, stream = open_video(self.path, 1, watch, self.max_pixels, explode=False)
        with container:
            yield from cut_into_parts(
                _up_to_errors(packets_of(container, stream, watch), LATEST / self.stream.time_base),
                self.codec,
                stream.codec_context.extradata,
            )

    def times_of(self, part: Part) -> list[Fraction]:
        """When each frame of a part is shown, s since the beginning of the stream."""
        begins, unit = self.time_origin
        return [(stamp - begins) * unit for stamp in part.stamps or ()]

    @property
    def time_origin(self) -> tuple[int, Fraction]:
        """The time stamp of 0 s, and how long one step of time stamps is, s."""
        return self.stream.start_time or 0, self.stream.time_base or Fraction(1)

    @property
    def frames_expected(self) -> int | None:
        """How many frames there may be, by the header or by duration and rate; None where neither says."""
        if self.frames_in_header:
            return self.frames_in_header
        rate, duration = self.stream.average_rate, self.container.duration
        return round(duration / av.time_base * rate) if rate and duration else None

    @property
    def frame_interval(self) -> Fraction:
        """How long a frame is shown on average, s; 0 where the file does not say."""
        return 1 / self.stream.average_rate if self.stream.average_rate else Fraction(0)

    @property
    def duration(self) -> Fraction | None:
        """How long the video is, s, by its header; None where that does not say, or speaks of the sound as well."""
        stream, container = self.stream, self.container
        if stream.duration is not None and stream.time_base is not None:
            return stream.duration * stream.time_base
        if container.duration is not None and len(container.streams) == 1:
            return Fraction(container.duration, av.time_base)
        return None

    @property
    def facts(self) -> dict[str, Any]:
        """What kind of file it is, for ``summary.json``."""
        return {
            "name": os.fsencode(self.path.name).decode("utf-8", "replace"),
            "path": os.fsencode(str(self.path)).decode("utf-8", "replace"),
            "bytes": self._status.st_size,
            "container": self.container.format.name,
            "stream": self.stream.index,
            "codec": self.codec,
            "pixel_format": pixel_format(self.stream) if self.gpu is None else self._pixel_format,
        }

    @property
    def announced(self) -> dict[str, Any]:
        """What its header says of its frames, for ``summary.json``."""
        rate, start, unit = self.stream.average_rate, self.stream.start_time, self.stream.time_base
        begins = start * unit if start is not None and unit else None
        return {
            "frame_rate": str(rate) if rate else None,
            "time_base": str(unit) if unit else None,
            "start_time_s": None if begins is None else {"exact": str(begins), "seconds": float(begins)},
            "frames_in_header": self.frames_in_header,
        }


def _up_to_errors(packets: Iterator[Packet], latest: Fraction) -> Iterator[Packet]:
    """The packets; in place of an error one without a time stamp, which says that there is no index to trust.

    An error is also a time stamp beyond the latest that can be.
    """
    untimed: Any = av.Packet(1)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError, IndexError):
            packet = untimed
        if packet is None:
            return
        if packet.pts is not None and abs(packet.pts) > latest:
            packet = untimed
        yield packet
        if packet is untimed:
            return
