"""Loops over points on the CPU: how many fall into each bin."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from gpuheat.kernels.cpu_compiled import Array, compiled, inlined, read, written

__all__ = ["add_points_part"]

POINTS_AT_ONCE = 256  # their bins and weights, 3 KB, stay in the first-level cache


@inlined
def _exact_bin(value: Any, near: Any, edges: Array) -> np.int64:
    """The bin of a value on one axis by comparison with the edges alone, from a bin near it; -1 outside and for NaN."""
    last = edges.shape[0] - 1
    if not (value >= edges[np.uint64(0)] and value <= edges[np.uint64(last)]):
        return np.int64(-1)
    found = np.uint64(min(max(near, 0), last - 1))
    while value < edges[found]:
        found -= np.uint64(1)
    while found < last - 1 and value >= edges[found + np.uint64(1)]:
        found += np.uint64(1)
    return np.int64(found)


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
    """Add the points first <= i < last to bins that no other thread writes to.

    x, y      (n,) float32 or float64, px
    weight    (n,) uint32, or (0,): 1 for each point
    x_edges   (nx + 1,) float64, px, ascending from 0; y_edges likewise
    x_scale   bins per px, of the dtype of x; y_scale likewise
    x_margin  more than the rounding error of x * x_scale, in bins, of the same dtype; y_margin likewise
    bins      (ny * nx,) uint64

    The bin is the whole part of ``x * x_scale``, except where that product lies so close to a whole
    number that rounding could have carried it over an edge: those points are compared with the edges
    themselves. The first loop over a block has no branch and is vectorised, the last only adds. Between
    them the points without a bin here are taken out, which needs no branch that depends on a point either.
    """
    number = x.dtype.type
    nx = x_edges.shape[0] - 1
    ny = y_edges.shape[0] - 1
    zero = number(0)
    x_end = number(nx)
    y_end = number(ny)
    row_length = np.int32(nx)
    unclear = np.int32(-1)
    outside = np.int32(-2)
    weighted = weight.shape[0] > 0
    block = np.empty(POINTS_AT_ONCE, np.int32)
    amounts = np.ones(POINTS_AT_ONCE, np.uint32)
    again = np.empty(POINTS_AT_ONCE, np.uint32)
    for start in range(first, last, POINTS_AT_ONCE):
        begin = np.uint64(start)
        size = np.uint64(min(POINTS_AT_ONCE, last - start))
        left_out = np.int32(0)
        for i in range(size):
            px = number(x[begin + i] * x_scale)
            py = number(y[begin + i] * y_scale)
            column = np.int32(px)
            row = np.int32(py)
            flat = np.int32(np.int32(row * row_length) + column)
            inside = (px > zero) & (px < x_end) & (py > zero) & (py < y_end)  # False for NaN
            near = (abs(px - np.rint(px)) <= x_margin) | (abs(py - np.rint(py)) <= y_margin)
            flat = flat if inside else outside
            flat = unclear if near else flat
            block[i] = flat
            left_out = np.int32(left_out + np.int32(flat < 0))
        if weighted:
            for i in range(size):
                amounts[i] = weight[begin + i]
        if left_out > 0:
            kept = np.uint64(0)
            unclear_ones = np.uint64(0)
            for i in range(size):
                flat = block[i]
                again[unclear_ones] = i
                unclear_ones += np.uint64(flat == unclear)
                block[kept] = flat
                amounts[kept] = amounts[i]
                kept += np.uint64(flat >= 0)
            for k in range(unclear_ones):
                point = begin + np.uint64(again[k])
                column_found = _exact_bin(np.float64(x[point]), np.int64(x[point] * x_scale), x_edges)
                row_found = _exact_bin(np.float64(y[point]), np.int64(y[point] * y_scale), y_edges)
                flat = np.int32(row_found * nx + column_found)
                block[kept] = flat
                amounts[kept] = weight[point] if weighted else np.uint32(1)
                kept += np.uint64((column_found >= 0) & (row_found >= 0))
            size = kept
        if weighted:
            for i in range(size):
                bins[np.uint64(block[i])] += np.uint64(amounts[i])
        else:
            for i in range(size):
                bins[np.uint64(block[i])] += np.uint64(1)
