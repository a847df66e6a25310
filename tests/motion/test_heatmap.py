"""The motion heat map: its numbers by hand, its pictures as the plain recipe makes them, its files as promised."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import noise, recipe, scene
from numpy.typing import NDArray
from reference import blur, blur_radius, blur_tolerance
from result_files import MOTION_FILES

from gpuheat import Backend, InputError, MotionCounter, MotionHeatmap, OptionError, motion_heatmap
from gpuheat.outputs.style import PictureStyle

FRAMES = scene(12, 40, 56)
TIMES = [0.0, 0.1, 0.2, 0.25, 0.5, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 2.5]


def seed_heat(accumulator: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray((accumulator / accumulator.max() * 255).astype(np.uint8))


def picture(path: Path) -> NDArray[Any]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return np.asarray(image)


# --- numbers ----------------------------------------------------------------------------------------------------


def test_numbers(backend: Backend) -> None:
    result = motion_heatmap(FRAMES, times=TIMES, backend=backend)
    accumulator, moved = recipe(FRAMES)
    assert result.accumulator.dtype == result.heat.dtype == np.float32
    np.testing.assert_array_equal(result.accumulator, accumulator)
    np.testing.assert_array_equal(result.heat, (result.counts / result.counts.max()).astype(np.float32))
    np.testing.assert_array_equal(result.moved, moved)
    assert result.times is not None
    assert result.times.tolist() == TIMES[1:]
    assert result.frames.tolist() == list(range(1, 12))
    assert result.moved_share == np.count_nonzero(accumulator) / accumulator.size
    assert result.activity.tolist() == [pixels / accumulator.size for pixels in moved]
    assert result.decayed is None
    assert result.pixels_watched == accumulator.size


def test_the_accumulator_is_what_the_recipe_says_also_where_float32_ends() -> None:
    result = MotionCounter(1, 2).result()
    result = dataclasses.replace(result, counts=np.array([[65_793, 65_794]], np.uint32))
    assert result.accumulator[0].tolist() == [255.0 * 65_793, float(np.float32(255.0 * 65_794))]


def test_what_a_hundred_percent_stands_for() -> None:
    frames = np.zeros((5, 2, 4), np.uint8)
    frames[[1, 3], 0, 0] = 200  # pixel 0 moves in all four pairs, pixel 1 in one
    frames[4:, 0, 1] = 200
    assert motion_heatmap(frames).full_scale == "100 % = in motion in 100 % of the frames"
    assert motion_heatmap(frames[1:]).full_scale == "100 % = in motion in 100 % of the frames"
    frames[1, 0, 0] = 0
    assert motion_heatmap(frames).full_scale == "100 % = in motion in 50 % of the frames"
    assert motion_heatmap(frames, blur=0.5).full_scale == "100 % = in motion in 35.1 % of the frames, blurred"
    assert motion_heatmap(frames[:1]).full_scale == "nothing moved"
    decaying = motion_heatmap(frames, times=[0, 1, 2, 3, 4], half_life=1.0)
    assert decaying.full_scale == "100 % = 1.5 recent frames in motion (half-life 1 s)"
    left_out = motion_heatmap(frames, max_changed=1 / 8)  # the last pair moves two pixels of eight
    assert left_out.counted.tolist() == [True, True, True, False]
    assert left_out.full_scale == "100 % = in motion in 33.3 % of the frames"
    assert "1 of them not counted" in left_out.headline


def test_blur(backend: Backend) -> None:
    sigma = 1.7
    result = motion_heatmap(FRAMES, blur=sigma, backend=backend)
    accumulator, _ = recipe(FRAMES)
    np.testing.assert_array_equal(result.accumulator, accumulator)  # only the heat is blurred
    counts = accumulator / 255
    expected = blur(counts, sigma)
    tolerance = blur_tolerance(blur_radius(sigma), float(counts.max())) / expected.max()
    np.testing.assert_allclose(result.heat, expected / expected.max(), rtol=0, atol=2 * tolerance)  # and of the maximum
    assert result.heat.max() == 1
    assert result.settings["blur"] == sigma
    with pytest.raises(OptionError, match="sigma"):
        motion_heatmap(FRAMES, blur=float("nan"), backend=backend)
    with pytest.raises(OptionError, match="sigma"):
        motion_heatmap(FRAMES, blur=-1.0, backend=backend)


def test_blur_of_what_decayed(backend: Backend) -> None:
    result = motion_heatmap(FRAMES, times=TIMES, half_life=0.4, blur=1.0, backend=backend)
    assert result.decayed is not None
    expected = blur(result.decayed, 1.0)
    tolerance = blur_tolerance(blur_radius(1.0), float(result.decayed.max())) / expected.max()
    np.testing.assert_allclose(result.heat, expected / expected.max(), rtol=0, atol=2 * tolerance)


# --- pictures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("background", ["first", "mean", "median"])
def test_jet_gives_the_pictures_of_the_recipe(background: str) -> None:
    result = motion_heatmap(FRAMES, background=background)
    accumulator, _ = recipe(FRAMES)
    colors = cv2.applyColorMap(seed_heat(accumulator), cv2.COLORMAP_JET)
    under = {
        "first": FRAMES[0],
        "mean": np.floor(FRAMES.astype(np.float64).mean(0) + 0.5),
        "median": np.floor(np.median(FRAMES.astype(np.float64), 0)),
    }[background].astype(np.uint8)
    assert result.background is not None
    np.testing.assert_array_equal(result.background, under)
    np.testing.assert_array_equal(result.render(), cv2.addWeighted(under, 0.6, colors, 0.4, 0))
    bare = dataclasses.replace(result, background=None)
    np.testing.assert_array_equal(bare.render(), colors)
    hot = cv2.applyColorMap(seed_heat(accumulator), cv2.COLORMAP_HOT)
    np.testing.assert_array_equal(result.render("hot", alpha=0.75), cv2.addWeighted(under, 0.25, hot, 0.75, 0))
    still = result.counts == 0
    clear = result.render(alpha="value")
    np.testing.assert_array_equal(clear[still], under[still])
    assert (clear[~still] != under[~still]).any()
    assert (result.render(tone="sqrt") != result.render()).any()


def test_the_median_is_of_frames_spread_over_the_whole() -> None:
    frames = np.zeros((100, 1, 1, 3), np.uint8)
    frames[:, 0, 0, 0] = np.arange(100)
    background = motion_heatmap(frames, background="median").background
    assert background is not None
    assert 40 <= background[0, 0, 0] <= 60
    assert background[0, 0, 1] == 0


def test_maps_of_other_masks_are_not_merged() -> None:
    mask = np.zeros((40, 56), np.uint8)
    mask[:20] = 1
    one, other = (MotionCounter(40, 56, mask=each) for each in (mask, 1 - mask))  # of as many pixels
    for counter in (one, other):
        counter.push(FRAMES, TIMES)
    with pytest.raises(InputError, match="only equal maps can be merged: their masks leave other pixels"):
        one.result().merge(other.result())
    np.testing.assert_array_equal(one.result().merge(one.result()).watched, mask != 0)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turned_turns_every_picture(turn: int) -> None:
    result = motion_heatmap(FRAMES, times=TIMES, half_life=1.0)
    turned = result.turned(turn)
    for name in ("counts", "heat", "decayed", "background", "accumulator"):
        np.testing.assert_array_equal(getattr(turned, name), np.rot90(getattr(result, name), turn // 90), err_msg=name)
    np.testing.assert_array_equal(turned.moved, result.moved)


def test_a_notebook_gets_a_png_of_the_overlay() -> None:
    result = motion_heatmap(FRAMES)
    png = result._repr_png_()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert shown is not None
    np.testing.assert_array_equal(shown, result.render())


# --- files ------------------------------------------------------------------------------------------------------


def test_saves_seven_files(tmp_path: Path) -> None:
    frames = FRAMES.copy()
    frames[7:] = 255 - frames[7:]  # the light is switched: one pair too many changed
    result = motion_heatmap(frames, times=TIMES, max_changed=0.5)
    result.save(tmp_path / "new" / "out")
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == MOTION_FILES
    out = tmp_path / "new" / "out"

    accumulator = sum(recipe(frames[pair : pair + 2])[0] for pair in range(11) if pair != 6)
    counts = np.load(out / "counts.npy", allow_pickle=False)
    assert counts.dtype == np.uint32
    np.testing.assert_array_equal(255 * counts, accumulator)

    mean = np.floor(frames.astype(np.float64).mean(0) + 0.5).astype(np.uint8)
    colors = cv2.applyColorMap(seed_heat(np.asarray(accumulator)), cv2.COLORMAP_JET)
    np.testing.assert_array_equal(picture(out / "heatmap.png"), colors)
    np.testing.assert_array_equal(picture(out / "overlay.png"), cv2.addWeighted(mean, 0.6, colors, 0.4, 0))
    assert min(picture(out / "figure.png").shape[:2]) > 100

    with (out / "activity.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["frame", "time_s", "moved_pixels", "moved_share", "counted"]
    moved = recipe(frames)[1]
    assert [int(row[0]) for row in rows] == list(range(1, 12))
    assert [float(row[1]) for row in rows] == TIMES[1:]
    assert [int(row[2]) for row in rows] == moved
    assert [float(row[3]) for row in rows] == [pixels / (40 * 56) for pixels in moved]
    assert [row[4] for row in rows] == ["1"] * 6 + ["0"] + ["1"] * 4

    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert summary["settings"] == {
        "threshold": 25,
        "pixels": "bgr",
        "half_life": None,
        "max_changed": 0.5,
        "blur": 0.0,
        "every": 1,
        "keyframes": False,
        "start": None,
        "end": None,
        "downscale": 1,
        "background": "mean",
        "mask": None,
        "mask_sha256": None,
        "zones": None,
        "zones_mask": None,
        "slice": None,
        "backend": result.settings["backend"],
    }
    assert summary["result"] == {
        "size": {"width": 56, "height": 40},
        "pairs": 11,
        "pairs_counted": 10,
        "frames_not_counted": [7],
        "highest_count": int(counts.max()),
        "pixels_watched": 40 * 56,
        "moved_share": np.count_nonzero(counts) / (40 * 56),
        "full_scale": result.full_scale,
    }
    assert summary["pictures"] == {"colormap": "jet", "tone": "linear", "alpha": 0.4}
    assert summary["input"]["frames_decoded"] == 12
    assert summary["backend"]["name"] == result.settings["backend"]
    assert summary["time"]["seconds"] > 0


def test_saves_without_times_and_in_another_style(tmp_path: Path) -> None:
    result = motion_heatmap(FRAMES)
    (tmp_path / "heatmap.png").write_bytes(b"an older one")
    (tmp_path / "other.txt").write_bytes(b"not ours")
    result.save(tmp_path, PictureStyle("Hot", "sqrt", "value"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*MOTION_FILES, "other.txt"])
    with (tmp_path / "activity.csv").open(newline="") as file:
        assert {row["time_s"] for row in csv.DictReader(file)} == {""}
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert summary["pictures"] == {"colormap": "hot", "tone": "sqrt", "alpha": "value"}
    bare = dataclasses.replace(result, background=None)
    np.testing.assert_array_equal(picture(tmp_path / "heatmap.png"), bare.render("hot", "sqrt"))
    np.testing.assert_array_equal(picture(tmp_path / "overlay.png"), result.render("hot", "sqrt", "value"))


def test_pictures_have_the_size_of_the_video_also_after_downscaling(tmp_path: Path) -> None:
    result = motion_heatmap(FRAMES, downscale=3)
    assert result.counts.shape == (14, 19)
    result.save(tmp_path)
    assert picture(tmp_path / "heatmap.png").shape == picture(tmp_path / "overlay.png").shape == (40, 56, 3)
    assert np.load(tmp_path / "counts.npy").shape == (14, 19)


def test_a_map_straight_from_a_counter_and_one_without_motion_can_be_saved(tmp_path: Path) -> None:
    counter = MotionCounter(4, 6)
    counter.result().save(tmp_path / "nothing")
    counter.push(noise((3, 4, 6)))
    counter.result().save(tmp_path / "counter")
    motion_heatmap(np.zeros((3, 4, 6), np.uint8), times=[0, 1, 2]).save(tmp_path / "still")
    for name in ("nothing", "counter", "still"):
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == MOTION_FILES
        assert picture(tmp_path / name / "overlay.png").shape == (4, 6, 3)
    assert json.loads((tmp_path / "still" / "summary.json").read_text())["result"]["full_scale"] == "nothing moved"


# --- merging ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"max_changed": 0.1}, {"blur": 1.0}, {"half_life": 0.3}])
def test_merged_maps_equal_one_over_everything(options: dict[str, Any]) -> None:
    def part(first: int, last: int) -> MotionHeatmap:
        return motion_heatmap(FRAMES[first:last], times=TIMES[first:last], **options)

    whole, merged = part(0, 12), part(0, 5).merge(part(4, 12))
    for name in ("counts", "moved", "counted", "times"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name), err_msg=name)
    assert merged.settings == whole.settings
    if "half_life" not in options:
        np.testing.assert_array_equal(merged.heat, whole.heat)
        return
    assert whole.decayed is not None
    assert merged.decayed is not None
    # each part's sums are finished, a factor in float64 each, before they are brought together
    np.testing.assert_allclose(merged.decayed, whole.decayed, rtol=1e-14)
    np.testing.assert_allclose(merged.heat, whole.heat, rtol=2.0**-23)
    reverse = part(4, 12).merge(part(0, 5))
    assert reverse.decayed is not None
    np.testing.assert_allclose(reverse.decayed, whole.decayed, rtol=1e-14)


def test_parts_of_one_video_can_be_merged() -> None:
    whole = motion_heatmap(FRAMES, times=TIMES)
    first = motion_heatmap(FRAMES, times=TIMES, end=0.6)
    second = motion_heatmap(FRAMES, times=TIMES, start=0.5)
    merged = first.merge(second)
    np.testing.assert_array_equal(merged.counts, whole.counts)
    np.testing.assert_array_equal(merged.frames, whole.frames)


def test_maps_of_other_sizes_and_settings_are_refused_by_name() -> None:
    result = motion_heatmap(FRAMES, times=TIMES)
    for other, message in (
        (motion_heatmap(FRAMES, times=TIMES, threshold=30), "threshold is 25 here and 30 there"),
        (motion_heatmap(FRAMES, times=TIMES, half_life=1.0), r"half_life is None here and 1.0 there"),
        (motion_heatmap(FRAMES[:, :, ::2], times=TIMES), r"\(40, 56\) and \(40, 28\)"),
        (motion_heatmap(FRAMES), "times"),
    ):
        with pytest.raises(InputError, match=message):
            result.merge(other)
