"""Frames on their way into a counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpuheat.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpuheat.backends import Backend
    from gpuheat.pixels import FrameLayout

__all__ = ["Batch"]


@dataclass(frozen=True, eq=False)
class Batch:
    """n frames of one layout: one (n, ...) array for each plane."""

    layout: FrameLayout
    planes: tuple[Any, ...]

    @classmethod
    def adopt(
        cls,
        frames: Any,
        asarray: Callable[[object], Any],
        height: int,
        width: int,
        layouts: Sequence[FrameLayout],
    ) -> Batch:
        """Frames as they were pushed, one or a batch, in the first of ``layouts`` that fits them.

        ``asarray`` makes arrays of them, a backend's or the host's.

        Raises
        ------
        InputError
            If none does, or they are not uint8.
        """
        planar = layouts[0].planar
        planes = tuple(map(asarray, frames)) if planar else (asarray(frames),)
        got = [tuple(plane.shape) for plane in planes]
        for layout in layouts:
            shapes = layout.plane_shapes(height, width)
            if any(plane.dtype != "uint8" for plane in planes):
                break
            if got == [*shapes]:
                return cls(layout, tuple(plane.reshape((1, *plane.shape)) for plane in planes))
            if got[0] and got == [(got[0][0], *shape) for shape in shapes]:
                return cls(layout, planes)
        expected = " or ".join(" and ".join(map(str, layout.plane_shapes(height, width))) for layout in layouts)
        kinds = " and ".join(f"{plane.dtype} of shape {tuple(plane.shape)}" for plane in planes)
        raise InputError(f"frames must be uint8 of shape {expected}, one frame or a batch, got {kinds}")

    def __len__(self) -> int:
        return int(self.planes[0].shape[0])

    def __getitem__(self, which: slice) -> Batch:
        return Batch(self.layout, tuple(plane[which] for plane in self.planes))

    def copy(self, backend: Backend) -> Batch:
        """The same frames in memory of their own."""
        return Batch(self.layout, tuple(map(backend.copy, self.planes)))

    @property
    def frames(self) -> Any:
        """All frames, as a backend takes them."""
        return self.planes if self.layout.planar else self.planes[0]

    @property
    def only_frame(self) -> Any:
        """The frame of a batch of one, as a backend takes it."""
        planes = tuple(plane[0] for plane in self.planes)
        return planes if self.layout.planar else planes[0]
