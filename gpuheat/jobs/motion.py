"""From a video, or frames in memory, to a motion heat map."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

import gpuheat
from gpuheat.backends import Backend, get_backend
from gpuheat.backends.gaussian import check_sigma
from gpuheat.errors import InputError, OptionError
from gpuheat.inputs.arrays import ArrayFrames
from gpuheat.inputs.video import VideoReader
from gpuheat.jobs.scene import Scene
from gpuheat.jobs.stretch import Stretch
from gpuheat.motion.counter import MotionCounter
from gpuheat.motion.downscale import area_mean
from gpuheat.pixels import FrameLayout, Pixels

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import ArrayLike, NDArray

    from gpuheat.inputs.frames import Frame, FrameReader
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["motion_heatmap"]

ONE_FRAME: Final = "only one frame was looked at: there is no pair to compare, and the map is empty"
Progress = Callable[[int, int | None], None]
"""Called after every frame read with the number of frames so far and of those expected, None where unknown."""


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
        The stretch of the video, s from its beginning: ``start <= time < end``. The frames before it are
        decoded, but not converted.
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
    progress
        Called after every frame that was read.

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
    with _opened(source, times, backend) as reader:
        scene = Scene(background, mask, downscale)
        planar = backend.planar_formats if downscale == 1 else ()
        shared_memory = not isinstance(reader, VideoReader)  # whoever gave an array may write into it again
        counter: MotionCounter | None = None
        last: Frame | None = None
        numbers = array("q")
        layouts = set()
        for frame in stretch.of(_reported(reader, progress)):
            seen = _pixels(frame, pixels, planar)
            on_host = partial(_on_host, seen, backend)
            scene.see(seen.planes[0].shape[:2], on_host, frame.bgr)
            counted = Pixels(seen.layout, (area_mean(on_host().planes[0], downscale),)) if downscale > 1 else seen
            if counter is None:
                counter = MotionCounter(
                    *counted.planes[0].shape[:2],
                    threshold=threshold,
                    pixels=pixels,
                    half_life=half_life,
                    mask=scene.mask(reader.rotation),
                    max_changed=max_changed,
                    backend=backend,
                )
            if last is not None and counted.layout != counter.layout:
                counted = _begin_anew(counter, last, frame, planar)
            counter.push(counted.frame, _seconds(frame), layout=counted.layout, copy=shared_memory)
            layouts.add(counted.layout.pixel_format)
            numbers.append(frame.number)
            last = frame
        if counter is None:
            raise InputError(
                f"no frame lies between start and end: {reader.frames_decoded:,} frames were read, {stretch.last_seen}"
            )
        result = counter.result(blur=blur).turned(reader.rotation)
        seconds = time.perf_counter() - began
        return replace(
            result,
            frames=np.array(numbers[1:], np.int64),
            background=scene.background(reader.rotation),
            settings=result.settings | stretch.settings | scene.settings | {"downscale": downscale},
            facts={
                "gpuheat": gpuheat.__version__,
                "input": reader.facts | {"frames_compared": len(numbers), "compared_as": sorted(layouts)},
                "backend": {"name": backend.name, "device": backend.device},
                "warnings": [*reader.warnings, *([] if len(numbers) > 1 else [ONE_FRAME])],
                "time": {"seconds": seconds, "frames_per_second": reader.frames_decoded / seconds},
            },
        )


def _opened(source: Any, times: Sequence[float] | None, backend: Backend) -> AbstractContextManager[FrameReader]:
    if isinstance(source, str | PathLike):
        if times is not None:
            raise OptionError("times are for frames in memory; a video has time stamps of its own")
        return VideoReader(source)
    return nullcontext(ArrayFrames(source, times, backend))


def _pixels(frame: Frame, pixels: str, planar_formats: Sequence[str]) -> Pixels:
    """The frame as it is to be compared; as planes only in one of these formats."""
    if pixels == "luma":
        return Pixels(FrameLayout.GRAY8, (frame.luma(),))
    return frame.native(planar_formats)


def _on_host(pixels: Pixels, backend: Backend) -> Pixels:
    """The same pixels in the host's memory."""
    planes = (plane if isinstance(plane, np.ndarray) else backend.to_host(plane) for plane in pixels.planes)
    return Pixels(pixels.layout, tuple(planes))


def _begin_anew(counter: MotionCounter, last: Frame, frame: Frame, planar_formats: Sequence[str]) -> Pixels:
    """``frame`` in a layout in which it can be compared with ``last``, which the counter is given again.

    Needed where a video changes its colour matrix or range half way.
    """
    before, now = last.native(planar_formats), frame.native(planar_formats)
    if before.layout != now.layout:
        before, now = last.native(()), frame.native(())
    counter.cut()
    counter.push(before.frame, _seconds(last), layout=before.layout)
    return now


def _seconds(frame: Frame) -> float | None:
    return None if frame.time is None else float(frame.time)


def _reported(reader: FrameReader, progress: Progress | None) -> Iterator[Frame]:
    """The reader's frames, each reported once it was read."""
    for frame in reader:
        if progress is not None:
            progress(reader.frames_decoded, reader.frames_expected)
        yield frame
