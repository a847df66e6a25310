"""The real eye-tracking export, counted once more with Python's csv module and numpy.histogram2d."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gpuheat import Backend, FixationHeatmap, OptionError, fixation_heatmap

pytestmark = pytest.mark.real_data

NAME = "pupil-cloud-reference-image-mapper"
EDGES = [np.linspace(0, 3000, 226), np.linspace(0, 4000, 301)]


@pytest.fixture(scope="module")
def export(real_data: Path) -> Path:
    return real_data / "gaze" / NAME


@pytest.fixture(scope="module")
def looks(export: Path) -> dict[str, list[tuple[float, float, int]]]:
    """By recording: x and y, px, and duration, us, of the fixations on the reference image."""
    by_recording = defaultdict(list)
    with (export / "fixations.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["fixation detected in reference image"] == "true":
                x, y = float(row["fixation x [px]"]), float(row["fixation y [px]"])
                by_recording[row["recording id"]].append((x, y, round(float(row["duration [ms]"]) * 1000)))
    return by_recording


def test_durations_are_summed_where_numpy_puts_them(
    export: Path, looks: dict[str, list[tuple[float, float, int]]], backend: Backend
) -> None:
    x, y, duration = np.array([row for rows in looks.values() for row in rows]).T
    result = fixation_heatmap(export, backend=backend)
    assert result.points == len(x) == 137
    assert result.total == duration.sum() == 58_750_000
    histogram, _, _ = np.histogram2d(y, x, bins=EDGES, weights=duration)
    np.testing.assert_array_equal(result.histogram, histogram)
    assert result.heat.shape == (3000, 4000)
    image = cv2.imread(str(export / "reference_image.jpeg"))
    np.testing.assert_array_equal(result.background, image)
    assert result.summary["result"]["duration_s"] == 58.75
    assert result.summary["result"]["size"] == {"width": 4000, "height": 3000}
    (source,) = result.facts["inputs"]
    assert source["rows"] == 202
    assert sum(source["dropped"].values()) == 202 - 137
    assert result.headline.startswith("137 fixations, 58.750 s in all, ")

    counted = fixation_heatmap(export, weight="count", size=(4000, 3000), backend=backend)
    np.testing.assert_array_equal(counted.histogram, np.histogram2d(y, x, bins=EDGES)[0])
    assert counted.background is None


def test_recordings(export: Path, looks: dict[str, list[tuple[float, float, int]]], backend: Backend) -> None:
    assert 1 < len(looks) <= 5
    together = fixation_heatmap(export, backend=backend)
    with (export / "sections.csv").open(newline="") as file:
        names = {row["recording id"]: row["recording name"] for row in csv.DictReader(file)}
    assert together.facts["recordings"] == {
        each: {"name": names[each], "points": len(rows), "duration_s": sum(row[2] for row in rows) / 1e6}
        for each, rows in looks.items()
    }
    parts = [fixation_heatmap(export, recordings=[name], size=(4000, 3000), backend=backend) for name in looks]
    np.testing.assert_array_equal(sum(part.histogram for part in parts), together.histogram)
    equal = fixation_heatmap(export, equal_recordings=True, backend=backend)
    balanced = sum(part.histogram / part.histogram.sum() for part in parts)
    assert equal.balanced is not None
    np.testing.assert_allclose(equal.balanced, balanced, rtol=1e-14)
    assert (equal.heat != together.heat).any()


def test_gaze(export: Path) -> None:
    x, y = [], []
    with (export / "gaze.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["gaze detected in reference image"] == "true" and row["fixation id"]:
                x.append(float(row["gaze position in reference image x [px]"]))
                y.append(float(row["gaze position in reference image y [px]"]))
    result = fixation_heatmap(export, use="gaze", size=(4000, 3000))
    histogram = np.histogram2d(y, x, bins=EDGES)[0]
    np.testing.assert_array_equal(result.histogram, histogram)
    assert result.points == histogram.sum()
    assert result.unit == "gaze"


CHOICES: list[dict[str, Any]] = [
    {"weight": weight, "scale": scale, "equal_recordings": equal}
    for weight in ("duration", "count")
    for scale in (3.0, 0.7)
    for equal in (False, True)
]


@pytest.fixture
def small(export: Path, tmp_path: Path) -> Path:
    """The export with an image of a tenth of the size, so that many maps are drawn in no time."""
    (tmp_path / "sections.csv").write_bytes((export / "sections.csv").read_bytes())
    with (export / "fixations.csv").open(newline="") as file, (tmp_path / "fixations.csv").open("w") as copy:
        rows = csv.DictReader(file)
        out = csv.DictWriter(copy, rows.fieldnames or ())
        out.writeheader()
        for row in rows:
            for name in ("fixation x [px]", "fixation y [px]"):
                row[name] = str(float(row[name]) / 10) if row[name] else ""
            out.writerow(row)
    return tmp_path


def test_a_choice_is_what_a_run_with_these_options_gives(small: Path) -> None:
    export = small
    first: dict[str, Any] = {"size": (400, 300), "backend": "numpy", "bins": 100}
    whole = fixation_heatmap(export, **first)
    ids = list(whole.facts["recordings"])
    for base in (whole, fixation_heatmap(export, **first, weight="count", scale=1, equal_recordings=True)):
        for choice in CHOICES:
            for recordings in (None, ids[3:] + ids[:1], ids[2:3]):
                chosen = base.chosen(recordings=recordings, **choice)
                assert_same(chosen, fixation_heatmap(export, recordings=recordings, **choice, **first))
    alone: list[dict[str, Any]] = [
        {"weight": "count"},
        {"recordings": ids[:2]},
        {"scale": 0},
        {"equal_recordings": True},
    ]
    for each in [*alone, {}]:
        assert_same(whole.chosen(**each), fixation_heatmap(export, **each, **first))
    narrowed = whole.chosen(recordings=ids[:3]).chosen(recordings=ids[:1], weight="count")
    assert_same(narrowed, fixation_heatmap(export, recordings=ids[:1], weight="count", **first))


def test_a_choice_of_gaze(export: Path) -> None:
    whole = fixation_heatmap(export, use="gaze", size=(4000, 3000), backend="numpy")
    ids = list(whole.facts["recordings"])[1:3]
    chosen = whole.chosen(recordings=ids, weight="count", equal_recordings=True)
    options: dict[str, Any] = {"use": "gaze", "recordings": ids, "equal_recordings": True}
    assert_same(chosen, fixation_heatmap(export, size=(4000, 3000), backend="numpy", **options))
    with pytest.raises(OptionError, match="no durations to weigh by"):
        whole.chosen(weight="duration")


def assert_same(one: FixationHeatmap, other: FixationHeatmap) -> None:
    """To the bit, what both say of themselves included."""
    for name in ("histogram", "balanced", "heat"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("points", "unit", "recordings", "peak", "grid"):
        assert getattr(one, name) == getattr(other, name)
    summaries = [result.summary for result in (one, other)]
    for summary in summaries:
        summary["time"] = None
    assert json.dumps(summaries[0], sort_keys=True) == json.dumps(summaries[1], sort_keys=True)
    for a, b in zip(one.by_recording or (), other.by_recording or (), strict=True):
        assert (a.id, a.name, a.points, a.points_timed) == (b.id, b.name, b.points, b.points_timed)
        np.testing.assert_array_equal(a.count.dense, b.count.dense)
        if a.duration is None or b.duration is None:
            assert a.duration is b.duration
        else:
            np.testing.assert_array_equal(a.duration.dense, b.duration.dense)


def test_recordings_add_up(export: Path, looks: dict[str, list[tuple[float, float, int]]], backend: Backend) -> None:
    result = fixation_heatmap(export, size=(4000, 3000), backend=backend)
    assert result.by_recording is not None
    assert [each.id for each in result.by_recording] == sorted(looks)
    for each in result.by_recording:
        x, y, duration = np.array(looks[each.id]).T
        assert each.points == each.points_timed == len(x)
        np.testing.assert_array_equal(each.count.dense, np.histogram2d(y, x, bins=EDGES)[0])
        assert each.duration is not None
        np.testing.assert_array_equal(each.duration.dense, np.histogram2d(y, x, bins=EDGES, weights=duration)[0])
        assert each.duration.values.dtype == each.count.values.dtype == np.uint64
