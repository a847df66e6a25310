"""Decoding a part of a video by itself."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gpuheat.errors import BackendUnavailableError, GpuheatError
from gpuheat.inputs.container import MAX_PIXELS, decoded, open_video
from gpuheat.inputs.video_frame import BgrConverter, VideoFrame, rotation_of
from gpuheat.inputs.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from av.container import InputContainer
    from av.video.stream import VideoStream

    from gpuheat.inputs.gpu_decoding import GpuDecoder
    from gpuheat.inputs.keyframes import Part
    from gpuheat.inputs.remote import RemoteFile

__all__ = ["NotAsPromisedError", "PartReader"]


class NotAsPromisedError(GpuheatError):
    """A part does not hold what the packets promised; its text says where. The rest has to be read in one pass."""


class PartReader:
    """Decodes parts of one video, one after the other.

    A context manager. Several readers of the same file work side by side.

    Parameters
    ----------
    path
        The file.
    watch
        Notices if reading makes no progress.
    max_pixels
        Of a picture, at most.
    gpu
        What decodes; None: the CPU.

    Attributes
    ----------
    next_frame
        The first frame of the next part, as it comes out at the end of the part read last; None where there is none.

    Raises
    ------
    VideoError
        If the file cannot be opened.
    """

    def __init__(
        self,
        path: Path | RemoteFile,
        watch: Watch | None = None,
        max_pixels: int = MAX_PIXELS,
        gpu: GpuDecoder | None = None,
    ) -> None:
        self._path = path
        self._watch = watch or Watch(str(path))
        self._max_pixels = max_pixels
        self._gpu = gpu
        self._frame = VideoFrame if gpu is None else gpu.frame
        self._threads = 1
        self._container, self._stream = self._open()
        self._used = False
        self.next_frame: VideoFrame | None = None
        self._to_bgr = BgrConverter(str(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def _open(self) -> tuple[InputContainer, VideoStream]:
        if self._gpu is not None:
            try:
                return self._gpu.open(self._path, self._watch, self._max_pixels)
            except BackendUnavailableError as error:  # a GPU has only so many decoders
                raise NotAsPromisedError(f"there is no decoder for another part: {error}") from error
        return open_video(self._path, self._threads, self._watch, self._max_pixels, explode=True)

    def frames(self, part: Part, threads: int = 1) -> Iterator[VideoFrame]:
        """The frames of a part, numbered and timed as in the whole video.

        So many ``threads`` decode them where that is as safe as one: decoders with several tell late what went wrong,
        and behind some cuts something must.

        Raises
        ------
        NotAsPromisedError
            If one of them is damaged or missing, or a picture has another size or rotation than the first.
        """
        stamps = part.stamps
        start, unit = self._stream.start_time, self._stream.time_base
        if stamps is None or start is None or unit is None:
            raise NotAsPromisedError(f"frame {part.first:,} and those behind it have no reliable time stamps")
        shape = None
        number = 0
        self.next_frame = None
        threads = threads if part.is_closed and self._gpu is None else 1
        # only a file that was just opened is at its beginning for certain
        if threads != self._threads or (part.begin is None and self._used):
            self._container.close()
            self._threads = threads
            self._container, self._stream = self._open()
        self._used = True
        for picture in decoded(self._container, self._stream, self._watch, part.begin, part.end):
            where = f"frame {part.first + number:,}"
            time = Fraction(0) if picture is None or picture.pts is None else (picture.pts - start) * unit
            if picture is not None and self._gpu is not None and (reason := self._gpu.refusal(picture)):
                raise NotAsPromisedError(f"{where} cannot be used as the GPU decodes it: {reason}")
            if picture is None or picture.is_corrupt:
                raise NotAsPromisedError(f"{where} is damaged")
            if number == len(stamps) and part.end is not None:
                if picture.pts == part.end.pts:
                    self.next_frame = self._frame(part.first + number, time, picture, self._to_bgr)
                    break
                continue
            if number == len(stamps) or picture.pts != stamps[number]:
                raise NotAsPromisedError(f"{where} is not shown when its packet says")
            shape = shape or (picture.width, picture.height, rotation_of(picture))
            if (picture.width, picture.height, rotation_of(picture)) != shape:
                raise NotAsPromisedError(f"{where} has another size")
            number += 1
            yield self._frame(part.first + number - 1, time, picture, self._to_bgr)
        if number < len(stamps):
            raise NotAsPromisedError(f"frame {part.first + number:,} is missing")
