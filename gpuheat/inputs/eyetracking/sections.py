"""The sections.csv beside an export: what people call its recordings, and when their sections begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gpuheat.errors import ExportError
from gpuheat.inputs.eyetracking.find import find_sections
from gpuheat.inputs.eyetracking.sources import open_source, read_rows
from gpuheat.inputs.remote import Place

__all__ = ["Sections", "sections_beside"]

_RECORDING, _NAME, _SECTION, _START = "recording id", "recording name", "section id", "section start time [ns]"


@dataclass(frozen=True)
class Sections:
    """What an export tells of the sections of its recordings; nothing where it has no ``sections.csv``.

    Attributes
    ----------
    names
        Recording id -> the name people gave the recording.
    starts
        (recording id, section id) -> when the section begins, ns, on the clock of the export's time stamps.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[tuple[str, str], int] = field(default_factory=dict)


def sections_beside(export: Place) -> tuple[Sections, tuple[str, ...]]:
    """The sections that stand beside an export's file, and warnings, one line each.

    A file without some of the columns tells so much less; one that cannot be read is a warning, because the heat map
    does not need it.
    """
    try:
        path = find_sections(export)
        if path is None:
            return Sections(), ()
        source = open_source(path, "fixations")
        there = [name for name in (_RECORDING, _NAME, _SECTION, _START) if name in source.content.columns]
        if _RECORDING not in there:
            raise ExportError(f"{path} has no column {_RECORDING!r}")
        columns = read_rows(source, there).columns
        recordings = columns[_RECORDING].text().to_pylist()
        names = columns[_NAME].text().to_pylist() if _NAME in there else []
        starts = {}
        if {_SECTION, _START} <= {*there}:
            keys = zip(recordings, columns[_SECTION].text().to_pylist(), strict=True)
            times = columns[_START].nanoseconds().to_pylist()
            starts = {key: time for key, time in zip(keys, times, strict=True) if time is not None}
    except ExportError as error:
        return Sections(), (f"{error}; the recordings have no names, and nothing says when they begin",)
    return Sections({each: name for each, name in zip(recordings, names, strict=bool(names)) if name}, starts), ()
