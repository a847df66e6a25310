"""Several videos of one camera, counted one after the other on one time line."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from fractions import Fraction
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Self, TypeGuard

from gpuheat.errors import IncompleteError, OptionError, VideoError
from gpuheat.inputs.address import origin_of
from gpuheat.inputs.video import VideoReader
from gpuheat.jobs.checkpoint import Checkpoint
from gpuheat.jobs.counted_video import ReadVideo
from gpuheat.jobs.motion_run import NO_CHECKPOINT, MotionRun, NoFrameError, last_frame, opened
from gpuheat.jobs.recipe import Recipe
from gpuheat.jobs.stretch import Stretch, end_of
from gpuheat.jobs.videos_tally import VideosTally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["MotionVideos", "are_videos"]

log = logging.getLogger("gpuheat")


def are_videos(source: object) -> TypeGuard[Sequence[str | PathLike[str]]]:
    """Whether a source is several videos, and not one, nor frames."""
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(one, str | PathLike) for one in source)


class MotionVideos:
    """Counts videos of one camera, all with the same options; a context manager.

    Each begins on the time line where the one before it ended, a frame's time after its last frame; ``start`` and
    ``end`` are on that line. No pair is made of the last frame of one and the first of the next. A video that cannot be
    read, or whose pictures have another size than those before, is named, and the rest goes on.

    Parameters
    ----------
    videos
        Files.
    options
        Those of :class:`gpuheat.jobs.recipe.Recipe`; they and the others are as of :class:`MotionRun`.

    Raises
    ------
    InputError
        If mask or background cannot be read, or the checkpoint is of other videos.
    OptionError
        If an option is outside its range, or not for several videos; if the checkpoint was made with other settings.
    BackendUnavailableError
        If the backend cannot run here.
    """

    def __init__(
        self,
        videos: Sequence[str | PathLike[str]],
        *,
        every: Any,
        start: Any,
        end: Any,
        duration: Any = None,
        times: Sequence[float] | None = None,
        between: Callable[[MotionRun], None] | None = None,
        seen: Callable[[MotionRun], None] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        resume: bool = True,
        **options: Any,
    ) -> None:
        if times is not None:
            raise OptionError("times are for frames in memory; a video has time stamps of its own")
        if between is not None:
            raise OptionError("results in between are for a single video")
        if any(origin_of(video) is not None for video in videos):
            raise OptionError("live video is counted by itself, not with others")
        self._began = time.perf_counter()
        self._videos = [fspath(video) for video in videos]
        self._every = every
        self._stretch = Stretch(every, start, end_of(start, end, duration))
        self._seen = seen
        self._options = options | {"slice": None, "slices": None}  # cut once for all
        self._recipe = Recipe(**options)
        self._recipe.cut_into_slices(self._stretch, self._length)
        self._done_with = VideosTally(self._videos, self._recipe)
        self._run: MotionRun | None = None  # under way
        self._opened = ExitStack()
        self._run_goes_on: dict[str, Any] | None = None  # where that does, which is not opened yet
        self.checkpoint = None if checkpoint is None else self._with_checkpoint(checkpoint, resume)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def count(self, progress: Callable[[int, int | None], None] | None = None) -> None:
        """Count all videos that are left. ``progress`` may raise an exception to end counting there.

        Raises
        ------
        VideoError
            If none of them can be read.
        IncompleteError
            If some cannot, or not to their end.
        InputError
            If mask or background do not fit, or no frame lies between start and end.
        """

        def report(done: int, _expected: int | None) -> None:
            if progress is not None:
                progress(self._done_with.frames + done, None)

        done_with = self._done_with
        while done_with.done < len(self._videos):
            stretch = self._stretch.later(done_with.later)
            if stretch is None:
                break
            if self.checkpoint is not None:
                self.checkpoint.reach(done_with.done + 1)
            try:
                self._count_one(*stretch, report)
            except VideoError as error:
                if self._run_goes_on is not None:  # it could be opened before, and what was counted of it is not lost
                    raise
                done_with.leave_out(str(error))
            self._close()
        if (reason := done_with.shortfall) is not None:
            raise IncompleteError(reason, self.result(reason))

    @property
    def counted_any(self) -> bool:
        """Whether there is a result."""
        return self._done_with.counted_any or (self._run is not None and self._run.counted_any)

    def save(self) -> bool:
        """Write a checkpoint of what was counted so far; whether there is one now.

        To be called when ``progress`` has ended counting.
        """
        if self.checkpoint is None:
            return False
        run = self._run
        if self._run_goes_on is not None or (run is not None and run.awaits):  # nothing came to what was loaded
            return True
        under_way = None if run is None else run.state
        if under_way is None and not self._done_with.counted_any:
            return False
        seconds = time.perf_counter() - self._began
        return self.checkpoint.save({"done_with": self._done_with.state, "under_way": under_way, "seconds": seconds})

    def result(self, stopped: str | None = None) -> MotionHeatmap:
        """The heat map of what was counted so far; ``stopped``: why it is not all."""
        if self._run is not None:
            self._take(self._run, stopped)
            self._close()
        return self._done_with.result(self._stretch, time.perf_counter() - self._began, stopped)

    def _with_checkpoint(self, path: str | PathLike[str], resume: bool) -> Checkpoint:
        """The checkpoint of this run, which goes on from it if it should."""
        if self._recipe.keyframes:
            raise OptionError(NO_CHECKPOINT)
        settings = {"source": "several videos"} | self._recipe.decisive | self._stretch.decisive
        checkpoint = Checkpoint(path, self._videos, settings)
        state = checkpoint.begin(resume)
        if state is None:
            return checkpoint
        under_way = self._run_goes_on = state["under_way"]
        self._done_with.restore(state["done_with"])
        self._began -= state["seconds"]
        where = "at the beginning" if under_way is None else f"behind frame {last_frame(under_way):,}"
        done = self._done_with.done
        log.info(
            "goes on %s of %s, %d of %d videos, from the checkpoint %s",
            *(where, self._videos[done], done + 1, len(self._videos), checkpoint.path),
        )
        return checkpoint

    def _count_one(
        self, start: Fraction | None, end: Fraction | None, report: Callable[[int, int | None], None]
    ) -> None:
        """Count the next video."""
        stopped = None
        run = self._open(start, end)
        try:
            run.count(report)
        except IncompleteError as error:
            stopped = str(error)
        except NoFrameError:
            pass
        self._take(run, stopped)

    def _take(self, run: MotionRun, stopped: str | None) -> None:
        reader = run.reader
        assert isinstance(reader, VideoReader | ReadVideo)
        self._done_with.take(reader, run.tally if run.counted_any else None, run.stretch.seen_until, stopped)

    def _open(self, start: Fraction | None, end: Fraction | None) -> MotionRun:
        """The run of the next video."""
        run = MotionRun(
            self._videos[self._done_with.done],
            every=self._every,
            start=start,
            end=end,
            times=None,
            later=self._done_with.later,
            looked_at=self._done_with.looked_at,
            slicing=self._recipe.counting.slicing,
            between=self._between,
            seen=self._seen,
            **self._options,
        )
        self._run = self._opened.enter_context(run)
        under_way, self._run_goes_on = self._run_goes_on, None
        if under_way is not None:
            run.go_on(under_way)
        reader = run.reader
        assert isinstance(reader, VideoReader)
        if (refusal := self._done_with.refusal(reader)) is not None:
            raise VideoError(refusal)
        return run

    @property
    def _length(self) -> Fraction | None:
        """How long the videos are together, s, where that is needed; None where one of them does not say."""
        if not self._recipe.cuts_evenly or self._stretch.end is not None:
            return None
        lengths = []
        for video in self._videos:
            try:
                with opened(video, None, self._recipe, None) as reader:
                    lengths.append(reader.length)
            except VideoError:  # it is going to be left out
                continue
        return None if None in lengths else sum(filter(None, lengths), start=Fraction(0))

    def _close(self) -> None:
        self._run = None
        self._opened.close()

    def _between(self, _run: MotionRun) -> None:
        if self.checkpoint is not None and self.checkpoint.is_due:
            self.save()
