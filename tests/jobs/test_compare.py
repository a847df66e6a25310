"""Comparisons: against plain NumPy and OpenCV, zero for equals, the opposite when swapped, refused where unequal."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from clips import scene
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import blur, blur_radius, blur_tolerance

from gpuheat import (
    Comparison,
    FixationCounter,
    FixationHeatmap,
    InputError,
    MotionHeatmap,
    compare,
    fixation_heatmap,
    get_backend,
    motion_heatmap,
)
from gpuheat.cli import main
from gpuheat.outputs.difference import dimmed
from gpuheat.outputs.layout import arrange_alike, arrange_one
from gpuheat.outputs.picture import fitted, overlay

BACKEND = get_backend("numpy")
FILES = ["difference.npy", "difference.png", "figure.png", "side_by_side.png", "summary.json"]
EPS32 = float(np.finfo(np.float32).eps)
LEFT = [[0, 0], [20, 0], [20, 40], [0, 40]]
MASK = {"zones": [{"name": "left", "polygon": LEFT, "kind": "exclude"}, {"name": "a", "polygon": LEFT}]}


def moved(frames: NDArray[np.uint8], apart: float = 0.1, **options: Any) -> MotionHeatmap:
    return motion_heatmap(frames, times=[apart * n for n in range(len(frames))], backend=BACKEND, **options)


def looked(seed: int = 1, points: int = 80, *, bins: int = 24, **options: Any) -> FixationHeatmap:
    random = np.random.default_rng(seed)
    counter = FixationCounter(240, 160, bins=bins, backend=BACKEND)
    x, y, us = random.normal(90, 30, points), random.normal(80, 20, points), random.integers(1, 9**6, points, np.uint32)
    counter.push(x, y, us if options.get("unit") == "duration" else None)
    return counter.result(**options)


def png(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    assert picture is not None, path
    return np.asarray(picture, np.uint8)


# --- numbers ----------------------------------------------------------------------------------------------------


def test_motion_is_compared_as_the_share_of_the_pairs() -> None:
    a, b = moved(scene(6)), moved(scene(15, seed=1))
    result = compare(a, b)
    expected = 100 * b.counts / 14 - 100 * a.counts / 5
    assert result.difference.dtype == np.float32
    np.testing.assert_allclose(result.difference, expected, rtol=0, atol=200 * EPS32)
    np.testing.assert_array_equal(result.difference, result.b.share - result.a.share)
    assert result.summary["a"]["pairs_counted"] == 5
    row, column = np.unravel_index(int(expected.argmax()), expected.shape)
    largest = result.summary["difference"]["largest_increase"]
    assert (largest["x_px"], largest["y_px"]) == (column, row)
    assert largest["points"] == pytest.approx(expected.max())
    assert largest["b"] - largest["a"] == pytest.approx(expected.max())
    correlation = np.corrcoef(a.counts.ravel(), b.counts.ravel())[0, 1]
    assert result.correlation == pytest.approx(correlation)


def test_pairs_that_did_not_count_are_no_part_of_the_whole() -> None:
    frames = np.zeros((4, 2, 4), np.uint8)
    frames[1, 0, 0] = 200  # two of four pairs move a pixel; the last, which moves all, does not count
    frames[3] = 200
    result = compare(moved(frames[:1].repeat(3, 0)), moved(frames, max_changed=0.5))
    assert result.b.share[0, 0] == pytest.approx(100)
    assert result.b.share[1, 1] == 0
    assert any("max_changed is 1 in" in warning for warning in result.warnings)


@pytest.mark.parametrize("unit", ["duration", "count", "gaze"])
def test_fixations_are_compared_as_shares_of_the_whole(unit: Any) -> None:
    a, b = looked(1, 50, unit=unit), looked(2, 90, unit=unit)
    result = compare(a, b, backend=BACKEND)
    sigma = 0.01 * 3 * 24
    shares = [100 * heatmap.histogram / heatmap.histogram.sum() for heatmap in (a, b)]
    expected = blur(shares[1], sigma) - blur(shares[0], sigma)
    tolerance = sum(blur_tolerance(blur_radius(sigma), float(share.max())) + 100 * EPS32 for share in shares)
    np.testing.assert_allclose(result.difference, expected, rtol=0, atol=tolerance)
    both = blur(shares[0] + shares[1], sigma)
    assert result.elsewhere == pytest.approx(100 * np.abs(expected).sum() / both.sum(), rel=1e-3)
    row, column = np.unravel_index(int(result.difference.argmin()), expected.shape)
    largest = result.summary["difference"]["largest_decrease"]
    assert (largest["x_px"], largest["y_px"]) == pytest.approx((10 * column + 5, 10 * row + 5))


def test_balanced_recordings_are_compared_as_such() -> None:
    weights = np.zeros((16, 24))
    weights[3, 4:6] = (0.5, 1.5)
    a, b = (
        dataclasses.replace(
            heatmap,
            balanced=weights * (1 + number),
            settings=heatmap.settings | {"equal_recordings": True, "scale": 0.0},
            recordings=2,
        )
        for number, heatmap in enumerate((looked(1), looked(2)))
    )
    result = compare(a, b)
    assert result.a.share[3, 4:6].tolist() == [25, 75]
    assert not result.difference.any()
    assert "of a recording, on average," in result.unit


@settings(max_examples=40)
@given(seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)), blurred=st.sampled_from([0.0, 1.3]), half=st.booleans())
def test_equal_maps_differ_by_zero_and_swapped_ones_by_the_opposite(
    seeds: tuple[int, int], blurred: float, half: bool
) -> None:
    a, b = (moved(scene(3 + seed % 7, 20, 28, seed=seed), blur=blurred) for seed in seeds)
    maps: Any = (looked(seeds[0], 9), looked(seeds[1], 17)) if half else (a, b)
    for one in maps:
        same = compare(one, one, backend=BACKEND)
        assert not same.difference.any()
        assert same.limit == 0
        assert "no difference" in same.headline
    forth, back = compare(*maps, backend=BACKEND), compare(*maps[::-1], backend=BACKEND)
    np.testing.assert_array_equal(forth.difference, -back.difference)
    np.testing.assert_array_equal(forth.heat, -back.heat)
    assert forth.limit == back.limit
    assert forth.correlation == back.correlation


@settings(max_examples=30)
@given(counts=st.lists(st.integers(0, 5), min_size=4, max_size=4), times=st.integers(1, 50))
def test_the_same_share_of_more_pairs_is_the_same(counts: list[int], times: int) -> None:
    one = moved(scene(6, 2, 2))
    pairs = {name: np.repeat(getattr(one, name), times) for name in ("moved", "counted", "frames", "times")}
    one = dataclasses.replace(one, counts=np.array(counts, np.uint32).reshape(2, 2))
    more = dataclasses.replace(one, **(pairs | {"counts": one.counts * np.uint32(times)}))
    assert not compare(one, more).difference.any()


def test_nothing_moved_on_one_side() -> None:
    still, busy = moved(np.zeros((5, 48, 64, 3), np.uint8)), moved(scene(5))
    result = compare(still, busy)
    np.testing.assert_allclose(result.difference, 100 * busy.counts / 4, rtol=1e-6)
    assert result.summary["difference"]["largest_decrease"] is None
    assert result.correlation is None
    assert "no decrease" in result.headline


# --- what is refused, and what is warned of ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 30}, "threshold is 25 in A and 30 in B"),
        ({"pixels": "luma"}, "pixels is bgr in A and luma in B"),
        ({"blur": 2.0}, r"blur is 0.0 in A and 2.0 in B"),
        ({"downscale": 2}, "size of the counts is 64 x 48 px in A and 32 x 24 px in B"),
        ({"mask": np.eye(48, 64)}, "mask_sha256 is None in A and"),
        ({"zones": MASK}, r"zones_mask is None in A and left \("),
        ({"every": 2}, "every is 1 in A and 2 in B"),
    ],
)
def test_motion_measured_otherwise_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare(moved(scene(8)), moved(scene(8), **options), names=("A", "B"))


def test_frames_further_apart() -> None:
    usual, slower = moved(scene(8)), moved(scene(8), apart=0.2)
    assert compare(usual, moved(scene(8), apart=0.102)).warnings == ()
    (warning,) = compare(usual, slower, names=("A", "B")).warnings
    assert "frames are 0.1 s apart in A and 0.2 s in B" in warning
    every_second = moved(scene(16), apart=0.05, every=2)  # as far apart in time: a camera with twice the frame rate
    assert compare(usual, every_second).warnings == ()


def test_a_half_life_is_no_part_of_it() -> None:
    plain, decaying = moved(scene(8)), moved(scene(8), half_life=0.3)
    result = compare(plain, decaying)
    assert not result.difference.any()
    assert result.warnings == ("the half-life is not compared: all motion weighs the same here",)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (looked(bins=12), "number of bins is 24 x 16 in A and 12 x 8 in B"),
        (looked(scale=1), "scale is 3.0 in A and 1 in B"),
        (looked(unit="duration"), "what is added up is fixations in A and fixation time in B"),
        (FixationCounter(240, 161, bins=24).result(), "size of the image is 240 x 160 px in A and 240 x 161 px in B"),
        (looked(points=0), "B holds no fixations"),
        (moved(scene(3)), "A is of fixations, B of motion"),
        (17, "got int"),
    ],
)
def test_fixations_measured_otherwise_are_refused_by_name(other: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare(looked(), other, names=("A", "B"))


def test_zones_may_differ_but_not_what_they_leave_out() -> None:
    table = {"x": [5.0, 30.0], "y": [5.0, 30.0]}
    columns: dict[str, Any] = {"x": "x", "y": "y", "size": (64, 48), "weight": "count", "backend": BACKEND}
    whole, measured, masked = (
        fixation_heatmap(pd.DataFrame(table), zones=zones, **columns)
        for zones in (None, {"zones": MASK["zones"][1:]}, MASK)
    )
    assert not compare(whole, measured).difference.any()
    assert not compare(masked, masked).difference.any()
    with pytest.raises(InputError, match=r"zones_mask is left \(.*\) in A and None in B"):
        compare(masked, measured, names=("A", "B"))
    assert not compare(moved(scene(4)), moved(scene(4), zones={"zones": MASK["zones"][1:]})).difference.any()


def test_no_pair_is_no_share() -> None:
    with pytest.raises(InputError, match="B has no counted pair of frames"):
        compare(moved(scene(3)), moved(scene(1)), names=("A", "B"))


def test_what_only_part_of_was_read_is_told() -> None:
    whole = moved(scene(3))
    part = dataclasses.replace(whole, facts=whole.facts | {"warnings": ["incomplete: cut off", "other"]})
    assert compare(whole, part, names=("A", "B")).warnings == ("B: incomplete: cut off",)


def test_shares_of_what_is_watched_are_called_so() -> None:
    for zones, whole in (None, "picture"), (MASK, "watched pixels"):
        heatmap = moved(scene(4), zones=zones)
        assert compare(heatmap, heatmap).a.amount.endswith(f"% of the {whole} in motion at a time")


def test_two_without_a_background() -> None:
    plain = compare(looked(), looked(2))
    assert "plain grey" in plain.warnings[0]
    assert plain.render().shape == (160, 240, 3)
    blocks = (dataclasses.replace(moved(scene(4), downscale=4), background=None) for _ in range(2))
    assert compare(*blocks).render().shape == (48, 64, 3)
    page = scene(1, 160, 240)[0]
    result = compare(looked(), dataclasses.replace(looked(2), background=page))
    assert result.warnings == ()
    assert result.background is page


def test_names() -> None:
    a, b = moved(scene(3)), moved(scene(4))
    assert compare(a, b).title == "frames in memory (B) against frames in memory (A)"
    a = dataclasses.replace(a, facts=a.facts | {"input": {"name": "x.mp4"}})
    assert compare(a, b).title == "frames in memory against x.mp4"
    assert compare(a, b, names=("before", "after")).title == "after against before"


# --- pictures, files, command line ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("results")
    moved(scene(6, 60, 90)).save(root / "before")
    moved(scene(9, 60, 90, seed=1)).save(root / "after")
    return root / "before", root / "after"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


def test_command(folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    code, said, complained = run(capsys, "compare", *folders, "-o", out)
    assert (code, complained) == (0, "")
    result = compare(*folders)
    assert said == f"{result.headline} -> {out}\n"
    assert result.headline.startswith("after against before: largest increase +")
    assert sorted(path.name for path in out.iterdir()) == FILES
    np.testing.assert_array_equal(np.load(out / "difference.npy"), result.difference)
    np.testing.assert_array_equal(png(out / "difference.png"), result.render())
    summary = json.loads((out / "summary.json").read_text())
    assert summary == result.summary | {"pictures": {"colormap": "coolwarm", "tone": "percentile:99", "alpha": "value"}}
    assert (summary["a"]["name"], summary["b"]["name"]) == ("before", "after")
    assert summary["b"]["pairs_counted"] == 8


def test_objects_and_their_folders_give_the_same(folders: tuple[Path, Path]) -> None:
    read = compare(*folders)
    made = compare(moved(scene(6, 60, 90)), moved(scene(9, 60, 90, seed=1)))
    assert isinstance(read, Comparison)
    np.testing.assert_array_equal(read.difference, made.difference)


def test_options_of_the_pictures(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--colormap", "RdBu_r", "--tone", "sqrt", "--alpha", "0.5", "-q")
    assert run(capsys, "compare", *folders, "-o", tmp_path, *options) == (0, "", "")
    result = compare(*folders)
    assert result.background is not None
    expected = overlay(result.heat, dimmed(result.background), result.style("rdbu_r", "sqrt", 0.5), signed=True)
    np.testing.assert_array_equal(png(tmp_path / "difference.png"), expected)


@pytest.mark.parametrize("shape", [(30, 300), (60, 90)])
def test_the_figures_hold_the_pictures_on_one_scale(shape: tuple[int, int], tmp_path: Path) -> None:
    a, b = moved(scene(4, *shape)), moved(scene(9, *shape, seed=1))
    result = compare(a, b)
    result.save(tmp_path)
    top = np.float32(max(100 * (a.counts / 3).max(), 100 * (b.counts / 8).max()))
    pictures = [result.render()]
    for heatmap, pairs in ((b, 8), (a, 3)):
        assert heatmap.background is not None
        heat = (100.0 * heatmap.counts / pairs).astype(np.float32) / top
        pictures.append(overlay(heat, heatmap.background, heatmap.style()))
    page = png(tmp_path / "side_by_side.png")
    for picture, box in zip(pictures[::-1], arrange_alike(*shape), strict=True):
        assert holds(page, fitted(picture, box))
    figure = png(tmp_path / "figure.png")
    assert holds(figure, fitted(pictures[0], arrange_one(*shape)))
    for drawn in (page, figure):
        inner = drawn[30:-30, 30:-30]
        assert np.count_nonzero(drawn != 255) == np.count_nonzero(inner != 255)


def holds(page: NDArray[np.uint8], picture: NDArray[np.uint8]) -> bool:
    """Whether the picture is on the page, pixel for pixel."""
    _, _, (left, top), _ = cv2.minMaxLoc(cv2.matchTemplate(page, picture, cv2.TM_SQDIFF))
    return np.array_equal(page[top : top + picture.shape[0], left : left + picture.shape[1]], picture)


def test_strange_names_stay_names(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [r"<b>$\alpha$: 日本", "w" * 200]
    for folder, name in zip(folders, names, strict=True):
        shutil.copytree(folder, tmp_path / name)
    code, said, _ = run(capsys, "compare", *(tmp_path / name for name in names), "-o", tmp_path / "out")
    assert code == 0
    assert said.startswith(f"{names[1]} against {names[0]}: ")
    for name in ("figure.png", "side_by_side.png"):
        page = png(tmp_path / "out" / name)
        assert (page[:, :50] == 255).all()
        assert (page[:, -50:] == 255).all()


def test_a_result_is_not_overwritten(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    before = (folders[1] / "summary.json").read_bytes()
    code, _, complained = run(capsys, "compare", *folders, "-o", folders[1] / "." / ".." / "after")
    assert code == 2
    assert "name another folder" in complained
    assert (folders[1] / "summary.json").read_bytes() == before


def test_two_people_who_looked_at_different_places() -> None:
    left, right = (FixationCounter(400, 300, bins=40) for _ in range(2))
    left.push(np.array([0.0]), np.array([0.0]))
    right.push(np.array([300.0, 399.0]), np.array([200.0, 299.0]))
    result = compare(left.result(), right.result())
    assert result.elsewhere == pytest.approx(100)
    assert "100 % of the fixations elsewhere" in result.headline


def test_folders_of_one_name_are_told_apart(folders: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = (shutil.copytree(folder, tmp_path / folder.name / "out") for folder in folders)
    assert compare(one, other).title == f"{other} against {one}"


def test_every_error_is_one_line_and_exit_code_2(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looked().save(tmp_path / "looked")
    moved(scene(1, 60, 90)).save(tmp_path / "single")
    (tmp_path / "else").mkdir()
    for other, message in (
        (tmp_path / "looked", "before is of motion, looked of fixations"),
        (tmp_path / "single", "single has no counted pair of frames"),
        (tmp_path / "else", "holds no result, summary.json is missing"),
        (tmp_path / "nowhere", "does not exist"),
    ):
        code, said, complained = run(capsys, "compare", folders[0], other, "-o", tmp_path / "out")
        assert (code, said) == (2, "")
        assert complained.startswith("gpuheat: error: ")
        assert message in complained
        assert complained.count("\n") == 1
        assert not (tmp_path / "out").exists()


@pytest.mark.real_data
def test_two_people_before_the_same_pictures(real_data: Path) -> None:
    export = real_data / "gaze" / "pupil-cloud-reference-image-mapper"
    ids = ["737e9eee-89e5-4d1b-9b06-57d84e51eaca", "b1eafeee-a388-4c85-86a4-fa855bc4bea3"]
    result = compare(*(fixation_heatmap(export, recordings=[each]) for each in ids))
    assert result.elsewhere == pytest.approx(80.84, abs=0.01)
    largest = result.summary["difference"]["largest_decrease"]
    assert (largest["x_px"], largest["y_px"]) == pytest.approx((2513.3, 2540), abs=0.1)
