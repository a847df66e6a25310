"""Several videos of one camera, counted one after the other on one time line."""

from __future__ import annotations

import glob
import time
from dataclasses import replace
from fractions import Fraction
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gpuheat
from gpuheat.errors import IncompleteError, InputError, OptionError, VideoError
from gpuheat.inputs.address import origin_of
from gpuheat.inputs.video import VideoReader
from gpuheat.jobs.motion_run import MotionRun, NoFrameError
from gpuheat.jobs.stretch import Stretch, end_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gpuheat.jobs.tally import Tally
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["MotionVideos", "are_videos", "files_named"]

INTERRUPTED = "counting was interrupted"


def are_videos(source: object) -> bool:
    """Whether a source is several videos, and not one, nor frames."""
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(one, str | PathLike) for one in source)


def files_named(names: Iterable[str]) -> list[str]:
    """The files that these names mean: a pattern (``day/*.mp4``) stands for all it fits, in the order of their names.

    Raises
    ------
    InputError
        If nothing fits a pattern.
    """
    files: list[str] = []
    for name in names:
        if glob.has_magic(name) and origin_of(name) is None and not Path(name).exists():
            found = sorted(glob.glob(name, recursive=True))
            if not found:
                raise InputError(f"{name}: there is no such file")
            files += found
        else:
            files.append(name)
    return files


class MotionVideos:
    """Counts videos of one camera, all with the same options.

    Each begins on the time line where the one before it ended, a frame's time after its last frame; ``start`` and
    ``end`` are on that line. No pair is made of the last frame of one and the first of the next. A video that cannot be
    read, or whose pictures have another size than those before, is named, and the rest goes on.

    Parameters
    ----------
    videos
        Files.
    options
        Those of :class:`gpuheat.jobs.motion_run.MotionRun`.

    Raises
    ------
    OptionError
        If an option is outside its range, or not for several videos.
    """

    def __init__(self, videos: Sequence[str | PathLike[str]], **options: Any) -> None:
        if options.pop("times", None) is not None:
            raise OptionError("times are for frames in memory; a video has time stamps of its own")
        if options.pop("checkpoint", None) is not None or options.pop("between", None) is not None:
            raise OptionError("a checkpoint, and results in between, are for a single video")
        live = [video for video in videos if origin_of(video) is not None]
        if live:
            raise OptionError("live video is counted by itself, not with others")
        self._began = time.perf_counter()
        self._videos = [fspath(video) for video in videos]
        self._options = options
        start, end = options.pop("start", None), options.pop("end", None)
        self._stretch = Stretch(options["every"], start, end_of(start, end, options.pop("duration", None)))
        self._later = Fraction(0)
        self._tally: Tally | None = None
        self._last: MotionRun | None = None
        self._shown: tuple[int, int, int] | None = None
        self._inputs: list[dict[str, Any]] = []
        self._warnings: list[str] = []
        self._failed: list[str] = []
        self._frames = 0

    def count(self, progress: Callable[[int, int | None], None] | None = None) -> None:
        """Count all videos.

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
                progress(self._frames + done, None)

        for video in self._videos:
            stretch = self._stretch.later(self._later)
            if stretch is None:
                break
            start, end = stretch
            try:
                looked_at = 0 if self._tally is None else len(self._tally.numbers)
                where: dict[str, Any] = {"start": start, "end": end, "later": self._later, "looked_at": looked_at}
                with MotionRun(video, times=None, **where, **self._options) as run:
                    self._check_size(run)
                    self._count_one(run, report)
            except VideoError as error:
                self._fail(video, str(error))
        if self._tally is None:
            if self._failed:
                raise VideoError(self._failed[0])
            raise InputError("no frame of the videos lies between start and end")
        if self._failed:
            reason = f"{len(self._failed)} of {len(self._videos)} videos are left out, or not whole"
            raise IncompleteError(reason, self.result(reason))

    @property
    def counted_any(self) -> bool:
        """Whether there is a result."""
        return self._tally is not None

    def result(self, stopped: str | None = None) -> MotionHeatmap:
        """The heat map of what was counted so far; ``stopped``: why it is not all."""
        assert self._tally is not None
        assert self._last is not None
        result = self._tally.result(self._options["blur"], self._last.reader.rotation)
        seconds = time.perf_counter() - self._began
        names = [entry["name"] for entry in self._inputs if "error" not in entry]
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        together = {
            "name": f"{names[0]}{others}",
            "videos": len(self._videos),
            "frames_decoded": self._frames,
            "frames_compared": len(self._tally.numbers),
            "compared_as": sorted(self._tally.layouts),
            "stopped": stopped,
        }
        return replace(
            result,
            settings=self._last.settings_of(result) | self._stretch.settings,
            facts={
                "gpuheat": gpuheat.__version__,
                "input": together,
                "inputs": self._inputs,
                "backend": self._last.backend_facts,
                "warnings": self._warnings,
                "time": {
                    "seconds": seconds,
                    "frames_per_second": self._frames / seconds,
                    "jobs": self._last.jobs,
                },
            },
        )

    def _check_size(self, run: MotionRun) -> None:
        """Refuse a video that is no file, or whose header announces pictures of another size than the first has."""
        reader = run.reader
        assert isinstance(reader, VideoReader)
        if self._shown is not None and reader.width > 0 and (reader.width, reader.height) != self._shown[:2]:
            raise VideoError(self._other_size(reader))

    def _other_size(self, reader: VideoReader) -> str:
        assert self._shown is not None
        turned = f" turned by {reader.rotation} degrees" if reader.rotation != self._shown[2] else ""
        return (
            f"{reader.path}: its pictures are of {reader.width} x {reader.height} px{turned}, "
            f"those before of {self._shown[0]} x {self._shown[1]} px"
        )

    def _count_one(self, run: MotionRun, report: Callable[[int, int | None], None]) -> None:
        stopped: str | None = INTERRUPTED
        try:
            run.count(report)
            stopped = None
        except IncompleteError as error:
            stopped = str(error)
            self._failed.append(stopped)
        except NoFrameError:
            stopped = None
        finally:
            self._take(run, stopped)

    def _take(self, run: MotionRun, stopped: str | None) -> None:
        """Add what was counted of a video, the pairs of which follow those so far."""
        reader, pairs = run.reader, 0
        assert isinstance(reader, VideoReader)
        if run.counted_any:
            shown = reader.width, reader.height, reader.rotation
            if self._shown is not None and shown != self._shown:
                raise VideoError(self._other_size(reader))
            self._shown = shown
            assert run.tally.counter is not None
            pairs = run.tally.counter.pairs
            if self._tally is None:
                self._tally = run.tally
            else:
                self._tally.append_apart(run.tally)
            self._last = run
        self._inputs.append(reader.facts | {"begins_s": float(self._later), "pairs": pairs, "stopped": stopped})
        self._warnings += reader.warnings if stopped is None else [f"incomplete: {stopped}", *reader.warnings]
        self._frames += reader.frames_decoded
        self._later += run.stretch.seen_until + reader.frame_interval

    def _fail(self, video: str, reason: str) -> None:
        self._failed.append(reason)
        self._inputs.append({"name": Path(video).name, "path": video, "pairs": 0, "error": reason})
        self._warnings.append(f"left out: {reason}")
