"""Tables that are no export: columns named by the caller, Parquet files, pandas, polars and Arrow objects."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpuheat.errors import ExportError
from gpuheat.inputs.eyetracking import read_eyetracking

SIZE = (400, 200)
EXPORT: dict[str, list[Any]] = {
    "section id": ["S", "S", "S", "S"],
    "recording id": ["R", "R", "R", "Q"],
    "fixation id": [2, 2, 3, 2],
    "start timestamp [ns]": [1636035560036503914] * 4,
    "duration [ms]": [200, 150, 100, 4],
    "fixation detected in reference image": [True, True, False, True],
    "fixation x [px]": [10.5, 20, 30, 40],
    "fixation y [px]": [1, 2, 3, None],
}
EXPECTED = [["R", "S", "2", 10.5, 1, 200_000, 1]]


def rows(table: pa.Table) -> list[list[Any]]:
    return [list(row.values()) for row in table.to_pylist()]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "parquet"])
def test_a_table_with_the_columns_of_an_export_is_read_as_one(tmp_path: Path, library: str) -> None:
    if library == "parquet":
        source: Any = tmp_path / "anything.dat"  # recognised by its content
        pq.write_table(pa.table(EXPORT), source)
    else:
        source = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[library](EXPORT)
    result = read_eyetracking(source, size=SIZE)
    assert rows(result.table) == EXPECTED
    assert result.format == "Reference Image Mapper fixations.csv"
    assert result.dropped == {
        "repeated header": 0,
        "not detected": 1,
        "no coordinates": 1,
        "unreadable coordinates": 0,
        "outside the image": 0,
        "duplicate fixation": 1,
    }
    assert result.source == {
        "pandas": "pandas.DataFrame",
        "polars": "polars.DataFrame",
        "pyarrow": "pyarrow.Table",
    }.get(library, str(source))


def test_a_data_frame_of_text_is_parsed_by_the_rules_of_a_file() -> None:
    text = {name: [f" {value} " if value is not None else "" for value in values] for name, values in EXPORT.items()}
    categories = pl.DataFrame(text).with_columns(pl.col("recording id", "fixation x [px]").cast(pl.Categorical))
    for frame in (pd.DataFrame(text), pd.DataFrame(text).astype("category"), pl.DataFrame(text), categories):
        assert rows(read_eyetracking(frame, size=SIZE).table) == EXPECTED
    spaced = pd.DataFrame({f" {name} ": values for name, values in text.items()})
    assert rows(read_eyetracking(spaced, size=SIZE).table) == EXPECTED
    repeated = pd.concat([pd.DataFrame(text), pd.DataFrame({name: [name] for name in text})])
    assert read_eyetracking(repeated, size=SIZE).dropped["repeated header"] == 1


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 2), pa.string()]
)
def test_numbers_of_any_type(kind: pa.DataType) -> None:
    values = pa.array(["3", None, "100"]).cast(kind)
    table = pa.table({"x": values, "y": values, "t": values})
    result = read_eyetracking(table, size=SIZE, x="x", y="y", duration="t")
    assert rows(result.table) == [["", "", None, 3, 3, 3000, 1], ["", "", None, 100, 100, 100_000, 3]]
    assert result.dropped["no coordinates"] == 1


def test_missing_and_not_a_number_are_told_apart() -> None:
    frame = pl.DataFrame({"x": [1.0, None, float("nan"), float("inf")], "y": [1.0] * 4})
    result = read_eyetracking(frame, size=SIZE, x="x", y="y")
    assert (result.dropped["no coordinates"], result.dropped["unreadable coordinates"]) == (1, 2)


def test_columns_without_a_value_have_no_type() -> None:
    nothing: list[None] = [None, None]
    result = read_eyetracking(pa.table({"x": nothing, "y": nothing}), size=SIZE, x="x", y="y")
    assert result.dropped["no coordinates"] == 2
    result = read_eyetracking(pa.table({"x": [], "y": []}), size=SIZE, x="x", y="y")
    assert result.warnings == ("pyarrow.Table has no data rows: the map will be empty",)


def test_any_object_with_the_interface() -> None:
    class Relation:
        """As DuckDB's, of a module with a private name."""

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.table(EXPORT).__arrow_c_stream__(requested_schema)

    Relation.__module__, Relation.__qualname__ = "_duckdb._duckdb", "Relation"
    result = read_eyetracking(Relation(), size=SIZE)
    assert (rows(result.table), result.source) == (EXPECTED, "duckdb.Relation")


def test_ids_that_pandas_made_floats_stay_whole() -> None:
    columns = {"gx": [1, 1, 1], "gy": [1, 1, 1], "fixation id": [248.0, np.nan, 249.0]}
    for frame in (pd.DataFrame(columns), pl.DataFrame(columns)):
        gaze = read_eyetracking(frame, size=SIZE, use="gaze", x="gx", y="gy")
        assert gaze.table["fixation id"].to_pylist() == ["248", "249"]
        assert gaze.dropped["not in a fixation"] == 1


@pytest.mark.parametrize(
    ("name", "value", "microseconds"),
    [
        ("t", "2.5", 2500),
        ("t [ms]", "2.5", 2500),
        ("t [s]", "2.5", 2_500_000),
        ("t [us]", "2.5", 2),
        ("t [ns]", "2500", 2),
    ],
)
def test_named_columns_of_a_csv(tmp_path: Path, name: str, value: str, microseconds: int) -> None:
    path = tmp_path / "looks.csv"
    path.write_text(f"left,top,{name},recording id\n0.25,0.5,{value},R\n0.5,1.5,{value},R\n")
    result = read_eyetracking(path, size=SIZE, x="left", y="top", duration=name, normalized=True)
    assert rows(result.table) == [["R", "", None, 100, 100, microseconds, 1]]
    assert result.dropped["outside the image"] == 1
    assert "not detected" not in result.dropped


def test_named_columns_override_a_known_format(tmp_path: Path) -> None:
    path = tmp_path / "fixations.csv"
    pd.DataFrame(EXPORT).to_csv(path, index=False)
    result = read_eyetracking(path, size=SIZE, x="fixation x [px]", y="duration [ms]")
    assert rows(result.table) == [
        ["R", "S", "2", 10.5, 200, None, 1],
        ["R", "S", "3", 30, 100, None, 3],
        ["Q", "S", "2", 40, 4, None, 4],
    ]
    assert result.dropped["duplicate fixation"] == 1


def test_a_source_without_recordings_is_its_own_recording(tmp_path: Path) -> None:
    path = tmp_path / "looks.csv"
    path.write_text("a,b\n1,2\n")
    result = read_eyetracking(path, size=SIZE, x="a", y="b")
    assert rows(result.table) == [[str(path.resolve()), "", None, 1, 2, None, 1]]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"a": [1], "c": [2]}, r"no column 'b'; it has 'a', 'c'"),
        ({"a": [1], "b": [True]}, r"'b' holds bool, expected numbers"),
        ({"a": [1], "b": [dt.datetime(2021, 11, 4)]}, r"'b' holds timestamp.*, expected numbers"),
        ({"a": [1], "b": [1], "fixation id": [[1, 2]]}, r"'fixation id' holds list.*, expected text"),
    ],
)
def test_columns_that_cannot_be_used(columns: dict[str, list[Any]], why: str) -> None:
    with pytest.raises(ExportError, match=why):
        read_eyetracking(pa.table(columns), size=SIZE, x="a", y="b")


def test_a_column_that_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "looks.csv"
    path.write_text("a,b, a\n1,2,3\n")
    with pytest.raises(ExportError, match="more than one column 'a'"):
        read_eyetracking(path, size=SIZE, x="a", y="b")


def test_an_object_that_arrow_cannot_take() -> None:
    mixed = pd.DataFrame({"a": [1, "two", Decimal(3)], "b": [1, 2, 3]}, dtype=object)
    with pytest.raises(ExportError, match=r"pandas\.DataFrame cannot be turned into an Arrow table"):
        read_eyetracking(mixed, size=SIZE, x="a", y="b")
