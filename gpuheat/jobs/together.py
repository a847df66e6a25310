"""Frames that are counted together: some backends had rather be asked seldom, and for much."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gpuheat.backends.base import GatheringBackend
from gpuheat.pixels import Pixels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from gpuheat.backends import Backend
    from gpuheat.inputs.frames import Frame

__all__ = ["Together", "Waiting", "how_many"]


@dataclass(frozen=True)
class Waiting:
    """A frame, its pixels as they are looked at, and as they are compared."""

    frame: Frame
    pixels: Pixels
    compared: Pixels


class Together:
    """Consecutive frames of one layout, of which ``gatherer``, where the backend is one, makes a batch.

    ``gathered`` is then that: for each plane an array of the backend's, (t, ...).

    Raises
    ------
    DeviceMemoryError
        If the memory of the backend's device does not suffice.
    """

    def __init__(
        self, waiting: Sequence[Waiting], backend: Backend, gatherer: GatheringBackend | None, later: Fraction
    ) -> None:
        self.waiting = waiting
        self._later = later
        self.layout = waiting[0].compared.layout
        self._backend = backend
        self.gathered: tuple[Any, ...] | None = None
        if gatherer is not None:
            self.gathered = gatherer.gather([it.compared.planes for it in waiting])

    @property
    def frames(self) -> Any:
        """All of them as a counter takes them."""
        if self.gathered is None:
            return self.waiting[0].compared.frame
        return self.gathered if self.layout.planar else self.gathered[0]

    @property
    def times(self) -> list[float] | None:
        """When each is shown, s, that much ``later``; None where there are no times."""
        times = [it.frame.time for it in self.waiting]
        return None if times[0] is None else [float(time + self._later) for time in times if time is not None]

    def on_host(self, place: int) -> Pixels:
        """The pixels of one of them in the host's memory, as they are looked at. May wait for the device."""
        pixels = self.waiting[place].pixels
        if all(isinstance(plane, np.ndarray) for plane in pixels.planes):
            return pixels
        if self.gathered is None:
            return Pixels(pixels.layout, tuple(map(self._backend.to_host, pixels.planes)))
        return Pixels(pixels.layout, tuple(plane[place] for plane in self._on_host))

    @cached_property
    def _on_host(self) -> tuple[Any, ...]:
        assert self.gathered is not None
        return tuple(map(self._backend.to_host, self.gathered))


def how_many(pixels: Pixels, backend: GatheringBackend) -> int:
    """How many frames like this are to be gathered for a backend."""
    nbytes = sum(int(np.prod(plane.shape)) for plane in pixels.planes)
    return max(1, min(backend.frames_at_once, backend.bytes_at_once // nbytes))
