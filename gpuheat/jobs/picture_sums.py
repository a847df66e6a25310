"""The sums of pictures that never are on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.backends.base import SummingBackend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpuheat.backends import Backend
    from gpuheat.jobs.together import Together
    from gpuheat.pixels import FrameLayout

__all__ = ["PictureSums"]

MOST: Final = (2**32 - 1) // 255
"""So many pictures can be added up in 32 bits."""


class PictureSums:
    """Adds up the planes of frames where they are compared, and keeps the sums there until they are asked for."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._adder = backend if isinstance(backend, SummingBackend) else None  # to ask for each frame takes long
        self._layout: FrameLayout | None = None
        self._sums: list[Any] = []  # for each plane uint32 of the backend's
        self._weight = 0

    def takes(self, together: Together) -> bool:
        """Whether these frames can be added up."""
        return self._adder is not None and together.gathered is not None and together.layout.planar

    def has_room_for(self, together: Together, runs: Sequence[tuple[slice, int]]) -> bool:
        """Whether those can be added up before :meth:`taken` is called: see :meth:`add`."""
        weight = sum((run.stop - run.start) * weight for run, weight in runs)
        return not self._sums or (self._layout == together.layout and self._weight + weight <= MOST)

    def add(self, together: Together, runs: Sequence[tuple[slice, int]]) -> None:
        """Add some of the frames up: which in a row, and how often each."""
        assert self._adder is not None
        assert together.gathered is not None
        for run, weight in runs:
            if not self._sums:
                self._layout = together.layout
                self._sums = [self._backend.zeros(plane.shape[1:], np.uint32) for plane in together.gathered]
            for sums, plane in zip(self._sums, together.gathered, strict=True):
                self._adder.add_planes(sums, plane[run], weight)
            self._weight += (run.stop - run.start) * weight

    def taken(self) -> tuple[FrameLayout, list[NDArray[np.uint32]], int] | None:
        """The layout, the sums of its planes, and how many frames they stand for; then they begin anew.

        None if there are none. May wait.
        """
        if self._layout is None:
            return None
        taken = self._layout, [np.array(self._backend.to_host(sums), np.uint32) for sums in self._sums], self._weight
        self._layout, self._sums, self._weight = None, [], 0
        return taken
