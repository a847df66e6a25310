"""The demonstration: its own clip, its own eye-tracking export, and a heat map of each."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
import cv2
import numpy as np

from gpuheat.jobs.fixation import fixation_heatmap
from gpuheat.jobs.motion import motion_heatmap
from gpuheat.outputs.files import OutputFolder
from gpuheat.outputs.picture import encode_png

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["moving_dots", "run_demo", "write_clip"]

HEIGHT, WIDTH, FRAMES, FRAME_RATE = 300, 500, 120, 30
PAGE: Final = (1200, 800)  # px, width and height of the reference image
# Where the demonstration's observers look: x, y, spread (px), share of the fixations, mean duration (ms)
PLACES: Final = (
    (330, 105, 70, 0.22, 210),
    (300, 330, 50, 0.30, 320),
    (870, 345, 60, 0.22, 260),
    (870, 560, 35, 0.16, 420),
    (300, 640, 90, 0.10, 180),
)


def run_demo(folder: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    """Make the inputs, run both heat maps, and yield the headline and the folder of each.

    Writes ``input/room.mp4``, ``input/export/``, ``motion/`` and ``fixations/`` into ``folder``.
    """
    clip, export = Path(folder, "input"), Path(folder, "input", "export")
    with OutputFolder(clip) as out:
        out.write("room.mp4", write_clip(moving_dots(), FRAME_RATE))
    with OutputFolder(export) as out:
        out.write("reference_image.png", encode_png(_page()))
        out.write_text("fixations.csv", _fixations())
    motion = motion_heatmap(clip / "room.mp4")
    motion.save(Path(folder, "motion"))
    yield motion.headline, str(Path(folder, "motion"))
    fixations = fixation_heatmap(export)
    fixations.save(Path(folder, "fixations"))
    yield fixations.headline, str(Path(folder, "fixations"))


def moving_dots(frames: int = FRAMES) -> Iterator[NDArray[np.uint8]]:
    """A room in which two dots move along Lissajous paths: (300, 500, 3) uint8 BGR frames."""
    room = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    room[:] = (50, 45, 40)
    cv2.rectangle(room, (0, 200), (WIDTH, HEIGHT), (70, 65, 55), -1)
    cv2.rectangle(room, (50, 50), (130, 150), (80, 70, 60), -1)
    cv2.rectangle(room, (350, 80), (420, 180), (80, 70, 60), -1)
    for i in range(frames):
        frame, t = room.copy(), i * 0.08
        _dot(frame, 250 + 180 * np.sin(t * 1.3), 150 + 100 * np.sin(t * 0.9), 20, (0, 100, 255))
        _dot(frame, 150 + 80 * np.cos(t * 2.1), 220 + 50 * np.sin(t * 1.7), 10, (255, 100, 0))
        yield frame


def write_clip(frames: Iterator[NDArray[np.uint8]], rate: int) -> bytes:
    """The bytes of an MP4 file with these BGR frames in H.264, ``rate`` frames a second."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        if stream is not None:
            container.mux(stream.encode(None))
    return file.getvalue()


def _dot(frame: NDArray[np.uint8], x: float, y: float, radius: int, color: tuple[int, int, int]) -> None:
    margin = radius + 5 if radius == 20 else radius
    centre = (int(np.clip(x, margin, WIDTH - margin)), int(np.clip(y, margin, HEIGHT - margin)))
    cv2.circle(frame, centre, radius, color, -1)


def _page() -> NDArray[np.uint8]:
    """The reference image: a page of a shop, (800, 1200, 3) uint8 BGR."""
    width, height = PAGE
    page = np.full((height, width, 3), 250, np.uint8)

    def box(left: int, top: int, right: int, bottom: int, color: tuple[int, int, int]) -> None:
        cv2.rectangle(page, (left, top), (right, bottom), color, -1, cv2.LINE_AA)

    def text(words: str, left: int, base: int, size: float, color: tuple[int, int, int], weight: int = 1) -> None:
        cv2.putText(page, words, (left, base), cv2.FONT_HERSHEY_DUPLEX, size, color, weight, cv2.LINE_AA)

    box(0, 0, width, 56, (72, 52, 40))
    text("the tea shop", 40, 38, 0.8, (245, 240, 235))
    text("A cup for every hour", 60, 130, 1.6, (60, 45, 35), 2)
    box(60, 180, 560, 480, (205, 220, 214))
    cv2.ellipse(page, (300, 330), (120, 34), 0, 0, 360, (250, 250, 250), -1, cv2.LINE_AA)
    cv2.ellipse(page, (300, 330), (104, 26), 0, 0, 360, (50, 110, 175), -1, cv2.LINE_AA)
    cv2.ellipse(page, (300, 338), (120, 110), 0, 0, 180, (240, 240, 240), -1, cv2.LINE_AA)
    cv2.ellipse(page, (300, 330), (104, 26), 0, 0, 360, (50, 110, 175), -1, cv2.LINE_AA)
    cv2.circle(page, (435, 370), 36, (240, 240, 240), 14, cv2.LINE_AA)
    text("Darjeeling, first flush", 640, 230, 1.1, (60, 45, 35), 2)
    for line, length in enumerate((430, 470, 400, 455, 260)):
        box(640, 270 + 34 * line, 640 + length, 284 + 34 * line, (200, 198, 195))
    text("12.40", 640, 500, 1.3, (60, 45, 35), 2)
    box(740, 530, 1000, 592, (60, 140, 60))
    text("add to basket", 772, 569, 0.9, (250, 250, 250))
    for card in range(3):
        left = 60 + 180 * card
        box(left, 540, left + 150, 740, (228, 230, 226))
        cv2.circle(
            page, (left + 75, 615), 44, ((90, 150, 190), (110, 170, 120), (150, 120, 170))[card], -1, cv2.LINE_AA
        )
        box(left + 20, 690, left + 130, 704, (200, 198, 195))
    return page


def _fixations() -> str:
    """A ``fixations.csv`` as Pupil Cloud's Reference Image Mapper exports it: three recordings, 240 fixations."""
    random = np.random.default_rng(7)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        [
            "section id",
            "recording id",
            "fixation id",
            "start timestamp [ns]",
            "end timestamp [ns]",
            "duration [ms]",
            "fixation detected in reference image",
            "fixation x [px]",
            "fixation y [px]",
        ]
    )
    shares = np.array([place[3] for place in PLACES])
    for recording in range(3):
        start = 1_700_000_000_000_000_000 + recording * 3_600_000_000_000
        for fixation in range(1, 81):
            x, y, spread, _, typical = PLACES[random.choice(len(PLACES), p=shares / shares.sum())]
            duration = int(random.gamma(4, typical / 4)) + 60
            end = start + duration * 1_000_000
            seen = random.random() < 0.9  # now and then somebody looks up from the page
            place = [round(random.normal(x, spread)), round(random.normal(y, spread * 0.6))] if seen else ["", ""]
            ids = [f"section-{recording}", f"recording-{recording}", fixation]
            table.writerow([*ids, start, end, duration, str(seen).lower(), *place])
            start = end + 40_000_000
    return text.getvalue()
