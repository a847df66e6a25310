"""Motion heat maps on a cluster."""

from __future__ import annotations

import os
import pickle
import time
from fractions import Fraction
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gpuheat.errors import IncompleteError, OptionError, VideoError
from gpuheat.inputs.address import origin_of, without_secrets
from gpuheat.inputs.remote import RemoteFile, is_remote
from gpuheat.jobs.counted_video import CountedVideo, one_result
from gpuheat.jobs.cutting import Sharing
from gpuheat.jobs.dask import tasks
from gpuheat.jobs.dask.cluster import Errand, Tasks, usual_options, wait_for_one
from gpuheat.jobs.dask.messages import Begin, Failed, How, Outline, Wrong
from gpuheat.jobs.dask.one_video import ClusterVideo
from gpuheat.jobs.dask.progress import ClusterProgress
from gpuheat.jobs.motion import motion_heatmap
from gpuheat.jobs.motion_run import NoFrameError
from gpuheat.jobs.motion_videos import are_videos
from gpuheat.jobs.recipe import Recipe
from gpuheat.jobs.stretch import Stretch, end_of
from gpuheat.jobs.tally import Tally
from gpuheat.jobs.videos_tally import VideosTally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributed import Client

    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["motion"]

OF_THE_RECIPE: Final = [name for name in signature(Recipe).parameters if name != "jobs"]
PARTS_EACH: Final = 2
"""Parts that are under way for each that a cluster can count at the same time, so that none of its threads waits."""
SMALL: Final = 2**15
"""Bytes that go with each task, so that it can be done wherever it is; the cluster has what is larger once."""
NOT_HERE: Final = ("times", "jobs", "refresh", "on_refresh")
"""Options of :func:`gpuheat.motion_heatmap` that say nothing here."""


def motion(
    client: Client,
    videos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    every: int = 1,
    start: float | str | Fraction | None = None,
    end: float | str | Fraction | None = None,
    duration: float | str | Fraction | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Callable[[ClusterProgress], None] | None = None,
    **options: Any,
) -> MotionHeatmap:
    """:func:`gpuheat.motion_heatmap` of video files, counted by the workers of a cluster: the same map to the last bit.

    A video is cut at key frames into parts of about equal work, which are joined in pairs where they are. What cannot
    be cut is counted by one worker. What a lost worker did is done again. Where a video of several cannot be read, or
    not to its end, the rest goes on.

    Parameters
    ----------
    client
        Of any cluster of Dask whose workers have gpuheat.
    videos
        A file, or several of one camera, which follow each other on one time line. The workers read them: they lie
        where all of these find them, or at an address that fsspec reads (``s3://``, ``gs://``, ``https://`` ...); mask,
        zones and background do, too, where they are files.
    every, start, end, duration
        Those of :func:`gpuheat.motion_heatmap`, as all other options. The backend is given by its name, and ``jobs`` is
        not needed.
    checkpoint
        A folder that all workers can write to: parts that are counted are kept there, and not counted again by the
        next call that has the same videos and options. It is not removed.
    progress
        Called now and then; it may raise an exception to end the counting.

    Raises
    ------
    VideoError
        If none of the videos can be read.
    IncompleteError
        If some cannot, or not to their end; its ``heatmap`` is what was counted.
    InputError, OptionError, BackendUnavailableError
        As of :func:`gpuheat.motion_heatmap`.
    """
    if given := [name for name in NOT_HERE if name in options]:
        raise OptionError(
            f"{', '.join(given)}: not for a cluster, to which video files are given and which shares them"
        )
    options = usual_options(motion_heatmap, options)
    options = {name: options[name] for name in OF_THE_RECIPE}
    several = are_videos(videos)
    paths = [_path(video) for video in videos] if are_videos(videos) else [_path(videos)]
    if not isinstance(options["backend"], str):
        raise OptionError("on a cluster the backend is given by its name: each worker has its own")
    if options["decode"] == "gpu":
        raise OptionError(
            "decode='gpu' is for one machine, on a cluster the processors decode; the counts are the same"
        )
    if checkpoint is not None:
        Path(checkpoint).mkdir(parents=True, exist_ok=True)
    stretch = Stretch(every, start, end_of(start, end, duration))
    run = _Run(Tasks(client), paths, stretch, options, checkpoint, several=several)
    run.count(progress)
    return run.result_of_all() if several else run.result_of_one()


def _path(video: Any) -> str:
    if not isinstance(video, str | os.PathLike):
        raise OptionError(f"a cluster reads video files: give the path of one, or a list of them, got {video!r}")
    if is_remote(video):
        return os.fspath(RemoteFile(os.fspath(video)))  # once it is known that there is a package for it
    if origin_of(video) is not None:
        raise OptionError("live video is counted by one machine, a cluster is for files")
    return os.path.abspath(video)


class _Run:
    """Videos that follow each other, each begun as soon as it is known where that is on their time line."""

    def __init__(
        self,
        tasks_of: Tasks,
        videos: list[str],
        stretch: Stretch,
        options: dict[str, Any],
        checkpoint: str | os.PathLike[str] | None,
        *,
        several: bool,
    ) -> None:
        self._began = time.perf_counter()
        self._tasks = tasks_of
        self._videos = videos
        self._stretch = stretch
        self._recipe = Recipe(**options, jobs=1)
        recipe = options | {"slice": None, "slices": None, "jobs": 1}  # cut once for all
        folder = None if checkpoint is None else os.path.abspath(checkpoint)
        how = How(recipe, stretch.every, folder)
        self._how = how if len(pickle.dumps(how)) < SMALL else tasks_of.submit(tasks.same, how)
        # decayed sums are rounded: their last bit shows the order of adding; and key frames are read one after another
        self._in_one_pass = options["half_life"] is not None or options["keyframes"]
        self._several = several
        self._recipe.cut_into_slices(stretch, self._length())
        self._done_with = VideosTally(videos, self._recipe)
        self._under_way: list[ClusterVideo] = []
        self._next = 0  # of the videos that were not begun yet
        self._sharing = Sharing(-(-PARTS_EACH * tasks_of.threads // len(videos)))
        self._only: CountedVideo | Failed | None = None  # one, where there are not several
        self._over = False

    def count(self, progress: Callable[[ClusterProgress], None] | None) -> None:
        """Count all videos."""
        while True:
            self._begin_some()
            room = PARTS_EACH * self._tasks.threads - sum(len(each.futures) for each in self._waits_for)
            for video in self._under_way:
                room -= video.go_on(max(0, room))
            self._take_what_is_done()
            if progress is not None:
                progress(self._progress)
            if self._over or (not self._under_way and self._next == len(self._videos)):
                return
            self._tasks.help(self._waits_for)
            wait_for_one(self._waits_for)

    def result_of_one(self) -> MotionHeatmap:
        """The heat map of the only video."""
        counted = self._only
        if isinstance(counted, Failed):
            raise VideoError(counted.reason)
        assert counted is not None
        if counted.sums is None:
            raise NoFrameError(
                f"no frame lies between start and end: the last one is at {float(counted.seen_until):g} s"
            )
        tally = self._tally(counted)
        result = one_result(
            self._recipe,
            self._stretch,
            counted.reader,
            tally,
            seconds=time.perf_counter() - self._began,
            jobs=self._tasks.threads,
            stopped=counted.stopped,
        )
        if counted.stopped is not None:
            raise IncompleteError(counted.stopped, result)
        return result

    def result_of_all(self) -> MotionHeatmap:
        """The heat map of all."""
        reason = self._done_with.shortfall
        result = self._done_with.result(self._stretch, time.perf_counter() - self._began, reason)
        result.facts["time"]["jobs"] = self._tasks.threads
        if reason is not None:
            raise IncompleteError(reason, result)
        return result

    @property
    def _waits_for(self) -> list[Errand]:
        """Those with one of which there is something to do once it is done."""
        return [errand for video in self._under_way for errand in video.waits_for]

    def _begin_some(self) -> None:
        """Begin with videos that follow; each is counted from where those before it are expected to end."""
        while self._next < len(self._videos) and len(self._under_way) < 1 + PARTS_EACH * self._tasks.threads:
            path = self._videos[self._next]
            self._under_way.append(ClusterVideo(self._tasks, self._how, path, in_one_pass=self._in_one_pass))
            self._next += 1
        later, looked_at = self._done_with.later, self._done_with.looked_at
        for video in self._under_way:
            begin = self._begin(later, looked_at)
            if begin is None:
                return
            if video.begin is None:
                video.count_from(begin, self._sharing)
            if isinstance(video.outline, Outline):
                later, looked_at = later + video.outline.next_begins, looked_at + video.outline.looked_at
            elif not isinstance(video.outline, Failed):
                return

    def _begin(self, later: Fraction, looked_at: int) -> Begin | None:
        stretch = self._stretch.later(later)
        return None if stretch is None else Begin(later, looked_at, *stretch, self._recipe.counting.slicing)

    def _take_what_is_done(self) -> None:
        while self._under_way and not self._over:
            video, begin = self._under_way[0], self._begin(self._done_with.later, self._done_with.looked_at)
            if begin is None:
                self._over = True
                return
            if video.result is None:
                return
            if isinstance(video.result, Wrong):
                raise video.result.error
            if isinstance(video.result, CountedVideo) and video.begin != begin:  # those before it held something else
                video.count_from(begin, self._sharing)
                return
            self._under_way.pop(0)
            self._take(video.result)

    def _take(self, came: CountedVideo | Failed) -> None:
        if not self._several:
            self._only = came
            return
        if isinstance(came, Failed):
            self._done_with.leave_out(came.reason)
            return
        tally = None if came.sums is None else self._tally(came)
        self._done_with.take(came.reader, tally, came.seen_until, came.stopped)

    def _tally(self, counted: CountedVideo) -> Tally:
        tally = Tally(self._recipe.counting, self._recipe.scene.following(0))
        assert counted.sums is not None
        tally.restore(counted.sums, counted.reader.rotation)
        return tally

    @property
    def _progress(self) -> ClusterProgress:
        whole = float(self._only.seen_until) if isinstance(self._only, CountedVideo) else float(self._done_with.later)
        seconds = whole + sum(
            each.counted * float(each.outline.next_begins)
            for each in self._under_way
            if isinstance(each.outline, Outline)
        )
        done = self._next - len(self._under_way)
        return ClusterProgress(done, len(self._videos), seconds, len(self._done_with.failed), self._tasks.workers)

    def _length(self) -> Fraction | None:
        """How long the videos are together, s, by their headers, where that is needed; see :func:`slicing_of`."""
        if self._several and (not self._recipe.cuts_evenly or self._stretch.end is not None):
            return None
        lengths = self._tasks.results(
            [
                Errand(self._tasks, f"{without_secrets(each)}: its length", tasks.length, self._how, each)
                for each in self._videos
            ]
        )
        known = [each for each in lengths if not isinstance(each, Failed)]
        if not self._several and not known:
            raise VideoError(lengths[0].reason)
        return None if None in known or not known else sum(filter(None, known), start=Fraction(0))
