"""Whatever can be summed up of counts, kept apart by slices of the time while counting goes on.

When the first pair of another slice comes, what the counts sum up to by then, less what they did when the slice before
it began, is what moved in that one: no pair is looked at twice, and the work is done once a slice. It is the same
however the counting was cut up, and slices of one number add up, wherever they were counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from gpuheat.errors import OptionError
from gpuheat.motion.slice_store import SliceStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["MOST_OF_ONE_STEP", "SlicedSums", "Slicing", "Steps", "Sums"]

MOST_OF_ONE_STEP: Final = 10_000
"""Slices whose step does not double are numbered below this."""


class Sums(Protocol):
    """What counts are summed up to: linear, so that the sums of two counts are those of both together."""

    @property
    def size(self) -> int:
        """How many there are."""

    @property
    def dtype(self) -> type[np.uint32 | np.uint64]:
        """What they fit into."""

    def __call__(self, counts: NDArray[np.uint32], /) -> NDArray[Any]:
        """(size,): the sums of (h, w) counts. They may lie in the memory of these."""


@dataclass(frozen=True)
class Steps:
    """Slices of one length: slice i is ``begin(i) <= time < begin(i + 1)``.

    Attributes
    ----------
    step
        Their length, s.
    origin
        When slice 0 begins, s.
    """

    step: Fraction
    origin: Fraction = Fraction(0)

    def begin(self, number: int) -> float:
        """When a slice begins, s: the float64 nearest to it, as times are."""
        return float(self.origin + number * self.step)

    def number(self, time: float) -> int:
        """The slice of a time, s."""
        number = math.floor((time - float(self.origin)) / float(self.step))
        while self.begin(number) > time:
            number -= 1
        while self.begin(number + 1) <= time:
            number += 1
        return number


@dataclass(frozen=True)
class Slicing:
    """Slices of the time as they are asked for: ``least`` are there from number 0 on, also where nothing is in them."""

    steps: Steps
    least: int = 0


class SlicedSums:
    """Sums of the counts of each slice of the time.

    Parameters
    ----------
    sums
        What the counts are summed up to.
    steps
        The slices.
    most
        The step doubles where there would be more slices than these, before or after the origin: it depends on the
        earliest and the latest time alone. None: it does not double.
    level
        See :class:`SliceStore`.
    """

    def __init__(self, sums: Sums, steps: Steps, *, most: int | None = None, level: int = 0) -> None:
        self._sums = sums
        self._steps = steps
        self._most = most
        self._doublings = 0
        self._store = SliceStore(sums.size, sums.dtype, level)
        self._known = (0, steps.begin(0), steps.begin(1))  # a slice, where it begins and ends
        self._before: NDArray[Any] = np.zeros(sums.size, sums.dtype)  # of the counts when the slice began
        self._current: int | None = None  # a number of slices that were never doubled

    @property
    def step(self) -> Fraction:
        """The length of the slices, s, by now."""
        return self._steps.step * (1 << self._doublings)

    def number(self, time: float) -> int:
        """The slice of a time, as slices are numbered by now."""
        return self._undoubled(time) >> self._doublings

    def enter(self, time: float, counts: Callable[[], NDArray[np.uint32]]) -> None:
        """Take note that the pairs to come belong to the slice of this time, s.

        ``counts`` gives the (h, w) counts so far, and is called only where that is another slice.

        Raises
        ------
        OptionError
            If there are too many slices.
        """
        number = self._undoubled(time)
        if self._current is not None and number >> self._doublings == self._current >> self._doublings:
            return
        if self._most is None and abs(number) >= MOST_OF_ONE_STEP:
            raise OptionError(
                f"slices of {float(self._steps.step):g} s are too many for a time of {time:g} s, {MOST_OF_ONE_STEP:,} "
                "at most: make them longer"
            )
        if self._current is not None:
            self.close(counts())
        self._current = number
        while self._most is not None and not -self._most <= number >> self._doublings < self._most:
            self._double()

    def close(self, counts: NDArray[np.uint32]) -> None:
        """Have all that was counted so far in the slices; the one that was entered last goes on."""
        if self._current is None:
            return
        sums = self._sums(counts)
        moved = np.subtract(sums, self._before, out=self._before)  # to spare memory
        self._store.add(self._current >> self._doublings, moved)
        self._before[...] = sums

    def merge(self, other: SlicedSums) -> None:
        """Add the slices of another of the same kind, whose counts are added to these. Both are closed."""
        theirs = other._store.copy()
        while self._doublings < other._doublings:
            self._double()
        for _ in range(self._doublings - other._doublings):
            theirs.join(2)
        self._store.merge(theirs)
        self._before += other._before

    @property
    def slices(self) -> SliceStore:
        """What moved in each slice, once they are closed. What is counted later does not change it."""
        return self._store.copy()

    @property
    def state(self) -> dict[str, Any]:
        """The slices, for :meth:`restore`, once they are closed."""
        return {"doublings": self._doublings, "slices": self._store.state}

    def restore(self, state: dict[str, Any], counts: NDArray[np.uint32]) -> None:
        """Begin with the slices of another of the same kind, which gave them as its state, and its (h, w) counts."""
        self._doublings = state["doublings"]
        self._store.restore(state["slices"])
        self._before[...] = self._sums(counts)
        self._current = None

    def _undoubled(self, time: float) -> int:
        """The slice of a time, if slices had never been doubled."""
        number, begin, end = self._known
        if not begin <= time < end:  # most times lie in the slice of the time before
            number = self._steps.number(time)
            self._known = number, self._steps.begin(number), self._steps.begin(number + 1)
        return number

    def _double(self) -> None:
        self._store.join(2)
        self._doublings += 1
