"""The sums of the BGR pictures of planar frames, which are never made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from gpuheat.backends.cpu_loops import numba_cpu
from gpuheat.backends.cpu_planes import flat_planes, yuv_style

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.pixels import Pixels

__all__ = ["PlanarSums"]

FRAMES_IN_32_BITS: Final = (2**31 - 1) // 300


class _Sums(NamedTuple):
    """Sums of what a picture consists of.

    Attributes
    ----------
    luma
        (h, w), of what all three colours share.
    color
        (3, h / 2, w / 2), of what the chroma adds to blue, green and red.
    clipped
        (3, h, w), of what clipping to 0..255 added to that. Takes memory only where it is written to.
    has_clipped
        (h,) uint8, 1 for rows in which it was.
    """

    luma: NDArray[Any]
    color: NDArray[Any]
    clipped: NDArray[Any]
    has_clipped: NDArray[np.uint8]

    @classmethod
    def zeros(cls, height: int, width: int, dtype: Any) -> _Sums:
        """Of no picture."""
        shapes = (height, width), (3, height // 2, width // 2), (3, height, width)
        luma, color, clipped = (np.zeros(shape, dtype) for shape in shapes)
        return cls(luma, color, clipped, np.zeros(height, np.uint8))


class PlanarSums:
    """Adds up frames. Sums are gathered in 16 bits, where that costs least, and moved before they could overflow.

    Some frames wait until they can be added together, and their memory has to stay as it is.

    Parameters
    ----------
    height, width
        Size of the frames, px, both even.
    """

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        self._gathered: _Sums | None = None
        self._in_16_bits = 0
        self._moved: _Sums | None = None
        self._frames = 0
        self._waiting: list[Pixels] = []

    def add(self, frame: Pixels) -> None:
        """Add a frame up, whose layout is planar."""
        if self._waiting and self._waiting[0].layout != frame.layout:
            self._add_waiting()
        self._waiting.append(frame)
        self._frames += 1
        if len(self._waiting) == numba_cpu.FRAMES_AT_ONCE:
            self._add_waiting()

    def add_pictures(self, sums: NDArray[np.uint32], frames: int) -> None:
        """Add up so many more frames, whose pictures were added up elsewhere: (3, h, w), blue, green and red."""
        self._frames += frames
        moved = self._with_bits_enough()
        np.add(moved.clipped, sums, out=moved.clipped)
        moved.has_clipped[:] = 1

    def append(self, other: PlanarSums) -> None:
        """Take in what another added up. It is not to be used any more."""
        self._frames += other._frames
        moved = self._with_bits_enough()
        other._move_to(moved)
        if other._moved is None:
            return
        for sums, others in ((moved.luma, other._moved.luma), (moved.color, other._moved.color)):
            np.add(sums, others, out=sums)
        for row in np.flatnonzero(other._moved.has_clipped):
            moved.clipped[:, row] += other._moved.clipped[:, row]
        np.maximum(moved.has_clipped, other._moved.has_clipped, out=moved.has_clipped)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the sums of the pictures: (h, w, 3)."""
        return *self._size, 3

    def __getitem__(self, rows: slice) -> NDArray[np.int64]:
        """The sums of the pictures' rows from an even one to an even one: (rows, w, 3), blue, green and red."""
        first, last = rows.start, rows.stop
        sums = self._all()
        color = sums.color[:, first // 2 : last // 2].repeat(2, axis=1).repeat(2, axis=2)
        total = sums.luma[first:last] + color.astype(np.int64)
        if sums.has_clipped[first:last].any():
            total += sums.clipped[:, first:last]
        return np.asarray(total.transpose(1, 2, 0))

    @property
    def state(self) -> dict[str, Any]:
        """What was added up, for :meth:`restore`: arrays and numbers. They may change with the next frame."""
        sums = self._all()
        rows = np.flatnonzero(sums.has_clipped)
        return {
            "frames": self._frames,
            "luma": sums.luma,
            "color": sums.color,
            "clipped_rows": rows,
            "clipped": sums.clipped[:, rows],
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> PlanarSums:
        """What gave this as its state."""
        sums = cls(*state["luma"].shape)
        sums._frames = state["frames"]
        moved = sums._with_bits_enough()
        moved.luma[...], moved.color[...] = state["luma"], state["color"]
        moved.clipped[:, state["clipped_rows"]] = state["clipped"]
        moved.has_clipped[state["clipped_rows"]] = 1
        return sums

    def _add_waiting(self) -> None:
        """Add the frames that wait: all at once, or one by one where there are too few."""
        if self._waiting and self._in_16_bits + len(self._waiting) > numba_cpu.FRAMES_IN_16_BITS:
            self._move_gathered_to(self._with_bits_enough())
        self._gathered = self._gathered or _Sums.zeros(*self._size, np.int16)
        at_once = len(self._waiting) == numba_cpu.FRAMES_AT_ONCE
        for frames in [self._waiting] if at_once else [[frame] for frame in self._waiting]:
            layout, (rows, width) = frames[0].layout, self._size
            flat = [value for frame in frames for value in flat_planes(frame.planes, layout)]
            assert layout.conversion is not None
            step, factors = yuv_style(layout, layout.conversion)
            planes, pitches = tuple(flat[::2]), tuple(flat[1::2])
            numba_cpu.add_picture_rows_yuv(planes, pitches, 0, rows // 2, step, width, factors, *self._gathered)
        self._in_16_bits += len(self._waiting)
        self._waiting = []

    def _move_to(self, sums: _Sums) -> None:
        """Move what waits or was gathered in 16 bits."""
        if self._waiting:
            self._add_waiting()
        self._move_gathered_to(sums)

    def _move_gathered_to(self, sums: _Sums) -> None:
        if self._gathered is not None:
            numba_cpu.move_partial_sums(*self._gathered, *sums)
        self._in_16_bits = 0

    def _all(self) -> _Sums:
        """The sums of all frames so far."""
        sums = self._with_bits_enough()
        self._move_to(sums)
        return sums

    def _with_bits_enough(self) -> _Sums:
        """The sums with more bits, so many that all frames so far can be moved there."""
        dtype = np.int32 if self._frames <= FRAMES_IN_32_BITS else np.int64
        if self._moved is None:
            self._moved = _Sums.zeros(*self._size, dtype)
        elif self._moved.luma.dtype != dtype:
            luma, color, clipped, has_clipped = self._moved
            self._moved = _Sums(luma.astype(dtype), color.astype(dtype), clipped.astype(dtype), has_clipped)
        return self._moved
