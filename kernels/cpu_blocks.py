"""A loop on the CPU that makes a map smaller: the sums of blocks of its pixels."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from gpuheat.kernels.cpu_compiled import STRETCH, Array, compiled, inlined, read, written

__all__ = ["sum_blocks"]


@inlined
def _sum_columns(counts: Array, top: int, bottom: int, begin: int, end: int, total: Array) -> None:
    """The sum of each column begin <= x < end over the rows top <= y < bottom, two at a time, which is vectorised."""
    odd = (bottom - top) % 2
    line = counts[top]
    for x in range(np.uint64(begin), np.uint64(end)):
        total[x] = line[x] if odd else np.uint64(0)
    for y in range(top + odd, bottom, 2):
        line, below = counts[y], counts[y + 1]
        for x in range(np.uint64(begin), np.uint64(end)):
            total[x] += np.uint64(line[x]) + np.uint64(below[x])


@compiled(nb.void(read(nb.uint32, 2), *(nb.int64,) * 3, read(nb.uint64, 2), nb.uint64, written(nb.uint64, 2)))
def sum_blocks(
    counts: Array, block: int, first_height: int, first_width: int, raised: Array, since: Any, sums: Array
) -> None:
    """The sum of the counts in each block of pixels.

    counts         (h, w) uint32
    block          px, the side of a block
    first_height   px, of the blocks at the upper border, 1 to block; first_width likewise, at the left border.
                   Those at the lower and the right border are what is left
    raised         (h, stretches of a row) uint64; the sums are right but for blocks that have pixels of stretches whose
                   number is above ``since``. (0, 0): none of them is
    sums           (rows, columns) uint64, written

    The rows of a block are added up first; these sums stay in the first-level cache.
    """
    height, width = counts.shape
    stretches = raised.shape[1]
    total, stale = np.empty(width, np.uint64), np.empty(max(1, stretches), np.uint8)
    top = 0
    for row in range(sums.shape[0]):
        bottom = min(first_height + row * block, height)
        stale[:] = stretches == 0
        for y in range(top, bottom if stretches > 0 else top):
            for stretch in range(stretches):
                stale[stretch] |= np.uint8(raised[y, stretch] > since)
        stretch = 0
        while stretch < stale.size:
            if stale[stretch] == 0:
                stretch += 1
                continue
            left = stretch * STRETCH
            while stretch < stale.size and stale[stretch] != 0:
                stretch += 1
            right = width if stretch == stale.size else stretch * STRETCH
            first = (left - first_width) // block + 1  # for the sides of a block are 1 px at least, 0 or more
            last = (right - 1 - first_width) // block + 1
            begin, end = max(0, first_width + (first - 1) * block), min(width, first_width + last * block)
            _sum_columns(counts, top, bottom, begin, end, total)
            column, x = first, np.uint64(begin)
            while column <= last:
                whole = np.uint64(0)
                edge = np.uint64(min(end, first_width + column * block))
                while x < edge:
                    whole += total[x]
                    x += np.uint64(1)
                sums[row, column] = whole
                column += 1
        top = bottom
