"""One run over a video, or over frames in memory, whose result can be had at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Self

import gpuheat
from gpuheat.backends import Backend, get_backend
from gpuheat.backends.cpu_loops import processors
from gpuheat.backends.gaussian import check_sigma
from gpuheat.errors import IncompleteError, InputError, OptionError, VideoError
from gpuheat.inputs.arrays import ArrayFrames
from gpuheat.inputs.video import VideoReader
from gpuheat.jobs.read_ahead import read_ahead
from gpuheat.jobs.scene import Scene
from gpuheat.jobs.side_by_side import count_side_by_side
from gpuheat.jobs.stretch import Stretch
from gpuheat.jobs.tally import Counting, Tally
from gpuheat.options import whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from gpuheat.inputs.frames import FrameReader
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["MotionRun"]

ONE_FRAME: Final = "only one frame was looked at: there is no pair to compare, and the map is empty"
MOST_JOBS: Final = 8


class MotionRun:
    """Counts the frames of a source; a context manager.

    The options are those of :func:`gpuheat.motion_heatmap`, which say what is wrong with them. ``between`` is called
    between two frames, or two parts of a video, when all that was read was counted.
    """

    def __init__(
        self,
        source: Any,
        *,
        threshold: Any,
        pixels: Any,
        half_life: Any,
        every: Any,
        start: Any,
        end: Any,
        downscale: Any,
        mask: Any,
        max_changed: Any,
        background: Any,
        blur: float,
        times: Sequence[float] | None,
        backend: str | Backend,
        jobs: int | None,
        between: Callable[[MotionRun], None] | None = None,
    ) -> None:
        self._began = time.perf_counter()
        check_sigma(blur)
        self._blur = blur
        self.stretch = Stretch(every, start, end)
        self._backend = get_backend(backend)
        self._jobs = _jobs(jobs, self._backend)
        # whoever gave an array may write into it again
        shared_memory = not isinstance(source, str | PathLike)
        self._counting = Counting(
            threshold, pixels, half_life, max_changed, downscale, self._backend, copy=shared_memory
        )
        self._opened = _opened(source, times, self._backend)
        self.reader = self._opened.__enter__()
        self._downscale = downscale
        self.tally = Tally(self._counting, Scene(background, mask, downscale))
        self._between = between

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
            if len(self.tally.numbers) < 2:
                raise
            raise IncompleteError(str(error), self.result(str(error))) from error
        if self.tally.counter is None:
            raise InputError(f"no frame lies between start and end: {self.stretch.frames_seen}")

    def result(self, stopped: str | None = None) -> MotionHeatmap:
        """The heat map of what was counted so far; ``stopped``: why it is not all."""
        reader, tally = self.reader, self.tally
        result = tally.result(self._blur, reader.rotation)
        seconds = time.perf_counter() - self._began
        compared = {"frames_compared": len(tally.numbers), "compared_as": sorted(tally.layouts), "stopped": stopped}
        warnings = [*reader.warnings, *([] if len(tally.numbers) > 1 else [ONE_FRAME])]
        speed = {"frames_per_second": reader.frames_decoded / seconds, "jobs": self._jobs}
        return replace(
            result,
            settings=result.settings | self.stretch.settings | tally.scene.settings | {"downscale": self._downscale},
            facts={
                "gpuheat": gpuheat.__version__,
                "input": reader.facts | compared,
                "backend": {"name": self._backend.name, "device": self._backend.device},
                "warnings": warnings if stopped is None else [f"incomplete: {stopped}", *warnings],
                "time": {"seconds": seconds, **speed},
            },
        )

    def _count(self, progress: Callable[[int, int | None], None] | None) -> None:
        reader, stretch, tally = self.reader, self.stretch, self.tally

        def look(done: int | None = None) -> None:
            if progress is not None:
                progress(reader.frames_decoded if done is None else done, reader.frames_expected)

        def between() -> None:
            if self._between is not None:
                self._between(self)
            look()

        is_video = isinstance(reader, VideoReader)
        # decayed sums are rounded once they are many half-lives old: their last bit shows the order of adding
        if isinstance(reader, VideoReader) and self._jobs > 1 and self._counting.half_life is None:
            count_side_by_side(reader, stretch, tally, self._counting, self._jobs, look, between)
        if not stretch.over:
            frames = stretch.of(reader)
            for frame in read_ahead(frames, look) if is_video else frames:
                tally.add(frame, reader.rotation)
                between()
        look()


def _opened(source: Any, times: Sequence[float] | None, backend: Backend) -> AbstractContextManager[FrameReader]:
    if isinstance(source, str | PathLike):
        if times is not None:
            raise OptionError("times are for frames in memory; a video has time stamps of its own")
        return VideoReader(source)
    return nullcontext(ArrayFrames(source, times, backend))


def _jobs(jobs: int | None, backend: Backend) -> int:
    """How many decoders are to work side by side."""
    if jobs is None:
        return min(processors(), MOST_JOBS) if backend.name in ("numpy", "numba") else 1
    return whole_number("jobs", jobs, 1, 1024)
