"""The timeline of whole videos: the same however they are read, and that of the pairs of each slice alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from by_slices import assert_same_timeline, assert_timeline, pair_maps
from clips import decoded, encode, noisy_scene, scene, turn_mp4
from numpy.typing import NDArray
from servers import http, serve

from gpuheat import Backend, MotionHeatmap, motion_heatmap
from gpuheat.backends.base import GatheringBackend
from gpuheat.inputs import keyframes, live

REAL = (
    "decord/flipping_a_pancake.mkv",
    "decord/video_90.mov",
    "opencv/tree.avi",
    "torchcodec/test_non_zero_start.mp4",
)
RATE = 25
FEW = 5


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts may have two frames, and slices have to be doubled in a clip of 4 s."""
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    monkeypatch.setattr("gpuheat.motion.over_time.MOST", FEW)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return encode(path, noisy_scene(100), options={"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=3"})


def pairs_of(path: Path) -> tuple[list[NDArray[Any]], list[Fraction], int]:
    """The map of each pair as it lies in the file, its time, and how they are to be turned."""
    shown = decoded(path)
    times = [frame.time for frame in shown[1:] if frame.time is not None]
    return pair_maps(frame.bgr for frame in shown), times, shown[0].rotation


@pytest.mark.parametrize("jobs", [1, 2, 3, 8])
def test_each_slice_has_the_pairs_of_its_time(
    clip: Path, jobs: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps, times, _ = pairs_of(clip)
    for size in (2, 7, 64) if isinstance(backend, GatheringBackend) else (1,):
        if size > 1:
            monkeypatch.setattr(type(backend), "frames_at_once", size)
        assert_timeline(motion_heatmap(clip, jobs=jobs, backend=backend).timeline, maps, times, most=FEW)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotated_video(tmp_path: Path, degrees: int) -> None:
    """Blocks begin at the upper left of the picture as shown."""
    path = turn_mp4(encode(tmp_path / "turned.mp4", scene(30, 46, 650)), degrees)
    maps, times, turned = pairs_of(path)
    result = motion_heatmap(path)
    assert_timeline(result.timeline, maps, times, turned=turned, most=FEW)
    assert result.timeline is not None
    assert result.timeline.shape == result.counts.shape
    assert result.timeline.block == 3


@pytest.mark.parametrize("jobs", [2, 3])
@pytest.mark.parametrize("options", [{"every": 3, "start": 1}, {"downscale": 3, "end": 2.9}, {"max_changed": 0.05}])
def test_options(clip: Path, jobs: int, options: dict[str, Any]) -> None:
    want = motion_heatmap(clip, jobs=1, backend="numpy", **options)
    assert want.timeline is not None
    whole = want.timeline.between(-100, 100)
    np.testing.assert_array_equal(whole, want.counts)  # blocks of 1 px
    assert_same_timeline(motion_heatmap(clip, jobs=jobs, **options).timeline, want.timeline)


def test_several_videos_on_one_time_line(tmp_path: Path) -> None:
    paths = [encode(tmp_path / f"{frames}.mp4", scene(frames, seed=frames)) for frames in (30, 1, 45, 20)]
    maps, times, begin = [], [], Fraction(0)
    for path in paths:
        own_maps, own_times, _ = pairs_of(path)
        maps += own_maps
        times += [begin + time for time in own_times]
        begin += (own_times[-1] if own_times else 0) + Fraction(1, RATE)
    for jobs in (1, 3):
        assert_timeline(motion_heatmap(paths, jobs=jobs).timeline, maps, times, most=FEW)


def test_results_in_between(clip: Path) -> None:
    """They are those of what was counted by then, and leave the last one as it is."""
    maps, times, _ = pairs_of(clip)
    between: list[MotionHeatmap] = []
    result = motion_heatmap(clip, jobs=1, refresh=1e-9, on_refresh=between.append)
    assert_timeline(result.timeline, maps, times, most=FEW)
    for one in between[::17]:
        assert_timeline(one.timeline, maps[: len(one.moved)], times[: len(one.moved)], most=FEW)


def test_live_video_over_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_PAUSE", 0.02)
    streams = [encode(tmp_path / f"{seed}.ts", scene(24, seed=seed), rate=RATE).read_bytes() for seed in (0, 1)]
    with serve(http(streams[0]), http(streams[1])) as (port, _):
        result = motion_heatmap(f"http://127.0.0.1:{port}/", duration=1.7, backend="numpy")
    shown = [pair_maps(frame.bgr for frame in decoded(tmp_path / f"{seed}.ts")) for seed in (0, 1)]
    assert result.times is not None
    maps = (shown[0] + shown[1])[: len(result.times)]
    assert len(maps) > len(shown[0])
    assert_timeline(result.timeline, maps, result.times.tolist(), most=FEW)


def test_frames_in_memory() -> None:
    frames = noisy_scene(40)
    maps, times = pair_maps(frames), [i / 7 for i in range(40)]
    assert_timeline(
        motion_heatmap(frames, times=times).timeline, maps, [Fraction(i, 7) for i in range(1, 40)], most=FEW
    )
    assert_timeline(motion_heatmap(iter(frames)).timeline, maps, range(39), most=FEW)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    ["decord/flipping_a_pancake.mkv", "opencv/tree.avi", "decord/video_90.mov", "torchcodec/test_non_zero_start.mp4"],
)
def test_real_clips(real_data: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpuheat.motion.over_time.MOST", 16)
    path = real_data / "video" / name
    maps, times, turned = pairs_of(path)
    for jobs in (1, 3):
        assert_timeline(motion_heatmap(path, jobs=jobs).timeline, maps, times, turned=turned, most=16)
