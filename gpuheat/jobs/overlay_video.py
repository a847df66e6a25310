"""From a video to the same video with the decaying heat over it."""

from __future__ import annotations

import inspect
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from gpuheat.errors import IncompleteError, OptionError
from gpuheat.inputs.address import origin_of
from gpuheat.jobs.motion import motion_heatmap
from gpuheat.jobs.motion_run import MotionRun
from gpuheat.jobs.motion_videos import MotionVideos, are_videos
from gpuheat.jobs.overlay_drawing import OverlayDrawing
from gpuheat.motion.decay import check_half_life
from gpuheat.outputs.files import OutputFolder
from gpuheat.outputs.heat_over_video import check_video_style
from gpuheat.outputs.style import PictureStyle
from gpuheat.outputs.video import check_video_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["HALF_LIFE", "check_target", "overlay_video", "write_overlay_video"]

HALF_LIFE: Final = 1.0
"""s; of the heat in a video where none is given: without one, a long video turns red."""
OF_THE_COUNTING: Final = frozenset(
    ("threshold", "pixels", "every", "start", "end", "duration", "downscale", "mask", "max_changed", "times", "backend")
) | {"max_pixels"}
"""The options of motion_heatmap that say what is looked at, and what moved."""


def overlay_video(
    source: str | PathLike[str] | Iterable[Any],
    path: str | PathLike[str],
    *,
    half_life: float = HALF_LIFE,
    colormap: str = "jet",
    tone: str = "linear",
    alpha: float | Literal["value"] = "value",
    progress: Callable[[int, int | None], None] | None = None,
    **options: Any,
) -> MotionHeatmap:
    """Write a video with the heat of what just moved over it: H.264 in MP4, which browsers play.

    The heat of a pixel is the sum, over the pairs of frames so far in which it moved, of ``2 ** (-age / half_life)``.
    The hottest colour is motion in half of the recent frames or more, from the first frame to the last. Frames
    keep their distances in time; the first is at 0 s. A picture of odd sides gets one more row or column, a copy of its
    last.

    Parameters
    ----------
    source
        A video file, a list of several, or frames in memory; see :func:`gpuheat.motion_heatmap`.
    path
        The file, whose name ends with ``.mp4``; it appears when it is whole. One of that name is replaced, but for a
        source.
    half_life
        Seconds after which motion weighs half as much.
    colormap, tone, alpha
        How the heat is drawn; see :meth:`gpuheat.MotionHeatmap.render`. The tone is no percentile.
    progress
        Called now and then with the number of frames that were read.
    **options
        ``threshold``, ``pixels``, ``every``, ``start``, ``end``, ``duration``, ``downscale``, ``mask``,
        ``max_changed``, ``times``, ``backend`` and ``max_pixels`` of :func:`gpuheat.motion_heatmap`. The video has the
        frames that are compared.

    Returns
    -------
    MotionHeatmap
        Of the same frames, counted on the way; it has the half-life. Its ``facts["video"]`` say what was written.

    Raises
    ------
    OutputError
        If the file cannot be written.
    IncompleteError
        If reading had to stop half way, or some of several videos cannot be read. The video ends there, or lacks those.
    OptionError, InputError, VideoError, BackendUnavailableError
        As :func:`gpuheat.motion_heatmap` does.

    Examples
    --------
    >>> gpuheat.overlay_video("street.mp4", "overlay.mp4", half_life=2)  # doctest: +SKIP
    """
    target = Path(path)
    style = PictureStyle(colormap, tone, alpha)
    incomplete = None
    with OutputFolder(target.parent) as out:
        try:
            heatmap = write_overlay_video(out, target.name, source, style, half_life, progress, **options)
        except IncompleteError as error:
            incomplete = error
    if incomplete is not None:
        raise incomplete
    return heatmap


def write_overlay_video(
    out: OutputFolder,
    name: str,
    source: Any,
    style: PictureStyle,
    half_life: float,
    progress: Callable[[int, int | None], None] | None,
    **options: Any,
) -> MotionHeatmap:
    """What :func:`overlay_video` does, into a folder that is open for writing."""
    check_target(out, name, source)
    check_video_style(style)
    check_half_life(half_life)
    _check_source(source)
    if unknown := options.keys() - OF_THE_COUNTING:
        raise TypeError(f"overlay_video() takes no {', '.join(sorted(unknown))}")
    usual = {name: option.default for name, option in inspect.signature(motion_heatmap).parameters.items()}
    chosen = {name: usual[name] for name in OF_THE_COUNTING} | options
    incomplete = None
    with out.staged_path(name) as path, OverlayDrawing(path, style, half_life, chosen["downscale"]) as drawing:
        # the first frame alone is kept for a background; the encoder works on the host, and so does the decoder
        how: dict[str, Any] = {
            "half_life": half_life,
            "background": "first",
            "blur": 0.0,
            "decode": "cpu",
            "jobs": 1,
        }
        try:
            with (MotionVideos if are_videos(source) else MotionRun)(source, seen=drawing, **chosen, **how) as run:
                run.count(progress)
                heatmap = run.result()
        except IncompleteError as error:
            heatmap, incomplete = error.heatmap, error
    heatmap.facts["video"] = {"name": name, **drawing.facts}
    heatmap.facts["warnings"] += drawing.warnings
    if incomplete is not None:
        raise incomplete
    return heatmap


def check_target(out: OutputFolder, name: str, source: Any) -> None:
    """Raise OptionError for a name that is not that of an MP4 file, or is that of a file that is read."""
    check_video_name(name)
    files = source if are_videos(source) else [source] if isinstance(source, str | PathLike) else []
    out.check_name(name, files)


def _check_source(source: object) -> None:
    """Raise OptionError for live video, which says neither how many frames come in a second nor when it ends."""
    if isinstance(source, str | PathLike) and origin_of(source) is not None:
        raise OptionError("an overlay video is made of video files or frames in memory, not of live video")
