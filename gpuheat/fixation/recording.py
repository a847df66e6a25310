"""What each recording adds to a fixation heat map, kept sparsely, and what recordings add up to."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from gpuheat.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from gpuheat.backends import Backend
    from gpuheat.grid import BinGrid

__all__ = [
    "NOT_SELECTED",
    "NO_DURATION",
    "RecordingHistograms",
    "SparseHistogram",
    "Unit",
    "Weight",
    "add_up",
    "check_weight",
    "facts_of",
    "select_recordings",
    "weighing_alike",
    "weight_of",
]

Weight = Literal["duration", "count"]
Unit = Literal["duration", "count", "gaze"]
NOT_SELECTED: Final = "recording not selected"
NO_DURATION: Final = "no duration"
"""Rules that leave points out, in ``summary.json``."""


@dataclass(frozen=True, eq=False)
class SparseHistogram:
    """A histogram of which only the bins are kept that hold anything.

    Attributes
    ----------
    places
        (k,) int64: where they are in the flattened histogram, row by row, ascending.
    values
        (k,) uint64: what they hold, above 0.
    shape
        (ny, nx) of the whole histogram.
    """

    places: NDArray[np.int64]
    values: NDArray[np.uint64]
    shape: tuple[int, int]

    @classmethod
    def of(cls, histogram: NDArray[np.uint64]) -> SparseHistogram:
        """That of a (ny, nx) histogram."""
        flat = histogram.ravel()
        places = np.flatnonzero(flat != 0)  # four times as fast as without the comparison
        rows, columns = histogram.shape
        return cls(places, flat[places], (rows, columns))

    @property
    def total(self) -> int:
        """The sum of all bins."""
        return int(self.values.sum(dtype=np.uint64))

    @property
    def dense(self) -> NDArray[np.uint64]:
        """(ny, nx) uint64: all bins."""
        histogram = np.zeros(self.shape, np.uint64)
        self.add_to(histogram)
        return histogram

    def add_to(self, histogram: NDArray[Any], share: bool = False) -> None:
        """Add to a (ny, nx) histogram in place, or the share of each bin in the total."""
        histogram.reshape(-1)[self.places] += self.values / self.total if share else self.values

    def __add__(self, other: SparseHistogram) -> SparseHistogram:
        histogram = self.dense
        other.add_to(histogram)
        return self.of(histogram)


@dataclass(frozen=True, eq=False)
class RecordingHistograms:
    """What one recording adds to a fixation heat map, whatever the weights.

    Attributes
    ----------
    id
        The recording's id in the export.
    name
        The name people gave it; None where the export has none.
    points
        How many fixations or gaze samples of it lie on the image.
    points_timed
        How many of these have a duration.
    count
        Of all points: how many are in each bin.
    duration
        Of the points that have one: their durations, us, summed up in each bin; None where no point has one, as
        gaze samples never do.
    """

    id: str
    name: str | None
    points: int
    points_timed: int
    count: SparseHistogram
    duration: SparseHistogram | None

    @classmethod
    def counted(
        cls,
        backend: Backend,
        grid: BinGrid,
        x: Any,
        y: Any,
        duration: Any,
        timed: NDArray[np.bool_] | None = None,
        *,
        recording: str,
        name: str | None = None,
    ) -> RecordingHistograms:
        """Count the points of a recording on a backend: x and y (n,) float px, duration (n,) uint32 us or None.

        ``timed``: (n,) which of the durations are known, for arrays of NumPy; None is all of them.
        """
        count = counted = _binned(backend, grid, x, y)
        if duration is None or (timed is not None and not timed.any()):
            return cls(recording, name, count.total, 0, count, None)
        if timed is not None and not timed.all():
            x, y, duration = x[timed], y[timed], duration[timed]
            counted = _binned(backend, grid, x, y)
        return cls(recording, name, count.total, counted.total, count, _binned(backend, grid, x, y, duration))

    def weighed(self, weight: Weight) -> SparseHistogram | None:
        """The histogram of this weight; None where there is nothing to weigh."""
        return self.duration if weight == "duration" else self.count

    def points_weighed(self, weight: Weight) -> int:
        """How many points have this weight."""
        return self.points_timed if weight == "duration" else self.points

    def __add__(self, other: RecordingHistograms) -> RecordingHistograms:
        durations = [part for part in (self.duration, other.duration) if part is not None]
        return RecordingHistograms(
            self.id,
            self.name if self.name is not None else other.name,
            self.points + other.points,
            self.points_timed + other.points_timed,
            self.count + other.count,
            sum(durations[1:], start=durations[0]) if durations else None,
        )


def check_weight(weight: Weight) -> Weight:
    """The weight, once it is known to be one.

    Raises
    ------
    OptionError
        If it is neither "duration" nor "count".
    """
    if weight not in ("duration", "count"):
        raise OptionError(f"weight must be 'duration' or 'count', got {weight!r}")
    return weight


def weight_of(unit: Unit) -> Weight:
    """What points weigh where their histogram is of this unit."""
    return "duration" if unit == "duration" else "count"


def add_up(recordings: Iterable[RecordingHistograms]) -> tuple[RecordingHistograms, ...]:
    """Each recording once, by id: those of the same id added up."""
    found: dict[str, RecordingHistograms] = {}
    for recording in recordings:
        found[recording.id] = found[recording.id] + recording if recording.id in found else recording
    return tuple(found[each] for each in sorted(found))


def facts_of(recordings: Iterable[RecordingHistograms], weight: Weight) -> dict[str, Any]:
    """What of each recording has this weight, for ``summary.json``, by id."""
    facts: dict[str, Any] = {}
    for recording in recordings:
        points, histogram = recording.points_weighed(weight), recording.weighed(weight)
        if points > 0 and histogram is not None:
            facts[recording.id] = {
                **({} if recording.name is None else {"name": recording.name}),
                "points": points,
                **({"duration_s": histogram.total / 1e6} if weight == "duration" else {}),
            }
    return facts


def weighing_alike(parts: Iterable[SparseHistogram], shape: tuple[int, int]) -> NDArray[np.float64]:
    """(ny, nx) float64: the sum of the histograms, each divided by its total; empty ones add nothing."""
    balanced = np.zeros(shape)
    for part in parts:
        if part.total > 0:
            part.add_to(balanced, share=True)
    return balanced


def select_recordings(wanted: str | Sequence[str], known: Mapping[str, str | None]) -> list[str]:
    """The ids in ``wanted``, once it is sure that there are such recordings; ``known`` are names, or None, by id.

    Raises
    ------
    OptionError
        If there is no recording of one of the ids.
    """
    ids = [wanted] if isinstance(wanted, str) else [*wanted]
    for recording in ids:
        if recording not in known:
            ids_of = {text: one for one, name in known.items() for text in (name, one) if text is not None}
            close = difflib.get_close_matches(recording, ids_of, 1, 0.3)
            hint = f"; did you mean {ids_of[close[0]]!r}?" if close else ""
            listed = ", ".join(one if name is None else f"{one} ({name})" for one, name in known.items()) or "none"
            raise OptionError(f"no recording {recording!r} with usable rows: there are {listed}{hint}")
    return ids


def _binned(backend: Backend, grid: BinGrid, x: Any, y: Any, weight: Any = None) -> SparseHistogram:
    histogram = backend.zeros(grid.shape, np.uint64)
    weights = None if weight is None else backend.asarray(weight)
    backend.add_points(histogram, grid, backend.asarray(x), backend.asarray(y), weights)
    return SparseHistogram.of(backend.to_host(histogram))
