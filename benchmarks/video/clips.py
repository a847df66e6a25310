"""The video files: made, or the user's own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import av

from benchmarks.video.scene import RATE, street

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer

__all__ = ["FULL", "QUICK", "Clip", "Plan", "best_stream", "describe", "make"]


@dataclass(frozen=True)
class Plan:
    """A clip to be made."""

    name: str
    height: int
    width: int
    frames: int


@dataclass(frozen=True)
class Clip:
    """A video file; ``seconds_to_make`` is None where it was there before."""

    name: str
    path: Path
    seconds_to_make: float | None = None


FULL: Final = (Plan("1080p", 1080, 1920, 600), Plan("4K", 2160, 3840, 600))
QUICK: Final = (Plan("180p", 180, 320, 40),)


def make(plan: Plan, folder: Path) -> Clip:
    """The street in H.264 as x264 writes it unless told otherwise.

    That is preset medium, constant quality 23, one slice a picture, up to three B-frames in a row, and a key frame
    every 250 pictures.
    """
    began = time.perf_counter()
    path = folder / f"{plan.name}.mp4"
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = plan.height, plan.width, "yuv420p"
        stream.thread_type = "FRAME"  # x264's own way; PyAV would have every picture cut into slices
        for picture in street(plan.height, plan.width, plan.frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode(None))
    return Clip(plan.name, path, time.perf_counter() - began)


def best_stream(container: InputContainer) -> av.VideoStream:
    """The video stream that gpuheat takes."""
    stream = container.streams.best("video")
    assert isinstance(stream, av.VideoStream), "holds no video"
    return stream


def describe(clip: Clip) -> dict[str, Any]:
    """What the file says of itself."""
    with av.open(f"file:{clip.path}") as container:
        stream = best_stream(container)
        return {
            "clip": clip.name,
            "seconds_to_make": clip.seconds_to_make,
            "codec": stream.codec.canonical_name,
            "pixel_format": stream.codec_context.pix_fmt,
            "width": stream.width,
            "height": stream.height,
            "frame_rate": None if stream.average_rate is None else float(stream.average_rate),
            "bytes": clip.path.stat().st_size,
        }
