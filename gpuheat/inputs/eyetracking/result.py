"""What reading an export gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from gpuheat.inputs.eyetracking.sections import Sections

__all__ = ["EyeTracking"]


@dataclass(frozen=True)
class EyeTracking:
    """What was read from one export.

    Attributes
    ----------
    table
        ``pyarrow.Table`` of the rows that can be used, in the order of the source: "recording id" string,
        "section id" string, "fixation id" string (nullable), "x [px]" and "y [px]" float64 from the top left
        corner, "duration [us]" uint32 (nullable: null where the source has none), "source row" int64 (1-based
        data row of the source, header not counted). Where times were read, also "start [ns]" int64 (nullable), when
        the fixation began or the sample was taken, and "off before" int64: how many rows before it in the source were
        not on the image.
    rows
        Number of data rows in the source.
    dropped
        Rule -> number of rows it dropped, in the order of the rules; a row counts for the first rule that drops
        it, so that ``sum(dropped.values()) + table.num_rows == rows``. Only rules that apply to the source.
    format
        The format it was read as.
    source
        The file's path as text, or the class of the object.
    warnings
        One line each, for people.
    sections
        What the export tells of its recordings' sections.
    first_times
        Where times were read: (recording id, section id) -> the earliest of its rows, ns, those included that were not
        on the image.
    """

    table: pa.Table
    rows: int
    dropped: dict[str, int]
    format: str
    source: str
    warnings: tuple[str, ...]
    sections: Sections = field(default_factory=Sections)
    first_times: Mapping[tuple[str, str], int] = field(default_factory=dict)
