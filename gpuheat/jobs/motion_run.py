"""One run over a video, or over frames in memory, whose result can be had at any time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import gpuheat
from gpuheat.backends import Backend, get_backend
from gpuheat.backends.cpu_loops import processors
from gpuheat.backends.gaussian import check_sigma
from gpuheat.errors import IncompleteError, InputError, OptionError, VideoError
from gpuheat.inputs.address import origin_of
from gpuheat.inputs.arrays import ArrayFrames
from gpuheat.inputs.container import MAX_PIXELS
from gpuheat.inputs.gpu_decoding import WHERE, Decoding
from gpuheat.inputs.key_frame_reader import KeyFrameReader
from gpuheat.inputs.live import LiveReader
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.watch import Watch
from gpuheat.jobs.checkpoint import Checkpoint
from gpuheat.jobs.find_again import begin_before_last
from gpuheat.jobs.live import with_cuts
from gpuheat.jobs.read_ahead import read_ahead
from gpuheat.jobs.scene import Scene
from gpuheat.jobs.side_by_side import count_side_by_side
from gpuheat.jobs.stretch import Stretch, end_of
from gpuheat.jobs.tally import Counting, Tally
from gpuheat.jobs.threads import outcome, start
from gpuheat.options import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from gpuheat.inputs.frames import Frame, FrameReader
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["MotionRun", "NoFrameError"]

ONE_FRAME: Final = "only one frame was looked at: there is no pair to compare, and the map is empty"
MOST_JOBS: Final = 8
log = logging.getLogger("gpuheat")


class NoFrameError(InputError):
    """None of the frames of a source lies in the stretch that is looked at."""


class MotionRun:
    """Counts the frames of a source; a context manager.

    The options are those of :func:`gpuheat.motion_heatmap`, which say what is wrong with them. A run may follow others:
    ``later`` moves the times of the pairs by so many s, but not the stretch, and ``looked_at`` frames were seen before.
    ``between`` is called
    between two frames, or two parts of a video, when all that was read was counted; so is ``progress``, which may raise
    an exception to end counting there.
    """

    def __init__(
        self,
        source: Any,
        *,
        threshold: Any,
        pixels: Any,
        half_life: Any,
        every: Any,
        keyframes: bool = False,
        start: Any,
        end: Any,
        downscale: Any,
        mask: Any,
        max_changed: Any,
        background: Any,
        blur: float,
        times: Sequence[float] | None,
        backend: str | Backend,
        decode: Any,
        jobs: int | None,
        max_pixels: Any,
        duration: Any = None,
        later: Fraction = Fraction(0),
        looked_at: int = 0,
        between: Callable[[MotionRun], None] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        resume: bool = True,
    ) -> None:
        self._began = time.perf_counter()
        check_sigma(blur)
        self._blur = blur
        self.stretch = Stretch(every, start, end_of(start, end, duration))
        self._backend = get_backend(backend)
        self.jobs = _jobs(jobs, self._backend)
        # whoever gave an array may write into it again
        shared_memory = not isinstance(source, str | PathLike)
        self._counting = Counting(
            threshold, pixels, half_life, max_changed, downscale, self._backend, copy=shared_memory, later=later
        )
        max_pixels = whole_number("max_pixels", max_pixels, 1, MAX_PIXELS)
        decoding = _decoding(decode, self._counting)
        self._keyframes = keyframes
        if keyframes:
            self._opened = _key_frames(source, max_pixels, decoding, every)
        else:
            self._opened = _opened(source, times, max_pixels, self._backend, decoding, self.stretch.end)
        self.reader = self._opened.__enter__()
        self._downscale = downscale
        self.tally = Tally(self._counting, Scene(background, mask, downscale).following(looked_at))
        self._between = between
        self._position: dict[str, Any] = {}
        self._checkpoint = None if checkpoint is None else self._with_checkpoint(checkpoint, resume)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def count(self, progress: Callable[[int, int | None], None] | None = None) -> None:
        """Count all frames of the stretch that are left.

        Raises
        ------
        VideoError
            If nothing can be read.
        IncompleteError
            If reading has to stop half way.
        InputError
            If frames, mask or background do not fit, or no frame lies in the stretch.
        """
        try:
            self._count(progress)
        except VideoError as error:
            self.tally.flush()
            if len(self.tally.numbers) < 2:
                raise
            raise IncompleteError(str(error), self.result(str(error))) from error
        if self.tally.counter is None:
            raise NoFrameError(f"no frame lies between start and end: {self.stretch.frames_seen}")

    @property
    def counted_any(self) -> bool:
        """Whether there is a result."""
        self.tally.flush()
        return self.tally.counter is not None

    def save(self) -> bool:
        """Write a checkpoint of what was counted so far; whether there is one now.

        To be called when counting has ended or was ended by ``progress``.
        """
        if self._checkpoint is None:
            return False
        if self.tally.awaited is not None:  # nothing came to what was loaded
            return True
        self.tally.flush()
        if self.tally.counter is None:
            return False
        return self._checkpoint.save(
            {
                "tally": self.tally.state,
                "reader": self._position,
                "first": self.stretch.first,
                "seconds": time.perf_counter() - self._began,
            }
        )

    def forget(self) -> None:
        """Remove the checkpoint: the result is safe."""
        if self._checkpoint is not None:
            self._checkpoint.remove()

    def _with_checkpoint(self, path: str | PathLike[str], resume: bool) -> Checkpoint:
        """The checkpoint of this run, which goes on from it if it should."""
        if not isinstance(self.reader, VideoReader) or self._keyframes:
            raise OptionError("a checkpoint is for all frames of a video file, not for frames in memory or live video")
        settings = self._counting.decisive | self.stretch.decisive | self.tally.scene.decisive
        checkpoint = Checkpoint(path, self.reader.path, settings)
        state = checkpoint.load() if resume else None
        if state is None:
            if resume:
                log.info("no checkpoint %s to go on from: from the beginning", checkpoint.path)
            return checkpoint
        self.tally.restore(state["tally"], state["reader"]["rotation"])
        assert self.tally.awaited is not None
        self.stretch.restore(state["first"])
        self._position = state["reader"]
        self.reader.go_on(self._position, again=self.tally.awaited.number)
        self._began -= state["seconds"]
        log.info("goes on behind frame %s, from the checkpoint %s", f"{self.tally.awaited.number:,}", checkpoint.path)
        return checkpoint

    def result(self, stopped: str | None = None) -> MotionHeatmap:
        """The heat map of what was counted so far; ``stopped``: why it is not all."""
        reader, tally = self.reader, self.tally
        result = tally.result(self._blur, reader.rotation)
        seconds = time.perf_counter() - self._began
        compared = {"frames_compared": len(tally.numbers), "compared_as": sorted(tally.layouts), "stopped": stopped}
        warnings = [*reader.warnings, *([] if len(tally.numbers) > 1 else [ONE_FRAME])]
        speed = {"frames_per_second": reader.frames_decoded / seconds, "jobs": self.jobs}
        return replace(
            result,
            settings=self.settings_of(result),
            facts={
                "gpuheat": gpuheat.__version__,
                "input": reader.facts | compared,
                "backend": self.backend_facts,
                "warnings": warnings if stopped is None else [f"incomplete: {stopped}", *warnings],
                "time": {"seconds": seconds, **speed},
            },
        )

    def settings_of(self, result: MotionHeatmap) -> dict[str, Any]:
        """All settings of a result, of this run or of one that follows others."""
        how_read = {"keyframes": self._keyframes, "downscale": self._downscale}
        return result.settings | self.stretch.settings | self.tally.scene.settings | how_read

    @property
    def backend_facts(self) -> dict[str, str]:
        """What counts, for ``summary.json``."""
        return {"name": self._backend.name, "device": self._backend.device}

    def _count(self, progress: Callable[[int, int | None], None] | None) -> None:
        reader, stretch, tally = self.reader, self.stretch, self.tally

        def look(done: int | None = None) -> None:
            if progress is not None:
                progress(reader.frames_decoded if done is None else done, reader.frames_expected)

        def between() -> None:
            if self._between is not None:
                self._between(self)
            if self._checkpoint is not None and self._checkpoint.is_due:
                self.save()
            look()

        if isinstance(reader, VideoReader) and not reader.is_damaged and not self._keyframes:
            # decayed sums are rounded once they are many half-lives old: their last bit shows the order of adding
            if self.jobs > 1 and self._counting.half_life is None:
                self._count_side_by_side(reader, look, between)
            elif tally.awaited is not None:
                outcome(start(lambda: begin_before_last(reader, tally), "index"), reader.watch, look)
        if not stretch.over:
            for frame in self._frames(look):
                if tally.awaited is None:
                    tally.add(frame, reader.rotation)
                elif tally.awaits(frame):
                    tally.go_on_from(frame, reader.rotation)
                else:
                    break
                if not tally.waits:
                    between()
            if tally.waits:
                tally.flush()
                between()
        if tally.awaited is not None:
            number = tally.awaited.number
            raise InputError(f"frame {number:,} does not show what it did when it was counted: begin anew")
        look()

    def _count_side_by_side(
        self, reader: VideoReader, look: Callable[[int], None], between: Callable[[], None]
    ) -> None:
        def between_parts() -> None:
            self._position = reader.position
            between()

        count_side_by_side(reader, self.stretch, self.tally, self._counting, self.jobs, look, between_parts)

    def _frames(self, look: Callable[[], None]) -> Iterator[Frame]:
        """The frames of the stretch that are left, in one pass."""
        reader, stretch = self.reader, self.stretch
        if isinstance(reader, VideoReader):
            # by the time a frame is counted, the reader is ahead of it
            positioned = ((frame, reader.position) for frame in stretch.of(reader))
            for frame, self._position in read_ahead(positioned, reader.watch, look):
                yield frame
        elif isinstance(reader, LiveReader):
            yield from with_cuts(read_ahead(stretch.of(reader), reader.watch, look), reader, self.tally)
        else:
            yield from stretch.of(reader)


def _opened(
    source: Any,
    times: Sequence[float] | None,
    max_pixels: int,
    backend: Backend,
    decoding: Decoding,
    end: Fraction | None,
) -> AbstractContextManager[FrameReader]:
    if isinstance(source, str | PathLike):
        if times is not None:
            raise OptionError("times are for frames in memory; a video has time stamps of its own")
        origin = origin_of(source)
        if origin is not None:
            if decoding.where == "gpu":
                raise OptionError("decode='gpu' is for video files, live video is decoded by the CPU")
            watch = Watch(origin.name)
            return outcome(start(lambda: LiveReader(origin, max_pixels, watch, end), "opening"), watch)
        watch = Watch(Path(source))
        return outcome(start(lambda: VideoReader(source, max_pixels, watch, decoding), "opening"), watch)
    if decoding.where == "gpu":
        raise OptionError("decode='gpu' is for videos, frames in memory are decoded already")
    return nullcontext(ArrayFrames(source, times, backend))


def _key_frames(source: Any, max_pixels: int, decoding: Decoding, every: int) -> AbstractContextManager[FrameReader]:
    if not isinstance(source, str | PathLike) or origin_of(source) is not None:
        raise OptionError("keyframes is for video files, not for frames in memory or live video")
    if every != 1:
        raise OptionError("every and keyframes exclude each other: key frames lie as far apart as they do")
    watch = Watch(Path(source))
    return outcome(start(lambda: KeyFrameReader(source, max_pixels, watch, decoding), "opening"), watch)


def _decoding(where: Any, counting: Counting) -> Decoding:
    if where not in WHERE:
        raise OptionError(f"decode must be one of {', '.join(WHERE)}, got {where!r}")
    host_reason = None
    if counting.pixels == "luma" or counting.downscale > 1:
        host_reason = "brightness and means of blocks are computed on the host"
    return Decoding(where, counting.backend, host_reason)


def _jobs(jobs: int | None, backend: Backend) -> int:
    """How many decoders are to work side by side."""
    if jobs is None:
        return min(processors(), MOST_JOBS) if backend.name in ("numpy", "numba") else 1
    return whole_number("jobs", jobs, 1, 1024)
