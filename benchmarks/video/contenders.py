"""The ways from a video file to a motion map, and to its frames alone; each can be checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import av
import cv2
import numpy as np

from benchmarks.checking import WrongResultError, check, difference
from benchmarks.video.clips import best_stream
from gpuheat import motion_heatmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gpuheat import Backend

__all__ = ["DECODING", "SEED", "Contender", "Counted", "contenders", "expected_luma", "seed_recipe"]

Threads = Literal["FRAME", "AUTO"]
"""PyAV's ``thread_type``."""

SEED: Final = "the seed's recipe, cv2.VideoCapture"
DECODING: Final[dict[str, Threads]] = {
    "PyAV decoding alone, FRAME": "FRAME",  # what gpuheat asks for
    "PyAV decoding alone, AUTO": "AUTO",
}
THRESHOLD: Final = 25
EIGHT_BIT_420: Final = ("yuv420p", "yuvj420p")


@dataclass(frozen=True)
class Counted:
    """What one run gave: how many frames, and 255 for every time a pixel moved (h, w) where motion is counted."""

    frames: int
    accumulator: Any = None


@dataclass(frozen=True)
class Contender:
    """One way to do it, and what it must give."""

    name: str
    run: Callable[[], Counted]
    expected: Counted

    def check(self, clip: str) -> None:
        """Raise WrongResultError, which names the clip, unless a run gives exactly what it must."""
        got = self.run()
        if got.frames != self.expected.frames:
            raise WrongResultError(f"{clip}: {self.name} has {got.frames} frames instead of {self.expected.frames}")
        if self.expected.accumulator is not None:
            check(clip, self.name, difference(got.accumulator, self.expected.accumulator))


def contenders(path: Path, backend: Backend) -> list[Contender]:
    """All of them. Those that compare brightness take part where the file keeps it in 8 bits, as 4:2:0."""
    bgr = seed_recipe(path)
    frames = Counted(bgr.frames)
    found = [
        Contender(SEED, partial(seed_recipe, path), bgr),
        Contender("cv2.VideoCapture.read alone", partial(read, path), frames),
    ]
    for name, threads in DECODING.items():
        found.append(Contender(name, partial(decode, path, threads), frames))
    wanted = [("bgr", bgr)]
    luma = expected_luma(path)
    if luma is not None:
        wanted.append(("luma", luma))
    for pixels, expected in wanted:
        run = partial(heat_map, path, pixels=pixels, backend=backend)
        found.append(Contender(f"gpuheat, {pixels}, by default", run, expected))
        found.append(Contender(f"gpuheat, {pixels}, background first", partial(run, background="first"), expected))
    return found


def seed_recipe(path: Path) -> Counted:
    """The recipe as the seed has it, step by step, on the frames of a file."""
    capture = cv2.VideoCapture(str(path))
    there, before = capture.read()
    if not there:
        raise WrongResultError(f"{path}: cv2.VideoCapture reads no frame of it")
    frames = 1
    accumulator = np.zeros(before.shape[:2], np.float32)
    while True:
        there, frame = capture.read()
        if not there:
            return Counted(frames, accumulator)
        diff = cv2.absdiff(frame, before)
        gray_diff = cv2.cvtColor(diff, cv2.COLOR_BGR2GRAY)
        _, thresh = cv2.threshold(gray_diff, THRESHOLD, 255, cv2.THRESH_BINARY)
        accumulator += thresh.astype(np.float32)
        before = frame
        frames += 1


def read(path: Path) -> Counted:
    """Every frame as BGR, and nothing else."""
    capture = cv2.VideoCapture(str(path))
    frames = 0
    while capture.read()[0]:
        frames += 1
    return Counted(frames)


def decode(path: Path, threads: Threads) -> Counted:
    """Every frame as the decoder gives it, and nothing else."""
    return Counted(sum(1 for _ in pictures(path, threads)))


def heat_map(path: Path, **options: Any) -> Counted:
    """What gpuheat makes of it; the seed takes the first frame as its background."""
    heatmap = motion_heatmap(path, threshold=THRESHOLD, **options)
    return Counted(heatmap.moved.size + 1, heatmap.accumulator)


def expected_luma(path: Path) -> Counted | None:
    """The recipe on brightness alone, in OpenCV's steps; None where the file's luma is not 8-bit 4:2:0."""
    frames, turned = 0, 0
    accumulator: Any = None
    before: Any = None
    for picture in pictures(path, "AUTO"):
        if picture.format.name not in EIGHT_BIT_420:
            return None
        plane = picture.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        now = cv2.LUT(rows[: picture.height, : picture.width], brightness(picture))
        if before is None:
            accumulator = np.zeros(now.shape, np.float32)
        else:
            accumulator += cv2.threshold(cv2.absdiff(now, before), THRESHOLD, 255, cv2.THRESH_BINARY)[1]
        before, turned = now, round(picture.rotation / 90)
        frames += 1
    return Counted(frames, np.rot90(accumulator, turned))


def brightness(picture: av.VideoFrame) -> Any:
    """(256,) uint8: the BGR value that FFmpeg gives a grey pixel of each luma, in the range that the picture says."""
    planes = np.full((24, 16), 128, np.uint8)
    planes[:16] = np.arange(256).reshape(16, 16)
    grey = av.VideoFrame.from_ndarray(planes, format=picture.format.name)
    grey.color_range = picture.color_range
    return grey.to_ndarray(format="bgr24")[..., 0].ravel()


def pictures(path: Path, threads: Threads) -> Iterator[av.VideoFrame]:
    """The frames of the best video stream, decoded with that ``thread_type``."""
    with av.open(f"file:{path}") as container:
        stream = best_stream(container)
        stream.thread_type = threads
        yield from container.decode(stream)
