"""The sums of pictures that never are on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.backends.base import SummingBackend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.backends import Backend
    from gpuheat.jobs.together import Together

__all__ = ["PictureSums"]

FRAMES: Final = (2**32 - 1) // 255
"""So many pictures can be added up in 32 bits."""


class PictureSums:
    """Adds up the BGR pictures of frames where they are compared, and keeps the sums there until they are asked for."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._sums: Any = None  # (3, h, w) uint32 of the backend's
        self._frames = 0

    def takes(self, together: Together) -> bool:
        """Whether these frames can be added up, and there is room for them until :meth:`taken` is called."""
        can = isinstance(self._backend, SummingBackend) and together.gathered is not None and together.layout.planar
        return can and self._frames + len(together.waiting) <= FRAMES

    def add(self, together: Together) -> None:
        """Add frames up."""
        assert isinstance(self._backend, SummingBackend)
        assert together.gathered is not None
        if self._sums is None:
            self._sums = self._backend.zeros((3, *together.gathered[0].shape[1:]), np.uint32)
        self._backend.add_pictures(self._sums, together.gathered, together.layout)
        self._frames += len(together.waiting)

    def taken(self) -> tuple[NDArray[np.uint32], int] | None:
        """The sums, (3, h, w), and of how many frames; then they begin anew. None if there are none. May wait."""
        if self._sums is None:
            return None
        taken = np.array(self._backend.to_host(self._sums), np.uint32), self._frames
        self._sums, self._frames = None, 0
        return taken
