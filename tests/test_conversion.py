"""Heat maps for xarray, Arrow, pandas and polars: the same numbers in the right places."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray
from clips import scene

from gpuheat import FixationCounter, FixationHeatmap, GpuheatError, MotionHeatmap, motion_heatmap
from gpuheat.errors import MissingPackageError

TIMES = [n / 10 for n in range(12)]


def moved(**options: Any) -> MotionHeatmap:
    given: dict[str, Any] = {"times": TIMES} | options
    return motion_heatmap(scene(12, 40, 57), **given)


def looked(**options: Any) -> FixationHeatmap:
    counter = FixationCounter(400, 300, bins=40)
    random = np.random.default_rng(5)
    counter.push(random.uniform(0, 400, 90), random.uniform(0, 300, 90), random.integers(1, 9**6, 90, np.uint32))
    return counter.result(**options)


def test_motion_in_xarray() -> None:
    result = moved(half_life=0.5)
    data = result.to_xarray()
    assert (data.counts.dims, data.counts.shape) == (("y", "x"), (40, 57))
    assert data.counts.dtype == np.uint32
    assert int(data.counts.sel(y=17, x=30)) == result.counts[17, 30]
    np.testing.assert_array_equal(data.heat, result.heat)
    np.testing.assert_array_equal(data.decayed, result.decayed)
    assert float(data.activity.sel(time=0.3)) == result.activity[2]
    assert data.frame.values.tolist() == list(range(1, 12))
    assert data.counted.all()
    assert {name: data.attrs[name] for name in ("threshold", "half_life")} == {"threshold": 25, "half_life": 0.5}
    assert "mask" not in data.attrs


def test_motion_without_times_lies_along_the_frames() -> None:
    data = moved(times=None).to_xarray()
    assert data.activity.dims == ("frame",)
    assert "time" not in data.coords
    assert "decayed" not in data


def test_blocks_lie_where_their_pixels_do() -> None:
    data = moved(downscale=4).to_xarray()  # 57 = 14 * 4 + 1
    assert data.y.values.tolist() == [1.5 + 4 * n for n in range(10)]
    assert data.x.values.tolist() == [*(1.5 + 4 * n for n in range(14)), 56.0]


@pytest.mark.parametrize("unit", ["duration", "count", "gaze"])
def test_fixations_in_xarray(unit: Any) -> None:
    result = looked(unit=unit)
    data = result.to_xarray()
    assert (data.histogram.dims, data.histogram.shape) == (("y", "x"), (30, 40))
    np.testing.assert_array_equal(data.x_edge, np.linspace(0, 400, 41))
    np.testing.assert_allclose(data.y, np.linspace(5, 295, 30))
    row, column = np.unravel_index(int(result.histogram.argmax()), result.histogram.shape)
    peak = data.histogram.sel(x=10 * column + 3, y=10 * row + 8, method="nearest")
    assert int(peak) == result.histogram.max()
    assert data.heat.sel(image_x=0.5, image_y=299.5) == result.heat[299, 0]
    assert data.attrs["unit"] == unit


def test_datasets_can_be_written_as_netcdf(tmp_path: Path) -> None:
    for number, data in enumerate((moved(half_life=1).to_xarray(), looked(unit="count").to_xarray())):
        data.to_netcdf(tmp_path / f"{number}.nc", engine="scipy")
        with xarray.open_dataset(tmp_path / f"{number}.nc", engine="scipy") as again:
            for name in data.data_vars:
                np.testing.assert_array_equal(again[name], data[name])


def test_the_activity_as_a_table_is_the_csv(tmp_path: Path) -> None:
    result = moved(max_changed=0.1)
    result.save(tmp_path)
    frame = result.to_arrow().to_pandas()
    with (tmp_path / "activity.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*frame.columns] == [*rows[0]]
    assert 0 < frame.counted.sum() < len(frame) == len(rows) == 11
    for name in frame.columns:
        assert [float(row[name]) for row in rows] == frame[name].astype(float).tolist()
    assert pl.DataFrame(result.to_arrow())["moved_pixels"].to_list() == result.moved.tolist()
    summary = json.loads(result.to_arrow().schema.metadata[b"gpuheat"])
    assert summary["settings"]["max_changed"] == 0.1


def test_pairs_without_times_have_none() -> None:
    assert moved(times=None).to_arrow()["time_s"].null_count == 11


def test_bins_in_long_form() -> None:
    result = looked(unit="duration")
    frame: pd.DataFrame = result.to_arrow().to_pandas()
    assert [*frame.columns] == ["column", "row", "x_px", "y_px", "fixation_us"]
    again = frame.pivot(index="row", columns="column", values="fixation_us").to_numpy()
    np.testing.assert_array_equal(again, result.histogram)
    assert frame[(frame.column == 3) & (frame.row == 7)][["x_px", "y_px"]].to_numpy().tolist() == [[35.0, 75.0]]
    assert looked(unit="count").to_arrow().column_names[-1] == "fixations"
    assert looked(unit="gaze").to_arrow().column_names[-1] == "gaze_samples"


@pytest.mark.parametrize("result", [moved(), looked()])
def test_without_xarray_the_call_and_the_command_are_named(
    result: MotionHeatmap | FixationHeatmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(
        MissingPackageError, match=r"Heatmap\.to_xarray needs xarray .*pip install 'gpuheat\[notebook\]'"
    ):
        result.to_xarray()
    assert issubclass(MissingPackageError, GpuheatError)
