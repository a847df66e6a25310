"""The counts of each slice of the time, packed, as a finished map has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gpuheat.errors import InputError
from gpuheat.motion.sliced import Slicing, Steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.motion.slice_store import SliceStore

__all__ = ["SliceCounts"]


@dataclass(frozen=True, eq=False)
class SliceCounts:
    """What :class:`TimeSlices` are made of.

    Attributes
    ----------
    slicing
        The slices.
    shape
        (h, w) of the counts before they are turned.
    store
        The raveled counts.
    turned
        Degrees counter-clockwise, a multiple of 90, by which they are turned.
    """

    slicing: Slicing
    shape: tuple[int, int]
    store: SliceStore
    turned: int = 0

    @property
    def steps(self) -> Steps:
        """Where the slices begin."""
        return self.slicing.steps

    def of(self, number: int) -> NDArray[np.uint32]:
        """(h, w) uint32: the counts of one slice."""
        counts: NDArray[np.uint32] = self.store.dense(number).reshape(self.shape)
        return np.ascontiguousarray(np.rot90(counts, self.turned // 90))

    def turn(self, degrees: int) -> SliceCounts:
        """The same turned counter-clockwise by a multiple of 90 degrees."""
        return replace(self, turned=self.turned + degrees)

    def joined(self, factor: int) -> SliceCounts:
        """One slice for every so many."""
        store = self.store.copy()
        store.join(factor)
        steps = Steps(self.steps.step * factor, self.steps.origin)
        return replace(self, slicing=Slicing(steps, -(-self.slicing.least // factor)), store=store)

    def merge(self, other: SliceCounts) -> SliceCounts:
        """Both together: slices of the same time add up.

        Raises
        ------
        InputError
            If slices of the one begin within those of the other, or the maps are turned differently.
        """
        later = (other.steps.origin - self.steps.origin) / self.steps.step
        if self.steps.step != other.steps.step or later.denominator != 1:
            raise InputError("only equal maps can be merged: slices of the time begin at other times in the two")
        if (self.turned - other.turned) % 360:
            raise InputError("only equal maps can be merged: slices of the time are turned differently in the two")
        store, theirs = self.store.copy(), other.store.copy()
        theirs.shift(int(later))
        store.merge(theirs)
        least = max(self.slicing.least, int(later) + other.slicing.least)
        return replace(self, slicing=Slicing(self.steps, least), store=store)
