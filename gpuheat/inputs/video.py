"""Video files, decoded by FFmpeg through PyAV, one frame at a time."""

from __future__ import annotations

import os
import stat
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import av

from gpuheat.errors import BackendUnavailableError, VideoError
from gpuheat.inputs.container import (
    ALL_PROCESSORS,
    MAX_PIXELS,
    check_size,
    decoded,
    look_at,
    open_video,
    packets_of,
    pixel_format,
)
from gpuheat.inputs.detached_frame import DetachedFrame
from gpuheat.inputs.gpu_decoding import ON_CPU, Decoding, GpuDecoder
from gpuheat.inputs.keyframes import Part, cut_into_parts
from gpuheat.inputs.video_frame import BgrConverter, VideoFrame, rotation_of
from gpuheat.inputs.video_part import NotAsPromisedError
from gpuheat.inputs.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType

    from av.container import InputContainer
    from av.video.stream import VideoStream

    from gpuheat.inputs.frames import Frame
    from gpuheat.inputs.keyframes import Cut, Packet

__all__ = ["VideoReader"]

FRAMES_AHEAD: Final = 16  # a B-frame may depend on a frame that is shown as many frames later
COUNTED: Final = (*("frames_decoded", "frames_skipped", "frames_without_time", "damaged_from", "rotation"),)
SLACK: Final = 1  # s by which a video may be shorter than its header says: its last frame lasts, too


class VideoReader:
    """The best video stream of a file, a context manager and an iterable of :class:`VideoFrame`.

    A frame takes the memory of one frame; nothing is kept. Broken packets are skipped and counted. What a
    decoder makes of damaged data depends on how many threads it has, and so on the machine; at the first
    damage it notices the file is therefore opened again and decoded with a single thread from there on. What can be
    read only once, such as a named pipe, is decoded with a single thread from the beginning.

    Parameters
    ----------
    path
        The file.
    max_pixels
        Of a picture, at most.
    watch
        Notices if reading makes no progress. A thread that reads may still be in a call when this is closed.
    decoding
        Where its pictures are decoded. The CPU takes over where the GPU meets something it cannot do, or damage.

    Attributes
    ----------
    path
        The file.
    can_be_read_again
        Whether it is a file, not a pipe or a device.
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
    gpu
        What decodes; None: the CPU.

    Raises
    ------
    OptionError, BackendUnavailableError
        If it is to be decoded on the GPU and cannot be.
    VideoError
        If the file cannot be opened or has no video; while reading, if no frame can be decoded or the size
        of the picture changes.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_pixels: int = MAX_PIXELS,
        watch: Watch | None = None,
        decoding: Decoding = ON_CPU,
    ) -> None:
        self.path = Path(path)
        self.max_pixels = max_pixels
        self.watch = watch or Watch(self.path)
        self._status = look_at(self.path, self.watch)
        self.can_be_read_again = stat.S_ISREG(self._status.st_mode)
        self._many_threads = self.can_be_read_again
        self._container, self._stream = self._open(ALL_PROCESSORS if self._many_threads else 1)
        self._codec = self._stream.codec.canonical_name  # a decoder that cannot be opened loses it
        self._pixel_format = pixel_format(self._stream)
        self._decoding = decoding
        self.gpu: GpuDecoder | None = None
        self._on_cpu_from: int | None = None
        self._on_cpu_because = self._go_to_gpu()
        self.width, self.height = self._stream.width, self._stream.height  # until a frame says otherwise
        self._to_bgr = BgrConverter(self.path)
        self.frames_in_header = self._stream.frames or None
        self.frames_decoded = 0
        self.frames_skipped = 0
        self.corrupt_frames = 0
        self.broken_packets = 0
        self.damaged_from: int | None = None
        self._noticed: int | None = None  # the frame at which the many threads noticed damage
        self._origin: int | None = self._stream.start_time  # time stamp of 0 s
        self._again: int | None = None  # the first of the frames that are to be given once more
        self._begin: Cut | None = None
        self._packets = 0
        self._packets_shown = 0  # each of these should give a frame
        self._at_end = False
        self._latest = Fraction(0)
        self.frames_without_time = 0
        self.rotation = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.watch.give_up():  # else closing would pull the file from under a thread
            self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Every frame that can be decoded and was not passed, in the order of showing. To be used once."""
        if self._at_end and self.frames_read > 0:
            self._check_that_nothing_was_cut_off()
            return
        for picture in self._pictures():
            number = self._next
            if self.frames_decoded == 0:
                check_size(self.path, picture.width, picture.height, self.max_pixels)
                self.width, self.height = picture.width, picture.height
                self.rotation = rotation_of(picture)
            if number == 0:
                self._origin = picture.pts if self._origin is None else self._origin
            if (picture.width, picture.height) != (self.width, self.height):
                raise VideoError(
                    f"{self.path}: the picture changes from {self.width} x {self.height} to "
                    f"{picture.width} x {picture.height} px at frame {number}; "
                    "cut the file there and run the parts one by one"
                )
            time = self._time(picture, self._origin)
            if is_new := number >= self.frames_read:
                self.frames_decoded += 1
                self._latest = max(self._latest, time)
            self._again = None if is_new else number + 1
            frame = (VideoFrame if self.gpu is None else self.gpu.frame)(number, time, picture, self._to_bgr)
            # a damaged picture shows what was in its memory before: when that is used again is not for others to say
            yield frame if self._many_threads else DetachedFrame.of(frame)
        self._check_that_nothing_was_cut_off()
        self._at_end = True
        if self.frames_decoded == 0:
            no_size = "; its header gives no size of the picture that could be" if self._stream.width == 0 else ""
            raise VideoError(
                f"{self.path}: not one frame can be decoded ({self.broken_packets} broken packets){no_size}"
            )

    @property
    def frames_read(self) -> int:
        """How far reading came: the number of the next frame."""
        return self.frames_decoded + self.frames_skipped

    def parts(self, watch: Watch) -> Iterator[Part]:
        """The parts into which the file can be cut, found by reading it once more without decoding."""
        if not self.can_be_read_again or self._stream.start_time is None or self._stream.time_base is None:
            yield Part(None, None, None, 0)
            return
        container, stream = open_video(self.path, 1, watch, self.max_pixels, explode=False)
        with container:
            yield from cut_into_parts(
                _up_to_errors(packets_of(container, stream, watch)),
                self._codec,
                stream.codec_context.extradata,
            )

    def times_of(self, part: Part) -> list[Fraction]:
        """When each frame of a part is shown, s, as :attr:`VideoFrame.time`."""
        start, unit = self._stream.start_time or 0, self._stream.time_base or Fraction(1)
        return [(stamp - start) * unit for stamp in part.stamps or ()]

    def passed(self, part: Part, last: VideoFrame | None) -> None:
        """Take note that another reader read a part, which begins where this one is or before; it goes on behind it.

        ``last`` is the last frame that was decoded, None where none was wanted.

        Raises
        ------
        NotAsPromisedError
            If its pictures have another size or rotation than those before.
        """
        begin, frames = max(part.first, self.frames_read), len(part.stamps or ())
        if last is None:
            self.frames_skipped += max(0, part.first + frames - begin)
        else:
            shape = last.picture.width, last.picture.height, rotation_of(last.picture)
            if self.frames_decoded > 0 and shape != (self.width, self.height, self.rotation):
                raise NotAsPromisedError(f"frame {part.first:,} has another size")
            self.width, self.height, self.rotation = shape
            frames = last.number + 1 - part.first
            self.frames_decoded += max(0, last.number + 1 - begin)
        self._latest = max([self._latest, *self.times_of(part)[-1:]])
        self._packets = part.packets
        self._begin, self._at_end = part.end, part.end is None and frames == len(part.stamps or ())
        self._again = None

    def begin_again(self) -> None:
        """Decode from the beginning when reading goes on: how damage is concealed depends on all frames before it."""
        self._begin = None

    def begin_at(self, part: Part) -> None:
        """Decode from the beginning of a part when reading goes on; the frames that are wanted are not before it."""
        self._begin = part.begin

    @property
    def is_damaged(self) -> bool:
        """Whether damage was noticed in a file, so that a single thread decodes it from the beginning."""
        return self.can_be_read_again and not self._many_threads

    @property
    def position(self) -> dict[str, Any]:
        """How far reading came, for :meth:`go_on`: numbers, texts and lists of them."""
        return {
            **{name: getattr(self, name) for name in COUNTED},
            "size": [self.width, self.height],
            "latest": str(self._latest),
            "origin": self._origin,
            "is_damaged": self.is_damaged,
            "noticed": self._noticed,
            "on_cpu": None if self._on_cpu_from is None else [self._on_cpu_from, self._on_cpu_because],
        }

    def go_on(self, position: dict[str, Any], again: int) -> None:
        """Go on where another reader of the same file had come to, which gave its position.

        The frames from number ``again`` on that it had read are given once more; they do not count another time.
        """
        for name in COUNTED:
            setattr(self, name, position[name])
        self.width, self.height = position["size"]
        self._latest, self._origin = Fraction(position["latest"]), position["origin"]
        if position["on_cpu"] is not None:
            if self.gpu is not None:
                self._leave_gpu()
            self._on_cpu_from, self._on_cpu_because = position["on_cpu"]
        if position["is_damaged"]:
            self.gpu, self._many_threads = None, False
            self._container, self._stream = self._open(1)
        self._noticed = position["noticed"]
        self._again = again

    @property
    def frames_expected(self) -> int | None:
        """How many frames there may be, by the header or by duration and rate; None where neither says."""
        if self.frames_in_header:
            return self.frames_in_header
        rate, duration = self._stream.average_rate, self._container.duration
        return round(duration / av.time_base * rate) if rate and duration else None

    @property
    def frame_interval(self) -> Fraction:
        """How long a frame is shown on average, s; 0 where the file does not say."""
        return 1 / self._stream.average_rate if self._stream.average_rate else Fraction(0)

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the file, and what reading it brought up, for ``summary.json``."""
        stream = self._stream
        start = stream.start_time * stream.time_base if stream.start_time is not None and stream.time_base else None
        return {
            "name": os.fsencode(self.path.name).decode("utf-8", "replace"),
            "path": os.fsencode(self.path).decode("utf-8", "replace"),
            "bytes": self._status.st_size,
            "container": self._container.format.name,
            "stream": stream.index,
            "codec": self._codec,
            "pixel_format": pixel_format(stream) if self.gpu is None else self._pixel_format,
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
            "decoded_on": "gpu" if self.gpu is not None else "cpu" if self._on_cpu_from is None else "gpu and cpu",
            "on_cpu_from_frame": self._on_cpu_from,
            "on_cpu_because": self._on_cpu_because,
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
        if self._on_cpu_from is not None and self._decoding.where == "gpu":
            warnings.append(
                f"{self.path}: decoded by the CPU from frame {self._on_cpu_from:,} on: {self._on_cpu_because}"
            )
        if self._at_end and self.frames_in_header and self._packets < self.frames_in_header:
            warnings.append(
                f"{self.path}: its header announces {self.frames_in_header:,} frames, but it holds {self._packets:,}"
            )
        duration = None if self.frames_in_header else self._duration
        if self._at_end and duration is not None and self._latest + SLACK < duration:
            warnings.append(
                f"{self.path}: its header announces {float(duration):,.1f} s of video, but its last frame is at "
                f"{float(self._latest):,.1f} s"
            )
        if self.frames_without_time:
            warnings.append(
                f"{self.path}: {self.frames_without_time:,} frames have no time stamp and were placed by the frame rate"
            )
        return warnings

    def _pictures(self) -> Iterator[av.VideoFrame]:
        """Every frame: decoded by several threads up to the first damage, by one from there on.

        Before them by the GPU, up to the first picture that is not as the CPU's.
        """
        if self.gpu is not None:
            if (yield from self._pictures_of_many_threads()):
                return
            self._leave_gpu()
        if self._many_threads:
            if (yield from self._pictures_of_many_threads()):
                return
            self._many_threads = False
            # the one before closes by itself, once nobody asks it for facts any more
            self._container, self._stream = self._open(1)
            self.begin_again()
        number, already = 0, self._next
        for picture in self._decoded():
            if self.damaged_from is None and (picture is None or picture.is_corrupt):
                self.damaged_from = number
            if picture is None:
                self.broken_packets += 1
                continue
            self.corrupt_frames += picture.is_corrupt
            number += 1
            if self.damaged_from is None and self._noticed is not None and number > self._noticed:
                self.damaged_from = self._noticed  # and concealed in silence, now that it may be
            if number > already:
                yield picture

    def _pictures_of_many_threads(self) -> Generator[av.VideoFrame, None, bool]:
        """Every frame up to the first damage; whether that is all."""
        number = 0 if self._begin is None else self._begin.number
        already = self._next
        ahead = FRAMES_AHEAD if self._stream.codec_context.has_b_frames else 0
        held: deque[av.VideoFrame] = deque()  # what damage noticed now may have spoilt already
        for picture in self._decoded():
            if picture is None or picture.is_corrupt:
                if self._codec != "h264":  # which marks what it conceals
                    self._noticed = number + len(held)
                return False
            if self.gpu is not None and (reason := self.gpu.refusal(picture)):
                self._on_cpu_because = reason
                return False
            held.append(picture)
            if len(held) > ahead:
                spared = held.popleft()
                number += 1
                if number > already:
                    yield spared
        if number + len(held) < self._packets_shown:  # they may lose what they hold at the end, and say nothing
            return False
        yield from list(held)[max(0, already - number) :]
        return True

    def _decoded(self) -> Iterator[av.VideoFrame | None]:
        """Every frame the decoder gives behind those that were passed, and None for each packet it cannot decode."""
        self._packets = 0 if self._begin is None else self._begin.packets
        self._packets_shown = 0 if self._begin is None else self._begin.number
        return decoded(self._container, self._stream, self.watch, self._begin, note=self._note)

    def _go_to_gpu(self) -> str | None:
        """Have the GPU decode, if it is to and can; otherwise why not."""
        if not self.can_be_read_again:
            return self._decoding.on_cpu(self.path, "it can be read only once, and the CPU may have to take over")
        gpu = self._decoding.decoder(self.path, self._stream)
        if isinstance(gpu, str):
            return gpu
        try:
            opened = self._open(1, gpu)
        except BackendUnavailableError as error:
            if self._decoding.where == "gpu":
                raise
            return str(error)
        self._container.close()
        self._container, self._stream = opened
        self.gpu = gpu
        return None

    def _leave_gpu(self) -> None:
        """Have the CPU decode from the frame on that is wanted next: it knows best what is damaged."""
        if self._on_cpu_because is not None and self._decoding.where == "gpu":
            raise VideoError(
                f"{self.path} cannot be decoded on the GPU from frame {self.frames_read:,} on: {self._on_cpu_because}"
            )
        if self._on_cpu_because is None:
            self._on_cpu_because = "something cannot be decoded there, which the CPU looks at"
        self._on_cpu_from, self._noticed, self.gpu = self.frames_read, None, None
        self._container, self._stream = self._open(ALL_PROCESSORS)

    def _open(self, threads: int, gpu: GpuDecoder | None = None) -> tuple[InputContainer, VideoStream]:
        now = look_at(self.path, self.watch)
        if (now.st_dev, now.st_ino) != (self._status.st_dev, self._status.st_ino):
            raise VideoError(f"{self.path}: was replaced by another file while it was read")
        if gpu is not None:
            return gpu.open(self.path, self.watch, self.max_pixels)
        return open_video(self.path, threads, self.watch, self.max_pixels, explode=threads != 1)

    def _check_that_nothing_was_cut_off(self) -> None:
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

    @property
    def _duration(self) -> Fraction | None:
        """How long the video is, s, by its header; None where that does not say, or speaks of the sound as well."""
        stream, container = self._stream, self._container
        if stream.duration is not None and stream.time_base is not None:
            return stream.duration * stream.time_base
        if container.duration is not None and len(container.streams) == 1:
            return Fraction(container.duration, av.time_base)
        return None

    def _note(self, packet: Packet) -> None:
        self._packets += 1
        led_in = self._begin is not None and packet.pts is not None and packet.pts < self._begin.pts
        self._packets_shown += not packet.is_discard and not led_in

    @property
    def _next(self) -> int:
        """The number of the frame that is given next."""
        return self.frames_read if self._again is None else self._again

    def _time(self, picture: av.VideoFrame, start: int | None) -> Fraction:
        if picture.pts is not None and picture.time_base and start is not None:
            return (picture.pts - start) * picture.time_base
        self.frames_without_time += self._next >= self.frames_read
        return self._next / (self._stream.average_rate or Fraction(25))


def _up_to_errors(packets: Iterator[Packet]) -> Iterator[Packet]:
    """The packets; in place of an error one without a time stamp, which says that there is no index to trust."""
    try:
        yield from packets
    except (av.FFmpegError, OSError, IndexError):
        untimed: Any = av.Packet(1)
        yield untimed


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
