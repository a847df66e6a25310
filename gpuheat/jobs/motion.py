"""From a video, or frames in memory, to a motion heat map."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

import gpuheat
from gpuheat.backends import Backend, get_backend
from gpuheat.backends.cpu_loops import processors
from gpuheat.backends.gaussian import check_sigma
from gpuheat.errors import InputError, OptionError
from gpuheat.inputs.arrays import ArrayFrames
from gpuheat.inputs.video import VideoReader
from gpuheat.jobs.read_ahead import read_ahead
from gpuheat.jobs.scene import Scene
from gpuheat.jobs.side_by_side import count_side_by_side
from gpuheat.jobs.stretch import Stretch
from gpuheat.jobs.tally import Counting, Tally
from gpuheat.options import whole_number

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import ArrayLike, NDArray

    from gpuheat.inputs.frames import FrameReader
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["motion_heatmap"]

ONE_FRAME: Final = "only one frame was looked at: there is no pair to compare, and the map is empty"
MOST_JOBS: Final = 8
Progress = Callable[[int, int | None], None]
"""Called now and then with the number of frames so far and of those expected, None where unknown."""


def motion_heatmap(
    source: str | PathLike[str] | Iterable[Any],
    *,
    threshold: int = 25,
    pixels: Literal["bgr", "luma"] = "bgr",
    half_life: float | None = None,
    every: int = 1,
    start: float | str | Fraction | None = None,
    end: float | str | Fraction | None = None,
    downscale: int = 1,
    mask: ArrayLike | str | PathLike[str] | None = None,
    max_changed: float = 1.0,
    background: str | PathLike[str] | NDArray[np.uint8] = "mean",
    blur: float = 0.0,
    times: Sequence[float] | None = None,
    backend: str | Backend = "auto",
    jobs: int | None = None,
    progress: Progress | None = None,
) -> MotionHeatmap:
    """Where, and when, things moved in a video.

    Parameters
    ----------
    source
        A video file; or frames: an array (n, h, w, 3) BGR or (n, h, w) grey, or an iterable of single ones. Arrays
        on a GPU are compared there by a CUDA backend; give ``background="first"`` to leave the other frames there.
    threshold
        A pixel moved when the grey value of the difference is above this, 0 to 255.
    pixels
        ``"bgr"`` compares colours; ``"luma"`` only brightness, which is faster.
    half_life
        Seconds after which motion weighs half as much in the heat; None: all motion weighs the same.
    every
        Compare frames this far apart: only every so many-th frame of the stretch is looked at.
    start, end
        The stretch of the video, s from its beginning: ``start <= time < end``.
    downscale
        Compare the means of blocks of this many by this many pixels; the counts are smaller by as much.
    mask
        (h, w) array or image of the size of the picture as shown: pixels count only where it is not zero.
        With ``downscale`` a block counts if all of its pixels do.
    max_changed
        Pairs in which more than this share of the pixels moved are reported, but not counted.
    background
        ``"first"``, ``"mean"``, ``"median"``, or a picture of the size of the video: a file or an array. With
        ``pixels="luma"`` the mean is grey.
    blur
        Standard deviation, in px of the counts, of a Gaussian blur of the heat.
    times
        Time of each frame, s, for frames in memory.
    backend
        A name or a backend; see :func:`gpuheat.get_backend`.
    jobs
        How many parts of a video are decoded and counted side by side; None: one for each processor, up to 8, on a
        CPU backend. The counts are the same for every number. With ``half_life`` there is one.
    progress
        Called now and then with the number of frames that were read.

    Raises
    ------
    VideoError
        If the file cannot be read as a video.
    InputError
        If frames, mask or background do not fit, or no frame lies between start and end.
    OptionError
        If an option is outside its range.
    """
    began = time.perf_counter()
    check_sigma(blur)
    stretch = Stretch(every, start, end)
    backend = get_backend(backend)
    jobs = _jobs(jobs, backend)
    with _opened(source, times, backend) as reader:
        is_video = isinstance(reader, VideoReader)
        # whoever gave an array may write into it again
        counting = Counting(threshold, pixels, half_life, max_changed, downscale, backend, copy=not is_video)
        tally = Tally(counting, Scene(background, mask, downscale))

        def look(done: int | None = None) -> None:
            if progress is not None:
                progress(reader.frames_decoded if done is None else done, reader.frames_expected)

        # decayed sums are rounded once they are many half-lives old: their last bit shows the order of adding
        if isinstance(reader, VideoReader) and jobs > 1 and half_life is None:
            count_side_by_side(reader, stretch, tally, counting, jobs, look)
        if not stretch.over:
            frames = stretch.of(reader)
            for frame in read_ahead(frames, look) if is_video else frames:
                tally.add(frame, reader.rotation)
                look()
        if tally.counter is None:
            raise InputError(f"no frame lies between start and end: {stretch.frames_seen}")
        look()
        result = tally.result(blur, reader.rotation)
        seconds = time.perf_counter() - began
        compared = {"frames_compared": len(tally.numbers), "compared_as": sorted(tally.layouts)}
        return replace(
            result,
            settings=result.settings | stretch.settings | tally.scene.settings | {"downscale": downscale},
            facts={
                "gpuheat": gpuheat.__version__,
                "input": reader.facts | compared,
                "backend": {"name": backend.name, "device": backend.device},
                "warnings": [*reader.warnings, *([] if len(tally.numbers) > 1 else [ONE_FRAME])],
                "time": {"seconds": seconds, "frames_per_second": reader.frames_decoded / seconds, "jobs": jobs},
            },
        )


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
