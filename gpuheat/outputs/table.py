"""Tables as files."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

__all__ = ["csv_table", "parquet_table"]


def csv_table(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A CSV table with a header; every row has these columns, in this order. None is an empty cell.

    >>> csv_table(["zone", "share"], [{"zone": "door", "share": 0.5}, {"zone": "a, b", "share": None}])
    'zone,share\\ndoor,0.5\\n"a, b",\\n'
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(row.values() for row in rows)
    return text.getvalue()


def parquet_table(columns: Mapping[str, pa.DataType], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A Parquet file; every row has these columns. A byte of a file's name that is no UTF-8 becomes an escape."""
    import pyarrow as pa
    from pyarrow import parquet

    def plain(value: Any) -> Any:
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value

    arrays = [pa.array([plain(row[name]) for row in rows], kind) for name, kind in columns.items()]
    file = io.BytesIO()
    parquet.write_table(pa.table(arrays, names=[*columns]), file)
    return file.getvalue()
