"""The maps of stretches of the time, which add up to the map of all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, overload

import numpy as np

from gpuheat.backends import get_backend
from gpuheat.motion.heat import blurred, shares
from gpuheat.outputs.activity import format_time
from gpuheat.outputs.description import Description
from gpuheat.outputs.drawable import Drawable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.motion.slice_counts import SliceCounts
    from gpuheat.outputs.contact_sheet import Caption
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

__all__ = ["TimeSlice", "TimeSlices"]

DASH: Final = "\N{EN DASH}"


@dataclass(frozen=True, eq=False)
class TimeSlice(Drawable):
    """Where things moved in one stretch of the time.

    Attributes
    ----------
    number
        Which one it is.
    start, end
        s: pairs of frames belong to it whose later one is shown at ``start <= time < end``. Where there are no times,
        the places of the pairs among all, from 0.
    pairs
        How many of them were counted.
    """

    usual_colormap: ClassVar = "jet"
    usual_alpha: ClassVar = 0.4

    number: int
    start: float
    end: float
    pairs: int
    _all: TimeSlices

    @property
    def counts(self) -> NDArray[np.uint32]:
        """(h, w) uint32: in how many of these pairs the pixel moved. Unpacked when it is asked for."""
        return self._all.packed.of(self.number)

    @property
    def heat(self) -> NDArray[np.float32]:
        """(h, w) float32 in [0, 1]: the counts, blurred as those of the whole map, over the maximum of all slices."""
        return shares(self._all.values(self.number), self._all.peak)

    @property
    def background(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """(H, W, 3) uint8 BGR, that of the whole map."""
        return self._all.background

    @property
    def label(self) -> str:
        """The stretch in words, such as ``0:00 – 10:00``."""
        if not self._all.timed:
            return f"pairs {self.start:g} {DASH} {self.end:g}"
        step = self._all.packed.steps.step
        enough = 0 if step >= 60 else 1 if step >= 1 else 2 if step >= 0.1 else 3  # where none are exact
        decimals = next((d for d in range(3) if step * 10**d % 1 == 0), enough)
        return f"{format_time(self.start, decimals)} {DASH} {format_time(self.end, decimals)}"

    def caption(self, moved: float, all_motion: float) -> Caption:
        """What stands over it on a contact sheet: when it was, and its share of all motion."""
        from gpuheat.outputs.contact_sheet import Caption

        percent = 100 * moved / all_motion if moved > 0 else 0
        share = f"{percent:.1f} %" if percent >= 0.1 else "< 0.1 %" if percent > 0 else "0 %"
        return Caption(self.label, self.label.partition(f" {DASH}")[0], share if self.pairs > 0 else "no frames")

    def __repr__(self) -> str:
        return f"<TimeSlice {self.number}: {self.label}, {self.pairs:,} pairs>"

    def describe(self) -> Description:
        """What a notebook and a plot say of it."""
        height, width = (self.heat if self.background is None else self.background).shape[:2]
        full_scale = _full_scale(self._all.peak)
        return Description(
            title=self.label,
            full=self._all.peak,
            unit="frames in motion",
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),  # the centres of pixels have whole numbers
            facts=[("Compared", f"{self.pairs:,} frame pairs"), ("Scale", full_scale)],
        )

    def write(self, out: OutputFolder, style: PictureStyle) -> None:
        """Write ``heatmap.png overlay.png figure.png counts.npy``; colours mean what they do in all slices."""
        from gpuheat.outputs.pictures import write_pictures

        write_pictures(
            out,
            self.heat,
            self.background,
            style,
            title=self.label,
            subtitle=f"{self.pairs:,} frame pairs",
            full_scale=_full_scale(self._all.peak),
        )
        out.write_array("counts.npy", self.counts)


class TimeSlices(Sequence[TimeSlice]):
    """The maps of stretches of the time, in their order; their counts add up to those of the whole.

    From the first stretch, or the first in which there is a pair, to the last in which there is one; those without
    any in between are maps of zeros, and so is the only one where there is no pair at all.

    Attributes
    ----------
    packed
        Their counts.
    timed
        Whether there are times.
    background
        (H, W, 3) uint8 BGR, or None.
    """

    def __init__(
        self,
        packed: SliceCounts,
        times: NDArray[np.float64] | None,
        counted: NDArray[np.bool_],
        background: NDArray[np.uint8] | None,
        blur: float,
    ) -> None:
        self.packed = packed
        self.timed = times is not None
        self.background = background
        self._times = np.arange(len(counted), dtype=np.float64) if times is None else times
        self._counted = counted
        self._blur = blur
        steps, first, last = packed.steps, 0, max(1, packed.slicing.least) - 1
        if len(self._times) > 0:
            first = min(first, steps.number(float(self._times.min())))
            last = max(last, steps.number(float(self._times.max())))
        self._first = first
        self._begins = np.array([steps.begin(number) for number in range(first, last + 2)])

    def __len__(self) -> int:
        return len(self._begins) - 1

    @overload
    def __getitem__(self, which: int) -> TimeSlice: ...
    @overload
    def __getitem__(self, which: slice) -> list[TimeSlice]: ...
    def __getitem__(self, which: int | slice) -> TimeSlice | list[TimeSlice]:
        if isinstance(which, slice):
            return [self[place] for place in range(*which.indices(len(self)))]
        place = range(len(self))[which]
        start, end = self._begins[place : place + 2].tolist()
        return TimeSlice(self._first + place, start, end, int(self.pairs[place]), self)

    def __repr__(self) -> str:
        return f"<TimeSlices {len(self)} of {float(self.packed.steps.step):g} {'s' if self.timed else 'pairs'}>"

    @property
    def starts(self) -> NDArray[np.float64]:
        """(n,) float64: when each begins, s."""
        return self._begins[:-1]

    @property
    def ends(self) -> NDArray[np.float64]:
        """(n,) float64: when each ends, s."""
        return self._begins[1:]

    @cached_property
    def pairs(self) -> NDArray[np.int64]:
        """(n,) int64: how many pairs of each were counted."""
        places = np.searchsorted(self._begins, self._times[self._counted], side="right") - 1
        return np.bincount(places, minlength=len(self))

    @cached_property
    def peak(self) -> float:
        """The maximum of all their counts, blurred as those of the whole map."""
        return max((float(self.values(number).max()) for number in self.packed.store), default=0.0)

    def values(self, number: int) -> NDArray[Any]:
        """(h, w): the counts of a slice, blurred as those of the whole map; on the host, wherever they were counted."""
        return blurred(self.packed.of(number), self._blur, get_backend("numpy"))

    def write(self, out: OutputFolder, style: PictureStyle, title: str) -> None:
        """Write ``slices.png``, a contact sheet of all, and ``slices.npz``: ``counts start_s end_s pairs``."""
        from gpuheat.outputs.files import ArrayParts

        out.write("slices.png", self._contact_sheet(style, title))
        shape = self.packed.of(0).shape
        arrays: dict[str, Any] = {
            "counts": ArrayParts((len(self), *shape), np.uint32, (each.counts for each in self)),
            "start_s": self.starts,
            "end_s": self.ends,
            "pairs": self.pairs,
        }
        out.write_arrays("slices.npz", arrays)

    def _contact_sheet(self, style: PictureStyle, title: str) -> bytes:
        """All of them in one scale; where they are too many, some together in each picture."""
        from gpuheat.outputs.contact_sheet import MOST_PICTURES, draw_contact_sheet
        from gpuheat.outputs.pictures import on_paper

        shown = self.joined(MOST_PICTURES)
        motion = np.array([each.counts.sum(dtype=np.uint64) for each in shown], np.float64)
        return draw_contact_sheet(
            (shown.values(each.number) for each in shown),
            [each.caption(moved, motion.sum()) for each, moved in zip(shown, motion.tolist(), strict=True)],
            on_paper(self.background, *self.packed.of(0).shape),
            style,
            title=title,
            subtitle=f"{len(shown):,} stretches of {shown.step}  ·  one scale for all  ·  % is the share of all motion",
            full_scale=_full_scale,
        )

    @property
    def step(self) -> str:
        """How long each is, in words."""
        step = float(self.packed.steps.step)
        if not self.timed:
            return f"{step:g} frame pairs"
        return f"{step:.4g} s" if step < 60 else f"{format_time(step)} min" if step < 3600 else f"{format_time(step)} h"

    def joined(self, most: int) -> TimeSlices:
        """The same in longer stretches, where there are more than so many."""
        factor = -(-len(self) // most)
        if factor < 2:
            return self
        times = self._times if self.timed else None
        return TimeSlices(self.packed.joined(factor), times, self._counted, self.background, self._blur)


def _full_scale(peak: float) -> str:
    """What 100 % on the colour bar stands for."""
    return f"100 % = {peak:.3g} frame{'' if peak == 1 else 's'} in motion" if peak > 0 else "nothing moved"
