"""Motion in zones: the sums of the pixels of each, pair by pair, however the video is read."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from by_slices import pair_maps, step_for
from clips import decoded, encode, noisy_scene, scene, turn_mp4
from numpy.typing import NDArray

from gpuheat import Backend, InputError, MotionHeatmap, OptionError, motion_heatmap
from gpuheat.inputs import keyframes
from gpuheat.jobs.motion_run import MotionRun
from gpuheat.motion.zones import MotionZones

FEW = 5
# left, top, right and bottom of zones on a picture of 64 x 48 px; the last two overlap the first
BOXES = {"door": (0, 0, 30, 48), "till, left": (30, 10, 64, 40), "floor": (5, 20, 60, 47), "one": (7, 7, 8, 8)}


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


ZONES: dict[str, Any] = {"zones": [{"name": name, "polygon": box(*corners)} for name, corners in BOXES.items()]}


def in_boxes(picture: NDArray[Any]) -> list[int]:
    """The sum of the pixels in each box."""
    return [int(picture[top:bottom, left:right].sum()) for left, top, right, bottom in BOXES.values()]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts may have two frames, and stretches have to be doubled in a clip of 4 s."""
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    monkeypatch.setattr("gpuheat.motion.over_time.MOST_STRETCHES", FEW)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return encode(path, noisy_scene(100), options={"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=3"})


def pairs_of(path: Path) -> tuple[list[NDArray[Any]], list[Fraction]]:
    """The map of each pair as shown, and its time."""
    shown = decoded(path)
    maps = pair_maps(frame.bgr for frame in shown)
    turned = [np.rot90(each, frame.rotation // 90) for each, frame in zip(maps, shown[1:], strict=True)]
    return turned, [frame.time for frame in shown[1:] if frame.time is not None]


def assert_zones(got: MotionZones | None, maps: list[NDArray[Any]], times: list[Any], most: int = FEW) -> None:
    """Hold zones against the sums of every pair by itself."""
    assert got is not None
    step = step_for(times, most)
    numbers = [int(Fraction(time) // step) for time in times]
    assert got.step == float(step)
    assert got.numbers.tolist() == sorted(set(numbers))
    assert got.pairs.tolist() == [numbers.count(number) for number in got.numbers.tolist()]
    sums = np.array([in_boxes(one) for one in maps])
    for place, number in enumerate(got.numbers.tolist()):
        here = [each for each, other in zip(sums, numbers, strict=True) if other == number]
        assert got.moved[:, place].tolist() == np.sum(here, axis=0).tolist()
    for row, (left, top, right, bottom), total in zip(got.table, BOXES.values(), sums.sum(axis=0), strict=True):
        pixels = (right - left) * (bottom - top)
        assert row["pixels_watched"] == pixels
        assert row["moved_pixels"] == total
        assert row["share_of_motion"] == total / sum(int(one.sum()) for one in maps)
        assert row["mean_activity"] == total / (pixels * len(maps))


def assert_same_zones(got: MotionZones | None, want: MotionZones | None) -> None:
    assert got is not None
    assert want is not None
    assert [got.table, *got.stretches] == [want.table, *want.stretches]


def test_each_zone_has_the_pixels_in_it(clip: Path, backend: Backend) -> None:
    maps, times = pairs_of(clip)
    assert_zones(motion_heatmap(clip, end=1.2, jobs=1, backend=backend, zones=ZONES).zones, maps[:29], times[:29])


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_decoders_side_by_side(clip: Path, jobs: int) -> None:
    assert_zones(motion_heatmap(clip, jobs=jobs, zones=ZONES).zones, *pairs_of(clip))


def test_the_peak_is_the_busiest_stretch(clip: Path) -> None:
    maps, times = pairs_of(clip)
    result = motion_heatmap(clip, zones=ZONES)
    assert result.zones is not None
    for row, (left, top, right, bottom) in zip(result.zones.table, BOXES.values(), strict=True):
        shares = np.array([one[top:bottom, left:right].mean() for one in maps])
        number = np.array([int(time) for time in times])  # of a second
        activity = [shares[number == each].mean() for each in range(int(times[-1]) + 1)]
        assert row["peak_activity"] == pytest.approx(max(activity), rel=1e-12)
        assert row["peak_begin_s"] == int(np.argmax(activity)) or max(activity) == 0
        assert row["peak_end_s"] == row["peak_begin_s"] + 1 or max(activity) == 0


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_zones_lie_on_the_video_as_shown(tmp_path: Path, degrees: int) -> None:
    size = (48, 64) if degrees == 180 else (64, 48)
    path = turn_mp4(encode(tmp_path / "turned.mp4", scene(30, *size)), degrees)
    maps, times = pairs_of(path)
    assert maps[0].shape == (48, 64)
    for jobs in (1, 3):
        assert_zones(motion_heatmap(path, zones=ZONES, jobs=jobs).zones, maps, times)


@pytest.mark.parametrize("options", [{"every": 3, "start": 1}, {"downscale": 3, "end": 2.9}, {"max_changed": 0.05}])
def test_options(clip: Path, options: dict[str, Any]) -> None:
    want = motion_heatmap(clip, jobs=1, backend="numpy", zones=ZONES, **options)
    assert want.zones is not None
    whole = motion_heatmap(clip, jobs=1, backend="numpy", **options)
    np.testing.assert_array_equal(whole.counts, want.counts)
    assert want.zones.pairs.sum() == np.count_nonzero(want.counted)
    if "downscale" not in options:
        assert [row["moved_pixels"] for row in want.zones.table] == in_boxes(want.counts)
    else:  # a block lies where the pixel in its middle does
        middles = np.ix_(np.arange(1, 48, 3), np.append(np.arange(1, 63, 3), 63))
        for row, (left, top, right, bottom) in zip(want.zones.table, BOXES.values(), strict=True):
            inside = np.zeros((48, 64), np.bool_)
            inside[top:bottom, left:right] = True
            assert row["pixels_watched"] == np.count_nonzero(inside[middles])
            assert row["moved_pixels"] == want.counts[inside[middles]].sum()
    for jobs in (2, 3):
        assert_same_zones(motion_heatmap(clip, jobs=jobs, zones=ZONES, **options).zones, want.zones)


def test_what_is_watched(clip: Path) -> None:
    """Zones to include and to exclude are a mask, together with the mask."""
    mask = np.ones((48, 64), np.uint8)
    mask[:, 40:] = 0
    zones = [
        *ZONES["zones"],
        {"name": "a", "polygon": box(0, 0, 50, 48), "kind": "include"},
        {"name": "b", "polygon": box(0, 30, 64, 48), "kind": "exclude"},
    ]
    got = motion_heatmap(clip, zones={"zones": zones}, mask=mask)
    alike = np.zeros((48, 64), np.uint8)
    alike[:30, :40] = 1
    want = motion_heatmap(clip, zones=ZONES, mask=alike)
    np.testing.assert_array_equal(got.counts, want.counts)
    np.testing.assert_array_equal(got.moved, want.moved)
    assert got.pixels_watched == want.pixels_watched == 30 * 40
    np.testing.assert_array_equal(got.watched, alike != 0)
    assert_same_zones(got.zones, want.zones)
    assert got.zones is not None
    assert [row["pixels_watched"] for row in got.zones.table] == in_boxes(alike)
    only_masks = motion_heatmap(clip, zones={"zones": zones[-2:]})
    assert only_masks.zones is None
    assert only_masks.pixels_watched == 30 * 50
    beside = {"zones": [{"name": "right", "polygon": box(45, 5, 60, 20)}]}
    (row,) = getattr(motion_heatmap(clip, zones=beside, mask=mask).zones, "table")  # noqa: B009
    assert (row["pixels_watched"], row["moved_pixels"], row["mean_activity"], row["peak_begin_s"]) == (0, 0, None, None)


def test_goes_on_from_a_checkpoint(clip: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "threshold": 25,
        "pixels": "bgr",
        "half_life": None,
        "every": 1,
        "start": None,
        "end": None,
        "downscale": 1,
        "mask": None,
        "max_changed": 1.0,
        "background": "mean",
        "blur": 0.0,
        "times": None,
        "backend": "numpy",
        "decode": "auto",
        "jobs": 1,
        "max_pixels": 2**28,
        "checkpoint": tmp_path / "checkpoint",
    }

    class InterruptionError(Exception):
        pass

    def stop(done: int, _expected: int | None) -> None:
        if done >= 55:
            raise InterruptionError

    with MotionRun(clip, **options, zones=ZONES) as run:
        with pytest.raises(InterruptionError):
            run.count(stop)
        assert run.save()
    others = {"zones": [*ZONES["zones"][:1], {"name": "exit", "polygon": box(1, 1, 9, 9)}]}
    with pytest.raises(
        OptionError, match=r"other settings: zones was door, till, left, floor and 1 more \(.*\) and is"
    ):
        MotionRun(clip, **options, zones=others)
    with MotionRun(clip, **options, zones=ZONES) as run:
        run.count()
        assert_zones(run.result().zones, *pairs_of(clip))


def test_several_videos_and_merged_maps(tmp_path: Path) -> None:
    paths = [encode(tmp_path / f"{frames}.mp4", scene(frames, seed=frames)) for frames in (30, 45)]
    maps, times, begin = [], [], Fraction(0)
    for path in paths:
        own_maps, own_times = pairs_of(path)
        maps += own_maps
        times += [begin + time for time in own_times]
        begin += own_times[-1] + Fraction(1, 25)
    together = motion_heatmap(paths, zones=ZONES)
    assert_zones(together.zones, maps, times)
    one, other = (motion_heatmap(path, zones=ZONES) for path in paths)
    merged = one.merge(other).zones
    assert merged is not None
    assert merged.moved.sum(axis=1).tolist() == np.sum([in_boxes(each) for each in maps], axis=0).tolist()
    assert merged.pairs.sum() == len(maps)
    half, whole = motion_heatmap(paths[0], zones=ZONES, end=0.6), motion_heatmap(paths[0], zones=ZONES, start=0.56)
    assert half.zones is not None
    assert whole.zones is not None
    assert_same_zones(half.merge(whole).zones, one.zones)
    with pytest.raises(InputError, match="only equal maps can be merged: zones is door"):
        one.merge(motion_heatmap(paths[1]))


def test_beside_maps_of_stretches_of_another_length(clip: Path) -> None:
    result = motion_heatmap(clip, zones=ZONES, slice="0.7", jobs=3)
    assert_zones(result.zones, *pairs_of(clip))
    assert result.slices is not None
    assert len(result.slices) == 6


def test_frames_without_times() -> None:
    frames = noisy_scene(12)
    result = motion_heatmap(frames, zones=ZONES)
    assert_zones(result.zones, pair_maps(frames), list(range(11)))
    assert result.zones is not None
    assert "peak_begin_pair" in result.zones.table[0]


def test_files(clip: Path, tmp_path: Path) -> None:
    result = motion_heatmap(clip, zones=ZONES)
    assert result.zones is not None
    result.save(tmp_path)
    with (tmp_path / "zones.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [row["zone"] for row in rows] == [*BOXES]
    assert [int(row["moved_pixels"]) for row in rows] == in_boxes(result.counts)
    with (tmp_path / "zones_activity.csv").open(newline="") as file:
        stretches = [*csv.DictReader(file)]
    for name, total in zip(BOXES, in_boxes(result.counts), strict=True):
        mine = [row for row in stretches if row["zone"] == name]
        assert sum(int(row["moved_pixels"]) for row in mine) == total
        assert sum(int(row["pairs"]) for row in mine) == 99
        assert [float(row["begin_s"]) for row in mine] == [0, 1, 2, 3]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["zones"] == result.zones.table
    assert summary["settings"]["zones"].startswith("door, till, left, floor and 1 more (")


def test_a_single_frame(tmp_path: Path) -> None:
    result = motion_heatmap(noisy_scene(1), zones=ZONES)
    assert result.zones is not None
    assert [row["mean_activity"] for row in result.zones.table] == [None] * 4
    result.save(tmp_path)
    header = "zone,begin_pair,end_pair,pairs,moved_pixels,activity\n"
    assert (tmp_path / "zones_activity.csv").read_text().replace("_s,", "_pair,") == header


def test_zones_that_do_not_fit(clip: Path) -> None:
    with pytest.raises(InputError, match="zone 'far': no pixel of the picture of 64 x 48 px"):
        motion_heatmap(clip, zones={"zones": [{"name": "far", "polygon": box(70, 0, 90, 10)}]})


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["decord/video_90.mov", "opencv/tree.avi"])
def test_real_clips(real_data: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpuheat.motion.over_time.MOST_STRETCHES", 16)
    path = real_data / "video" / name
    results: list[MotionHeatmap] = [motion_heatmap(path, jobs=jobs, zones=ZONES) for jobs in (1, 3)]
    assert_zones(results[0].zones, *pairs_of(path), most=16)
    assert_same_zones(results[1].zones, results[0].zones)
