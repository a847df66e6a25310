"""What a counter keeps of its counts by slices of the time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from gpuheat.motion.slice_counts import SliceCounts
from gpuheat.motion.sliced import SlicedSums, Slicing, Steps
from gpuheat.motion.timeline import MOST, SHORTEST, Timeline, block_size
from gpuheat.motion.zones import MOST_STRETCHES, MotionZones, ZoneSums

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gpuheat.motion.raised import Raised

__all__ = ["KeptOverTime", "OverTime"]

UNKNOWN: Final = np.empty((0, 0), np.uint64)


@dataclass(frozen=True)
class OverTime:
    """What is to be kept; nothing unless it is asked for.

    Attributes
    ----------
    timeline
        Whether there is a :class:`Timeline`.
    slicing
        Slices of the time for each of which there is a map; None where there is none.
    turned
        Degrees counter-clockwise, a multiple of 90, by which the counts are turned when they are shown.
    zones
        The zones whose sums there are to be.
    """

    timeline: bool = False
    slicing: Slicing | None = None
    turned: int = 0
    zones: ZoneSums | None = None


class KeptOverTime:
    """What is kept of (h, w) counts. Pairs without times are at 0, 1, 2 ..., their places among all.

    ``raised`` says where they were raised; None: not known.
    """

    def __init__(self, what: OverTime, shape: tuple[int, int], raised: Raised | None = None) -> None:
        self.what = what
        self._shape = shape
        self._shown = shape[::-1] if what.turned % 180 else shape
        self._sliced: dict[str, SlicedSums] = {}
        if what.timeline:
            steps = Steps(Fraction(SHORTEST))
            self._sliced["timeline"] = SlicedSums(BlockSums(shape, what.turned, raised), steps, most=MOST)
        if what.slicing is not None:
            self._sliced["slices"] = SlicedSums(AllCounts(shape), what.slicing.steps, level=1)
        if what.zones is not None:
            self._sliced["zones"] = SlicedSums(what.zones, Steps(Fraction(SHORTEST)), most=MOST_STRETCHES)

    def __bool__(self) -> bool:
        """Whether anything is."""
        return len(self._sliced) > 0

    def spans(self, times: Sequence[float]) -> list[slice]:
        """Consecutive pairs at these times, s, cut where another slice begins."""
        numbers = [[sums.number(time) for sums in self._sliced.values()] for time in times]
        cuts = [place for place in range(1, len(times)) if numbers[place] != numbers[place - 1]]
        return [slice(*span) for span in zip([0, *cuts], [*cuts, len(times)], strict=True)]

    def enter(self, time: float, counts: Callable[[], NDArray[np.uint32]]) -> None:
        """Take note that the next pairs belong to the slices of this time, s. See :meth:`SlicedSums.enter`."""
        for sums in self._sliced.values():
            sums.enter(time, counts)

    def close(self, counts: NDArray[np.uint32]) -> None:
        """Take in all that was counted so far."""
        for sums in self._sliced.values():
            sums.close(counts)

    def merge(self, other: KeptOverTime) -> None:
        """Add what was kept of other counts, which are added to these. Both are closed."""
        for name, sums in self._sliced.items():
            sums.merge(other._sliced[name])

    @property
    def timeline(self) -> Timeline | None:
        """Where things moved in each slice, once all is closed; None where that is not kept."""
        if "timeline" not in self._sliced:
            return None
        sums = self._sliced["timeline"]
        return Timeline.of(self._shown, float(sums.step), sums.slices)

    def zones(self, times: NDArray[Any], *, timed: bool, moved_anywhere: int) -> MotionZones | None:
        """What moved in each zone, once all is closed; None where that is not kept. See :meth:`MotionZones.of`."""
        if self.what.zones is None:
            return None
        sums = self._sliced["zones"]
        step = float(sums.step)
        return MotionZones.of(self.what.zones, sums.slices, step, times, timed=timed, moved_anywhere=moved_anywhere)

    @property
    def slices(self) -> SliceCounts | None:
        """The counts of each slice, not turned, once all is closed; None where they are not kept."""
        if self.what.slicing is None:
            return None
        return SliceCounts(self.what.slicing, self._shape, self._sliced["slices"].slices)

    @property
    def state(self) -> dict[str, Any]:
        """All of it, for :meth:`restore`, once it is closed."""
        return {name: sums.state for name, sums in self._sliced.items()}

    def restore(self, state: dict[str, Any], counts: NDArray[np.uint32]) -> None:
        """Begin with what another kept of these (h, w) counts and gave as its state."""
        for name, sums in self._sliced.items():
            sums.restore(state[name], counts)


class BlockSums:
    """The sums of the counts in the blocks of a :class:`Timeline`.

    Blocks begin at the upper left of the map as shown, which is that of the counts turned by so many degrees
    counter-clockwise. The counts themselves are not turned, that would take longer than counting.

    All counts it is called with are those of one map, of which ``raised`` says where they are not what they were; None:
    they may be any.
    """

    dtype: ClassVar = np.uint64

    def __init__(self, shape: tuple[int, int], turned: int, raised: Raised | None = None) -> None:
        from gpuheat.backends.cpu_loops import numba_cpu

        self._sum_blocks = numba_cpu.sum_blocks
        self._block = block = block_size(*shape)
        self._quarters = turned // 90 % 4
        self._grid = -(-shape[0] // block), -(-shape[1] // block)
        self.size = self._grid[0] * self._grid[1]
        left_over = [(length - 1) % block + 1 for length in shape]  # of the block at the end
        self._first_height = left_over[0] if self._quarters in (2, 3) else block
        self._first_width = left_over[1] if self._quarters in (1, 2) else block
        self._raised = raised
        self._since = 0
        self._sums = np.zeros(self._grid, np.uint64)

    def __call__(self, counts: NDArray[np.uint32]) -> NDArray[np.uint64]:
        """(size,): the blocks of the map as shown, row by row; to look at only, until the next call."""
        numbers = UNKNOWN if self._raised is None else self._raised.numbers
        self._sum_blocks(
            np.ascontiguousarray(counts),
            self._block,
            self._first_height,
            self._first_width,
            numbers,
            self._since,
            self._sums,
        )
        self._since = 0 if self._raised is None else self._raised.latest
        return np.rot90(self._sums, self._quarters).ravel()


class AllCounts:
    """The counts themselves."""

    dtype: ClassVar = np.uint32

    def __init__(self, shape: tuple[int, int]) -> None:
        self.size = shape[0] * shape[1]

    def __call__(self, counts: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """(size,): row by row."""
        return np.ravel(counts)
