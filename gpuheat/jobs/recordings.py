"""The rows of one or several exports, sorted by recording."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gpuheat.fixation.recording import NOT_SELECTED, select_recordings
from gpuheat.fixation.zones import RecordingLooks, Track, look_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from gpuheat.inputs.eyetracking import EyeTracking
    from gpuheat.zones import Area

__all__ = ["Recordings"]

KEY = ("recording id", "section id", "fixation id")
WHERE = ("x [px]", "y [px]", "duration [us]")
OUTSIDE_INCLUDED: Final = "outside the zones to include"
IN_EXCLUDED: Final = "in a zone to exclude"
NEVER: Final = 2**63 - 1  # ns
BETWEEN_SECTIONS: Final = 2**40


class Recordings:
    """What several exports hold together, and what is left out of it.

    Attributes
    ----------
    table
        The rows that are left, columns as in :class:`gpuheat.inputs.eyetracking.EyeTracking`.
    dropped
        Rule -> number of rows it left out, over and above what the reader dropped in each export.
    names
        Recording id -> the name people gave it, where an export tells.
    """

    def __init__(self, exports: Sequence[EyeTracking]) -> None:
        self.table = pa.concat_tables([export.table for export in exports])
        self.dropped: dict[str, int] = {}
        self.names = {each: name for export in exports for each, name in export.sections.names.items()}
        self._section_starts = {key: time for export in exports for key, time in export.sections.starts.items()}
        self._first_times: dict[tuple[str, str], int] = {}
        for export in exports:
            for key, time in export.first_times.items():
                self._first_times[key] = min(time, self._first_times.get(key, time))

    def drop_repeated_fixations(self) -> None:
        """Keep the first of fixations that have the same recording, section and fixation id.

        Rows without a recording or fixation id cannot be told apart and all stay.
        """
        has_key = pc.and_(pc.is_valid(self.table["fixation id"]), pc.not_equal(self.table["recording id"], ""))
        rows = np.flatnonzero(has_key.to_numpy())
        keys = np.stack([_codes(self.table[name]) for name in KEY], axis=1)[rows]
        _, first = np.unique(keys, axis=0, return_index=True)
        keep = np.ones(self.table.num_rows, np.bool_)
        keep[np.delete(rows, first)] = False
        self._keep("fixation in an earlier export already", keep)

    def watch(self, areas: Sequence[Area]) -> None:
        """Keep what lies in one of the zones to include, if there is one, and in none of those to exclude."""
        for kind, rule in (("include", OUTSIDE_INCLUDED), ("exclude", IN_EXCLUDED)):
            polygons = [area.polygon for area in areas if area.zone.kind == kind]
            if polygons:
                x, y = (self.table[name].to_numpy() for name in ("x [px]", "y [px]"))
                inside = np.logical_or.reduce([polygon.contains(x, y) for polygon in polygons])
                keep = inside if kind == "include" else ~inside
                if "off before" in self.table.column_names:  # whoever looks there looks away
                    place = self.table.column_names.index("off before")
                    off = self.table["off before"].to_numpy() + np.cumsum(~keep)
                    self.table = self.table.set_column(place, "off before", pa.array(off))
                self._keep(rule, keep)

    @property
    def sections(self) -> dict[str, int]:
        """How many sections there are, by what tells when they begin."""
        keys = self._first_times.keys() | self._section_starts.keys()
        told = len(self._section_starts)
        return {"begin as sections.csv says": told, "begin with their first row": len(keys) - told}

    def looks_at(self, areas: Sequence[Area]) -> tuple[RecordingLooks, ...]:
        """How each recording looked at the zones, by id, and at the image."""
        begins = self._first_times | self._section_starts
        parts, table = self._in_order("section id", "start [ns]", "off before")
        (x, y, duration, timed), start = self._where(table), pc.fill_null(table["start [ns]"], NEVER).to_numpy()
        sections = table["section id"].combine_chunks().dictionary_encode()
        names, section = sections.dictionary.to_pylist(), sections.indices.to_numpy().astype(np.int64)
        # sections lie further apart than the rows of a source
        run = table["off before"].to_numpy() + section * BETWEEN_SECTIONS
        looks = []
        for recording, part in parts:
            since = np.full(len(x[part]), -1, np.int64)
            for number in np.unique(section[part]).tolist():
                if (begin := begins.get((recording, names[number]))) is not None:
                    told = (section[part] == number) & (start[part] != NEVER)
                    since[told] = np.maximum(start[part][told] - begin, 0)
            track = Track(x[part], y[part], duration[part], timed[part], start[part], since, run[part])
            whole = look_at(np.ones(len(since), np.bool_), track)
            zones = tuple(look_at(area.polygon.contains(track.x, track.y), track) for area in areas)
            looks.append(RecordingLooks(recording, self.names.get(recording), whole, zones))
        return tuple(looks)

    def select(self, recordings: str | Sequence[str]) -> list[str]:
        """Keep the recordings of these ids, which are returned.

        Raises
        ------
        OptionError
            If there is no recording of one of the ids.
        """
        known = self.table["recording id"].unique().to_pylist()
        ids = select_recordings(recordings, {one: self.names.get(one) for one in known})
        chosen = pc.is_in(self.table["recording id"], pa.array(ids, pa.string()))
        self._keep(NOT_SELECTED, chosen.to_numpy())
        return ids

    def __iter__(self) -> Iterator[tuple[str, NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.bool_]]]:
        """Each recording, by id.

        Its id, x and y (n,) float64 px, duration (n,) uint32 us, 0 where it is not known, and where it is, (n,) bool.
        """
        parts, table = self._in_order()
        columns = self._where(table)
        for recording, part in parts:
            x, y, duration, timed = (column[part] for column in columns)
            yield recording, x, y, duration, timed

    def _in_order(self, *columns: str) -> tuple[list[tuple[str, slice]], pa.Table]:
        """Where each recording's rows are, by id, in a table of the rows; it has these columns and those of WHERE."""
        ids = self.table["recording id"].combine_chunks()
        order = pc.sort_indices(ids)
        names = ids.take(order).to_numpy(zero_copy_only=False)
        inner = np.flatnonzero(names[1:] != names[:-1]) + 1
        bounds = [0, *inner.tolist(), names.size] if names.size else []
        parts = [(str(names[start]), slice(start, end)) for start, end in itertools.pairwise(bounds)]
        return parts, self.table.select([*WHERE, *columns]).take(order)

    @staticmethod
    def _where(table: pa.Table) -> tuple[NDArray[Any], ...]:
        """The columns of WHERE, and where the durations are known, (n,) bool."""
        x, y, duration = (table[name] for name in WHERE)
        return x.to_numpy(), y.to_numpy(), pc.fill_null(duration, 0).to_numpy(), pc.is_valid(duration).to_numpy()

    def _keep(self, rule: str, keep: NDArray[np.bool_]) -> None:
        self.dropped[rule] = int(np.count_nonzero(~keep))
        self.table = self.table.filter(pa.array(keep))


def _codes(column: pa.ChunkedArray) -> NDArray[Any]:
    """A whole number for each text, equal for equal texts; -1 for null."""
    return np.asarray(pc.fill_null(column.combine_chunks().dictionary_encode().indices, -1).to_numpy())
