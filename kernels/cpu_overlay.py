"""Loops over the planes of a video frame on the CPU: a heat map over the picture, without a way through BGR."""

from __future__ import annotations

import numba as nb
import numpy as np

from gpuheat.kernels.cpu_compiled import PLANE, STRETCH, Array, compiled, inlined, read, written

__all__ = ["blend_heat_rows_yuv"]

FIELD = np.uint64(0xFFFF)
FIELDS = np.uint64(0x0000FFFF0000FFFF)  # every second one
LOW = np.uint64(0xFFFFFFFF)
PLANE_OUT = (written(nb.uint8, 1), nb.int64)


@inlined
def _copy(a: Array, i: int, out: Array, j: int, size: int) -> None:
    """So many bytes of one from i on to another from j on."""
    for x in range(np.uint64(size)):
        out[np.uint64(j) + x] = a[np.uint64(i) + x]


@inlined
def _mark(heat: Array, row: int, width: int, block: int, least: float, warm: Array, marks: Array) -> None:
    """Mark each stretch of a row in which a pixel comes to the least value, and those that are not warm any more."""
    y, end = np.uint64(row), heat.shape[1] - 1
    for place in range(marks.size):
        if warm.shape[0] > 0 and warm[y, place] == 0:
            continue
        begin = place * STRETCH
        first, last = min(begin // block, end), min((min(begin + STRETCH, width) - 1) // block, end)
        hot = np.uint8(0)
        for x in range(np.uint64(last - first + 1)):
            hot |= np.uint8(heat[y, np.uint64(first) + x] >= least)
        marks[place] |= hot
        if warm.shape[0] > 0:
            warm[y, place] = hot


@inlined
def _levels(heat: Array, row: int, begin: int, columns: int, block: int, scale: float, top: int, levels: Array) -> None:
    """The level of each of so many pixels of a row from a column on."""
    highest, end = np.float64(top), heat.shape[1]
    if block == 1 and begin + columns <= end:  # the usual case, which is vectorised
        for x in range(np.uint64(columns)):
            levels[x] = np.int32(min(heat[np.uint64(row), np.uint64(begin) + x] * scale, highest))
        return
    for x in range(columns):
        levels[x] = np.int32(min(heat[row, min((begin + x) // block, end - 1)] * scale, highest))


@inlined
def _blend_luma(found: Array, line: int, columns: int, luma: Array, i: int) -> None:
    """Blend so many bytes from i on with what was found in the table for a line."""
    n = np.uint64(line)
    for x in range(np.uint64(columns)):
        parts = found[n, x]
        added = np.uint32(np.uint32((parts >> np.uint64(16)) & FIELD) + np.uint32(128))
        weighted = np.uint32(np.uint32(luma[np.uint64(i) + x]) * np.uint32(parts & FIELD))
        luma[np.uint64(i) + x] = np.uint8(np.uint32(weighted + added) >> np.uint32(8))


@inlined
def _sums_of_four(found: Array, shift: int, columns: int, of_two: Array, sums: Array) -> None:
    """Those of every second of the numbers in the table, from the first or the second on, for each 2 x 2 pixels."""
    by = np.uint64(shift)
    for x in range(np.uint64(columns)):
        of_two[x] = ((found[np.uint64(0), x] >> by) & FIELDS) + ((found[np.uint64(1), x] >> by) & FIELDS)
    for x in range(np.uint64(columns // 2)):
        sums[x] = of_two[np.uint64(2) * x] + of_two[np.uint64(2) * x + np.uint64(1)]


@inlined
def _blend_colour(weights: Array, parts: Array, columns: int, plane: Array, i: int) -> None:
    """Blend so many bytes from i on with sums of four: the weights are the lower halves, the parts the upper ones."""
    for x in range(np.uint64(columns)):
        added = np.uint32(np.uint32(parts[x] >> np.uint64(32)) + np.uint32(512))
        weighted = np.uint32(np.uint32(plane[np.uint64(i) + x]) * np.uint32(weights[x] & LOW))
        plane[np.uint64(i) + x] = np.uint8(np.uint32(weighted + added) >> np.uint32(10))


HEAT = (  # heat, block, scale, warm, table
    read(nb.float64, 2),
    nb.int64,
    nb.float64,
    written(nb.uint8, 2),
    read(nb.uint64, 1),
)


@compiled(nb.void(*PLANE * 3, *PLANE_OUT * 3, *(nb.int64,) * 3, *HEAT))
def blend_heat_rows_yuv(
    luma: Array,
    luma_pitch: int,
    u: Array,
    u_pitch: int,
    v: Array,
    v_pitch: int,
    luma_out: Array,
    luma_out_pitch: int,
    u_out: Array,
    u_out_pitch: int,
    v_out: Array,
    v_out_pitch: int,
    first: int,
    last: int,
    width: int,
    heat: Array,
    block: int,
    scale: float,
    warm: Array,
    table: Array,
) -> None:
    """Lay the heat over the rows first <= y < last of the colour planes of a YUV 4:2:0 picture, and the two rows of
    luma that belong to each.

    luma, u, v        flat uint8; row y begins at y * pitch
    ..._out           the same, written to
    width             of the luma, even
    heat              (h, w) float64; it is for block by block pixels each, and what lies behind its last is as that
    scale             the level of a pixel is heat * scale, cut off
    warm              (h, stretches of a row) uint8: 0 where all levels are known to be 0, and set to that where they
                      are found to be, for blocks of 1 only; (0, 0): not known
    table             (levels,) uint64, each of four 16-bit numbers, from the lowest: 256 - opacity, and Y, U and V of
                      the colour times the opacity, of 256

    The colour of a 2 x 2 block is blended with the mean of its four colours and opacities.
    """
    levels, found = np.empty(STRETCH, np.int32), np.empty((2, STRETCH), np.uint64)
    of_two, weights, parts = (
        np.empty(STRETCH, np.uint64),
        np.empty(STRETCH // 2, np.uint64),
        np.empty(STRETCH // 2, np.uint64),
    )
    marks = np.empty(-(-width // STRETCH), np.uint8)
    top = table.shape[0] - 1
    coloured = np.uint8(table[0] & FIELD != 256)  # what has no heat, too
    least = 1 / scale if scale > 0 else np.inf
    for y in range(first, last):
        marks[:] = coloured
        for line in range(2):
            row = 2 * y + line
            _copy(luma, row * luma_pitch, luma_out, row * luma_out_pitch, width)
            _mark(heat, min(row // block, heat.shape[0] - 1), width, block, least, warm, marks)
        _copy(u, y * u_pitch, u_out, y * u_out_pitch, width // 2)
        _copy(v, y * v_pitch, v_out, y * v_out_pitch, width // 2)
        for place in range(marks.size):
            if marks[place] == 0:
                continue
            begin = place * STRETCH
            columns = min(STRETCH, width - begin)
            for line in range(2):
                row, n = 2 * y + line, np.uint64(line)
                _levels(heat, min(row // block, heat.shape[0] - 1), begin, columns, block, scale, top, levels)
                for x in range(np.uint64(columns)):  # by itself, so that the rest is vectorised
                    found[n, x] = table[np.uint64(levels[x])]
                _blend_luma(found, line, columns, luma_out, row * luma_out_pitch + begin)
            _sums_of_four(found, 0, columns, of_two, weights)
            _sums_of_four(found, 16, columns, of_two, parts)
            half, columns_half = begin // 2, columns // 2
            _blend_colour(weights, weights, columns_half, u_out, y * u_out_pitch + half)
            _blend_colour(weights, parts, columns_half, v_out, y * v_out_pitch + half)
