"""Smaller frames, by the mean of blocks of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpuheat.backends.cpu_loops import numba_cpu, processors, share
from gpuheat.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["area_mean", "shrink_mask"]


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
    height, width = (-(-size // factor) for size in frame.shape[:2])
    small = np.empty((height, width, *frame.shape[2:]), np.uint8)
    source, target = (a if a.ndim == 3 else a[..., None] for a in (frame, small))

    def part(first: int, last: int) -> None:
        numba_cpu.area_mean_rows(source, factor, first, last, target)

    share(part, height, max(1, (1 << 17) // (width * factor * factor)), processors())
    return small


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
    """Raise OptionError unless a downscale factor is a whole number of at least 1."""
    if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
        raise OptionError(f"downscale must be a whole number of at least 1, got {factor!r}")
