"""A loop on the CPU that makes a map smaller: the sums of blocks of its pixels."""

from __future__ import annotations

import numba as nb
import numpy as np

from gpuheat.kernels.cpu_compiled import Array, compiled, read, written

__all__ = ["sum_blocks"]


@compiled(nb.void(read(nb.uint32, 2), *(nb.int64,) * 3, written(nb.uint64, 2)))
def sum_blocks(counts: Array, block: int, first_height: int, first_width: int, sums: Array) -> None:
    """The sum of the counts in each block of pixels.

    counts         (h, w) uint32
    block          px, the side of a block
    first_height   px, of the blocks at the upper border, 1 to block; first_width likewise, at the left border.
                   Those at the lower and the right border are what is left
    sums           (rows, columns) uint64, written

    The rows of a block are added up first, two at a time, which is vectorised; the sums stay in the first-level cache.
    """
    height, width = counts.shape
    total = np.empty(width, np.uint64)
    top = 0
    for row in range(sums.shape[0]):
        bottom = min(first_height + row * block, height)
        odd = (bottom - top) % 2
        line = counts[top]
        for x in range(width):
            total[x] = line[x] if odd else np.uint64(0)
        for y in range(top + odd, bottom, 2):
            line, below = counts[y], counts[y + 1]
            for x in range(width):
                total[x] += np.uint64(line[x]) + np.uint64(below[x])
        whole, column, left = np.uint64(0), np.uint64(0), first_width
        for x in range(np.uint64(width)):
            whole += total[x]
            left -= 1
            if left == 0:
                sums[row, column] = whole
                whole, column, left = np.uint64(0), np.uint64(column + np.uint64(1)), block
        if column < sums.shape[1]:  # cut off by the border
            sums[row, column] = whole
        top = bottom
