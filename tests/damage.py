"""Video files damaged in many ways, and what becomes of each. Run as a script, in a process that may crash or hang.

``python damage.py FOLDER`` makes the files in that folder, counts the motion in each several times, and writes a line
of JSON for each: what it is called, how long it took, and what is wrong about the outcome (nothing, one hopes).
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from clips import decoded, encode, recipe, scene, upright

from gpuheat import MotionHeatmap, motion_heatmap
from gpuheat.errors import IncompleteError, VideoError
from gpuheat.inputs import keyframes
from gpuheat.inputs.findings import SLACK

FRAMES, RATE = 60, 25
X264 = "keyint=12:min-keyint=12:scenecut=0"
X265 = f"{X264}:bframes=2:log-level=none"
CLIPS: dict[str, dict[str, Any]] = {
    "b-frames.mp4": {"options": {"x264-params": f"{X264}:bframes=3"}},
    "open-gop.mkv": {"options": {"x264-params": f"{X264}:bframes=3:open-gop=1"}},
    "h264.ts": {"options": {"x264-params": f"{X264}:bframes=2"}},
    "open-gop.ts": {"options": {"x264-params": f"{X264}:bframes=4:open-gop=1:b-pyramid=none:weightp=2"}},
    "one-group.mp4": {"options": {"x264-params": "bframes=0"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": X265}},
    "hevc-open-gop.ts": {"codec": "libx265", "options": {"x265-params": f"{X265}:open-gop=1"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12"}},
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}},
    "mjpeg.mkv": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "12", "lag-in-frames": "16"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "12", "lag-in-frames": "16"}},
    "ffv1.mkv": {"codec": "ffv1", "options": {"g": "12"}},
    "msmpeg4.avi": {"codec": "msmpeg4", "options": {"g": "12"}},
    "wmv.asf": {"codec": "wmv2", "options": {"g": "12"}},
}
KINDS = 3 * ["flip 1", "flip 5", "flip 50", "zeros", "swap", "repeat", "insert", "remove"]
PLACES = [2, 5, 15, 25, 40, 50, 65, 75, 90, 99]  # where files are truncated, %
BACKGROUNDS = ["first", "mean", "median"]


def damaged(data: bytes, kind: str, chance: random.Random) -> bytes:
    """The data of a file with some of it changed."""
    bad = bytearray(data)
    at, length = chance.randrange(len(bad)), chance.choice([7, 188, 1000, 3000])
    match kind.split():
        case ["flip", times]:
            for _ in range(int(times)):
                bad[chance.randrange(len(bad))] ^= chance.randrange(1, 256)
        case ["truncate", percent]:
            del bad[len(bad) * int(percent) // 100 :]
        case ["zeros"]:
            bad[at : at + length] = bytes(min(length, len(bad) - at))
        case ["swap"]:
            there = chance.randrange(len(bad))
            bad[at : at + length], bad[there : there + length] = bad[there : there + length], bad[at : at + length]
        case ["repeat"]:
            bad[at:at] = bad[at : at + length]
        case ["insert"]:
            bad[at:at] = chance.randbytes(length)
        case ["remove"]:
            del bad[at : at + length]
        case _:
            raise ValueError(kind)
    return bytes(bad)


def outcome(path: Path, jobs: int, background: str) -> tuple[str, MotionHeatmap | None]:
    """The error, and what was counted. Errors that are not ours end the process."""
    try:
        return "", motion_heatmap(path, jobs=jobs, background=background, backend="numpy")
    except IncompleteError as error:
        return str(error), error.heatmap
    except VideoError as error:
        return str(error), None


def differing(one: MotionHeatmap, other: MotionHeatmap) -> list[str]:
    """In what two maps differ."""
    names = ("counts", "moved", "frames", "times", "background")
    wrong = [name for name in names if not np.array_equal(getattr(one, name), getattr(other, name))]
    return wrong + ["warnings"] * (one.facts["warnings"] != other.facts["warnings"])


def complaints(path: Path, kind: str, background: str) -> Iterator[str]:
    """What is wrong about the outcome for a damaged file."""
    error, heatmap = outcome(path, 1, background)
    if error and not error.startswith(f"{path}: "):
        yield f"an error that does not name the file: {error}"
    for jobs in (2, 3):
        other_error, other = outcome(path, jobs, background)
        if error != other_error or (heatmap is None) != (other is None):
            yield f"{jobs} jobs: {other_error!r} in place of {error!r}"
        elif heatmap is not None and other is not None and (wrong := differing(heatmap, other)):
            yield f"{jobs} jobs: other {', '.join(wrong)}"
    if heatmap is None:
        return
    shown = decoded(path)
    pictures = [np.ascontiguousarray(upright(frame.bgr, shown[0].rotation)) for frame in shown]
    same_size = next((i for i, picture in enumerate(pictures) if picture.shape != pictures[0].shape), len(pictures))
    accumulator, moved = recipe(pictures[:same_size])
    if heatmap.moved.tolist() != moved or (moved and not np.array_equal(heatmap.accumulator, accumulator)):
        yield "other counts than those of the plain recipe"
    lost = FRAMES - 1 - len(moved)
    silent = not error and not heatmap.facts["warnings"]
    if kind.startswith("truncate") and lost > (SLACK + 0.1) * RATE and silent and path.suffix != ".ts":
        yield f"{lost} frames are missing in silence"


def main(folder: Path) -> None:
    """Damage every clip in every way."""
    keyframes.SHORTEST = 2  # type: ignore[misc]
    pictures = scene(FRAMES) + np.random.default_rng(0).integers(0, 6, (FRAMES, 48, 64, 3), np.uint8)
    number = 0
    for name, options in CLIPS.items():
        whole = encode(folder / name, pictures, rate=RATE, **options).read_bytes()
        for kind in [*KINDS, *(f"truncate {percent}" for percent in PLACES)]:
            number += 1
            path = folder / f"{number}-{kind.replace(' ', '-')}-{name}"
            path.write_bytes(damaged(whole, kind, random.Random(number)))
            began = time.perf_counter()
            wrong = list(complaints(path, kind, BACKGROUNDS[number % 3]))
            seconds = time.perf_counter() - began
            print(json.dumps({"file": path.name, "seconds": seconds, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
