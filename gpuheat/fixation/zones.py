"""Areas of interest: who looked at which zone, when first, how long and how often.

The measures and their names are those of K. Holmqvist et al., Eye Tracking: A Comprehensive Guide to Methods and
Measures (Oxford University Press, 2011), whose areas of interest are the zones here. Zones may overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from numpy.typing import NDArray

    from gpuheat.zones import Area

__all__ = ["FixationZones", "Looks", "RecordingLooks", "Track", "look_at"]


class Track(NamedTuple):
    """Where one person looked in one recording: n fixations or gaze samples on the image.

    Attributes
    ----------
    x, y
        (n,) float64 px.
    duration
        (n,) uint32 us, 0 where it is not known.
    timed
        (n,) bool: where it is.
    start
        (n,) int64 ns; where it is not known, a time behind all others.
    since
        (n,) int64 ns: the start since the beginning of its section; -1 where that is not known.
    run
        (n,) int64: equal for neighbours between which the person did not look away from the image.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    duration: NDArray[np.uint32]
    timed: NDArray[np.bool_]
    start: NDArray[np.int64]
    since: NDArray[np.int64]
    run: NDArray[np.int64]


@dataclass(frozen=True)
class Looks:
    """How a recording looked at a zone, or at the image.

    Attributes
    ----------
    points
        How many fixations or gaze samples were there.
    points_timed
        How many of them have a duration.
    duration
        Total fixation duration, us: the sum of these.
    visits
        How often the gaze came there: runs of consecutive points there, each from entry to exit (Holmqvist's dwells).
        A look away from the image ends one.
    first
        Time to first fixation, ns: from the beginning of the section, which ``sections.csv`` tells, or else its first
        row, to the start of the first fixation there; 0 where that had begun before. In recordings of several sections
        it is that of the first section with such a fixation. None where there is none, or nothing tells the time.
    """

    points: int
    points_timed: int
    duration: int
    visits: int
    first: int | None


@dataclass(frozen=True)
class RecordingLooks:
    """One recording: its id, its name if it has one, how it looked at the image as a whole and at each zone."""

    id: str
    name: str | None
    image: Looks
    zones: tuple[Looks, ...]


def look_at(inside: NDArray[np.bool_], track: Track) -> Looks:
    """How a recording looked at a place; ``inside``: (n,) which of its points are there."""
    order = np.argsort(track.start, kind="stable")
    there = inside[order]
    goes_on = there[:-1] & (np.diff(track.run[order]) == 0)
    entries = there & ~np.concatenate([[False], goes_on])
    since = track.since[order][there]
    durations = track.duration[inside & track.timed]
    return Looks(
        points=int(np.count_nonzero(inside)),
        points_timed=int(durations.size),
        duration=int(durations.sum(dtype=np.uint64)),
        visits=int(np.count_nonzero(entries)),
        first=int(since[0]) if since.size and since[0] >= 0 else None,
    )


@dataclass(frozen=True, eq=False)
class FixationZones:
    """Who looked at which zone: all fixations or gaze samples on the image that are watched, whatever their weight.

    Attributes
    ----------
    areas
        The zones on the image.
    gaze
        Whether they are gaze samples, which have no durations.
    recordings
        Each of them, by id.
    """

    areas: tuple[Area, ...]
    gaze: bool
    recordings: tuple[RecordingLooks, ...]

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row a zone, as ``zones.csv`` has them; None where there is no number.

        The shares are of all points, and of the duration of all, on the image; the mean shares are those in which every
        recording that looked at it weighs the same. The time to the first fixation is the mean of those recordings that
        have one.
        """
        image = [each.image for each in self.recordings]
        rows = []
        for number, area in enumerate(self.areas):
            looks = [each.zones[number] for each in self.recordings]
            firsts = [look.first for look in looks if look.first is not None]
            looked = sum(look.points > 0 for look in looks)
            rows.append(
                {
                    "zone": area.zone.name,
                    **self._amounts(looks, image),
                    **self._mean_shares(looks, image),
                    "mean_time_to_first_s": _ratio(sum(firsts), len(firsts) * 10**9),
                    "recordings": looked,
                    "share_of_recordings": _ratio(looked, len(looks)),
                }
            )
        return rows

    @property
    def by_recording(self) -> Iterator[dict[str, Any]]:
        """One row a recording and zone, as ``zones_recordings.csv`` has them; the shares are of the recording."""
        for each in self.recordings:
            for area, look in zip(self.areas, each.zones, strict=True):
                amounts = self._amounts([look], [each.image]).values()
                first = None if look.first is None else look.first / 1e9
                yield dict(zip(self.columns, (each.id, each.name, area.zone.name, *amounts, first), strict=True))

    @property
    def columns(self) -> list[str]:
        """The columns of ``zones_recordings.csv``."""
        return ["recording", "name", "zone", *self._amounts([], []), "time_to_first_s"]

    def of(self, recordings: Collection[str]) -> FixationZones:
        """Those of some recordings."""
        return replace(self, recordings=tuple(each for each in self.recordings if each.id in recordings))

    def merge(self, other: FixationZones) -> FixationZones | None:
        """Those of both maps, whose zones are the same; None where a recording is in both, whose visits may be cut."""
        together = sorted((*self.recordings, *other.recordings), key=lambda each: each.id)
        if len({each.id for each in together}) < len(together):
            return None
        return replace(self, recordings=tuple(together))

    @property
    def _points(self) -> str:
        return "gaze_samples" if self.gaze else "fixations"

    def _mean_shares(self, looks: list[Looks], image: list[Looks]) -> dict[str, float | None]:
        def mean(what: Callable[[Looks], int]) -> float | None:
            shares = [
                what(look) / what(all_of_it) for look, all_of_it in zip(looks, image, strict=True) if what(all_of_it)
            ]
            return sum(shares) / len(shares) if shares else None

        shares = {f"mean_share_of_{self._points}": mean(lambda look: look.points)}
        return shares if self.gaze else shares | {"mean_share_of_duration": mean(lambda look: look.duration)}

    def _amounts(self, looks: list[Looks], image: list[Looks]) -> dict[str, Any]:
        def total(of: list[Looks], what: Callable[[Looks], int]) -> int:
            return sum(map(what, of))

        name = self._points
        points = total(looks, lambda look: look.points)
        amounts: dict[str, Any] = {
            name: points,
            f"share_of_{name}": _ratio(points, total(image, lambda look: look.points)),
        }
        if not self.gaze:
            duration, timed = total(looks, lambda look: look.duration), total(looks, lambda look: look.points_timed)
            whole, known = total(image, lambda look: look.duration), total(image, lambda look: look.points_timed)
            amounts |= {
                "duration_s": duration / 1e6 if known else None,
                "mean_duration_s": _ratio(duration, timed * 10**6),
                "share_of_duration": _ratio(duration, whole),
            }
        return amounts | {"visits": total(looks, lambda look: look.visits)}


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
