"""Real videos, every one with every backend, against the recipe on PyAV's and OpenCV's pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import decoded, recipe, upright
from numpy.typing import NDArray

from gpuheat import Backend, MotionHeatmap, motion_heatmap

pytestmark = pytest.mark.real_data

# What OpenCV itself is held against; never bgslibrary/demo.avi, on which cv2.VideoCapture corrupts the heap
OPENCV_READS = {
    "opencv/vtest.avi": 795,
    "intel/one-by-one-person-detection.mp4": 1394,
    "intel/car-detection.mp4": 377,
    "bgslibrary/video.avi": 374,
    "torchcodec/bt601_full_range.mp4": 60,
    "torchcodec/bt709_full_range.mp4": 30,
    "decord/flipping_a_pancake.mkv": 310,
}
OTHERS = {
    "opencv/tree.avi": 68,
    "bgslibrary/demo.avi": 51,
    "decord/corrupted.mp4": 49,
    "decord/video_90.mov": 3,
    "pyscenedetect/counter.mp4": 30,
    "pyscenedetect/fades.mp4": 250,
    "torchcodec/nasa_13013.mp4": 390,
    "torchcodec/nasa_13013_rotated.mp4": 17,
    "torchcodec/discard_first_keyframe.mp4": 25,
    "torchcodec/test_non_zero_start.mp4": 12,
    "torchcodec/h264_10bits.mp4": 30,
    "torchcodec/testsrc2_hdr.mp4": 60,
    "torchcodec/testsrc2_odd_height_and_width_vp9.mp4": 25,
    "torchcodec/testsrc2_444_8bit_hevc.mp4": 25,
    "torchcodec/av1_video.mkv": 125,
    "torchcodec/testsrc2_vp9.webm": 30,
}


@cache
def by_pyav(path: Path) -> tuple[NDArray[np.float32], list[int], list[float]]:
    """The accumulator as shown, the moved pixels, and the times, with one thread."""
    shown = decoded(path)
    accumulator, moved = recipe(frame.bgr for frame in shown)
    times = [float(frame.time) for frame in shown if frame.time is not None]
    return upright(accumulator, shown[0].rotation), moved, times


BY_GPUHEAT: dict[tuple[Path, int], MotionHeatmap] = {}


def by_gpuheat(path: Path, backend: Backend) -> MotionHeatmap:
    key = path, id(backend)
    if key not in BY_GPUHEAT:
        BY_GPUHEAT[key] = motion_heatmap(path, backend=backend, background="first")
    return BY_GPUHEAT[key]


@cache
def by_opencv(path: Path) -> tuple[NDArray[np.float32], list[int]]:
    capture = cv2.VideoCapture(str(path))

    def frames() -> Any:
        while True:
            read, frame = capture.read()
            if not read:
                return
            yield frame

    return recipe(frames())


@pytest.mark.parametrize(("name", "frames"), (OPENCV_READS | OTHERS).items())
def test_counts_are_the_recipes_on_pyavs_pictures(real_data: Path, name: str, frames: int, backend: Backend) -> None:
    path = real_data / "video" / name
    accumulator, moved, times = by_pyav(path)
    result = by_gpuheat(path, backend)
    np.testing.assert_array_equal(result.accumulator, accumulator)
    np.testing.assert_array_equal(result.moved, moved)
    assert result.facts["input"]["frames_decoded"] == frames == len(moved) + 1
    assert result.times is not None
    assert result.times.tolist() == times[1:]
    assert accumulator.any() or name == "pyscenedetect/fades.mp4"  # slow fades stay below the threshold


@pytest.mark.parametrize("name", OPENCV_READS)
def test_counts_are_the_recipes_on_opencvs_pictures(real_data: Path, name: str, backend: Backend) -> None:
    path = real_data / "video" / name
    accumulator, moved = by_opencv(path)
    result = by_gpuheat(path, backend)
    np.testing.assert_array_equal(255 * result.counts, accumulator)
    np.testing.assert_array_equal(result.moved, moved)


@pytest.mark.parametrize("name", ["decord/video_90.mov", "torchcodec/nasa_13013_rotated.mp4"])
def test_rotated_video_stands_as_opencv_shows_it(real_data: Path, name: str) -> None:
    capture = cv2.VideoCapture(str(real_data / "video" / name))
    _, first = capture.read()
    result = motion_heatmap(real_data / "video" / name, background="first")
    assert result.background is not None
    assert result.background.shape == first.shape == (*result.counts.shape, 3)
    np.testing.assert_array_equal(result.background, first)


def test_what_the_files_say_and_what_they_hold(real_data: Path) -> None:
    def facts(name: str) -> dict[str, Any]:
        found: dict[str, Any] = motion_heatmap(real_data / "video" / name, background="first").facts["input"]
        return found

    tree = facts("opencv/tree.avi")
    assert (tree["frames_in_header"], tree["frames_decoded"]) == (444, 68)
    corrupted = facts("decord/corrupted.mp4")
    assert (corrupted["frames_in_header"], corrupted["frames_decoded"]) == (50, 49)
    assert corrupted["broken_packets"] == 1
    assert facts("decord/flipping_a_pancake.mkv")["frames_in_header"] is None
    late = facts("torchcodec/test_non_zero_start.mp4")
    assert late["start_time_s"]["seconds"] == pytest.approx(8.333, abs=1e-3)
    several = facts("torchcodec/nasa_13013.mp4")
    assert (several["stream"], several["width"], several["height"]) == (3, 480, 270)
    assert facts("torchcodec/discard_first_keyframe.mp4")["frames_decoded"] == 25


def test_a_light_that_is_switched(real_data: Path) -> None:
    path = real_data / "video" / "opencv" / "tree.avi"
    moved = np.array(by_pyav(path)[1]) / (320 * 240)
    result = motion_heatmap(path, max_changed=0.2)
    assert result.summary["result"]["frames_not_counted"] == (np.flatnonzero(moved > 0.2) + 1).tolist()
    assert 60 in result.summary["result"]["frames_not_counted"]
