"""The fixation heat map against the recipe in OpenCV, its pictures and its files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import scene
from numpy.typing import NDArray
from reference import EPS32, blur, blur_radius, blur_tolerance
from result_files import FIXATION_FILES

from gpuheat import Backend, FixationCounter, FixationHeatmap, InputError, OptionError, get_backend
from gpuheat.fixation.recording import select_recordings
from gpuheat.outputs.style import PictureStyle

WIDTH, HEIGHT = 320, 200

# What Lanczos with eight taps can make of an error of 1, per direction: the sum of its weights' amounts, at most 1.72
LANCZOS_GAIN = 1.72**2


def looks(n: int = 3000, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint32]]:
    """Points in three clusters, some of them outside."""
    random = np.random.default_rng(seed)
    cluster = random.integers(0, 3, n)
    x = random.normal(np.array([60, 160, 300])[cluster], np.array([15, 40, 20])[cluster])
    y = random.normal(np.array([50, 100, 180])[cluster], np.array([20, 40, 30])[cluster])
    return x, y, random.integers(50_000, 900_000, n, np.uint32)


def looked(unit: Any = "duration", scale: float = 3.0, **options: Any) -> FixationHeatmap:
    counter = FixationCounter(WIDTH, HEIGHT, **options)
    x, y, weight = looks()
    counter.push(x, y, weight if unit == "duration" else None)
    return counter.result(scale=scale, unit=unit)


def recipe(histogram: NDArray[Any], scale: float, size: tuple[int, int]) -> NDArray[np.float32]:
    """Blur, divide by the maximum, resize, clip: in OpenCV."""
    sigma = 0.01 * scale * max(histogram.shape)
    blurred = histogram.astype(np.float32)
    if sigma > 0:
        blurred = np.asarray(cv2.GaussianBlur(blurred, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))
    resized = cv2.resize(blurred / blurred.max(), size, interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(resized.clip(0, 1), np.float32)


def tolerance(values: NDArray[Any], scale: float) -> float:
    """How far the heat may be off: two blurs, the division by a maximum that is as far off, the resizing."""
    sigma = 0.01 * scale * max(values.shape)
    blurred = blur(values, sigma) if sigma else values.astype(np.float64)
    share = blur_tolerance(blur_radius(sigma), float(values.max())) / float(blurred.max()) if sigma else 0.0
    return 2 * (2 * share + EPS32) * LANCZOS_GAIN + 16 * EPS32 * LANCZOS_GAIN


# --- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0, 0.4, 1, 3])
@pytest.mark.parametrize("bins", [300, 64, 7])
def test_heat_is_the_recipes(backend: Backend, scale: float, bins: int) -> None:
    result = looked(scale=scale, bins=bins, backend=backend)
    x, y, weight = looks()
    edges = [np.linspace(0, size, n + 1) for size, n in zip((HEIGHT, WIDTH), result.histogram.shape, strict=True)]
    histogram, _, _ = np.histogram2d(y, x, bins=edges, weights=weight)
    np.testing.assert_array_equal(result.histogram, histogram)
    assert result.heat.dtype == np.float32
    assert result.heat.shape == (HEIGHT, WIDTH)
    allowed = tolerance(histogram, scale)
    assert allowed < 0.01
    np.testing.assert_allclose(result.heat, recipe(histogram, scale, (WIDTH, HEIGHT)), rtol=0, atol=allowed)
    assert result.heat.min() >= 0
    assert result.heat.max() <= 1
    peak = blur(histogram, 0.01 * scale * bins).max() if scale else histogram.max()
    assert result.peak == pytest.approx(peak, rel=allowed)
    assert result.settings == {"bins": bins, "scale": scale, "backend": backend.name}


def test_nobody_looked(backend: Backend, tmp_path: Path) -> None:
    result = FixationCounter(WIDTH, HEIGHT, backend=backend).result()
    assert not result.heat.any()
    assert result.heat.shape == (HEIGHT, WIDTH)
    assert (result.peak, result.total, result.points, result.full_scale) == (0, 0, 0, "nobody looked")
    result.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FIXATION_FILES


@pytest.mark.parametrize("scale", [-1.0, float("nan"), float("inf")])
def test_scales_that_are_none(scale: float) -> None:
    with pytest.raises(OptionError, match="scale must be a finite number of at least 0"):
        FixationCounter(WIDTH, HEIGHT).result(scale=scale)


def test_what_a_hundred_percent_stands_for() -> None:
    counter = FixationCounter(400, 300, bins=20)
    counter.push(np.array([5.0, 6.0]), np.array([5.0, 6.0]), np.array([1_500_000, 250_000], np.uint32))
    in_bin = "per bin of 20 x 20 px"
    assert counter.result(scale=0, unit="duration").full_scale == f"100 % = 1.75 s of fixation {in_bin}"
    assert counter.result(scale=0, unit="count").full_scale == f"100 % = 1.75e+06 fixations {in_bin}"
    one = FixationCounter(400, 300, bins=300)
    one.push(np.array([5.0]), np.array([5.0]))
    assert one.result(scale=0, unit="gaze").full_scale == "100 % = 1 gaze samples per bin of 1.33 x 1.33 px"
    blurred = one.result(scale=1)
    assert blurred.full_scale == f"100 % = {blurred.peak:.3g} fixations per bin of 1.33 x 1.33 px, blurred"
    assert blurred.peak < 0.1


# --- pictures and files -----------------------------------------------------------------------------------------


def test_render_and_notebook() -> None:
    result = looked()
    colors = cv2.applyColorMap((result.heat * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    np.testing.assert_array_equal(result.render(), colors)
    page = scene(1, HEIGHT, WIDTH)[0]
    over = dataclasses.replace(result, background=page)
    np.testing.assert_array_equal(over.render(alpha=0.5), cv2.addWeighted(page, 0.5, colors, 0.5, 0))
    shown = over.render()
    nowhere, hot = result.heat == 0, result.heat > 0.9
    assert nowhere.any()
    np.testing.assert_array_equal(shown[nowhere], page[nowhere])
    assert (shown[hot] != page[hot]).any(axis=1).all()
    assert (over.render("jet") != shown).any()
    assert (over.render(tone="log") != shown).any()
    png = over._repr_png_()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED), shown)


@pytest.mark.parametrize("style", [None, PictureStyle("jet", "sqrt", 0.25)])
def test_saves_five_files(tmp_path: Path, style: PictureStyle | None) -> None:
    page = scene(1, HEIGHT, WIDTH)[0]
    result = dataclasses.replace(looked(), background=page, facts={"inputs": [{"rows": 3100}], "note": "ü"})
    result.save(tmp_path / "a" / "out", style)
    files = {path.name: path for path in (tmp_path / "a" / "out").iterdir()}
    assert sorted(files) == FIXATION_FILES
    histogram = np.load(files["histogram.npy"], allow_pickle=False)
    assert histogram.dtype == np.uint64
    np.testing.assert_array_equal(histogram, result.histogram)
    drawn = ("turbo", "linear", "value") if style is None else ("jet", "sqrt", 0.25)
    bare = dataclasses.replace(result, background=None)
    for name, expected in (("heatmap.png", bare.render(*drawn)), ("overlay.png", result.render(*drawn))):
        np.testing.assert_array_equal(cv2.imread(str(files[name]), cv2.IMREAD_UNCHANGED), expected)
        assert expected.shape == (HEIGHT, WIDTH, 3)
    assert cv2.imread(str(files["figure.png"])) is not None
    summary = json.loads(files["summary.json"].read_text("utf-8"))
    assert summary == {
        "inputs": [{"rows": 3100}],
        "note": "ü",
        "settings": {"bins": 300, "scale": 3.0, "backend": result.settings["backend"]},
        "result": {
            "size": {"width": WIDTH, "height": HEIGHT},
            "bins": {"nx": 300, "ny": 188},
            "points": result.points,
            "unit": "duration",
            "duration_s": int(result.histogram.sum()) / 1e6,
            "full_scale": result.full_scale,
        },
        "pictures": dict(zip(("colormap", "tone", "alpha"), drawn, strict=True)),
    }
    assert f"{3100 - result.points:,} of 3,100 rows left out" in result.headline


# --- merging ----------------------------------------------------------------------------------------------------


def test_merged_maps_equal_one_over_everything(backend: Backend) -> None:
    x, y, weight = looks()
    counters = [FixationCounter(WIDTH, HEIGHT, backend=backend) for _ in range(2)]
    for counter, part in zip(counters, (slice(1000), slice(1000, None)), strict=True):
        counter.push(x[part], y[part], weight[part])
    merged = counters[0].result(unit="duration").merge(counters[1].result(unit="duration"), backend=backend)
    whole = looked(backend=backend)
    np.testing.assert_array_equal(merged.histogram, whole.histogram)
    np.testing.assert_array_equal(merged.heat, whole.heat)
    assert (merged.points, merged.total, merged.peak) == (whole.points, whole.total, whole.peak)
    assert merged.settings == whole.settings
    assert merged.full_scale == whole.full_scale


def test_maps_of_another_kind_are_refused_by_name() -> None:
    result = looked()
    for other, message in (
        (looked(scale=1), "scale is 3.0 here and 1 there"),
        (looked(unit="count"), "unit is duration here and count there"),
        (looked(bins=100), "nx=300.*nx=100"),
        (FixationCounter(WIDTH, 201).result(unit="duration"), r"height=200\.0.*height=201\.0"),
    ):
        with pytest.raises(InputError, match=message):
            result.merge(other)


# --- recordings -------------------------------------------------------------------------------------------------


def of_recordings(backend: Backend, names: str, pieces: int = 5) -> FixationCounter:
    """Pieces of the points, of the recordings that the letters name in turn."""
    x, y, weight = looks()
    counter = FixationCounter(WIDTH, HEIGHT, bins=40, backend=backend)
    for number in range(pieces):
        part = slice(number, None, pieces)
        counter.push(x[part], y[part], weight[part], recording=names[number % len(names)])
    return counter


def test_recordings_of_a_counter(backend: Backend) -> None:
    result = of_recordings(backend, "cab").result(unit="duration")
    assert result.by_recording is not None
    assert [each.id for each in result.by_recording] == ["a", "b", "c"]
    x, y, weight = looks()
    edges = [np.linspace(0, HEIGHT, result.grid.ny + 1), np.linspace(0, WIDTH, result.grid.nx + 1)]
    number = np.arange(len(x)) % 5 % 3
    for each, which in zip(result.by_recording, (1, 2, 0), strict=True):
        mine = number == which
        count = np.histogram2d(y[mine], x[mine], bins=edges)[0]
        np.testing.assert_array_equal(each.count.dense, count)
        assert each.points == count.sum()
        assert each.duration is not None
        durations = np.histogram2d(y[mine], x[mine], bins=edges, weights=weight[mine])[0]
        np.testing.assert_array_equal(each.duration.dense, durations)
    total = sum(each.duration.dense for each in result.by_recording if each.duration is not None)
    np.testing.assert_array_equal(result.histogram, total)
    np.testing.assert_array_equal(result.chosen(backend=backend).heat, result.heat)


def test_merged_recordings(backend: Backend) -> None:
    one, other = of_recordings(backend, "ab"), of_recordings(backend, "bcd")
    maps = [each.result(unit="duration") for each in (one, other)]
    one.merge(other)
    by_counters, by_maps = one.result(unit="duration"), maps[0].merge(maps[1], backend=backend)
    equal = [each.chosen(equal_recordings=True, backend=backend) for each in maps]
    balanced = equal[0].merge(equal[1], backend=backend).balanced
    assert balanced is not None
    for merged in (by_counters, by_maps):
        assert merged.by_recording is not None
        assert [each.id for each in merged.by_recording] == ["a", "b", "c", "d"]
        assert sum(each.count.total for each in merged.by_recording) == merged.points
        parts = [each.duration.dense for each in merged.by_recording if each.duration is not None]
        np.testing.assert_array_equal(merged.histogram, sum(parts))
        np.testing.assert_array_equal(balanced, sum(part / part.sum() for part in parts))
    np.testing.assert_array_equal(by_counters.histogram, by_maps.histogram)
    assert by_maps.recordings == 4


def test_points_without_a_recording() -> None:
    counter = of_recordings(get_backend("numpy"), "ab")
    assert counter.result(unit="count").by_recording is None  # these weights are no numbers of points
    counter.push(np.array([1.0]), np.array([1.0]), np.array([1], np.uint32))
    result = counter.result(unit="duration")
    assert result.by_recording is None
    with pytest.raises(InputError, match="does not know what each recording adds"):
        result.chosen(scale=1)


def test_a_recording_named_instead_of_its_id_is_told_it() -> None:
    known = {"5a-1": "Anna", "5a-2": "Ben", "5a-3": None}
    assert select_recordings(["5a-2"], known) == ["5a-2"]
    with pytest.raises(OptionError) as error:
        select_recordings("Ben", known)
    assert str(error.value) == (
        "no recording 'Ben' with usable rows: there are 5a-1 (Anna), 5a-2 (Ben), 5a-3; did you mean '5a-2'?"
    )


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"recordings": ["aa"]}, "no recording 'aa'.*did you mean 'a'"),
        ({"weight": "time"}, "weight must be 'duration' or 'count', got 'time'"),
        ({"scale": -1}, "scale must be"),
    ],
)
def test_choices_that_are_none(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        of_recordings(get_backend("numpy"), "ab").result(unit="duration").chosen(**choice)
