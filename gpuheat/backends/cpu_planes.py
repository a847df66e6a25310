"""Planar frames as the CPU loops take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.pixels import FrameLayout, YuvToBgr

IDENTITY: Final = 8192  # (value * 8 * this) >> 16 is the value
__all__ = ["flat_plane", "flat_planes", "luma_style", "yuv_style"]


def flat_planes(planes: tuple[NDArray[np.uint8], ...], layout: FrameLayout) -> tuple[Any, ...]:
    """Each plane as flat bytes and the distance between its rows; the two colours of NV12 one after the other."""
    flat = [flat_plane(plane) for plane in planes]
    if layout.pixel_format == "nv12":
        uv, pitch = flat.pop()
        flat += [(uv, pitch), (uv[1:], pitch)]
    return tuple(value for plane in flat for value in plane)


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
