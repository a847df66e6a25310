"""What others use to find motion in whole videos. Each finds something else; that it has done its work is checked."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import av
import cv2
import numpy as np

from benchmarks.case import NotMeasuredError
from benchmarks.video.clips import best_stream
from benchmarks.video.contenders import EIGHT_BIT_420, THRESHOLD, Contender, Counted, luma, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DVR_SCAN", "GREY_FIRST", "MOG2", "TBLEND", "peers"]

GREY_FIRST: Final = "OpenCV, grey first, cv2.VideoCapture"
MOG2: Final = "OpenCV MOG2, cv2.VideoCapture"
TBLEND: Final = "ffmpeg tblend (difference only, 8-bit YUV)"
DVR_SCAN: Final = "DVR-Scan (motion events only)"
ROUNDING: Final = 4  # grey levels by which two decoders of a lossy format may differ


def peers(path: Path, expected: Counted) -> list[Contender]:
    """All of them; ``expected`` is what the plain recipe gives."""
    saw = partial(saw_motion, expected=expected)
    return [
        Contender(GREY_FIRST, partial(grey_first, path), expected, saw=saw),
        Contender(MOG2, partial(mog2, path), expected, saw=saw),
        Contender(TBLEND, partial(tblend, path), expected, saw=lambda _: tblend_is_right(path)),
        Contender(DVR_SCAN, partial(dvr_scan, path), expected, saw=partial(saw_events, expected=expected)),
    ]


def saw_motion(got: Counted, expected: Counted) -> bool:
    """Whether more is counted where the plain recipe counts motion than where it counts none."""
    moved = expected.accumulator > 0
    inside, outside = got.accumulator[moved], got.accumulator[~moved]
    return not inside.size or inside.mean() > (outside.mean() if outside.size else 0)


def saw_events(got: Counted, expected: Counted) -> bool:
    """Whether there is an event, where the plain recipe counts any motion."""
    return bool(got.events) or not expected.accumulator.any()


def grey_first(path: Path) -> Counted:
    """The plain recipe on grey pictures, which misses changes of colour alone."""
    frames = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in captured(path))
    before = next(frames)
    accumulator = np.zeros(before.shape, np.float32)
    number = 1
    for now in frames:
        cv2.accumulate(cv2.threshold(cv2.absdiff(now, before), THRESHOLD, 255, cv2.THRESH_BINARY)[1], accumulator)
        before = now
        number += 1
    return Counted(number, accumulator)


def mog2(path: Path) -> Counted:
    """A mixture of Gaussians as the background of every pixel; what differs from it counts."""
    model = cv2.createBackgroundSubtractorMOG2(detectShadows=False)
    accumulator: Any = None
    number = 0
    for frame in captured(path):
        foreground = model.apply(frame)
        if accumulator is None:
            accumulator = np.zeros(foreground.shape, np.float32)
        else:  # of the first picture all is foreground: there is no background yet
            cv2.accumulate(foreground, accumulator)
        number += 1
    return Counted(number, accumulator)


def captured(path: Path) -> Iterator[Any]:
    """The frames (h, w, 3) uint8 BGR, as OpenCV reads them."""
    capture = cv2.VideoCapture(str(path))
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield frame


def tblend(path: Path) -> Counted:
    """The difference of every pair of frames, which is thrown away: nothing is compared with a threshold or summed."""
    frames = re.findall(r"^frame=(\d+)$", ffmpeg(path, "tblend=all_mode=difference"), re.MULTILINE)
    return Counted(int(frames[-1]) + 1)


def tblend_is_right(path: Path) -> bool:
    """Whether the largest change of brightness is the same in every pair as PyAV's frames have it."""
    told = ffmpeg(path, "tblend=all_mode=difference,signalstats,metadata=print:key=lavfi.signalstats.YMAX:file=-")
    got = [int(each) for each in re.findall(r"signalstats\.YMAX=(\d+)", told)]
    lumas = (luma(picture) for picture in pictures(path, "FRAME"))
    expected = [int(cv2.absdiff(now, before).max()) for before, now in itertools.pairwise(lumas)]
    return len(got) == len(expected) and all(abs(a - b) <= ROUNDING for a, b in zip(got, expected, strict=True))


def ffmpeg(path: Path, filters: str) -> str:
    """What ffmpeg says while it sends the frames as they lie in the file through the filters, and nowhere."""
    with av.open(f"file:{path}") as container:
        stream = best_stream(container)
        index, pixel_format = stream.index, stream.codec_context.pix_fmt
    if pixel_format not in EIGHT_BIT_420:
        raise NotMeasuredError(f"{pixel_format} is not 8-bit 4:2:0")
    quiet = ("-hide_banner", "-nostdin", "-nostats", "-v", "error", "-progress", "pipe:1")
    what = ("-noautorotate", "-i", f"file:{path}", "-map", f"0:{index}", "-vf", filters, "-f", "null", "-")
    return said(ffmpeg_program(), *quiet, *what)


def ffmpeg_program() -> str:
    """The one on the PATH, or else that of imageio-ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is not None:
        return program
    try:
        return str(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except ModuleNotFoundError as error:
        raise NotMeasuredError("ffmpeg is not on the PATH, and imageio-ffmpeg is not installed") from error


def dvr_scan(path: Path) -> Counted:
    """When something moves, by MOG2 as well; where it moves is not kept."""
    program = shutil.which("dvr-scan")
    if program is None:
        raise NotMeasuredError("dvr-scan is not on the PATH (it brings an OpenCV of its own: pipx install dvr-scan)")
    told = said(program, "--input", str(path.resolve()), "--scan-only", "--ignore-user-config")
    frames, events = (re.search(words, told) for words in (r"Processed (\d+) frames", r"Detected (\d+) motion event"))
    return Counted(0 if frames is None else int(frames[1]), events=0 if events is None else int(events[1]))


def said(*command: str) -> str:
    """All that a program says. ChildProcessError with the last line of it where it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["nothing"])[-1]
        raise ChildProcessError(f"exit code {done.returncode}: {last}")
    return done.stdout
