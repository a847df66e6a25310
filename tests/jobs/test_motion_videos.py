"""Several videos as one: what each of them counts adds up, on one time line."""

from __future__ import annotations

import csv
import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import Shown, decoded, encode, mean_picture, noisy_scene, recipe, scene

from gpuheat import InputError, MotionCounter, MotionHeatmap, OptionError, motion_heatmap
from gpuheat.cli import main
from gpuheat.errors import IncompleteError, VideoError
from gpuheat.inputs import keyframes
from gpuheat.inputs.patterns import files_named
from gpuheat.jobs.motion_videos import MotionVideos

FRAMES = (30, 1, 45, 20)
OPTIONS: dict[str, Any] = (
    {"threshold": 25, "pixels": "bgr", "half_life": None, "every": 1, "start": None, "end": None, "downscale": 1}
    | {"mask": None, "max_changed": 1.0, "background": "mean", "blur": 0.0, "backend": "numpy", "decode": "auto"}
    | {"jobs": 1, "max_pixels": 2**28}
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts may have two frames."""
    monkeypatch.setattr(keyframes, "SHORTEST", 2)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four clips at 25 frames/s, one of them with a single frame."""
    folder = tmp_path_factory.mktemp("clips")
    options = {"x264-params": "keyint=8:min-keyint=8:scenecut=0"}
    return [encode(folder / f"{i}.mp4", scene(n, seed=i), options=options) for i, n in enumerate(FRAMES)]


@pytest.fixture(scope="module")
def shown(clips: list[Path]) -> list[list[Shown]]:
    return [decoded(clip) for clip in clips]


def stamps(shown: list[list[Shown]]) -> list[list[Fraction]]:
    """The times of all frames on the common line: each clip begins 1/25 s after the last frame of the one before."""
    times, later = [], Fraction(0)
    for frames in shown:
        times.append([later + frame.time for frame in frames if frame.time is not None])
        later = times[-1][-1] + Fraction(1, 25)
    return times


@pytest.mark.parametrize("jobs", [1, 3])
def test_they_add_up(clips: list[Path], shown: list[list[Shown]], jobs: int) -> None:
    result = motion_heatmap(clips, jobs=jobs)
    apart = [recipe(frame.bgr for frame in frames) for frames in shown]
    np.testing.assert_array_equal(result.accumulator, sum(one for one, _ in apart if one is not None))
    assert result.moved.tolist() == [moved for _, each in apart for moved in each]
    assert result.frames.tolist() == [number for count in FRAMES for number in range(1, count)]
    assert result.times is not None
    assert result.times.tolist() == [float(time) for times in stamps(shown) for time in times[1:]]
    np.testing.assert_array_equal(result.background, mean_picture(*clips))
    assert [entry["pairs"] for entry in result.facts["inputs"]] == [count - 1 for count in FRAMES]
    assert [entry["begins_s"] for entry in result.facts["inputs"]] == [float(times[0]) for times in stamps(shown)]
    assert result.facts["input"]["name"] == "0.mp4 and 3 more"
    assert result.facts["input"]["frames_decoded"] == sum(FRAMES)
    assert result.facts["warnings"] == []


@pytest.mark.parametrize("background", ["first", "median"])
def test_the_number_of_jobs_does_not_matter(clips: list[Path], background: str) -> None:
    one, many = (motion_heatmap(clips, jobs=jobs, background=background, every=3) for jobs in (1, 3))
    for name in ("counts", "moved", "frames", "times", "background"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name), err_msg=name)
    assert many.background is not None
    if background == "first":
        np.testing.assert_array_equal(many.background, decoded(clips[0])[0].bgr)


def test_decay_goes_on_from_one_to_the_next(clips: list[Path], shown: list[list[Shown]]) -> None:
    counter = MotionCounter(48, 64, half_life=0.7)
    for frames, times in zip(shown, stamps(shown), strict=True):
        counter.cut()
        for frame, time in zip(frames, times, strict=True):
            counter.push(frame.bgr, float(time))
    np.testing.assert_array_equal(motion_heatmap(clips, half_life=0.7).decayed, counter.result().decayed)


@pytest.mark.parametrize(
    ("start", "end"), [(None, 1.0), (0.5, None), (1.21, 2.5), (1.3, 1.9), (0, 99), (3.1, 99), (0.2, 0.5)]
)
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_stretch_of_the_common_line(
    clips: list[Path], shown: list[list[Shown]], start: float | None, end: float | None, jobs: int
) -> None:
    result = motion_heatmap(clips, start=start, end=end, jobs=jobs)
    first, last = Fraction(str(start or 0)), Fraction(str(end or 1000))
    moved: list[int] = []
    for frames, times in zip(shown, stamps(shown), strict=True):
        moved += recipe(frame.bgr for frame, time in zip(frames, times, strict=True) if first <= time < last)[1]
    assert result.moved.tolist() == moved
    assert result.settings["start"] == start
    assert result.settings["end"] == end


def test_one_that_fails_is_named_and_the_rest_goes_on(clips: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    large = encode(tmp_path / "large.mp4", scene(5, 96, 128))
    with pytest.raises(IncompleteError, match=r"^3 of 5 videos are left out, or not whole$") as caught:
        motion_heatmap([clips[0], tmp_path / "none.mp4", text, large, clips[2]])
    so_far = caught.value.heatmap
    np.testing.assert_array_equal(so_far.counts, motion_heatmap([clips[0], clips[2]]).counts)
    assert [entry["pairs"] for entry in so_far.facts["inputs"]] == [29, 0, 0, 0, 44]
    errors = [entry["error"] for entry in so_far.facts["inputs"] if "error" in entry]
    assert [f"left out: {error}" for error in errors] == so_far.facts["warnings"]
    assert "none.mp4" in errors[0]
    assert "text.mp4" in errors[1]
    assert errors[2] == f"{large}: its pictures are of 128 x 96 px, those before of 64 x 48 px"


def test_one_that_stops_half_way_is_used_as_far_as_it_goes(clips: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "two.ts"
    options = {"x264-params": "keyint=8"}
    pieces = [encode(tmp_path / f"{side}.ts", scene(20, side, side + 16), options=options) for side in (48, 96)]
    path.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    with pytest.raises(IncompleteError) as caught:
        motion_heatmap([path, clips[0]])
    so_far = caught.value.heatmap
    assert [entry["pairs"] for entry in so_far.facts["inputs"]] == [19, 29]
    assert "changes from 64 x 48 to 112 x 96 px at frame 20" in so_far.facts["inputs"][0]["stopped"]
    assert so_far.facts["inputs"][1]["stopped"] is None


def test_one_without_a_picture_is_named_once(clips: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "hollow.mkv"
    data = bytearray(encode(path, noisy_scene(20)).read_bytes())
    first = data.index(b"\xa3", data.index(b"\x1f\x43\xb6\x75"))  # the first block of the first cluster
    data[first + 9 : -400] = bytes(len(data) - 409 - first)
    path.write_bytes(data)
    with pytest.raises(IncompleteError, match=r"^1 of 2 videos are left out") as caught:
        motion_heatmap([clips[0], path])
    so_far = caught.value.heatmap
    assert [entry["pairs"] for entry in so_far.facts["inputs"]] == [29, 0]
    assert [warning.split(":")[0] for warning in so_far.facts["warnings"]] == ["left out"]
    assert "not one frame can be decoded" in so_far.facts["warnings"][0]


def test_ended_by_its_progress(clips: list[Path]) -> None:
    """The map of what was counted until then."""

    class EnoughError(Exception):
        pass

    def stop(done: int, _: int | None) -> None:
        if done >= 50:
            raise EnoughError

    with MotionVideos(clips, **OPTIONS) as videos:
        with pytest.raises(EnoughError):
            videos.count(stop)
        assert not videos.save()
        result = videos.result("enough")
    pairs = len(result.frames) - 29  # of the third; some frames were read, but not counted
    assert 0 < pairs < 20
    assert result.frames.tolist() == [*range(1, 30), *range(1, pairs + 1)]
    end = Fraction(30 + 1 + pairs + 1, 25)
    np.testing.assert_array_equal(result.counts, motion_heatmap(clips, end=end).counts)
    assert [entry["stopped"] for entry in result.facts["inputs"]] == [None, None, "enough"]
    assert result.facts["warnings"] == ["incomplete: enough"]


def test_none_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"a\.mp4"):
        motion_heatmap([tmp_path / "a.mp4", tmp_path / "b.mp4"])


def test_wrong_use(clips: list[Path], tmp_path: Path) -> None:
    checkpoint = tmp_path / "c.npz"
    wrong: list[dict[str, Any]] = [{"times": [1.0]}, {"on_refresh": print}, {"every": 0}, {"start": "x"}]
    for options in [*wrong, {"checkpoint": checkpoint, "keyframes": True}]:
        with pytest.raises(OptionError):
            motion_heatmap(clips, **options)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OptionError, match=f"a checkpoint is for video files, and {tmp_path / 'pipe'} is none"):
        motion_heatmap([*clips, tmp_path / "pipe"], checkpoint=checkpoint)
    with pytest.raises(OptionError, match="live video"):
        motion_heatmap([clips[0], "rtsp://camera/"])
    with pytest.raises(InputError, match="mask"):
        motion_heatmap(clips, mask=np.ones((3, 3), np.uint8))
    with pytest.raises(InputError, match="no frame of the videos lies between start and end"):
        motion_heatmap(clips, start=50)


def test_patterns(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mp4", "c[1].mp4"):
        (tmp_path / name).touch()
    assert files_named([f"{tmp_path}/?.mp4"]) == [f"{tmp_path}/a.mp4", f"{tmp_path}/b.mp4"]
    assert files_named([f"{tmp_path}/c[1].mp4", "-"]) == [f"{tmp_path}/c[1].mp4", "-"]
    assert files_named(["rtsp://host/a?b=*"]) == ["rtsp://host/a?b=*"]
    with pytest.raises(InputError, match=r"x\*\.mp4: there is no such file"):
        files_named([f"{tmp_path}/x*.mp4"])


def test_the_command_line(clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(["motion", f"{clips[0].parent}/*.mp4", str(tmp_path / "none.mp4"), "-o", str(out)])
    assert ended.value.code == 3
    assert "none.mp4" in capsys.readouterr().err
    whole: MotionHeatmap = motion_heatmap(clips)
    np.testing.assert_array_equal(np.load(out / "counts.npy"), whole.counts)
    rows = list(csv.DictReader((out / "activity.csv").read_text().splitlines()))
    assert [int(row["video"]) for row in rows] == [0] * 29 + [2] * 44 + [3] * 19
    assert [int(row["frame"]) for row in rows] == whole.frames.tolist()
    summary = json.loads((out / "summary.json").read_text())
    assert [entry["name"] for entry in summary["inputs"]] == ["0.mp4", "1.mp4", "2.mp4", "3.mp4", "none.mp4"]


def test_key_frames_only(clips: list[Path], shown: list[list[Shown]]) -> None:
    result = motion_heatmap(clips[0], keyframes=True)
    accumulator, moved = recipe(frame.bgr for frame in shown[0][::8])
    np.testing.assert_array_equal(result.accumulator, accumulator)
    assert result.moved.tolist() == moved
    assert result.frames.tolist() == [8, 16, 24]
    assert result.settings["keyframes"]
    assert result.facts["input"]["frames_skipped"] == 26
    both = motion_heatmap([clips[0], clips[2]], keyframes=True)
    assert both.frames.tolist() == [8, 16, 24, 8, 16, 24, 32, 40]
    for options in ({"every": 2}, {"checkpoint": "c.npz"}):
        with pytest.raises(OptionError):
            motion_heatmap(clips[0], keyframes=True, **options)
    with pytest.raises(OptionError, match="not for frames in memory"):
        motion_heatmap(scene(3), keyframes=True)
