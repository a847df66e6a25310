"""The video files: made, or the user's own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import av

from benchmarks.case import SIZES
from benchmarks.video.scene import RATE, street

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.container import InputContainer

__all__ = ["CAMERA", "X264", "Clip", "Plan", "best_stream", "describe", "make", "plans"]

X264: Final = ""
"""x264 unless told otherwise: preset medium, up to three B-frames in a row, a key frame every 250 pictures."""
CAMERA: Final = "bframes=0:ref=1:weightp=0:keyint=60:min-keyint=60:scenecut=0"
"""As the encoder in a camera does it: every picture from the one before it, a key frame every 2 s."""


@dataclass(frozen=True)
class Plan:
    """A clip to be made; ``way`` says in words what ``encoding`` does, which are parameters of x264."""

    way: str
    height: int
    width: int
    frames: int
    encoding: str = X264

    @property
    def name(self) -> str:
        """What is in it."""
        return f"{self.frames} frames H.264 of {self.width} x {self.height}, {self.way}"


@dataclass(frozen=True)
class Clip:
    """A video file; ``seconds_to_make`` is None where it was there before."""

    name: str
    path: Path
    seconds_to_make: float | None = None


USUAL_SIZES: Final = ("1080p", "4k")
FRAMES: Final = 600
FRAMES_OF_8K: Final = 150  # which take as long to make as those of 4K
QUICK_FRAMES: Final = 40
QUICK_SIZE: Final = (180, 320)


def plans(sizes: Sequence[str], *, quick: bool) -> list[Plan]:
    """The clips to make; ``sizes`` are names of SIZES, none: the usual ones, or one smaller than all of them."""
    if quick:
        chosen = [SIZES[size] for size in sizes] or [QUICK_SIZE]
        return [Plan("as x264 writes it", height, width, QUICK_FRAMES) for height, width in chosen]
    found = []
    for size in sizes or USUAL_SIZES:
        frames = FRAMES_OF_8K if size == "8k" else FRAMES
        found += [
            Plan("as a camera writes it", *SIZES[size], frames, CAMERA),
            Plan("as x264 writes it", *SIZES[size], frames),
        ]
    return found


def make(plan: Plan, folder: Path) -> Clip:
    """The street in H.264, of constant quality 23, one slice a picture."""
    began = time.perf_counter()
    path = folder / "made.mp4"
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
            "codec": stream.codec.canonical_name,
            "pixel_format": stream.codec_context.pix_fmt,
            "width": stream.width,
            "height": stream.height,
            "frame_rate": None if stream.average_rate is None else float(stream.average_rate),
            "bytes": clip.path.stat().st_size,
        }
