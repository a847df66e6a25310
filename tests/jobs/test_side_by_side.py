"""However many decoders work side by side, the map is the same."""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from by_slices import assert_same_timeline
from clips import decoded, encode, ffmpeg_grey, noisy_scene, recipe, scene

from gpuheat import Backend, MotionHeatmap, OptionError, motion_heatmap
from gpuheat.errors import IncompleteError, VideoError
from gpuheat.inputs import keyframes
from gpuheat.jobs.recipe import Recipe

X264 = "keyint=12:min-keyint=12:scenecut=0:bframes=3"
MANY = [2, 3, 8]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts may have two frames, and slices have to be doubled in a clip of 4 s."""
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    monkeypatch.setattr("gpuheat.motion.over_time.MOST", 5)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return encode(path, noisy_scene(100), options={"x264-params": f"{X264}:open-gop=1"})


def assert_same(got: MotionHeatmap, want: MotionHeatmap) -> None:
    """All of a map but the time it took and how many decoders there were."""
    for name in ("counts", "heat", "moved", "counted", "frames", "times", "background", "decayed"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name), err_msg=name)
    assert_same_timeline(got.timeline, want.timeline)
    assert got.settings == want.settings
    assert got.facts["warnings"] == want.facts["warnings"]
    read = {"frames_decoded": 0, "frames_skipped": 0}
    assert got.facts["input"] | read == want.facts["input"] | read
    assert want.facts["input"]["frames_skipped"] == 0
    assert sum(got.facts["input"][name] for name in read) == want.facts["input"]["frames_decoded"]


@pytest.mark.parametrize("jobs", MANY)
@pytest.mark.parametrize("background", ["first", "mean", "median"])
@pytest.mark.parametrize("pixels", ["bgr", "luma"])
def test_the_map_is_that_of_one_pass(clip: Path, jobs: int, background: str, pixels: Any, backend: Backend) -> None:
    options: dict[str, Any] = {"background": background, "pixels": pixels, "backend": backend}
    one = motion_heatmap(clip, jobs=1, **options)
    assert one.counts.any()
    assert_same(motion_heatmap(clip, jobs=jobs, **options), one)
    if pixels == "bgr":
        accumulator, moved = recipe(frame.bgr for frame in decoded(clip))
        np.testing.assert_array_equal(one.accumulator, accumulator)
        np.testing.assert_array_equal(one.moved, moved)


@pytest.mark.parametrize("every", [1, 2, 5, 13, 30])
@pytest.mark.parametrize(("start", "end"), [(None, None), (0.5, None), (None, 1.7), (1, 1.2), (2.01, 3), (3.9, 99)])
def test_stretches(clip: Path, every: int, start: Any, end: Any) -> None:
    for background in ("mean", "median"):
        options: dict[str, Any] = {"every": every, "start": start, "end": end, "background": background}
        assert_same(motion_heatmap(clip, jobs=3, **options), motion_heatmap(clip, jobs=1, **options))


def test_frames_before_the_stretch_are_not_decoded(clip: Path) -> None:
    facts = motion_heatmap(clip, start=3, jobs=2).facts["input"]
    assert facts["frames_skipped"] == 72
    assert facts["frames_decoded"] == 28


def test_a_mask_half_lives_and_switched_lights(clip: Path) -> None:
    mask = np.zeros((48, 64), np.uint8)
    mask[5:30, 10:50] = 1
    options: list[dict[str, Any]] = [{"mask": mask}, {"half_life": 0.5}, {"max_changed": 0.05}, {"downscale": 3}]
    for option in options:
        assert_same(motion_heatmap(clip, jobs=3, **option), motion_heatmap(clip, jobs=1, **option))


def one_after_the_other(folder: Path, params: list[str]) -> Path:
    """A transport stream of 30 frames with each of these parameters of x264."""
    parts = [
        encode(
            folder / f"{number}.ts",
            noisy_scene(100)[30 * number : 30 * number + 30],
            options={"x264-params": f"{X264}:{others}"},
        )
        for number, others in enumerate(params)
    ]
    whole = folder / "whole.ts"
    with av.open(str(whole), "w") as out:
        stream: Any = None
        for number, part in enumerate(parts):
            with av.open(str(part)) as container:
                stream = stream or out.add_stream_from_template(container.streams.video[0])
                for packet in container.demux(video=0):
                    if packet.size > 0 and packet.pts is not None and packet.dts is not None:
                        shift = number * 30 * 3600
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        out.mux(packet)
    return whole


def test_parts_of_other_matrices(tmp_path: Path) -> None:
    """A file that says half way that its colours mean something else."""
    whole = one_after_the_other(tmp_path, [f"colormatrix={matrix}" for matrix in ("bt709", "smpte170m", "bt709")])
    one = motion_heatmap(whole, jobs=1)
    assert len(one.moved) == 89
    accumulator, _ = recipe(frame.bgr for frame in decoded(whole))
    np.testing.assert_array_equal(one.accumulator, accumulator)
    for jobs in MANY:
        assert_same(motion_heatmap(whole, jobs=jobs), one)


@pytest.mark.parametrize("background", ["first", "mean"])
def test_parts_of_other_ranges(tmp_path: Path, background: str, backend: Backend) -> None:
    whole = one_after_the_other(tmp_path, ["fullrange=off", "fullrange=on", "fullrange=off"])
    brightness = []
    ranges = set()
    with av.open(str(whole)) as container:
        for picture in container.decode(video=0):
            luma = np.asarray(picture.to_ndarray()[: picture.height], np.uint8)
            brightness.append(ffmpeg_grey(luma, picture.color_range))
            ranges.add(picture.color_range)
    assert len(ranges) == 2
    options: dict[str, Any] = {"pixels": "luma", "backend": backend, "background": background}
    one = motion_heatmap(whole, jobs=1, **options)
    assert_same(motion_heatmap(whole, jobs=3, **options), one)
    accumulator, _ = recipe(brightness)
    np.testing.assert_array_equal(one.accumulator, accumulator)


# --- files that are not in order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_gives_the_same_map(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    suffix = chance.choice(["mp4", "mkv", "ts"])
    path = encode(tmp_path / f"clip.{suffix}", noisy_scene(100), options={"x264-params": f"{X264}:open-gop={seed % 2}"})
    data = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(len(data) // 5, len(data) * 9 // 10)] ^= chance.randrange(1, 256)
    path.write_bytes(data)
    one = motion_heatmap(path, jobs=1)
    for jobs in MANY:
        assert_same(motion_heatmap(path, jobs=jobs), one)


@pytest.mark.parametrize("share", [0.4, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("suffix", ["avi", "mkv", "ts"])
def test_a_truncated_file_gives_the_same_map(tmp_path: Path, suffix: str, share: float) -> None:
    options = {"g": "12"} if suffix == "avi" else {"x264-params": X264}
    path = encode(
        tmp_path / f"clip.{suffix}", noisy_scene(100), codec="mpeg4" if suffix == "avi" else "libx264", options=options
    )
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    one = motion_heatmap(path, jobs=1)
    for jobs in MANY:
        assert_same(motion_heatmap(path, jobs=jobs), one)


def test_a_file_without_an_index_to_trust_is_read_in_one_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """H.264 in AVI, whose packets do not say when they are shown."""
    path = encode(tmp_path / "clip.avi", noisy_scene(100), options={"x264-params": X264})
    one = motion_heatmap(path, jobs=1)
    with caplog.at_level(logging.INFO, "gpuheat"):
        assert_same(motion_heatmap(path, jobs=2), one)
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"{path}: ")
    assert told.endswith(", read in one pass from frame 0 on")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_change_of_size_is_told_alike(tmp_path: Path, jobs: int) -> None:
    path = tmp_path / "clip.ts"
    data = b""
    for number, side in enumerate((48, 96)):
        piece = encode(tmp_path / f"{number}.ts", scene(40, side, side), options={"x264-params": X264})
        data += piece.read_bytes()
    path.write_bytes(data)
    with pytest.raises(IncompleteError, match="changes from 48 x 48 to 96 x 96 px at frame 40") as caught:
        motion_heatmap(path, jobs=jobs)
    so_far = caught.value.heatmap
    accumulator, moved = recipe(frame.bgr for frame in decoded(path) if frame.bgr.shape[0] == 48)
    np.testing.assert_array_equal(so_far.accumulator, accumulator)
    assert so_far.moved.tolist() == moved
    assert so_far.facts["input"]["stopped"] == str(caught.value)
    assert so_far.facts["warnings"][0].startswith("incomplete: ")


@pytest.mark.parametrize(
    ("processors", "jobs"), [(1, (1, 1)), (2, (2, 1)), (3, (3, 3)), (8, (8, 8)), (64, (8, 8))], ids=str
)
def test_how_many_by_default(monkeypatch: pytest.MonkeyPatch, processors: int, jobs: tuple[int, int]) -> None:
    """1080p, and 4K, where two decoders would only take memory."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(processors), raising=False)
    options: dict[str, Any] = {
        "threshold": 25,
        "pixels": "bgr",
        "half_life": None,
        "downscale": 1,
        "mask": None,
        "max_changed": 1.0,
    }
    others: dict[str, Any] = {
        "background": "mean",
        "blur": 0.0,
        "backend": "numba",
        "decode": "auto",
        "max_pixels": 2**28,
    }
    recipe = Recipe(**options, **others, jobs=None)
    assert (recipe.jobs_for(1920, 1080), recipe.jobs_for(3840, 2160)) == jobs
    assert Recipe(**options, **others, jobs=5).jobs_for(3840, 2160) == 5


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "2", 1025])
def test_wrong_numbers_of_jobs(clip: Path, jobs: Any) -> None:
    with pytest.raises(OptionError, match="jobs"):
        motion_heatmap(clip, jobs=jobs)


def test_an_error_of_one_ends_all(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise VideoError("no more")

    monkeypatch.setattr("gpuheat.jobs.side_by_side.Tally.add", failing)
    with pytest.raises(VideoError, match="no more"):
        motion_heatmap(clip, jobs=3)


@pytest.mark.real_data
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(
    "name",
    ["opencv/vtest.avi", "bgslibrary/video.avi", "intel/car-detection.mp4", "decord/corrupted.mp4", "opencv/tree.avi"],
)
def test_real_clips(real_data: Path, name: str, jobs: int) -> None:
    path = real_data / "video" / name
    accumulator, moved = recipe(frame.bgr for frame in decoded(path))
    got = motion_heatmap(path, jobs=jobs, background="first")
    np.testing.assert_array_equal(got.accumulator, accumulator)
    np.testing.assert_array_equal(got.moved, moved)
