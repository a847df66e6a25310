"""Smaller frames, by the mean of blocks of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gpuheat.backends.cpu_loops import numba_cpu, processors, share
from gpuheat.backends.cpu_planes import flat_plane
from gpuheat.options import whole_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["area_mean", "check_factor", "shrink_mask"]

PIXELS_WORTH_A_THREAD: Final = 1 << 18


def area_mean(frame: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """The mean of every ``factor`` by ``factor`` block, rounded to the nearest whole number, halves up.

    Parameters
    ----------
    frame
        (h, w, 3) or (h, w) uint8.
    factor
        At least 1. A block cut off by the right or lower border is the mean of what is left of it.

    Returns
    -------
    NDArray
        (ceil(h / factor), ceil(w / factor)[, 3]) uint8.
    """
    check_factor(factor)
    if factor == 1:
        return frame
    height, width = frame.shape[:2]
    channels = frame[0, 0].size
    small = np.empty((-(-height // factor), -(-width // factor), channels), np.uint8)
    pixels = (*flat_plane(frame), height, width, channels, factor)

    def part(first: int, last: int) -> None:
        numba_cpu.area_mean_rows(*pixels, first, last, small)

    share(part, len(small), max(1, PIXELS_WORTH_A_THREAD // (width * factor)), processors())
    return small.reshape(*small.shape[:2], *frame.shape[2:])


def shrink_mask(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """A mask for frames that :func:`area_mean` made: a block counts only if all of its pixels do.

    ``mask`` is (h, w) bool; returns (ceil(h / factor), ceil(w / factor)) bool.
    """
    check_factor(factor)
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % factor), (0, -width % factor)), constant_values=True)
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    return np.asarray(blocks.all(axis=(1, 3)))


def check_factor(factor: int) -> None:
    """Raise OptionError unless a downscale factor is a whole number from 1 to 65536."""
    whole_number("downscale", factor, 1, 65536)
