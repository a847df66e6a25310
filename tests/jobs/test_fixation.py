"""From eye-tracking exports to a fixation heat map, every option against a count with Python's csv module."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from clips import scene
from numpy.typing import NDArray

from gpuheat import Backend, InputError, OptionError, fixation_heatmap
from gpuheat.errors import ExportError
from gpuheat.fixation.recording import Weight

WIDTH, HEIGHT = 200, 160
HEADER = [
    *("section id", "recording id", "fixation id", "start timestamp [ns]", "end timestamp [ns]", "duration [ms]"),
    *("fixation detected in reference image", "fixation x [px]", "fixation y [px]"),
]
EDGES = [np.linspace(0, HEIGHT, 241), np.linspace(0, WIDTH, 301)]


def rows(seed: int = 0, n: int = 120) -> list[list[Any]]:
    """Fixations of three recordings of unequal length; every fifth was not on the image."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(n):
        recording = ("anna", "ben", "cleo")[random.choice(3, p=[0.6, 0.3, 0.1])]
        start = 1_670_000_000_000_000_000 + number * 10**9
        place = [round(random.uniform(0, WIDTH), 3), round(random.uniform(0, HEIGHT), 3)]
        ids = [f"{recording}'s section", recording, number]
        made.append([*ids, start, start + 10**8, random.integers(80, 900), str(number % 5 > 0).lower(), *place])
    return made


def write_csv(path: Path, table: list[list[Any]]) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *table])
    return path


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder with fixations and a reference image."""
    write_csv(tmp_path / "export" / "fixations.csv", rows())
    assert cv2.imwrite(str(tmp_path / "export" / "reference_image.png"), scene(1, HEIGHT, WIDTH)[0])
    return tmp_path / "export"


def binned(table: list[list[Any]], *recordings: str, weight: str = "duration") -> NDArray[np.float64]:
    """The histogram of the rows that are on the image, in us or numbers of fixations."""
    kept = [row for row in table if row[6] == "true" and (not recordings or row[1] in recordings)]
    weights = [int(row[5]) * 1000 if weight == "duration" else 1 for row in kept]
    x, y = [row[7] for row in kept], [row[8] for row in kept]
    return np.asarray(np.histogram2d(y, x, bins=EDGES, weights=weights)[0])


def test_a_folder_with_its_reference_image(export: Path, backend: Backend) -> None:
    result = fixation_heatmap(export, backend=backend)
    np.testing.assert_array_equal(result.histogram, binned(rows()))
    np.testing.assert_array_equal(result.background, scene(1, HEIGHT, WIDTH)[0])
    assert result.points == 96
    assert result.recordings == 3
    assert result.unit == "duration"
    assert result.facts["inputs"][0]["rows"] == 120
    assert result.facts["inputs"][0]["dropped"]["not detected"] == 24
    assert result.settings["scale"] == 3.0
    assert result.facts["recordings"] == {
        name: {
            "points": int(binned(rows(), name, weight="count").sum()),
            "duration_s": binned(rows(), name).sum() / 1e6,
        }
        for name in ("anna", "ben", "cleo")
    }


def test_the_size_alone_and_the_image_given(export: Path) -> None:
    beside = fixation_heatmap(export)
    for given in (export / "reference_image.png", str(export / "reference_image.png"), scene(1, HEIGHT, WIDTH)[0]):
        result = fixation_heatmap(export / "fixations.csv", reference=given)
        np.testing.assert_array_equal(result.heat, beside.heat)
        np.testing.assert_array_equal(result.background, beside.background)
    sized = fixation_heatmap(export, size=(WIDTH, HEIGHT))
    np.testing.assert_array_equal(sized.heat, beside.heat)
    assert sized.background is None
    larger = fixation_heatmap(export, size=(2 * WIDTH, HEIGHT), bins=100)
    assert larger.heat.shape == (HEIGHT, 2 * WIDTH)
    assert larger.histogram.shape == (40, 100)


def test_weight_scale_and_recordings(export: Path) -> None:
    np.testing.assert_array_equal(fixation_heatmap(export, weight="count").histogram, binned(rows(), weight="count"))
    sharp, soft = fixation_heatmap(export, scale=0.5), fixation_heatmap(export, scale=5)
    assert (sharp.peak > 5 * soft.peak, sharp.settings["scale"], soft.settings["scale"]) == (True, 0.5, 5)
    some = fixation_heatmap(export, recordings=["anna", "cleo"])
    np.testing.assert_array_equal(some.histogram, binned(rows(), "anna", "cleo"))
    assert some.recordings == 2
    assert some.facts["left_out"]["recording not selected"] == np.count_nonzero(
        [row[1] == "ben" and row[6] == "true" for row in rows()]
    )
    with pytest.raises(OptionError, match=r"no recording 'ana'.*did you mean 'anna'"):
        fixation_heatmap(export, recordings=["ana"])


def test_equal_recordings(export: Path, backend: Backend) -> None:
    parts = [binned(rows(), name) for name in ("anna", "ben", "cleo")]
    result = fixation_heatmap(export, equal_recordings=True, scale=0, backend=backend)
    expected = np.sum([part / part.sum() for part in parts], axis=0)
    assert result.balanced is not None
    np.testing.assert_allclose(result.balanced, expected, rtol=1e-15)
    np.testing.assert_array_equal(result.histogram, sum(parts))  # the sums themselves stay
    resized = cv2.resize(
        (expected / expected.max()).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_LANCZOS4
    )
    np.testing.assert_allclose(result.heat, resized.clip(0, 1), rtol=0, atol=1e-6)
    share = 100 * expected.max() / 3
    assert result.full_scale.startswith(f"100 % = {share:.3g} % of a recording, on average, per bin")
    assert result.settings["equal_recordings"] is True
    assert (result.heat != fixation_heatmap(export, scale=0).heat).any()


def test_several_exports_add_up_and_a_fixation_counts_once(export: Path, tmp_path: Path) -> None:
    more = rows(seed=1)
    for number, row in enumerate(more[:60]):
        row[1], row[2] = "dora", 1000 + number
    more[60:] = rows()[60:]  # fixations that are in the first export already
    write_csv(tmp_path / "other" / "fixations.csv", more)
    result = fixation_heatmap([export, tmp_path / "other"], size=(WIDTH, HEIGHT))
    np.testing.assert_array_equal(result.histogram, binned(rows()) + binned(more[:60]))
    assert len(result.facts["inputs"]) == 2
    assert result.facts["left_out"]["fixation in an earlier export already"] == 48


def test_tables_in_memory(backend: Backend) -> None:
    table = pd.DataFrame([row for row in rows() if row[6] == "true"], columns=HEADER)
    looks = pd.DataFrame(
        {"gx": table[HEADER[7]] / WIDTH, "gy": table[HEADER[8]] / HEIGHT, "ms": table["duration [ms]"]}
    )
    options: dict[str, Any] = {"size": (WIDTH, HEIGHT), "x": "gx", "y": "gy", "normalized": True, "backend": backend}
    # a share times the size can fall on the other side of an edge: the same arithmetic for the reference
    x, y = looks["gx"].to_numpy() * WIDTH, looks["gy"].to_numpy() * HEIGHT
    result = fixation_heatmap(looks, duration="ms", **options)
    durations = looks["ms"].to_numpy() * 1000
    np.testing.assert_array_equal(result.histogram, np.histogram2d(y, x, bins=EDGES, weights=durations)[0])
    counted = fixation_heatmap(looks, **options)  # without a column of durations all weigh the same
    np.testing.assert_array_equal(counted.histogram, np.histogram2d(y, x, bins=EDGES)[0])
    assert counted.unit == "count"


def test_gaze_samples(tmp_path: Path) -> None:
    header = "section id,recording id,timestamp [ns],gaze detected in reference image,"
    header += "gaze position in reference image x [px],gaze position in reference image y [px],fixation id"
    lines = ["s,r,1,true,10,10,1", "s,r,2,true,10.5,10.5,", "s,r,3,false,10,10,1", "s,r,4,true,150,100,2"]
    (tmp_path / "gaze.csv").write_text("\n".join([header, *lines]))
    options: dict[str, Any] = {"use": "gaze", "size": (WIDTH, HEIGHT), "bins": 20}
    result = fixation_heatmap(tmp_path, **options)
    assert (result.points, result.unit, result.histogram[1, 1], result.histogram[10, 15]) == (2, "gaze", 1, 1)
    everything = fixation_heatmap(tmp_path, unfixated_gaze=True, **options)
    assert (everything.points, everything.histogram[1, 1]) == (3, 2)
    with pytest.raises(OptionError, match="gaze samples have no duration"):
        fixation_heatmap(tmp_path, weight="duration", **options)


def test_no_rows_give_a_map_of_zeros_and_a_warning(tmp_path: Path) -> None:
    result = fixation_heatmap(write_csv(tmp_path / "fixations.csv", []), size=(WIDTH, HEIGHT))
    assert not result.heat.any()
    assert result.heat.shape == (HEIGHT, WIDTH)
    assert result.facts["warnings"]
    assert result.points == 0


def test_what_is_refused(export: Path, tmp_path: Path) -> None:
    image = str(export / "reference_image.png")
    alone = write_csv(tmp_path / "alone" / "fixations.csv", rows())
    other = write_csv(tmp_path / "other" / "fixations.csv", rows())
    assert cv2.imwrite(str(tmp_path / "other" / "reference_image.png"), scene(1, HEIGHT, WIDTH)[0])
    for source, options, error, message in (
        (export, {"reference": image, "size": (1, 1)}, OptionError, "not both"),
        (alone, {}, OptionError, r"no reference_image\.\*"),
        ([export, other], {}, OptionError, "several reference images"),
        ([], {}, OptionError, "no source"),
        (tmp_path / "missing", {"size": (1, 1)}, ExportError, "missing does not exist"),
        (export, {"weight": "mass"}, OptionError, "weight must be"),
        (
            export,
            {"x": "fixation x [px]", "y": "fixation y [px]", "weight": "duration"},
            OptionError,
            "name the column of the duration",
        ),
        (export, {"use": "blinks"}, OptionError, "use must be"),
        (export, {"scale": -1}, OptionError, "scale must be"),
        (export, {"bins": 0}, OptionError, "bins must be"),
        (export, {"size": (0, 5)}, OptionError, "size must be"),
        (export, {"min_confidence": 2}, OptionError, "min_confidence must be"),
        (export, {"reference": np.zeros((5, 5), np.uint8)}, InputError, "a reference image must be uint8"),
        (export, {"reference": str(alone)}, InputError, "not in a format that OpenCV reads"),
    ):
        with pytest.raises(error, match=message):
            fixation_heatmap(source, **options)


def test_a_choice_knows_which_fixations_have_no_duration(export: Path) -> None:
    table = rows()
    for row in table[::3]:
        row[5] = ""
    for row in table:
        if row[1] == "cleo":
            row[5] = "unknown"
    write_csv(export / "fixations.csv", table)
    weights: list[Weight] = ["duration", "count"]
    by_weight = {weight: fixation_heatmap(export, weight=weight) for weight in weights}
    assert (by_weight["duration"].recordings, by_weight["count"].recordings) == (2, 3)
    for weight, expected in by_weight.items():
        for result in by_weight.values():
            chosen = result.chosen(weight=weight)
            np.testing.assert_array_equal(chosen.histogram, expected.histogram)
            assert (chosen.points, chosen.recordings) == (expected.points, expected.recordings)
            assert chosen.facts["recordings"] == expected.facts["recordings"]
            assert chosen.facts["left_out"] == expected.facts["left_out"]
    assert by_weight["duration"].facts["left_out"]["no duration"] == sum(
        row[6] == "true" and row[5] in ("", "unknown") for row in table
    )


def test_names_of_recordings(export: Path) -> None:
    sections = "section id,recording id,recording name\na,anna,Anna\u2019s \u00fcber-look\nb,ben,\n"
    (export / "Sections.csv").write_text(sections, "utf-8")
    result = fixation_heatmap(export)
    assert result.by_recording is not None
    assert [each.name for each in result.by_recording] == ["Anna\u2019s \u00fcber-look", None, None]
    (export / "Sections.csv").write_text("a,b\n1,2\n")
    unreadable = fixation_heatmap(export)
    assert "has no column 'recording id'; the recordings have no names" in unreadable.facts["warnings"][0]
    np.testing.assert_array_equal(unreadable.histogram, result.histogram)
