"""A loop on the CPU that adds up what lies inside zones of a map."""

from __future__ import annotations

import numba as nb
import numpy as np

from gpuheat.kernels.cpu_compiled import Array, compiled, read, written

__all__ = ["sum_spans"]


@compiled(nb.void(read(nb.uint32, 2), read(nb.int64, 2), written(nb.uint64, 1)))
def sum_spans(counts: Array, spans: Array, sums: Array) -> None:
    """Add the counts in spans of pixels to the sums of the zones that they are of.

    counts   (h, w) uint32
    spans    (n, 4) int64: the zone, the row, the first column and the one behind the last
    sums     (zones,) uint64, added to
    """
    for number in range(spans.shape[0]):
        line = counts[spans[number, 1]]
        total = np.uint64(0)
        for x in range(np.uint64(spans[number, 2]), np.uint64(spans[number, 3])):
            total += line[x]
        sums[spans[number, 0]] += total
