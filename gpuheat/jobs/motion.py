"""From a video, or frames in memory, to a motion heat map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gpuheat.backends import Backend
from gpuheat.jobs.live import Refresh
from gpuheat.jobs.motion_run import MotionRun
from gpuheat.jobs.motion_videos import MotionVideos, are_videos

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import ArrayLike, NDArray

    from gpuheat.motion.heatmap import MotionHeatmap
    from gpuheat.zones import Zones

__all__ = ["motion_heatmap"]

Progress = Callable[[int, int | None], None]
"""Called now and then with the number of frames so far and of those expected, None where unknown."""


def motion_heatmap(
    source: str | PathLike[str] | Iterable[Any],
    *,
    threshold: int = 25,
    pixels: Literal["bgr", "luma"] = "bgr",
    half_life: float | None = None,
    every: int = 1,
    keyframes: bool = False,
    start: float | str | Fraction | None = None,
    end: float | str | Fraction | None = None,
    duration: float | str | Fraction | None = None,
    downscale: int = 1,
    mask: ArrayLike | str | PathLike[str] | None = None,
    zones: Zones | Mapping[str, object] | str | PathLike[str] | None = None,
    max_changed: float = 1.0,
    background: str | PathLike[str] | NDArray[np.uint8] = "mean",
    blur: float = 0.0,
    slice: float | str | Fraction | None = None,  # noqa: A002
    slices: int | None = None,
    times: Sequence[float] | None = None,
    backend: str | Backend = "auto",
    decode: Literal["auto", "cpu", "gpu"] = "auto",
    jobs: int | None = None,
    max_pixels: int = 2**28,
    checkpoint: str | PathLike[str] | None = None,
    progress: Progress | None = None,
    refresh: float = 60.0,
    on_refresh: Callable[[MotionHeatmap], None] | None = None,
) -> MotionHeatmap:
    """Where, and when, things moved in a video.

    Parameters
    ----------
    source
        A video file; a list of several, of one camera, which follow each other on one time line; live video: an
        address (``"rtsp://..."``, http, rtmp, udp, tcp ...), a camera (``"/dev/video0"``) or ``"-"``, standard input;
        or frames: an array (n, h, w, 3) BGR or (n, h, w) grey, or an iterable of single
        ones. Arrays on a GPU are compared there by a CUDA backend; give ``background="first"`` to leave the other
        frames there. Live video that breaks off is opened again, for as long as it takes: give it a ``duration``.
    threshold
        A pixel moved when the grey value of the difference is above this, 0 to 255.
    pixels
        ``"bgr"`` compares colours; ``"luma"`` only brightness, which is faster.
    half_life
        Seconds after which motion weighs half as much in the heat; None: all motion weighs the same.
    every
        Compare frames this far apart: only every so many-th frame of the stretch is looked at.
    keyframes
        Compare key frames only, which are decoded by themselves: an overview of a long video in a small part of the
        time. Not together with ``every``.
    start, end
        The stretch of the video, s from its beginning: ``start <= time < end``.
    duration
        How long that stretch is, s, instead of ``end``.
    downscale
        Compare the means of blocks of this many by this many pixels; the counts are smaller by as much.
    mask
        (h, w) array or image of the size of the picture as shown: pixels count only where it is not zero.
        With ``downscale`` a block counts if all of its pixels do.
    zones
        Named polygons on the picture as shown: :class:`gpuheat.Zones`, a JSON file of them, or what it holds. Those of
        the kind "zone" are measured (``zones`` of the result); of the others, "include" and "exclude", a mask is made.
    max_changed
        Pairs in which more than this share of the pixels moved are reported, but not counted.
    background
        ``"first"``, ``"mean"``, ``"median"``, or a picture of the size of the video: a file or an array. With
        ``pixels="luma"`` the mean is grey.
    blur
        Standard deviation, in px of the counts, of a Gaussian blur of the heat.
    slice
        Make a map of every so many s, too: the result's ``slices``, which add up to the whole. Of every so many pairs
        for frames without times.
    slices
        The same, of so many stretches of one length, where the header tells how long the video is. (Where it turns out
        longer, there are more.)
    times
        Time of each frame, s, for frames in memory.
    backend
        A name or a backend; see :func:`gpuheat.get_backend`.
    decode
        Where a video is decoded: ``"gpu"`` is NVDEC, which the backend ``cupy`` reads from, and an error where it
        cannot be; ``"auto"`` is the GPU where it can be and pays. The counts are the same.
    jobs
        How many parts of a video are decoded and counted side by side; None: one for each processor, up to 8, on a
        CPU backend, and one where two processors share pictures of more than 4 megapixels. The counts are the same for
        every number. With ``half_life`` there is one.
    max_pixels
        A video whose pictures have more pixels than this, at most 2^28, is refused: a damaged header may promise any
        size.
    checkpoint
        A file in an existing folder, for video files: every 30 s what was counted is written there, and where the file
        is there at the beginning, counting goes on from it. It is removed when all is counted. The result is the same
        as without an interruption.
    progress
        Called now and then with the number of frames that were read.
    refresh, on_refresh
        Every so many seconds the heat map of what was counted so far is handed to this function, if there is one.

    Raises
    ------
    VideoError
        If the file cannot be read as a video.
    IncompleteError
        If reading had to stop half way; its ``heatmap`` is what was counted so far.
    InputError
        If frames, mask, zones or background do not fit, or no frame lies between start and end; if the checkpoint is of
        other videos.
    OptionError
        If an option is outside its range, or the checkpoint was made with other settings.
    BackendUnavailableError
        If the backend, or the decoder asked for, cannot run here.
    """
    options: dict[str, Any] = {
        "threshold": threshold,
        "pixels": pixels,
        "half_life": half_life,
        "every": every,
        "keyframes": keyframes,
        "start": start,
        "end": end,
        "duration": duration,
        "downscale": downscale,
        "mask": mask,
        "zones": zones,
        "max_changed": max_changed,
        "background": background,
        "blur": blur,
        "slice": slice,
        "slices": slices,
        "times": times,
        "backend": backend,
        "decode": decode,
        "jobs": jobs,
        "max_pixels": max_pixels,
        "checkpoint": checkpoint,
        "between": None if on_refresh is None else Refresh(refresh, on_refresh),
    }
    with MotionVideos(source, **options) if are_videos(source) else MotionRun(source, **options) as run:
        run.count(progress)
        result = run.result()
    if run.checkpoint is not None:
        run.checkpoint.remove()
    return result
