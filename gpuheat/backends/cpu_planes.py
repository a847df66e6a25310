"""Frames as the CPU loops take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from gpuheat.pixels import FrameLayout, YuvToBgr

IDENTITY: Final = 8192  # (value * 8 * this) >> 16 is the value
__all__ = ["PlaneStack", "flat_plane", "flat_planes", "luma_style", "yuv_style"]


class PlaneStack:
    """Planes of consecutive frames, wherever each lies, as far as they need to be like one array (t, ...).

    Parameters
    ----------
    planes
        At least one, all of the same shape and dtype.
    """

    def __init__(self, planes: Sequence[NDArray[np.uint8]]) -> None:
        self._planes = planes
        self.shape = (len(planes), *planes[0].shape)
        self.dtype = planes[0].dtype

    def __len__(self) -> int:
        return len(self._planes)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return iter(self._planes)

    @overload
    def __getitem__(self, which: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, which: slice) -> PlaneStack | NDArray[np.uint8]: ...
    def __getitem__(self, which: int | slice) -> PlaneStack | NDArray[np.uint8]:
        """One plane; of several a stack, of one or none an array (t, ...)."""
        if isinstance(which, int):
            return self._planes[which]
        planes = self._planes[which]
        return PlaneStack(planes) if len(planes) > 1 else self._planes[which.start or 0][np.newaxis][: len(planes)]


def flat_planes(planes: tuple[NDArray[np.uint8], ...], layout: FrameLayout) -> list[tuple[NDArray[np.uint8], int]]:
    """Each plane as flat bytes and the distance between its rows; the two colours of NV12 one after the other."""
    flat = [flat_plane(plane) for plane in planes]
    if layout.pixel_format == "nv12":
        uv, pitch = flat.pop()
        flat += [(uv, pitch), (uv[1:], pitch)]
    return flat


def yuv_style(layout: FrameLayout, conversion: YuvToBgr) -> tuple[int, NDArray[np.int16]]:
    """Distance between two values of one colour, and the six factors of the conversion, as the loops want them."""
    numbers = [getattr(conversion, name) for name in ("black", "gain", "red_v", "green_u", "green_v", "blue_u")]
    return 2 if layout.pixel_format == "nv12" else 1, np.array(numbers, np.int16)


def luma_style(layout: FrameLayout) -> tuple[np.int16, np.int16]:
    """Black and gain of a gray8 layout, as the loops want them."""
    black, gain = (0, IDENTITY) if layout.conversion is None else (layout.conversion.black, layout.conversion.gain)
    return np.int16(black), np.int16(gain)


def flat_plane(plane: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """A plane as flat bytes and the distance between its rows, without a copy where its rows are whole."""
    if plane.flags.c_contiguous:
        return plane.reshape(-1), plane.strides[0]
    row_bytes = plane[0].size
    pitch = plane.strides[0]
    if pitch < row_bytes or not plane[0].flags.c_contiguous:
        plane, pitch = np.ascontiguousarray(plane), row_bytes
    size = (plane.shape[0] - 1) * pitch + row_bytes
    return np.lib.stride_tricks.as_strided(plane, (size,), (1,)), pitch
