"""Video files, decoded by FFmpeg through PyAV, one frame at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from gpuheat.errors import VideoError
from gpuheat.inputs.container import MAX_PIXELS
from gpuheat.inputs.detacher import Detacher
from gpuheat.inputs.findings import Findings
from gpuheat.inputs.gpu_decoding import ON_CPU, Decoding, GpuDecoder
from gpuheat.inputs.hand_over import HandOver
from gpuheat.inputs.one_pass import OnePass
from gpuheat.inputs.remote import RemoteFile
from gpuheat.inputs.video_file import VideoFile
from gpuheat.inputs.video_frame import BgrConverter, VideoFrame
from gpuheat.inputs.watch import Watch

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from fractions import Fraction
    from types import TracebackType

    from gpuheat.inputs.frames import Frame
    from gpuheat.inputs.kept_frame import LastRead
    from gpuheat.inputs.keyframes import Part

__all__ = ["VideoReader"]


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

    Raises
    ------
    OptionError, BackendUnavailableError
        If it is to be decoded on the GPU and cannot be.
    VideoError
        If the file cannot be opened or has no video; while reading, if no frame can be decoded or the size
        of the picture changes.
    """

    cpu_alone: ClassVar[str | None] = None
    """Why only the CPU can decode what is read; None: the GPU may as well."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_pixels: int = MAX_PIXELS,
        watch: Watch | None = None,
        decoding: Decoding = ON_CPU,
    ) -> None:
        self.path = path if isinstance(path, RemoteFile) else Path(path)
        self.max_pixels = max_pixels
        self.watch = watch or Watch(str(self.path))
        self._file = VideoFile(self.path, max_pixels, self.watch)
        self._hand_over = HandOver(self._file, decoding, self.cpu_alone)
        self._found = Findings(self._file)
        self._pass = OnePass(self._file, self._hand_over, self._found)
        self._to_bgr = BgrConverter(str(self.path))
        self._detach = Detacher(str(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.watch.give_up():  # else closing would pull the file from under a thread
            self._file.container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Every frame that can be decoded and was not passed, in the order of showing. To be used once."""
        found = self._found
        if found.at_end and found.frames_read > 0:
            self._file.check_that_nothing_was_cut_off()
            return
        for picture in self._pass.pictures():
            number, time = found.take(picture)
            # a damaged picture shows what was in its memory before: when that is used again is not for others to say
            shown = picture if self._pass.many_threads else self._detach(picture)
            yield (VideoFrame if self.gpu is None else self.gpu.frame)(number, time, shown, self._to_bgr)
        self._file.check_that_nothing_was_cut_off()
        found.at_end = True
        if found.frames_decoded == 0:
            no_size = "" if self._file.stream.width else "; its header gives no size of the picture that could be"
            raise VideoError(
                f"{self.path}: not one frame can be decoded ({found.broken_packets} broken packets){no_size}"
            )

    # --- what reading brought up so far -----------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """Of the frames in px, before rotation."""
        return self._found.width

    @property
    def height(self) -> int:
        """Of the frames in px, before rotation."""
        return self._found.height

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise by which frames are to be turned for display, a multiple of 90."""
        return self._found.rotation

    @property
    def frames_decoded(self) -> int:
        """Counted while reading."""
        return self._found.frames_decoded

    @property
    def frames_skipped(self) -> int:
        """Frames before the first that was wanted, which were not even decoded."""
        return self._found.frames_skipped

    @frames_skipped.setter
    def frames_skipped(self, frames: int) -> None:
        self._found.frames_skipped = frames

    @property
    def gpu(self) -> GpuDecoder | None:
        """What decodes; None: the CPU."""
        return self._file.gpu

    @property
    def is_damaged(self) -> bool:
        """Whether damage was noticed in a file, so that a single thread decodes it from the beginning."""
        return self._pass.is_damaged

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the file, and what reading it brought up, for ``summary.json``."""
        file, found = self._file, self._found
        return file.facts | found.shape | file.announced | found.facts | self._hand_over.facts

    @property
    def warnings(self) -> list[str]:
        """What whoever looks at the result should know, one line each; complete when reading has ended."""
        return [*self._found.damage, *self._hand_over.warnings, *self._found.gaps]

    # --- what the file announces ------------------------------------------------------------------------------------

    @property
    def frames_expected(self) -> int | None:
        """How many frames there may be, by the header or by duration and rate; None where neither says."""
        return self._file.frames_expected

    @property
    def length(self) -> Fraction | None:
        """How long it may be, s, by the header, or by its number of frames and their rate; None where neither says."""
        if self._file.duration is None and self.frames_expected and self.frame_interval:
            return self.frames_expected * self.frame_interval
        return self._file.duration

    @property
    def frame_interval(self) -> Fraction:
        """How long a frame is shown on average, s; 0 where the file does not say."""
        return self._file.frame_interval

    @property
    def time_unit(self) -> Fraction | None:
        """Times of frames are whole numbers of this, s; None where the file does not say."""
        return self._file.stream.time_base

    @property
    def time_origin(self) -> tuple[int, Fraction]:
        """The time stamp of 0 s, and how long one step of time stamps is, s."""
        return self._file.time_origin

    def parts(self, watch: Watch) -> Iterator[Part]:
        """The parts into which the file can be cut, found by reading it once more without decoding."""
        return self._file.parts(watch)

    def times_of(self, part: Part) -> list[Fraction]:
        """When each frame of a part is shown, s, as :attr:`VideoFrame.time`."""
        return self._file.times_of(part)

    # --- where to go on ---------------------------------------------------------------------------------------------

    def passed(self, part: Part, last: VideoFrame | LastRead | None) -> None:
        """Take note that another reader read a part, which begins where this one is or before; it goes on behind it.

        ``last`` is the last frame that was decoded, None where none was wanted.

        Raises
        ------
        NotAsPromisedError
            If its pictures have another size or rotation than those before.
        """
        self._found.passed(part, last)
        self._pass.begin = part.end

    def begin_again(self) -> None:
        """Decode from the beginning when reading goes on: how damage is concealed depends on all frames before it."""
        self._pass.begin = None

    def begin_at(self, part: Part) -> None:
        """Decode from the beginning of a part when reading goes on; the frames that are wanted are not before it."""
        self._pass.begin = part.begin

    @property
    def position(self) -> dict[str, Any]:
        """How far reading came, for :meth:`go_on`: numbers, texts and lists of them."""
        return self._found.position | self._pass.position | {"on_cpu": self._hand_over.position}

    def go_on(self, position: dict[str, Any], again: int) -> None:
        """Go on where another reader of the same file had come to, which gave its position.

        The frames from number ``again`` on that it had read are given once more; they do not count another time.
        """
        self._found.go_on(position, again)
        self._hand_over.go_on(position["on_cpu"], self._found.frames_read)
        self._pass.go_on(position["is_damaged"], position["noticed"])
