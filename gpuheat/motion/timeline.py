"""Where things moved in each stretch of the time: counts in blocks of pixels, small enough to be kept for any length.

Time is cut into slices of one length, slice i being ``i * step <= time < (i + 1) * step``; a pair of frames belongs to
the slice in which its later frame is shown. The step is a power of two of ``SHORTEST`` and doubles where there would be
more than ``MOST`` slices, so that it depends on the last time alone, and not on how the counting was cut up. (Slices
before 0, of time stamps that no sound video has, may be as many again.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, overload

import numpy as np

from gpuheat.motion.slice_store import SliceStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["BLOCKS_ALONG", "MOST", "SHORTEST", "Timeline", "TimelineSlice", "block_size"]

SHORTEST: Final = 0.5
"""s; without times, pairs of frames, of which a slice then has at least one."""
MOST: Final = 256
BLOCKS_ALONG: Final = 320
"""Blocks along the wider side, at most."""


def block_size(height: int, width: int) -> int:
    """The side, px, of the blocks of a map of this size.

    >>> block_size(1080, 1920), block_size(48, 48)
    (6, 1)
    """
    return -(-max(height, width) // BLOCKS_ALONG)


@dataclass(frozen=True)
class TimelineSlice:
    """What moved in one slice of the time.

    Attributes
    ----------
    number
        Which slice it is; it begins at ``number * step``.
    cells
        (n,) uint32, ascending: the blocks in which anything moved, as places in the raveled grid.
    counts
        (n,) uint64: in each of them, the sum of the counts of its pixels.
    """

    number: int
    cells: NDArray[np.uint32]
    counts: NDArray[np.uint64]


@dataclass(frozen=True)
class Timeline:
    """The counts of a motion heat map, in blocks of pixels and slices of time.

    Attributes
    ----------
    shape
        (h, w) of the map, px.
    block
        Side of a block, px; those at the right and the lower border are what is left.
    step
        Length of a slice, s; or pairs of frames where these have no times.
    slices
        In order of time; those in which nothing was counted are left out. Each is made when it is asked for.
    """

    shape: tuple[int, int]
    block: int
    step: float
    slices: Sequence[TimelineSlice]

    @classmethod
    def of(cls, shape: tuple[int, int], step: float, slices: SliceStore) -> Timeline:
        """That of a map of (h, w) px, from the sums of its blocks in each slice, which stay packed."""
        return cls(shape, block_size(*shape), step, _Unpacked(slices))

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of blocks."""
        return -(-self.shape[0] // self.block), -(-self.shape[1] // self.block)

    def between(self, first: int, last: int) -> NDArray[np.uint64]:
        """(rows, columns): the sums of the counts of the slices ``first <= number < last``."""
        total = np.zeros(self.grid[0] * self.grid[1], np.uint64)
        for part in self._numbered(first, last):
            total[part.cells] += part.counts
        return total.reshape(self.grid)

    def heat(self, first: int, last: int) -> NDArray[np.float32]:
        """(rows, columns) float32 in [0, 1]: of the slices ``first <= number < last``, what of each block moved.

        The sum of its counts over its pixels, divided by the highest of all blocks; all zero where nothing moved.
        """
        heights, widths = (
            np.minimum(self.block, side - self.block * np.arange(blocks))
            for side, blocks in zip(self.shape, self.grid, strict=True)
        )
        mean = self.between(first, last) / np.outer(heights, widths)
        heat: NDArray[np.float32] = (mean / (mean.max() or 1)).astype(np.float32)
        return heat

    def merge(self, other: Timeline) -> Timeline:
        """That of both maps together, of one size: slices of the same time add up."""
        step = max(self.step, other.step)
        together = SliceStore(self.grid[0] * self.grid[1], np.uint64)
        for timeline in (self, other):
            own = SliceStore(together.size, np.uint64)
            for part in timeline.slices:
                values = np.zeros(together.size, np.uint64)
                values[part.cells] = part.counts
                own.add(part.number, values)
            for _ in range(round(math.log2(step / timeline.step))):
                own.join(2)
            together.merge(own)
        return Timeline.of(self.shape, step, together)

    def _numbered(self, first: int, last: int) -> Iterator[TimelineSlice]:
        return (part for part in self.slices if first <= part.number < last)


class _Unpacked(Sequence[TimelineSlice]):
    """The slices that a store has, unpacked one by one."""

    def __init__(self, store: SliceStore) -> None:
        self._store = store
        self._numbers = [*store]

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, which: int) -> TimelineSlice: ...
    @overload
    def __getitem__(self, which: slice) -> Sequence[TimelineSlice]: ...
    def __getitem__(self, which: int | slice) -> TimelineSlice | Sequence[TimelineSlice]:
        if isinstance(which, slice):
            return [self[place] for place in range(*which.indices(len(self)))]
        number = self._numbers[which]
        cells, counts = self._store.sparse(number)
        return TimelineSlice(number, cells.astype(np.uint32), counts.astype(np.uint64))
