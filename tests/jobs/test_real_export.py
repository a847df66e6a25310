"""The real eye-tracking export, counted once more with Python's csv module and numpy.histogram2d."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from gpuheat import Backend, fixation_heatmap

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
    assert together.facts["recordings"] == {
        name: {"points": len(rows), "duration_s": sum(row[2] for row in rows) / 1e6} for name, rows in looks.items()
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
