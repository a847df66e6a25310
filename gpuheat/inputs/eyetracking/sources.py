"""Where rows come from: a CSV file, a Parquet file, or any object with the Arrow PyCapsule interface."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gpuheat.errors import ExportError, OptionError
from gpuheat.inputs.eyetracking.columns import Column
from gpuheat.inputs.eyetracking.csvfile import CsvFile
from gpuheat.inputs.eyetracking.find import find_export
from gpuheat.inputs.eyetracking.formats import Use, listed
from gpuheat.inputs.remote import Place

__all__ = ["Rows", "Source", "open_source", "read_rows"]


@dataclass(frozen=True)
class Rows:
    """The rows that have as many values as the header has names, (n,) each."""

    columns: Mapping[str, Column]
    source_row: NDArray[np.int64]  # 1-based data row of the source
    malformed: int | None  # further rows, with too many or too few values; None where there cannot be any

    @property
    def total(self) -> int:
        """All data rows of the source."""
        return len(self.source_row) + (self.malformed or 0)


class Content(Protocol):
    """A table whose columns are known before they are read."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in the header, trimmed."""

    @property
    def decimal_comma(self) -> bool:
        """Whether a comma in a number stands for the decimal point."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know about it, a line each."""

    def read(self, indices: Sequence[int]) -> tuple[list[pa.ChunkedArray], list[int] | None]:
        """These columns, and the 1-based numbers of the malformed rows (None where there cannot be any)."""


@dataclass(frozen=True)
class ArrowContent:
    """An Arrow table, as ``Content``."""

    table: pa.Table
    decimal_comma: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.table.column_names)

    def read(self, indices: Sequence[int]) -> tuple[list[pa.ChunkedArray], None]:
        return [_plain(self.table.column(index)) for index in indices], None


@dataclass(frozen=True)
class Source:
    """An opened source."""

    name: str  # for people: the path, or the object's class
    recording: str  # the recording's id where no column holds one
    content: Content
    path: Place | None = None


def open_source(source: object, use: Use) -> Source:
    """Open a path or an address (a folder is searched for the export), or an object with ``__arrow_c_stream__``.

    Raises
    ------
    ExportError
        If there is no such file, or it holds no table.
    OptionError
        If ``source`` is neither.
    """
    if isinstance(source, str | os.PathLike):
        path = find_export(source, use)
        return Source(str(path), _recording(path), _file_content(path), path)
    if hasattr(source, "__arrow_c_stream__"):
        kind = type(source)
        name = f"{kind.__module__.partition('.')[0].lstrip('_')}.{kind.__qualname__}"
        try:
            table = pa.table(source)
        except pa.ArrowException as error:
            raise ExportError(f"{name} cannot be turned into an Arrow table: {_one_line(error)}") from error
        return Source(name, "", ArrowContent(table))
    raise OptionError(
        "source must be the path of an export or an object with the Arrow PyCapsule interface "
        f"(pandas, polars, DuckDB), got {type(source).__name__}"
    )


def read_rows(source: Source, wanted: Sequence[str]) -> Rows:
    """Read the wanted columns.

    Raises
    ------
    ExportError
        If a column is missing or there twice, or the rows cannot be read.
    """
    columns = source.content.columns
    for name in wanted:
        if columns.count(name) != 1:
            found = "more than one column" if name in columns else "no column"
            raise ExportError(f"{source.name} has {found} {name!r}; it has {listed(columns)}")
    try:
        arrays, malformed = source.content.read([columns.index(name) for name in wanted])
    except pa.ArrowException as error:
        raise ExportError(f"{source.name} cannot be read as a table: {_one_line(error)}") from error
    total = len(arrays[0]) + len(malformed or ())
    source_row = np.arange(1, total + 1)
    if malformed:
        source_row = np.delete(source_row, np.array(malformed) - 1)
    return Rows(
        {
            name: Column(source.name, name, values, source.content.decimal_comma)
            for name, values in zip(wanted, arrays, strict=True)
        },
        source_row,
        None if malformed is None else len(malformed),
    )


def _file_content(path: Place) -> Content:
    try:
        data = path.read_bytes()
        if data.startswith(b"PAR1"):
            return ArrowContent(pq.read_table(pa.BufferReader(data)))
    except (OSError, pa.ArrowException) as error:
        raise ExportError(f"{path} cannot be read: {_one_line(error)}") from error
    return CsvFile.parse(data, str(path))


def _recording(path: Place) -> str:
    """What tells the recording of this file from all others, where the file has no recording id.

    Pupil Player writes ``RECORDING/exports/000/surfaces/FILE``: the recording's folder. Otherwise the file itself.
    Whole paths and addresses, because the folders of Pupil Capture are called 000, 001, ... on every day and for every
    person.
    """
    path = path.resolve()
    exports = path.parent.parent.parent
    return str(exports.parent if (exports.name, path.parent.name) == ("exports", "surfaces") else path)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with text and categories as strings: Arrow computes neither with views nor with all dictionaries."""
    if pa.types.is_dictionary(column.type):
        chunks = [chunk.dictionary.cast(pa.string()).take(chunk.indices) for chunk in column.chunks]
        return pa.chunked_array(chunks, pa.string())
    return column.cast(pa.string()) if pa.types.is_string_view(column.type) else column


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
