"""What is kept of every pair of frames."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpuheat.backends import Backend

__all__ = ["PairLog"]

PAIRS_ON_DEVICE: Final = 4096


class PairLog:
    """The moved pixels, the time and the fate of each pair, in order.

    The moved pixels stay where the backend counted them until they are asked for, or until some thousand pairs are
    waiting: asking earlier would make the host wait for the device after every batch.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._waiting: Any = None  # (n,) uint32 of the backend's, the first of them filled
        self._filled = 0
        self._moved = array("I")
        self._times = array("d")
        self._counted = bytearray()

    def __len__(self) -> int:
        return len(self._counted)

    def room(self, pairs: int) -> Any:
        """(pairs,) uint32 of the backend's, for the moved pixels of the next pairs."""
        if self._waiting is None or self._filled + pairs > self._waiting.shape[0]:
            self._fetch()
            if self._waiting is None or pairs > self._waiting.shape[0]:
                self._waiting = self._backend.zeros((max(pairs, PAIRS_ON_DEVICE),), np.uint32)
        return self._waiting[self._filled : self._filled + pairs]

    def add(self, times: Sequence[float], counted: Sequence[bool]) -> None:
        """Add the pairs whose moved pixels are in the room asked for last; one of ``times`` each, or none at all."""
        self._filled += len(counted)
        self._times.extend(times)
        self._counted.extend(map(int, counted))

    def extend(self, other: PairLog) -> None:
        """Add the pairs of another log behind these."""
        self._fetch()
        other._fetch()
        self._moved.extend(other._moved)
        self._times.extend(other._times)
        self._counted.extend(other._counted)

    @property
    def state(self) -> dict[str, Any]:
        """All of it, for :meth:`restore`. Waits for the device."""
        return {"moved": self.moved, "times": self.times, "counted": self.counted}

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with the pairs of another log, which it gave as its state."""
        self._moved = array("I", state["moved"].astype(np.uintc).tobytes())
        self._times = array("d", state["times"].astype(np.float64).tobytes())
        self._counted = bytearray(state["counted"].astype(np.uint8).tobytes())

    @property
    def moved(self) -> NDArray[np.uint32]:
        """(pairs,) uint32. Waits for the device."""
        self._fetch()
        return np.array(self._moved, np.uint32)

    @property
    def times(self) -> NDArray[np.float64]:
        """(pairs,) float64, s; (0,) where there are none."""
        return np.array(self._times, np.float64)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(pairs,) bool: whether the pair went into the counts."""
        return np.array(self._counted, np.bool_)

    def _fetch(self) -> None:
        if self._filled > 0:
            moved = self._backend.to_host(self._waiting[: self._filled])
            self._moved.frombytes(np.ascontiguousarray(moved, np.uint32).tobytes())
            self._filled = 0
