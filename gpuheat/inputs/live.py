"""Live video: an address, a capture device or standard input, read once, as it comes."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Self

import av
from av.format import Flags

from gpuheat.errors import VideoError
from gpuheat.inputs.container import (
    ALL_PROCESSORS,
    MAX_PIXELS,
    OPEN_OPTIONS,
    check_size,
    decoder_limit,
    packets_of,
    pixel_format,
    video_of,
)
from gpuheat.inputs.detacher import Detacher
from gpuheat.inputs.findings import SLACK
from gpuheat.inputs.video_frame import BgrConverter, VideoFrame, rotation_of
from gpuheat.inputs.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType

    from av.container import InputContainer
    from av.video.stream import VideoStream

    from gpuheat.inputs.address import Origin
    from gpuheat.inputs.frames import Frame
    from gpuheat.inputs.keyframes import Packet

__all__ = ["LiveReader"]

log = logging.getLogger("gpuheat")

TIMEOUT: Final = 15.0  # s without a byte, after which a connection is taken for dead
FIRST_PAUSE: Final = 1.0  # s before it is tried again; twice as long after each attempt in vain
LONGEST_PAUSE: Final = 30.0
LOOK: Final = 0.05  # s between two looks whether somebody still waits
LEAP: Final = 10  # s by which time stamps may run ahead of the clock from one frame to the next
NO_TIME_STAMPS: Final[Any] = Flags.no_timestamps.value
PLAYLISTS: Final = ("hls", "dash")


@dataclass
class _Interruption:
    """A time without frames, s: when on the time line, since when by the clock, and for how long; None: not over."""

    time: Fraction
    since: Fraction
    because: str
    seconds: Fraction | None = None


@dataclass(frozen=True)
class _Connection:
    """What is asked of a stream after it may have been closed."""

    facts: dict[str, Any]
    rate: Fraction | None
    duration: Fraction | None  # as announced, s
    ends: bool  # by what is announced
    unit: Fraction | None  # of time stamps, s
    start: Fraction | None  # time stamp, s
    timed: bool  # FFmpeg makes time stamps up for formats that have none

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream) -> Self:
        rate, unit, duration = stream.average_rate, stream.time_base, container.duration
        facts = {
            "container": container.format.name,
            "stream": stream.index,
            "codec": stream.codec.canonical_name,
            "pixel_format": pixel_format(stream),
            "frame_rate": str(rate) if rate else None,
            "time_base": str(unit) if unit else None,
        }
        return cls(
            facts,
            rate=rate,
            duration=Fraction(duration, av.time_base) if duration is not None and duration > 0 else None,
            ends=_ends(container),
            unit=unit,
            start=None if stream.start_time is None or unit is None else stream.start_time * unit,
            timed=not container.format.flags & NO_TIME_STAMPS,
        )


class LiveReader:
    """The best video stream of an origin, a context manager and an iterable of frames.

    A stream that announces neither how long it is nor how many bytes it has, is live: when it ends or breaks off it is
    opened again, after pauses of 1, 2, 4 ... 30 s, for as long as it takes. The time line goes on meanwhile, by the
    clock, so that times never run backwards. They are those of the time stamps, from 0 for the first frame on; in
    formats that have none, those of the arrival. Frames are not kept: who reads slowly makes the sender wait, or loses
    some.

    Standard input, and a stream that does announce that, are read to their end like a file, by a single thread.

    Parameters
    ----------
    origin
        Where the video comes from.
    max_pixels
        Of a picture, at most.
    watch
        Notices if reading makes no progress. A thread that reads may still be in a call when this is closed.
    until
        The end of the time line, s, up to which it is opened again; None: there is none.

    Attributes
    ----------
    live
        Whether it is opened again when it ends.
    width, height
        Size of the frames in px, before rotation.
    frames_decoded, corrupt_frames, broken_packets
        Counted while reading. A corrupt frame was decoded with errors, and is used.
    first_frames
        The number of the first frame after each interruption.
    frames_without_time
        Frames that had no time stamp and were placed by their arrival.
    leaps
        How often time stamps ran backwards or far ahead of the clock; the time line went on by the clock.
    rotation
        Degrees counter-clockwise by which frames are to be turned for display, a multiple of 90.

    Raises
    ------
    VideoError
        If it cannot be opened or has no video; while reading, if not one frame can be decoded, the size of the
        picture changes, or standard input cannot be read on.
    """

    def __init__(
        self, origin: Origin, max_pixels: int = MAX_PIXELS, watch: Watch | None = None, until: Fraction | None = None
    ) -> None:
        self._origin = origin
        self.name = origin.name
        self.max_pixels = max_pixels
        self.watch = watch or Watch(self.name)
        self._until = until
        self._container, self._stream = self._open()
        self._connection = _Connection.of(self._container, self._stream)
        self.live = origin.comes_back and not self._connection.ends
        self.width, self.height = self._stream.width, self._stream.height  # until a frame says otherwise
        self._to_bgr = BgrConverter(self.name)
        self._detach = Detacher(self.name)
        self.frames_decoded = 0
        self.corrupt_frames = 0
        self.broken_packets = 0
        self.damaged_from: int | None = None
        self.frames_without_time = 0
        self.leaps = 0
        self.rotation = 0
        self.first_frames: list[int] = []
        self._interruptions: list[_Interruption] = []
        self._first_frame_at: str | None = None
        self._began = time.monotonic_ns()
        self._latest = self._arrived = Fraction(0)
        self._anchor: tuple[Fraction, Fraction] | None = None  # a time stamp, and the time it stands for
        self._at_end = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.watch.give_up():  # else closing would pull the connection from under a thread
            self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Every frame that can be decoded, in the order of showing. To be used once."""
        while True:
            why, since = yield from self._frames()
            if not self.live or not self._open_again(why, since):
                break
        self._at_end = True
        if self.frames_decoded == 0:
            is_mp4 = "mp4" in self._connection.facts["container"]
            more = "; an MP4 whose index is at its end can be read only as a file" if is_mp4 else ""
            raise VideoError(f"{self.name}: not one frame can be decoded ({self.broken_packets} broken packets){more}")

    @property
    def frames_expected(self) -> int | None:
        """How many frames there may be, by duration and rate; None where either is unknown."""
        ends = [end for end in (self._connection.duration, self._until) if end is not None]
        return round(min(ends) * self._connection.rate) if self._connection.rate and ends else None

    @property
    def length(self) -> Fraction | None:
        """How long it is, s, as announced; None where it is not, and what is live is not."""
        return None if self.live else self._connection.duration

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the stream, and what reading it brought up, for ``summary.json``."""
        return {
            "name": self.name,
            "path": self.name,
            "live": self.live,
            **self._connection.facts,
            "width": self.width,
            "height": self.height,
            "rotation": self.rotation,
            "first_frame_at": self._first_frame_at,
            "frames_decoded": self.frames_decoded,
            "frames_without_time": self.frames_without_time,
            "time_stamp_leaps": self.leaps,
            "corrupt_frames": self.corrupt_frames,
            "broken_packets": self.broken_packets,
            "damaged_from_frame": self.damaged_from,
            "decoded_on": "cpu",
            "interruptions": [
                {"time_s": float(it.time), "seconds": float(self._length(it)), "because": it.because}
                for it in tuple(self._interruptions)
            ],
        }

    @property
    def warnings(self) -> list[str]:
        """What whoever looks at the result should know, one line each."""
        warnings = []
        if interruptions := tuple(self._interruptions):
            times = "once" if len(interruptions) == 1 else f"{len(interruptions):,} times"
            warnings.append(
                f"{self.name}: interrupted {times}, for {float(sum(map(self._length, interruptions))):,.1f} s, "
                f"first at {float(interruptions[0].time):,.1f} s"
            )
        if self.damaged_from is not None:
            warnings.append(
                f"{self.name}: damaged from frame {self.damaged_from:,} on ({self.broken_packets:,} broken packets, "
                f"{self.corrupt_frames:,} corrupt frames): motion there may be artefacts"
            )
        duration = self._connection.duration
        if self._at_end and not self.live and duration is not None and self._latest + SLACK < duration:
            warnings.append(
                f"{self.name}: announces {float(duration):,.1f} s of video, but its last frame is at "
                f"{float(self._latest):,.1f} s"
            )
        if self.frames_without_time:
            warnings.append(
                f"{self.name}: {self.frames_without_time:,} frames have no time stamp and were placed by their arrival"
            )
        return warnings

    def _open(self) -> tuple[InputContainer, VideoStream]:
        origin, failure = self._origin, ""
        # not PyAV's own timeouts: they call Python, which ends the process badly where a thread is left behind in them
        timeout = {} if origin.timeout is None else {origin.timeout: f"{TIMEOUT * 1e6:.0f}"}
        try:
            with self.watch:
                container = av.open(
                    origin.url,
                    format=origin.format,
                    options=origin.options | timeout | decoder_limit(self.max_pixels),
                    **OPEN_OPTIONS,
                )
        except (av.FFmpegError, OSError) as error:
            failure = _reason(error)
        if failure:  # not while the error is handled: it tells the whole address, and would be told on
            raise VideoError(f"{self.name}: cannot be opened as a video: {failure}")
        # a stream that is read only once is decoded the same everywhere; one that does not wait has no time for that
        threads = ALL_PROCESSORS if origin.comes_back and not _ends(container) else 1
        return container, video_of(container, self.name, threads, self.max_pixels, explode=False)

    def _frames(self) -> Generator[Frame, None, tuple[str, Fraction]]:
        """Every frame of one connection; why there are no more, and since when nothing comes, s."""
        first, why, silent = self.frames_decoded, "it ended", 0.0
        packets = packets_of(self._container, self._stream, self.watch)
        over = lost = False
        while not over:
            packet: Packet | None = None
            try:
                packet = next(packets, None)
                over = packet is None
            except (av.FFmpegError, OSError, IndexError) as error:
                over, why = True, _reason(error)
                silent = TIMEOUT if isinstance(error, TimeoutError) else 0.0
                lost = isinstance(error, OSError)  # not what came, but that no more comes
                if not self.live and not lost:
                    self._note_damage(first)
            if packet is not None and packet.is_corrupt:
                self._note_damage(first)
            try:
                with self.watch:
                    pictures = self._stream.decode(packet)  # without one: what the decoder holds back
            except MemoryError:
                raise
            except EOFError:  # it gave that already
                continue
            except av.FFmpegError:
                self._note_damage(first)
                continue
            for picture in pictures:
                yield self._frame(picture)
        if lost and not self.live:
            raise VideoError(f"{self.name}: cannot be read on: {why}")
        return why, max(Fraction(0), self._elapsed - Fraction(silent))

    def _note_damage(self, first: int) -> None:
        """Take note of a packet that cannot be decoded; what comes before a connection's first frame, lacks others."""
        if self.frames_decoded > first or not self.live:
            self.broken_packets += 1
            self.damaged_from = self.frames_decoded if self.damaged_from is None else self.damaged_from

    def _frame(self, picture: av.VideoFrame) -> Frame:
        """A picture as the next frame."""
        shape = picture.width, picture.height, rotation_of(picture)
        if self.frames_decoded == 0:
            check_size(self.name, picture.width, picture.height, self.max_pixels)
            self.width, self.height, self.rotation = shape
            self._first_frame_at = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._began = time.monotonic_ns()
        if shape != (self.width, self.height, self.rotation):
            raise VideoError(
                f"{self.name}: the picture changes from {self.width} x {self.height} to "
                f"{picture.width} x {picture.height} px at frame {self.frames_decoded}"
            )
        now = Fraction(0) if self.frames_decoded == 0 else self._elapsed
        if self._interrupted:
            self.first_frames.append(self.frames_decoded)
            self._interruptions[-1].seconds = now - self._interruptions[-1].since
            log.info("%s: back after %.1f s", self.name, self._interruptions[-1].seconds)
        moment = self._time(picture, now)
        self._latest, self._arrived = max(self._latest, moment), now
        if picture.is_corrupt:
            self.corrupt_frames += 1
            self.damaged_from = self.frames_decoded if self.damaged_from is None else self.damaged_from
        self.frames_decoded += 1
        # a damaged picture shows what was in its memory before: when that is used again is not for others to say
        shown = picture if self.live else self._detach(picture)
        return VideoFrame(self.frames_decoded - 1, moment, shown, self._to_bgr)

    def _time(self, picture: av.VideoFrame, now: Fraction) -> Fraction:
        """The time of the next frame, s."""
        by_clock = max(now, self._latest)
        unit = picture.time_base or self._connection.unit  # what a decoder held back to the end does not say
        if picture.pts is None or not unit or not self._connection.timed:
            self.frames_without_time += 1
            return by_clock
        stamp = picture.pts * unit
        if self._anchor is None and self.frames_decoded > 0:
            self._anchor = (stamp, by_clock)
        elif self._anchor is None:  # what is read like a file counts from where a file does
            start = self._connection.start
            self._anchor = (stamp if self.live or start is None else start, Fraction(0))
        moment = self._anchor[1] + stamp - self._anchor[0]
        if self.live and not self._latest <= moment <= self._latest + now - self._arrived + LEAP:
            self.leaps += 1
            moment = by_clock
            self._anchor = (stamp, moment)
        return moment

    def _open_again(self, why: str, since: Fraction) -> bool:
        """Open it again, however often it takes; False where the time line ended before that."""
        if self.frames_decoded > 0 and not self._interrupted:
            self._interruptions.append(_Interruption(self._latest, since, why))
        self._anchor = None
        with self.watch:
            self._container.close()
        pause = FIRST_PAUSE
        while True:
            log.info("%s: interrupted (%s), trying again in %g s", self.name, why, pause)
            if not self._rest(pause):
                return False
            try:
                container, stream = self._open()
            except VideoError as error:
                why, pause = str(error).removeprefix(f"{self.name}: "), min(2 * pause, LONGEST_PAUSE)
                continue
            self._container, self._stream = container, stream
            self._connection = _Connection.of(container, stream)
            return True

    def _rest(self, pause: float) -> bool:
        """Wait; False where the time line ended before that."""
        end = time.monotonic() + pause
        while (left := end - time.monotonic()) > 0:
            if self._until is not None and self._elapsed >= self._until:
                return False
            with self.watch:  # an error, where nobody waits any more
                pass
            time.sleep(min(left, LOOK))
        return True

    @property
    def _elapsed(self) -> Fraction:
        """Since the first frame came, by a clock that is never set, s."""
        return Fraction(time.monotonic_ns() - self._began, 10**9)

    @property
    def _interrupted(self) -> bool:
        """Whether no frame came since the last interruption."""
        return len(self._interruptions) > 0 and self._interruptions[-1].seconds is None

    def _length(self, interruption: _Interruption) -> Fraction:
        """How long it was, s; up to now where it is not over."""
        return self._elapsed - interruption.since if interruption.seconds is None else interruption.seconds


def _ends(container: InputContainer) -> bool:
    """Whether a stream announces its end."""
    if container.duration is not None and container.duration > 0:
        return True
    size: int | None = container.size  # None and negative where it is unknown
    return size is not None and size > 0 and container.format.name not in PLAYLISTS  # whose size is that of the list


def _reason(error: Exception) -> str:
    """Why FFmpeg failed, without the address that its text would tell."""
    if isinstance(error, TimeoutError):
        return f"nothing came for {TIMEOUT:g} s"
    return getattr(error, "strerror", None) or type(error).__name__
