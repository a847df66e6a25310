"""Areas of interest, against a walk through the rows with Python's csv module and plain integers."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpuheat import FixationHeatmap, InputError, fixation_heatmap

WIDTH, HEIGHT = 200, 160
HEADER = [
    *("section id", "recording id", "fixation id", "start timestamp [ns]", "end timestamp [ns]", "duration [ms]"),
    *("fixation detected in reference image", "fixation x [px]", "fixation y [px]"),
]
BEGIN = 1_670_000_000_000_000_001  # ns; float64 has only every 256th there
# left, top, right and bottom, px
BOXES = {"left": (0, 0, 90, 160), "right": (90, 0, 200, 160), "spot, small": (60, 50, 120, 110), "never": (0, 0, 1, 1)}


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[x, y] for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]


def zones(scale: float = 1, **masks: Any) -> dict[str, Any]:
    """Those to be measured, and masks by name: their kind and their corners."""
    measured = [{"name": name, "polygon": box(*(scale * each for each in corners))} for name, corners in BOXES.items()]
    return {"zones": measured + [{"name": n, "polygon": box(*c), "kind": kind} for n, (kind, c) in masks.items()]}


def rows(seed: int = 0, n: int = 150) -> list[list[Any]]:
    """Fixations of three recordings, the first of two sections; many are not on the image, ben's are out of order."""
    random = np.random.default_rng(seed)
    made: list[list[Any]] = []
    for number in range(n):
        recording = ("anna", "ben", "cleo")[number // 50]
        section = "s2" if number in range(25, 50) else "s1"
        start = BEGIN + number * 300_000_007
        x, y = (round(random.uniform(0, extent), 1) for extent in (WIDTH, HEIGHT))
        if random.random() < 0.4:  # somebody stays
            x, y = tuple(made[-1][7:]) if made else (x, y)
        if number % 11 == 0:
            x = 90.0  # on an edge
        duration = "" if number % 13 == 0 else int(random.integers(80, 290))
        made.append([section, recording, number, start, start + 10**8, duration, str(number % 5 > 0).lower(), x, y])
    made[60], made[70] = made[70], made[60]
    return made


SECTIONS = [("s1", "anna", BEGIN - 5), ("s2", "anna", BEGIN + 25 * 300_000_007 + 9), ("s1", "cleo", BEGIN)]


def write(folder: Path, table: list[list[Any]], sections: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / "fixations.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *table])
    if sections:
        lines = [["section id", "recording id", "recording name", "section start time [ns]"]]
        lines += [[section, recording, recording.title(), str(start)] for section, recording, start in SECTIONS]
        with (folder / "sections.csv").open("w", newline="") as file:
            csv.writer(file).writerows(lines)
    return folder


def expected(
    table: list[list[Any]], begins: dict[tuple[str, str], int], boxes: Any = BOXES, skip: Any = lambda _row: False
) -> dict[tuple[str, str], dict[str, Any]]:
    """What every recording saw of every box, by walking through its rows in the order of their times."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    by_recording = defaultdict(list)
    for place, row in enumerate(table):
        by_recording[row[1]].append((place, row))
    for recording, mine in by_recording.items():
        whole = [row for _, row in mine if row[6] == "true" and not skip(row)]
        if not whole:
            continue
        for name, (left, top, right, bottom) in boxes.items():
            seen: dict[str, Any] = {"fixations": 0, "us": 0, "timed": 0, "visits": 0, "first": None}
            before: tuple[int, str] | None = None  # the place of the last row there, and its section
            in_order = sorted((entry for entry in mine if entry[1] in whole), key=lambda entry: entry[1][3])
            for place, row in in_order:
                if not (left <= row[7] < right and top <= row[8] < bottom):
                    before = None
                    continue
                seen["fixations"] += 1
                seen["timed"] += row[5] != ""
                seen["us"] += round(float(row[5] or 0) * 1000)
                if seen["first"] is None:
                    seen["first"] = max(0, row[3] - begins[recording, row[0]])
                away = before is None or before[1] != row[0]
                if before is not None:
                    between = table[min(before[0], place) + 1 : max(before[0], place)]
                    away = away or any(other[6] != "true" or skip(other) for other in between)
                seen["visits"] += away
                before = place, row[0]
            seen["all"], seen["all us"] = len(whole), sum(round(float(row[5] or 0) * 1000) for row in whole)
            found[recording, name] = seen
    return found


def begins_of(table: list[list[Any]], sections: bool = True) -> dict[tuple[str, str], int]:
    """When sections begin: as sections.csv says, or with the first row, on the image or not."""
    begins: dict[tuple[str, str], int] = {}
    for row in table:
        begins[row[1], row[0]] = min(row[3], begins.get((row[1], row[0]), row[3]))
    return begins | ({(recording, section): start for section, recording, start in SECTIONS} if sections else {})


def assert_looks(result: FixationHeatmap, want: dict[tuple[str, str], dict[str, Any]], boxes: Any = BOXES) -> None:
    assert result.zones is not None
    got = {(row["recording"], row["zone"]): row for row in result.zones.by_recording}
    assert list(got) == [(each, name) for each in sorted({key[0] for key in want}) for name in boxes]
    for key, row in got.items():
        one = want[key]
        assert row["fixations"] == one["fixations"], key
        assert row["share_of_fixations"] == one["fixations"] / one["all"]
        assert row["duration_s"] == one["us"] / 1e6
        assert row["mean_duration_s"] == (one["us"] / (one["timed"] * 10**6) if one["timed"] else None)
        assert row["share_of_duration"] == one["us"] / one["all us"]
        assert row["visits"] == one["visits"], key
        assert row["time_to_first_s"] == (None if one["first"] is None else one["first"] / 1e9), key
    for row in result.zones.table:
        mine = [one for (_, name), one in want.items() if name == row["zone"]]
        firsts = [one["first"] for one in mine if one["first"] is not None]
        looked = sum(one["fixations"] > 0 for one in mine)
        assert row["fixations"] == sum(one["fixations"] for one in mine)
        assert row["share_of_fixations"] == row["fixations"] / sum(one["all"] for one in mine)
        shares = {
            "fixations": [one["fixations"] / one["all"] for one in mine if one["all"]],
            "duration": [one["us"] / one["all us"] for one in mine if one["all us"]],
        }
        for what, each in shares.items():
            assert row[f"mean_share_of_{what}"] == pytest.approx(sum(each) / len(each))
        assert row["duration_s"] == sum(one["us"] for one in mine) / 1e6
        assert row["visits"] == sum(one["visits"] for one in mine)
        assert row["mean_time_to_first_s"] == (sum(firsts) / (len(firsts) * 10**9) if firsts else None)
        assert (row["recordings"], row["share_of_recordings"]) == (looked, looked / len(mine))


OPTIONS: dict[str, Any] = {"size": (WIDTH, HEIGHT), "backend": "numpy"}


@pytest.mark.parametrize("sections", [True, False])
@pytest.mark.parametrize("weight", ["duration", "count"])
def test_who_looked_where_and_when(tmp_path: Path, sections: bool, weight: Any) -> None:
    table = rows()
    export = write(tmp_path, table, sections)
    result = fixation_heatmap(export, zones=zones(), weight=weight, **OPTIONS)
    want = expected(table, begins_of(table, sections))
    assert_looks(result, want)
    told = {"begin as sections.csv says": 3 * sections, "begin with their first row": 4 - 3 * sections}
    assert result.facts["sections"] == told
    assert any(one["visits"] < one["fixations"] for one in want.values())
    assert want["anna", "never"]["fixations"] == 0
    some = {key: one for key, one in want.items() if key[0] != "ben"}
    assert_looks(result.chosen(recordings=["anna", "cleo"]), some)
    assert_looks(fixation_heatmap(export, zones=zones(), recordings=["anna", "cleo"], **OPTIONS), some)
    assert result.zones is not None
    assert [each.name for each in result.zones.recordings] == (["Anna", None, "Cleo"] if sections else [None] * 3)


def test_maps_of_different_recordings_are_merged(tmp_path: Path) -> None:
    table = rows()
    export = write(tmp_path, table)
    parts = [fixation_heatmap(export, zones=zones(), **OPTIONS).chosen(recordings=ids) for ids in (["cleo"], ["anna"])]
    parts[1].settings["selected_recordings"] = parts[0].settings["selected_recordings"] = None
    want = {key: one for key, one in expected(table, begins_of(table)).items() if key[0] != "ben"}
    assert_looks(parts[0].merge(parts[1]), want)
    assert parts[0].merge(parts[0]).zones is None
    other = fixation_heatmap(export, **OPTIONS)
    with pytest.raises(InputError, match="only equal maps can be merged: zones is None here and left"):
        other.merge(fixation_heatmap(export, zones=zones(), **OPTIONS))


def test_zones_say_what_counts(tmp_path: Path) -> None:
    """Who looks into what is left out looks away."""
    table = rows()
    masks: dict[str, Any] = {"a": ("include", (0, 0, 150, 160)), "b": ("exclude", (20, 20, 70, 90))}
    result = fixation_heatmap(write(tmp_path, table), zones=zones(**masks), **OPTIONS)
    seen = [row for row in table if row[6] == "true"]
    outside = [row for row in seen if row[7] >= 150]
    excluded = [row for row in seen if 20 <= row[7] < 70 and 20 <= row[8] < 90]
    assert outside
    assert excluded
    assert result.facts["left_out"]["outside the zones to include"] == len(outside)
    assert result.facts["left_out"]["in a zone to exclude"] == len(excluded)
    left = [row for row in seen if row not in outside and row not in excluded]
    timed = [row for row in left if row[5] != ""]
    assert (result.points, result.total) == (len(timed), sum(row[5] for row in timed) * 1000)
    assert_looks(result, expected(table, begins_of(table), skip=lambda row: row in outside or row in excluded))
    only_masks = fixation_heatmap(tmp_path, zones={"zones": zones(**masks)["zones"][-2:]}, **OPTIONS)
    np.testing.assert_array_equal(only_masks.histogram, result.histogram)
    assert only_masks.zones is None
    assert [area.zone.name for area in only_masks.areas] == ["a", "b"]
    chosen = result.chosen(recordings=["ben"], weight="count")
    run = fixation_heatmap(tmp_path, zones=zones(**masks), recordings=["ben"], weight="count", **OPTIONS)
    assert chosen.facts["left_out"] == run.facts["left_out"]
    np.testing.assert_array_equal(chosen.histogram, run.histogram)


def test_files(tmp_path: Path) -> None:
    result = fixation_heatmap(write(tmp_path / "export", rows()), zones=zones(), **OPTIONS)
    assert result.zones is not None
    result.save(tmp_path / "out")
    with (tmp_path / "out" / "zones.csv").open(newline="") as file:
        assert [row["zone"] for row in csv.DictReader(file)] == [*BOXES]
    with (tmp_path / "out" / "zones_recordings.csv").open(newline="") as file:
        table = [*csv.DictReader(file)]
    for row, want in zip(table, result.zones.by_recording, strict=True):
        assert row == {name: "" if value is None else str(value) for name, value in want.items()}
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["zones"] == result.zones.table
    assert summary["settings"]["zones"].startswith("left, right, spot, small and 1 more (")


def test_pupil_players_times_are_seconds(tmp_path: Path) -> None:
    """Without a sections.csv, a recording begins with the first row, be it on the surface or not."""
    lines = [
        "world_timestamp,world_index,fixation_id,start_timestamp,duration,dispersion,norm_pos_x,norm_pos_y,"
        "x_scaled,y_scaled,on_surf",
        "1,1,1,329.25,100,1,0.9,0.5,0,0,False",
        "1,1,2,330.5,200,1,0.2,0.5,0,0,True",
        "1,2,2,330.5,200,1,0.2,0.5,0,0,True",
        "1,3,3,331.0,300,1,0.2,0.5,0,0,True",
        "1,4,4,331.5,300,1,0.8,0.5,0,0,True",
    ]
    (tmp_path / "fixations_on_surface_page.csv").write_text("\n".join(lines))
    result = fixation_heatmap(tmp_path, zones=zones(), **OPTIONS)
    assert result.zones is not None
    left, right, *_ = result.zones.table
    assert (left["fixations"], left["visits"], left["duration_s"], left["mean_time_to_first_s"]) == (2, 1, 0.5, 1.25)
    assert (right["fixations"], right["visits"], right["mean_time_to_first_s"]) == (1, 1, 2.25)


def test_tables_without_times_and_durations() -> None:
    table = pd.DataFrame({"gx": [10.0, 20.0, 150.0, 30.0], "gy": [80.0] * 4})
    result = fixation_heatmap(table, x="gx", y="gy", zones=zones(), **OPTIONS)
    assert result.zones is not None
    left = result.zones.table[0]
    assert (left["fixations"], left["visits"], left["share_of_fixations"]) == (3, 2, 0.75)
    assert [left[name] for name in ("duration_s", "mean_duration_s", "share_of_duration", "mean_time_to_first_s")] == [
        None
    ] * 4


@pytest.mark.real_data
def test_real_fixations(real_data: Path, tmp_path: Path) -> None:
    export = real_data / "gaze" / "pupil-cloud-reference-image-mapper"
    with (export / "fixations.csv").open(newline="") as file:
        table = [[row[name] for name in HEADER] for row in csv.DictReader(file)]
    for row in table:
        row[3], row[5:] = int(row[3]), [row[5], row[6], *(float(each or "nan") for each in row[7:])]
    with (export / "sections.csv").open(newline="") as file:
        begins = {
            (row["recording id"], row["section id"]): int(row["section start time [ns]"])
            for row in csv.DictReader(file)
        }
    boxes = {name: tuple(20 * each for each in corners) for name, corners in BOXES.items()}
    for each in ("fixations.csv", "sections.csv"):  # without the image, which takes long to read
        shutil.copy(export / each, tmp_path)
    result = fixation_heatmap(tmp_path, zones=zones(20), size=(4000, 3000), bins=20, backend="numpy")
    want = expected(table, begins, boxes)
    assert sum(one["visits"] for one in want.values()) > 50
    assert_looks(result, want, boxes)


@pytest.mark.real_data
def test_real_gaze(real_data: Path, tmp_path: Path) -> None:
    export = real_data / "gaze" / "pupil-cloud-reference-image-mapper"
    shutil.copy(export / "gaze.csv", tmp_path)
    result = fixation_heatmap(tmp_path, use="gaze", zones=zones(20), size=(4000, 3000), bins=20, backend="numpy")
    visits, samples, firsts = [0] * 2, [0] * 2, [dict[str, int](), dict[str, int]()]
    begins: dict[str, int] = {}
    inside: list[str | None] = [None, None]
    with (export / "gaze.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            recording, time = row["recording id"], int(row["timestamp [ns]"])
            begins.setdefault(recording, time)
            x = float(row["gaze position in reference image x [px]"] or "nan")
            y = float(row["gaze position in reference image y [px]"] or "nan")
            on_image = row["gaze detected in reference image"] == "true" and 0 <= x <= 4000 and 0 <= y <= 3000
            for zone, there in enumerate((x < 1800, x >= 1800)):
                if not on_image:
                    inside[zone] = None
                elif row["fixation id"]:
                    samples[zone] += there
                    visits[zone] += there and inside[zone] != recording
                    inside[zone] = recording if there else None
                    if there:
                        firsts[zone].setdefault(recording, time - begins[recording])
    assert result.zones is not None
    for row, visit, sample, first in zip(result.zones.table, visits, samples, firsts, strict=False):
        assert (row["gaze_samples"], row["visits"], row["recordings"]) == (sample, visit, len(first))
        assert row["mean_time_to_first_s"] == sum(first.values()) / (len(first) * 10**9)
        assert "duration_s" not in row
