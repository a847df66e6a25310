"""Small clips, and the references that results are held against: the plain recipe, and PyAV with one thread."""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Picture = Any  # uint8, (h, w, 3) BGR or (h, w) grey


@dataclass(frozen=True)
class Shown:
    """One decoded frame: its time, s since the first, and its picture as it lies in the file."""

    time: Fraction | None
    bgr: NDArray[np.uint8]
    rotation: int


def scene(frames: int, height: int = 48, width: int = 64, *, seed: int = 0) -> NDArray[np.uint8]:
    """A still, textured picture in which a bright and a coloured square wander about: (n, h, w, 3) uint8 BGR."""
    random = np.random.default_rng(seed)
    still = cv2.resize(random.integers(30, 130, (6, 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    pictures = np.repeat(still[None], frames, axis=0)
    side = max(2, min(height, width) // 5)
    for number, picture in enumerate(pictures):
        for color, speed in (((250, 250, 250), 5), ((20, 40, 220), -3)):
            top = (speed * number + random.integers(3)) % max(1, height - side)
            left = (2 * speed * number) % max(1, width - side)
            picture[top : top + side, left : left + side] = color
    return np.ascontiguousarray(pictures, np.uint8)


def noisy_scene(frames: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """The scene of 48 x 64 px as a camera with a little noise shows it, so that no two frames are equal."""
    grain = np.random.default_rng(seed).integers(0, 6, (frames, 48, 64, 3), np.uint8)
    return np.asarray(scene(frames) + grain, np.uint8)


def noise(shape: tuple[int, ...], *, seed: int = 0) -> NDArray[np.uint8]:
    """Random uint8 of any shape, half of the differences near the usual threshold."""
    random = np.random.default_rng(seed)
    wide, narrow = random.integers(0, 256, shape), 100 + random.integers(0, 60, shape)
    return np.where(random.random(shape) < 0.5, wide, narrow).astype(np.uint8)


def ffmpeg_grey(luma: NDArray[np.uint8], color_range: int) -> NDArray[np.uint8]:
    """The grey FFmpeg makes of the luma (h, w), both even, of a picture without colour; ``color_range`` is FFmpeg's."""
    height, width = luma.shape
    frame = av.VideoFrame.from_ndarray(np.full((height * 3 // 2, width), 128, np.uint8), format="yuv420p")
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    rows[:height, :width] = luma
    frame.color_range = color_range
    bgr = frame.to_ndarray(format="bgr24")
    assert (bgr == bgr[..., :1]).all()
    return np.asarray(bgr[..., 0], np.uint8)


def recipe(
    frames: Iterable[Picture], threshold: int = 25, mask: NDArray[Any] | None = None
) -> tuple[NDArray[np.float32], list[int]]:
    """The plain recipe: the float32 accumulator, and the moved pixels of each pair."""
    accumulator: Any = None
    moved = []
    for before, after in itertools.pairwise(np.ascontiguousarray(frame) for frame in frames):
        difference = cv2.absdiff(after, before)
        grey = cv2.cvtColor(difference, cv2.COLOR_BGR2GRAY) if difference.ndim == 3 else difference
        _, motion = cv2.threshold(grey, threshold, 255, cv2.THRESH_BINARY)
        if mask is not None:
            motion[mask == 0] = 0
        if accumulator is None:
            accumulator = np.zeros(motion.shape, np.float32)
        accumulator += motion.astype(np.float32)
        moved.append(cv2.countNonZero(motion))
    return accumulator, moved


def encode(
    path: Path,
    frames: Iterable[Picture],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: int = 25,
    times: Sequence[Fraction] | None = None,
    time_base: Fraction = Fraction(1, 90000),
    options: dict[str, str] | None = None,
    container_format: str | None = None,
) -> Path:
    """Write the frames as a clip; with ``times`` (s, whole numbers of ``time_base``) at those times."""
    mp4 = {"video_track_timescale": str(time_base.denominator)} if path.suffix in (".mp4", ".mov") else {}
    with _as_scheduled(), av.open(str(path), "w", format=container_format, options=mp4) as container:
        stream: Any = None
        for number, pixels in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=rate, options=options or {})
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = pix_fmt
                if times is not None:
                    stream.codec_context.time_base = time_base
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24" if pixels.ndim == 3 else "gray")
            if times is not None:
                ticks = times[number] / time_base
                assert ticks.denominator == 1, "a time must be a whole number of ticks"
                frame.pts, frame.time_base = int(ticks), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@contextmanager
def _as_scheduled() -> Iterator[None]:
    """Undo what SVT-AV1 does where root runs it: it makes its caller a real-time thread, which starves all others."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def decoded(path: Path) -> list[Shown]:
    """Every frame that PyAV can decode with a single thread, in the order of showing; what is broken is skipped."""
    shown = []
    # up to PyAV 18 a text that is not UTF-8 would be an error
    options: Any = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
    with av.open(str(path), **options) as container:
        stream: Any = container.streams.best("video")
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        packets = container.demux(stream)
        start = stream.start_time
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, IndexError):
                packet = av.Packet()
            if packet is None:
                break
            try:
                pictures = stream.decode(packet)
            except av.FFmpegError:
                continue
            for picture in pictures:
                start = picture.pts if start is None else start
                untimed = picture.pts is None or picture.time_base is None
                time = None if untimed else (picture.pts - start) * picture.time_base
                shown.append(Shown(time, picture.to_ndarray(format="bgr24"), picture.rotation))
            if packet.stream is not stream:  # the container broke off: what the decoder held back came last
                break
    return shown


def mean_picture(*paths: Path, step: int = 1) -> Any:
    """The BGR picture of the mean of the planes of every ``step``-th frame, all of one kind, of one file or several.

    Of those the first 64 are taken, and behind them every 16th, which stands for as many. FFmpeg makes the picture of
    4:2:0; others are turned into BGR before.
    """
    shown: list[av.VideoFrame] = []
    for path in paths:
        with av.open(str(path)) as container:
            shown += list(container.decode(video=0))[::step]
    weights = [1 if number < 64 else 16 * (number % 16 == 0) for number in range(len(shown))]
    planar = shown[0].format.name in ("yuv420p", "yuvj420p")
    pictures = [frame.to_ndarray() if planar else frame.to_ndarray(format="bgr24") for frame in shown]
    mean = np.floor(np.average(np.array(pictures, np.float64), axis=0, weights=weights) + 0.5).astype(np.uint8)
    if not planar:
        return mean
    frame = av.VideoFrame.from_ndarray(mean, format=shown[0].format.name)
    frame.colorspace, frame.color_range = shown[0].colorspace, shown[0].color_range
    return frame.to_ndarray(format="bgr24")


def upright(accumulator: NDArray[Any], rotation: int) -> NDArray[Any]:
    """A picture as lies in the file, as it is shown: turned counter-clockwise."""
    return np.rot90(accumulator, round(rotation / 90))


def turn_mp4(path: Path, degrees: int) -> Path:
    """Write into an MP4 file that its picture is to be turned clockwise, by a multiple of 90 degrees."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # version 0: 40 bytes of other fields before the nine numbers
    numbers = (cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30)
    data[matrix : matrix + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    path.write_bytes(data)
    return path
