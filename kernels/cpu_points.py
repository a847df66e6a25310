"""Loops over points on the CPU: how many fall into each bin."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from gpuheat.kernels.cpu_compiled import Array, compiled, read, written

__all__ = ["add_points_part"]

POINTS_AT_ONCE = 4096  # their bin numbers, 16 KB, stay in the first-level cache


@compiled(nb.int64(nb.float64, nb.float64, read(nb.float64, 1), read(nb.float64, 1)))
def _exact_bin(x: float, y: float, x_edges: Array, y_edges: Array) -> np.int64:
    """The flat bin of a point by comparison with the edges alone; -1 outside and for NaN."""
    nx = x_edges.shape[0] - 1
    ny = y_edges.shape[0] - 1
    if not (x >= x_edges[0] and x <= x_edges[nx] and y >= y_edges[0] and y <= y_edges[ny]):
        return np.int64(-1)
    column = min(np.int64(x / x_edges[nx] * nx), nx - 1)
    row = min(np.int64(y / y_edges[ny] * ny), ny - 1)
    while x < x_edges[column]:
        column -= 1
    while column < nx - 1 and x >= x_edges[column + 1]:
        column += 1
    while y < y_edges[row]:
        row -= 1
    while row < ny - 1 and y >= y_edges[row + 1]:
        row += 1
    return np.int64(row * nx + column)


@compiled(
    *(
        nb.void(
            *(read(number, 1),) * 2,  # x, y
            read(nb.uint32, 1),
            *(nb.int64,) * 2,  # first, last
            *(read(nb.float64, 1),) * 2,  # edges
            *(number,) * 4,  # scales, margins
            written(nb.uint64, 1),
        )
        for number in (nb.float32, nb.float64)
    )
)
def add_points_part(
    x: Array,
    y: Array,
    weight: Array,
    first: int,
    last: int,
    x_edges: Array,
    y_edges: Array,
    x_scale: Any,
    y_scale: Any,
    x_margin: Any,
    y_margin: Any,
    bins: Array,
) -> None:
    """Add the points first <= i < last to the private bins of one thread.

    x, y      (n,) float32 or float64, px
    weight    (n,) uint32, or (0,): 1 for each point
    x_edges   (nx + 1,) float64, px, ascending from 0; y_edges likewise
    x_scale   bins per px, of the dtype of x; y_scale likewise
    x_margin  more than the rounding error of x * x_scale, in bins, of the same dtype; y_margin likewise
    bins      (ny * nx,) uint64

    The bin is the whole part of ``x * x_scale``, except where that product lies so close to a whole
    number that rounding could have carried it over an edge: those points are compared with the edges
    themselves. The first loop over a block has no branch and is vectorised; the second only adds.
    """
    number = x.dtype.type
    nx = x_edges.shape[0] - 1
    ny = y_edges.shape[0] - 1
    zero = number(0)
    x_end = number(number(nx) + x_margin)
    y_end = number(number(ny) + y_margin)
    x_rest = number(number(1) - x_margin)
    y_rest = number(number(1) - y_margin)
    row_length = np.int32(nx)
    unclear = np.int32(-1)
    outside = np.int32(-2)
    block = np.empty(POINTS_AT_ONCE, np.int32)
    for start in range(first, last, POINTS_AT_ONCE):
        size = min(POINTS_AT_ONCE, last - start)
        x_block = x[start : start + size]
        y_block = y[start : start + size]
        for i in range(size):
            px = number(x_block[i] * x_scale)
            py = number(y_block[i] * y_scale)
            perhaps = (px > -x_margin) & (px < x_end) & (py > -y_margin) & (py < y_end)  # False for NaN
            px = px if perhaps else zero
            py = py if perhaps else zero
            column = np.int32(px)
            row = np.int32(py)
            dx = number(px - number(column))
            dy = number(py - number(row))
            clear = (dx > x_margin) & (dx < x_rest) & (dy > y_margin) & (dy < y_rest)
            flat = np.int32(np.int32(row * row_length) + column)
            flat = flat if clear else unclear
            block[i] = flat if perhaps else outside
        for i in range(size):
            flat = block[i]
            if flat == unclear:
                flat = np.int32(_exact_bin(np.float64(x_block[i]), np.float64(y_block[i]), x_edges, y_edges))
            if flat >= 0:
                bins[np.uint32(flat)] += np.uint64(weight[start + i]) if weight.shape[0] > 0 else np.uint64(1)
