"""What moved in zones of the picture, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from gpuheat.motion.slice_store import SliceStore
    from gpuheat.zones import Area

__all__ = ["MOST_STRETCHES", "MotionZones", "ZoneSums"]

MOST_STRETCHES: Final = 1024
"""Stretches of time: half a second each up to 8.5 minutes of video, 4 s for an hour, 128 s for a day."""


class ZoneSums:
    """The sums of the counts in zones, which may overlap, for :class:`gpuheat.motion.sliced.SlicedSums`.

    Parameters
    ----------
    areas
        The zones on the picture as shown.
    masks
        For each (h, w) bool: the pixels of the counts, which are not turned, that are in it and watched.
    """

    dtype: ClassVar = np.uint64

    def __init__(self, areas: Sequence[Area], masks: Sequence[NDArray[np.bool_]]) -> None:
        from gpuheat.backends.cpu_loops import numba_cpu

        self._sum_spans = numba_cpu.sum_spans
        self.areas = tuple(areas)
        self.size = len(self.areas)
        self.pixels = np.array([np.count_nonzero(mask) for mask in masks], np.int64)
        self._spans = np.concatenate([_spans(number, mask) for number, mask in enumerate(masks)])

    def __call__(self, counts: NDArray[np.uint32]) -> NDArray[np.uint64]:
        """(size,): the sum of the (h, w) counts in each zone."""
        sums = np.zeros(self.size, np.uint64)
        self._sum_spans(np.ascontiguousarray(counts), self._spans, sums)
        return sums

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ZoneSums):
            return NotImplemented
        return self.areas == other.areas and np.array_equal(self._spans, other._spans)

    def __hash__(self) -> int:
        return hash(self.areas)


@dataclass(frozen=True, eq=False)
class MotionZones:
    """What moved in n zones, which may overlap, in all and in each of m stretches of time.

    Stretch i is ``numbers[i] * step <= time < (numbers[i] + 1) * step`` of the time of a pair's later frame. The step
    is half a second, doubled as often as it takes to have at most ``MOST_STRETCHES`` of them.

    Attributes
    ----------
    areas
        The zones, as the picture is shown.
    pixels
        (n,) int64: how many of the pixels in each are watched.
    step
        Length of a stretch, s; or pairs of frames where these have no times.
    timed
        Whether they have.
    numbers
        (m,) int64, ascending: which stretches these are; those without a counted pair are left out.
    pairs
        (m,) int64: how many pairs of frames were counted in each.
    moved
        (n, m) uint64: how often a pixel of the zone moved in them.
    moved_anywhere
        How often a pixel of the picture moved, in all.
    """

    areas: tuple[Area, ...]
    pixels: NDArray[np.int64]
    step: float
    timed: bool
    numbers: NDArray[np.int64]
    pairs: NDArray[np.int64]
    moved: NDArray[np.uint64]
    moved_anywhere: int

    @classmethod
    def of(
        cls, sums: ZoneSums, slices: SliceStore, step: float, times: NDArray[Any], *, timed: bool, moved_anywhere: int
    ) -> MotionZones:
        """Those of the sums in slices of the time; ``times``: of the counted pairs."""
        numbers, pairs = np.unique(np.floor(times / step).astype(np.int64), return_counts=True)
        moved = np.array([slices.dense(number) for number in numbers.tolist()], np.uint64)
        moved = moved.reshape(len(numbers), sums.size).T
        return cls(sums.areas, sums.pixels, step, timed, numbers, pairs, moved, moved_anywhere)

    @property
    def names(self) -> list[str]:
        """What the zones are called."""
        return [area.zone.name for area in self.areas]

    @property
    def activity(self) -> NDArray[np.float64]:
        """(n, m): the share of the zone's watched pixels that moved, on average of the pairs of each stretch.

        NaN in zones of which nothing is watched.
        """
        looked_at = self.pixels[:, None] * self.pairs
        activity = np.full(self.moved.shape, np.nan)
        np.divide(self.moved, looked_at, out=activity, where=looked_at > 0)
        return activity

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row a zone, as ``zones.csv`` has them; None where there is no number."""
        totals, pairs, unit = self.moved.sum(axis=1, dtype=np.uint64).tolist(), int(self.pairs.sum()), self._unit
        rows = []
        for name, pixels, moved, activity in zip(self.names, self.pixels.tolist(), totals, self.activity, strict=True):
            known = pixels > 0 and pairs > 0
            peak = int(np.argmax(activity)) if known else 0
            begin = float(self.numbers[peak]) * self.step if known and moved else None
            rows.append(
                {
                    "zone": name,
                    "pixels_watched": pixels,
                    "moved_pixels": moved,
                    "share_of_motion": moved / self.moved_anywhere if self.moved_anywhere else None,
                    "mean_activity": moved / (pixels * pairs) if known else None,
                    "peak_activity": float(activity[peak]) if known else None,
                    f"peak_begin_{unit}": begin,
                    f"peak_end_{unit}": None if begin is None else begin + self.step,
                }
            )
        return rows

    @property
    def columns(self) -> list[str]:
        """The columns of ``zones_activity.csv``."""
        return ["zone", f"begin_{self._unit}", f"end_{self._unit}", "pairs", "moved_pixels", "activity"]

    @property
    def stretches(self) -> Iterator[dict[str, Any]]:
        """One row a zone and stretch of time, as ``zones_activity.csv`` has them."""
        columns = self.columns
        times = [(number * self.step, (number + 1) * self.step) for number in self.numbers.tolist()]
        for name, moved, activity in zip(self.names, self.moved.tolist(), self.activity.tolist(), strict=True):
            for span, pairs, there, share in zip(times, self.pairs.tolist(), moved, activity, strict=True):
                values = (name, *span, pairs, there, None if np.isnan(share) else share)
                yield dict(zip(columns, values, strict=True))

    def merge(self, other: MotionZones) -> MotionZones:
        """That of both maps together, whose zones are the same: stretches of the same time add up."""
        step = max(self.step, other.step)
        parts = [np.floor(each.numbers * (each.step / step)).astype(np.int64) for each in (self, other)]
        numbers, places = np.unique(np.concatenate(parts), return_inverse=True)
        pairs = np.zeros(len(numbers), np.int64)
        moved = np.zeros((len(numbers), len(self.areas)), np.uint64)
        np.add.at(pairs, places, np.concatenate([self.pairs, other.pairs]))
        np.add.at(moved, places, np.concatenate([self.moved, other.moved], axis=1).T)
        anywhere = self.moved_anywhere + other.moved_anywhere
        return replace(self, step=step, numbers=numbers, pairs=pairs, moved=moved.T, moved_anywhere=anywhere)

    @property
    def _unit(self) -> str:
        return "s" if self.timed else "pair"


def _spans(number: int, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(k, 4): the zone's number, a row, and where pixels of the mask that lie side by side begin and end in it."""
    padded = np.pad(mask, ((0, 0), (1, 1)))
    places = np.flatnonzero(padded[:, 1:] != padded[:, :-1])  # in every row it begins as often as it ends
    rows, columns = np.divmod(places, mask.shape[1] + 1)
    return np.stack([np.full(rows.size // 2, number), rows[::2], columns[::2], columns[1::2]], axis=1)
