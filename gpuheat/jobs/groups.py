"""Files that belong together by their names, and which of them went into which result."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from gpuheat.errors import InputError, OptionError
from gpuheat.inputs.address import without_secrets
from gpuheat.inputs.remote import is_remote
from gpuheat.outputs.table import csv_table, parquet_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["Group", "grouped", "manifest_csv", "manifest_parquet", "rows_of", "rows_without_result"]

COLUMNS: Final = {
    "input": pa.string(),
    "output": pa.string(),
    "begins_s": pa.float64(),
    "frames": pa.int64(),
    "pairs": pa.int64(),
    "problem": pa.string(),
}
Group = list[str]


def grouped(files: Iterable[str], pattern: str) -> dict[str, Group]:
    """The files of each group, by its name, groups and files in the order in which they come.

    Parameters
    ----------
    pattern
        A regular expression, looked for in the path of each file, or in its address without secrets: what its
        parentheses catch is the name of its group.

    Raises
    ------
    OptionError
        If it is no regular expression, or has no parentheses.
    InputError
        If it is not found in one of the files, or what it catches can be no name of a folder.

    Examples
    --------
    >>> grouped(["cam1/2026-11-28T10.mp4", "cam1/2026-11-28T11.mp4"], r"(cam\\d+)/([\\d-]+)T")
    {'cam1_2026-11-28': ['cam1/2026-11-28T10.mp4', 'cam1/2026-11-28T11.mp4']}
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise OptionError(f"{pattern!r} is no regular expression ({error})") from error
    if wanted.groups == 0:
        raise OptionError(f"{pattern!r} has no parentheses around what names a group, as in '(cam[0-9]+)/([0-9-]+)T'")
    groups: dict[str, Group] = {}
    for file in files:
        shown = without_secrets(file)
        match = wanted.search(shown)
        if match is None:
            raise InputError(f"{shown} belongs to no group, {pattern!r} is not in it")
        name = re.sub(r"[^\w.+-]+", "_", "_".join(part or "" for part in match.groups())).strip("_")
        if name in ("", ".", ".."):
            raise InputError(f"{shown} belongs to a group without a name, what {pattern!r} catches in it is empty")
        groups.setdefault(name, []).append(file)
    return groups


def rows_of(heatmap: MotionHeatmap, output: str) -> list[dict[str, Any]]:
    """The rows of the manifest for a map of several videos, written to the folder ``output``."""
    return [
        {
            "input": each["path"],
            "output": output,
            "begins_s": each.get("begins_s"),
            "frames": each.get("frames_decoded", 0),
            "pairs": each["pairs"],
            "problem": each.get("error") or each.get("stopped"),
        }
        for each in heatmap.facts["inputs"]
    ]


def rows_without_result(files: Sequence[str], problem: str) -> list[dict[str, Any]]:
    """The rows for videos of which no map was made."""
    empty: Mapping[str, Any] = dict.fromkeys(COLUMNS)
    paths = [without_secrets(file) if is_remote(file) else os.path.abspath(file) for file in files]
    names = [os.fsencode(path).decode("utf-8", "replace") for path in paths]
    return [{**empty, "input": name, "frames": 0, "pairs": 0, "problem": problem} for name in names]


def manifest_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """``manifest.csv``: a row for each video."""
    return csv_table(COLUMNS, rows)


def manifest_parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """``manifest.parquet``: the same."""
    return parquet_table(COLUMNS, rows)
