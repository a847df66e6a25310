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

__all__ = ["CAMERA", "FULL", "QUICK", "X264", "Clip", "Plan", "best_stream", "describe", "make"]

X264: Final = ""
"""x264 unless told otherwise: preset medium, up to three B-frames in a row, a key frame every 250 pictures."""
CAMERA: Final = "bframes=0:ref=1:weightp=0:keyint=60:min-keyint=60:scenecut=0"
"""As the encoder in a camera does it: every picture from the one before it, a key frame every 2 s."""


@dataclass(frozen=True)
class Plan:
    """A clip to be made; ``encoding`` are parameters of x264."""

    name: str
    height: int
    width: int
    frames: int
    encoding: str = X264


@dataclass(frozen=True)
class Clip:
    """A video file; ``seconds_to_make`` is None where it was there before."""

    name: str
    path: Path
    seconds_to_make: float | None = None


FULL: Final = (
    Plan("1080p as a camera writes it", 1080, 1920, 600, CAMERA),
    Plan("1080p as x264 writes it", 1080, 1920, 600),
    Plan("4K as a camera writes it", 2160, 3840, 600, CAMERA),
    Plan("4K as x264 writes it", 2160, 3840, 600),
)
QUICK: Final = (Plan("180p", 180, 320, 40),)


def make(plan: Plan, folder: Path) -> Clip:
    """The street in H.264, of constant quality 23, one slice a picture."""
    began = time.perf_counter()
    path = folder / f"{plan.name}.mp4"
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"x264-params": plan.encoding})
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
