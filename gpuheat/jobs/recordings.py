"""The rows of one or several exports, sorted by recording."""

from __future__ import annotations

import difflib
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gpuheat.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from gpuheat.inputs.eyetracking import EyeTracking

__all__ = ["Recordings"]

KEY = ("recording id", "section id", "fixation id")


class Recordings:
    """What several exports hold together, and what is left out of it.

    Attributes
    ----------
    table
        The rows that are left, columns as in :class:`gpuheat.inputs.eyetracking.EyeTracking`.
    dropped
        Rule -> number of rows it left out, over and above what the reader dropped in each export.
    """

    def __init__(self, exports: Sequence[EyeTracking]) -> None:
        self.table = pa.concat_tables([export.table for export in exports])
        self.dropped: dict[str, int] = {}

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

    def select(self, recordings: Sequence[str]) -> None:
        """Keep the recordings of these ids.

        Raises
        ------
        OptionError
            If there is no recording of one of the ids.
        """
        known = self.table["recording id"].unique().to_pylist()
        for recording in recordings:
            if recording not in known:
                close = difflib.get_close_matches(recording, known, 1, 0.3)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                there = ", ".join(known) or "none"
                raise OptionError(f"no recording {recording!r} with usable rows: there are {there}{hint}")
        chosen = pc.is_in(self.table["recording id"], pa.array(recordings, pa.string()))
        self._keep("recording not selected", chosen.to_numpy())

    def drop_without_duration(self) -> None:
        """Leave out the rows whose duration is not known."""
        self._keep("no duration", pc.is_valid(self.table["duration [us]"]).to_numpy())

    def __iter__(self) -> Iterator[tuple[str, NDArray[Any], NDArray[Any], NDArray[Any]]]:
        """Each recording, by id: its id, x and y (n,) float64 px, and duration (n,) uint32 us, 0 where unknown."""
        ids = self.table["recording id"].combine_chunks()
        order = pc.sort_indices(ids)
        names = ids.take(order).to_numpy(zero_copy_only=False)
        columns = [self.table[name].take(order).to_numpy() for name in ("x [px]", "y [px]")]
        columns.append(pc.fill_null(self.table["duration [us]"].take(order), 0).to_numpy())
        inner = np.flatnonzero(names[1:] != names[:-1]) + 1
        bounds = [0, *inner, names.size] if names.size else []
        for start, end in itertools.pairwise(bounds):
            x, y, duration = (column[start:end] for column in columns)
            yield str(names[start]), x, y, duration

    def _keep(self, rule: str, keep: NDArray[np.bool_]) -> None:
        self.dropped[rule] = int(np.count_nonzero(~keep))
        self.table = self.table.filter(pa.array(keep))


def _codes(column: pa.ChunkedArray) -> NDArray[Any]:
    """A whole number for each text, equal for equal texts; -1 for null."""
    return np.asarray(pc.fill_null(column.combine_chunks().dictionary_encode().indices, -1).to_numpy())
