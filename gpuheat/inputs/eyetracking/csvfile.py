"""CSV files as they come: any of three delimiters, several encodings, rows that do not fit the header."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from gpuheat.errors import ExportError

__all__ = ["CsvFile"]

_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class CsvFile:
    """A CSV file of which only the header has been looked at.

    Blank lines are no rows. Values stay text.
    """

    columns: tuple[str, ...]
    delimiter: str
    body: bytes  # UTF-8, all that follows the header

    @property
    def decimal_comma(self) -> bool:
        """A file that separates its values by something else may write decimals with a comma."""
        return self.delimiter != ","

    @property
    def warnings(self) -> tuple[str, ...]:
        """A quotation mark that is never closed makes one value of all that follows."""
        if self.body.count(b'"') % 2:
            return ("an odd number of quotation marks, so one row may have swallowed those after it",)
        return ()

    @classmethod
    def parse(cls, data: bytes, name: str) -> CsvFile:
        """Find the header in a file's bytes; ``name`` stands for the file in the error's text.

        Raises
        ------
        ExportError
            If the bytes are no text, or there is no header.
        """
        text = _as_utf8(data, name).lstrip(b" \r\n")
        header = re.match(rb"[^\r\n]*", text)
        if not header or not header[0].strip():
            raise ExportError(f"{name} is empty: expected a header and one line for each fixation or gaze sample")
        try:
            candidates = {delimiter: _split(header[0].decode(), delimiter) for delimiter in _DELIMITERS}
        except csv.Error as error:
            raise ExportError(f"{name} has no readable header ({error}): expected a CSV or Parquet file") from error
        delimiter = max(candidates, key=lambda each: len(candidates[each]))
        return cls(candidates[delimiter], delimiter, text[header.end() :])

    def read(self, indices: Sequence[int]) -> tuple[list[pa.ChunkedArray], list[int]]:
        """These columns as text, and the 1-based numbers of the rows with too many or too few values."""
        malformed: list[int] = []

        def skip(row: Any) -> str:
            malformed.append(row.number)
            return "skip"

        # Columns go by number: names may be empty or repeated.
        numbers = [str(index) for index in range(len(self.columns))]
        table = pa_csv.read_csv(
            pa.BufferReader(self.body or b"\n"),
            # One thread, because only then does Arrow tell the numbers of the malformed rows.
            read_options=pa_csv.ReadOptions(column_names=numbers, use_threads=False),
            parse_options=pa_csv.ParseOptions(
                delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=pa_csv.ConvertOptions(
                include_columns=sorted({numbers[index] for index in indices}),
                column_types=dict.fromkeys(numbers, pa.string()),
            ),
        )
        return [table.column(numbers[index]) for index in indices], malformed


def _split(header: str, delimiter: str) -> tuple[str, ...]:
    fields = next(csv.reader([header], delimiter=delimiter))
    return tuple(field.strip() for field in fields)


def _as_utf8(data: bytes, name: str) -> bytes:
    """The text in UTF-8 and without byte order marks, which also stand inside files that were joined."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise ExportError(f"{name} begins like UTF-16 text and then breaks off: {error.reason}") from error
    if b"\0" in data:
        raise ExportError(f"{name} is not a text file: give the CSV or Parquet file of an export")
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("latin-1").encode()
    return data.replace(codecs.BOM_UTF8, b"")
