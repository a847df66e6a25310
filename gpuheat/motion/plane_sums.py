"""Sums of the planes of many frames."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from gpuheat.backends.cpu_loops import numba_cpu
from gpuheat.backends.cpu_planes import flat_plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["PlaneSums"]

IN_16_BITS: Final = (2**16 - 1) // 255  # frames, whose sums fit these
ROWS_AT_ONCE: Final = 64  # to spare memory


class PlaneSums:
    """The sums of the planes of frames that have one layout, in whole numbers.

    As long as they fit, there are two of each byte in 16 bits: of the frames that count once, and of those that count
    more often. They lie side by side, row by row, so that what they come to together, in 32 bits, takes their place
    when one is full. So half as much is read and written for a frame, and no memory is asked for once more.

    Parameters
    ----------
    shapes
        Of the planes: (h, w) or (h, w, bytes).
    often
        How often a frame may count that does not count once.

    Attributes
    ----------
    shapes
        Those.
    weight
        How many frames they stand for, at most 2**24.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], often: int) -> None:
        self.shapes = shapes
        self.weight = 0
        self._often = often
        self._frames = [0, 0]  # that count once, and more often
        self._sums: list[NDArray[Any]] = [np.zeros((shape[0], 2, prod(shape[1:])), np.uint16) for shape in shapes]

    def add(self, planes: Sequence[NDArray[np.uint8]], weight: int) -> None:
        """Add the planes of a frame, which counts so often."""
        assert weight in (1, self._often)
        part = int(weight > 1)
        self.weight += weight
        self._frames[part] += 1
        if self._frames[part] > IN_16_BITS:
            self._widen()
        once, part = (1, part) if self._is_narrow else (weight, 0)
        for sums, plane in zip(self._sums, planes, strict=True):
            numba_cpu.add_bytes(*flat_plane(plane), np.uint32(once), sums, part)

    def add_sums(self, planes: Sequence[NDArray[Any]], weight: int) -> None:
        """Add sums of planes that stand for so many frames."""
        self.weight += weight
        self._widen()
        for sums, plane in zip(self._sums, planes, strict=True):
            sums += plane.reshape(sums.shape)

    @property
    def planes(self) -> list[NDArray[np.uint32]]:
        """The sums, of the shapes of the planes. They may change with the next frame."""
        return [self._rows(place, slice(None)).reshape(shape) for place, shape in enumerate(self.shapes)]

    def mean(self, begin: int, end: int) -> tuple[NDArray[np.uint8], ...]:
        """The mean of each plane, rounded half up, where rows of the picture from ``begin`` to ``end`` are in it.

        Both are even where the planes of colour have half the rows.
        """
        wide = np.uint32 if (2 * 255 + 1) * self.weight < 2**32 else np.uint64
        planes = []
        for place, shape in enumerate(self.shapes):
            scale = self.shapes[0][0] // shape[0]
            rows = self._rows(place, slice(begin // scale, end // scale)).astype(wide, copy=False)
            mean = ((2 * rows + self.weight) // (2 * self.weight)).astype(np.uint8)
            planes.append(mean.reshape(-1, *shape[1:]))
        return tuple(planes)

    @property
    def state(self) -> dict[str, Any]:
        """All of it, for :meth:`restored`. It may change with the next frame."""
        return {
            "shapes": [[*shape] for shape in self.shapes],
            "often": self._often,
            "weight": self.weight,
            "frames": [*self._frames],
            "sums": {str(place): sums for place, sums in enumerate(self._sums)},
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """The sums that gave this as their state."""
        sums = cls([tuple(shape) for shape in state["shapes"]], state["often"])
        sums.weight, sums._frames = state["weight"], [*state["frames"]]
        sums._sums = [*map(np.array, state["sums"].values())]
        return sums

    @property
    def _is_narrow(self) -> bool:
        return self._sums[0].dtype == np.uint16

    def _rows(self, place: int, rows: slice) -> NDArray[np.uint32]:
        """(rows, bytes): some rows of the sums of a plane."""
        sums = self._sums[place][rows]
        if not self._is_narrow:
            return sums[:, 0]
        once, often = sums[:, 0].astype(np.uint32), sums[:, 1].astype(np.uint32)
        often *= np.uint32(self._often)
        often += once
        return often

    def _widen(self) -> None:
        """Have 32 bits for each sum."""
        if not self._is_narrow:
            return
        widened = []
        for place, narrow in enumerate(self._sums):
            wide = narrow.reshape(len(narrow), -1).view(np.uint32)[:, np.newaxis]  # the same memory
            for begin in range(0, len(narrow), ROWS_AT_ONCE):
                rows = slice(begin, begin + ROWS_AT_ONCE)
                wide[rows, 0] = self._rows(place, rows)
            widened.append(wide)
        self._sums = widened
