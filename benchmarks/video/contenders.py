"""The ways from a video file to a motion map, and to its frames alone; each can be checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import nan
from typing import TYPE_CHECKING, Any, Final, Literal

import av
import cv2
import numpy as np

from benchmarks.case import Work
from benchmarks.checking import WrongResultError, difference
from benchmarks.video.clips import best_stream
from gpuheat import motion_heatmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gpuheat import Backend

__all__ = [
    "DECODING",
    "EIGHT_BIT_420",
    "PLAIN",
    "THRESHOLD",
    "Contender",
    "Counted",
    "contenders",
    "expected_luma",
    "luma",
    "pictures",
    "plain_recipe",
]

Threads = Literal["FRAME", "AUTO"]
"""PyAV's ``thread_type``."""

PLAIN: Final = "plain recipe, cv2.VideoCapture"
DECODING: Final[dict[str, Threads]] = {
    "PyAV decoding alone (FRAME)": "FRAME",  # what gpuheat asks for
    "PyAV decoding alone (AUTO)": "AUTO",
}
THRESHOLD: Final = 25
EIGHT_BIT_420: Final = ("yuv420p", "yuvj420p")


@dataclass(frozen=True)
class Counted:
    """What one run gave: how many frames, and 255 for every time a pixel moved (h, w) where motion is counted.

    ``events``: in how many stretches of time something moved, where that is what is found.
    """

    frames: int
    accumulator: Any = None
    events: int | None = None


@dataclass(frozen=True)
class Contender:
    """One way to do it, and what it must give.

    ``saw`` is for a peer that finds something else than the recipe: whether it has seen what moves, from a result.
    """

    name: str
    run: Callable[[], Counted]
    expected: Counted
    ours: bool = False
    saw: Callable[[Counted], bool] | None = None

    def counted(self) -> Counted:
        """Run it once. WrongResultError where there are more or fewer frames than the video has."""
        got = self.run()
        if got.frames != self.expected.frames:
            raise WrongResultError(f"{self.name} has {got.frames} frames instead of {self.expected.frames}")
        return got

    def difference(self) -> float:
        """How far a run is from what it must give; NaN where no heat map is expected or another one.

        WrongResultError where a peer that finds something else saw nothing of what moves.
        """
        got = self.counted()
        if self.saw is not None:
            if not self.saw(got):
                raise WrongResultError(f"{self.name} has not seen what moves")
            return nan
        if self.expected.accumulator is None:
            return nan
        return difference(got.accumulator, self.expected.accumulator)

    def work(self) -> Work:
        """As the runner takes it."""
        return Work(lambda _: self.counted(), self.difference)


def contenders(path: Path, backends: Sequence[Backend]) -> list[Contender]:
    """The plain recipe, reading and decoding alone, and gpuheat.

    Those that compare brightness take part where the file keeps it in 8 bits, as 4:2:0.
    """
    bgr = plain_recipe(path)
    frames = Counted(bgr.frames)
    found = [
        Contender(PLAIN, partial(plain_recipe, path), bgr),
        Contender("cv2.VideoCapture.read alone", partial(read, path), frames),
    ]
    for name, threads in DECODING.items():
        found.append(Contender(name, partial(decode, path, threads), frames))
    wanted = [("bgr", bgr)]
    grey = expected_luma(path)
    if grey is not None:
        wanted.append(("luma", grey))
    for backend in backends:
        for pixels, expected in wanted:
            run = partial(heat_map, path, pixels=pixels, backend=backend)
            name = f"gpuheat {backend.name}, {pixels}"
            found.append(Contender(f"{name}, by default", run, expected, ours=True))
            found.append(Contender(f"{name}, background first", partial(run, background="first"), expected, ours=True))
    return found


def plain_recipe(path: Path) -> Counted:
    """The plain OpenCV recipe, step by step, on the frames of a file."""
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
    """What gpuheat makes of it; the plain recipe takes the first frame as its background."""
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
        now = cv2.LUT(luma(picture), brightness(picture))
        if before is None:
            accumulator = np.zeros(now.shape, np.float32)
        else:
            accumulator += cv2.threshold(cv2.absdiff(now, before), THRESHOLD, 255, cv2.THRESH_BINARY)[1]
        before, turned = now, round(picture.rotation / 90)
        frames += 1
    return Counted(frames, np.rot90(accumulator, turned))


def luma(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """(h, w) as it lies in a picture whose first plane it is, in 8 bits."""
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: picture.height, : picture.width]


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
