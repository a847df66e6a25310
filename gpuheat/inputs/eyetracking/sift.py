"""The rules that decide which rows of an export count, in their order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gpuheat.inputs.eyetracking.formats import ExportFormat
from gpuheat.inputs.eyetracking.result import EyeTracking
from gpuheat.inputs.eyetracking.sources import Rows, Source, read_rows

__all__ = ["sift"]

_FIXATION_KEY = ["recording id", "section id", "fixation id"]


class Sieve:
    """Which of n rows are left, and how many each rule took."""

    def __init__(self, rows: Rows) -> None:
        self.left = np.ones(len(rows.source_row), np.bool_)
        self.dropped = {} if rows.malformed is None else {"malformed row": rows.malformed}

    def drop(self, rule: str, where: NDArray[np.bool_]) -> None:
        """Drop the rows ``where`` is true, (n,); those already gone are not counted again."""
        self.dropped[rule] = int(np.count_nonzero(self.left & where))
        self.left &= ~where


def sift(
    source: Source,
    layout: ExportFormat,
    size: tuple[int, int] | None,
    *,
    min_confidence: float,
    unfixated_gaze: bool,
    timed: bool,
) -> EyeTracking:
    """Read the source's rows and apply the rules that ``read_eyetracking`` lists."""
    start = layout.start if timed and layout.start in source.content.columns else None
    rows = read_rows(source, layout.columns if start is None else (*layout.columns, start))
    columns = rows.columns
    sieve = Sieve(rows)
    warnings = [f"{source.name}: {warning}" for warning in source.content.warnings]
    sieve.drop("repeated header", np.logical_and.reduce([column.repeats_name() for column in columns.values()]))
    if layout.flag is not None:
        detected, unreadable = columns[layout.flag].flags()
        if count := np.count_nonzero(unreadable & sieve.left):
            warnings.append(f"{source.name}: {count} rows count as not detected, their {layout.flag!r} is unreadable")
        sieve.drop("not detected", ~detected)
    x, y = _positions(rows, layout, size, sieve)
    off_image = ~sieve.left
    if layout.confidence is not None:
        confidence, _ = columns[layout.confidence].numbers()
        sieve.drop("low confidence", ~(confidence >= min_confidence))
    if layout.use == "gaze" and layout.fixation is not None and not unfixated_gaze:
        sieve.drop("not in a fixation", pc.equal(columns[layout.fixation].text(), "").to_numpy())
    table = _table(rows, layout, source.recording, x, y, sieve.left)
    first_times: dict[tuple[str, str], int] = {}
    if timed:
        times = pa.nulls(len(x), pa.int64()) if start is None else columns[start].nanoseconds()
        first_times = _first_times(times, rows, layout, source.recording)
        table = table.append_column("start [ns]", times.filter(pa.array(sieve.left)))
        table = table.append_column("off before", pa.array(np.cumsum(off_image)[sieve.left]))
    if layout.use == "fixations" and layout.fixation is not None:
        rule = "further row of a fixation" if layout.row_per_frame else "duplicate fixation"
        before = table.num_rows
        table = _one_row_per_fixation(table, mean_position=layout.row_per_frame)
        sieve.dropped[rule] = before - table.num_rows
    warnings += _shortcomings(table, rows, layout, source.name)
    return EyeTracking(
        table, rows.total, sieve.dropped, layout.name, source.name, tuple(warnings), first_times=first_times
    )


def _positions(
    rows: Rows, layout: ExportFormat, size: tuple[int, int] | None, sieve: Sieve
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) x and y in px from the top left corner, after the rules about them."""
    (x, no_x), (y, no_y) = rows.columns[layout.x].numbers(), rows.columns[layout.y].numbers()
    sieve.drop("no coordinates", no_x | no_y)
    sieve.drop("unreadable coordinates", ~(np.isfinite(x) & np.isfinite(y)))
    if size is None:
        return x, y
    width, height = size
    if layout.bottom_left:
        y = 1 - y
    if layout.normalized:
        with np.errstate(over="ignore"):
            x, y = x * width, y * height
    sieve.drop("outside the image", ~((x >= 0) & (x <= width) & (y >= 0) & (y <= height)))
    return x, y


def _table(
    rows: Rows,
    layout: ExportFormat,
    recording: str,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    left: NDArray[np.bool_],
) -> pa.Table:
    """The rows that are left, as ``EyeTracking.table``."""
    fixation = _words(rows, layout.fixation, "", left)
    duration = pa.nulls(len(fixation), pa.uint32())
    if layout.duration is not None:
        duration = rows.columns[layout.duration].where(left).microseconds()
    return pa.table(
        {
            "recording id": _words(rows, layout.recording, recording, left),
            "section id": _words(rows, layout.section, "", left),
            "fixation id": pc.if_else(pc.equal(fixation, ""), None, fixation),
            "x [px]": x[left],
            "y [px]": y[left],
            "duration [us]": duration,
            "source row": rows.source_row[left],
        }
    )


def _words(rows: Rows, name: str | None, otherwise: str, left: NDArray[np.bool_]) -> pa.ChunkedArray | pa.Array:
    """The text of a column in the rows that are left; the same in all where there is no such column."""
    return pa.repeat(otherwise, np.count_nonzero(left)) if name is None else rows.columns[name].where(left).text()


def _first_times(times: pa.Array, rows: Rows, layout: ExportFormat, recording: str) -> dict[tuple[str, str], int]:
    """The earliest of the times, ns, of each recording's sections."""
    told = times.is_valid().to_numpy(zero_copy_only=False)
    names = [_words(rows, layout.recording, recording, told), _words(rows, layout.section, "", told)]
    table = pa.table([*names, times.drop_null()], ["recording", "section", "time"])
    first = table.group_by(["recording", "section"]).aggregate([("time", "min")])
    keys = zip(first["recording"].to_pylist(), first["section"].to_pylist(), strict=True)
    return dict(zip(keys, first["time_min"].to_pylist(), strict=True))


def _one_row_per_fixation(table: pa.Table, *, mean_position: bool) -> pa.Table:
    """The first row of each fixation, where asked with the mean of x and of y over all its rows.

    Rows without a fixation id are fixations of their own.
    """
    alone = pc.if_else(pc.is_null(table["fixation id"]), table["source row"], 0)
    fixations = (
        table.append_column("alone", alone)
        .group_by([*_FIXATION_KEY, "alone"], use_threads=False)  # one thread, so that the means are always the same
        .aggregate([("source row", "min"), ("x [px]", "mean"), ("y [px]", "mean")])
        .sort_by("source row_min")
    )
    table = table.filter(pc.is_in(table["source row"], fixations["source row_min"].combine_chunks()))
    if mean_position:
        for name in ("x [px]", "y [px]"):
            table = table.set_column(table.column_names.index(name), name, fixations[f"{name}_mean"])
    return table


def _shortcomings(table: pa.Table, rows: Rows, layout: ExportFormat, name: str) -> list[str]:
    """What the reader of a heat map should know."""
    if rows.total == 0:
        return [f"{name} has no data rows: the map will be empty"]
    if table.num_rows == 0:
        return [f"{name}: none of its {rows.total} rows can be used: the map will be empty"]
    unknown = table["duration [us]"].null_count
    if layout.duration is not None and unknown:
        return [f"{name}: {unknown} rows have no readable {layout.duration!r} from 0 to 4294.967295 s"]
    return []
