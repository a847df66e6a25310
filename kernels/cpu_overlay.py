"""Loops over the planes of a video frame on the CPU: a heat map over the picture, without a way through BGR."""

from __future__ import annotations

import numba as nb
import numpy as np

from gpuheat.kernels.cpu_compiled import PLANE, Array, compiled, inlined, read, written

__all__ = ["blend_heat_rows_yuv"]

BLOCK = 128  # pixels of a row, even; most of a picture has no heat, and is only copied
LOW = np.uint64(0xFFFF)
PLANE_OUT = (written(nb.uint8, 1), nb.int64)


@inlined
def _is_clear(row: Array, begin: int, columns: int, block: int, least: float) -> np.bool_:
    """Whether no pixel of so many of a row from a column on comes to the least value."""
    first = min(begin // block, row.shape[0] - 1)
    cells = row[first : min((begin + columns - 1) // block + 1, row.shape[0])]
    hot = np.int64(0)
    for x in range(np.uint64(cells.shape[0])):
        hot += np.int64(cells[x] >= least)
    return np.bool_(hot == 0)


@inlined
def _levels(row: Array, begin: int, columns: int, block: int, scale: float, top: int, levels: Array) -> None:
    """The level of each of so many pixels of a row from a column on."""
    highest = np.float64(top)
    if block == 1 and begin + columns <= row.shape[0]:  # the usual case, which is vectorised
        cells = row[begin : begin + columns]
        for x in range(np.uint64(columns)):
            levels[x] = np.int32(min(cells[x] * scale, highest))
        return
    for x in range(columns):
        levels[x] = np.int32(min(row[min((begin + x) // block, row.shape[0] - 1)] * scale, highest))


@inlined
def _sum_of_four(lines: Array, x: int) -> np.uint32:
    """That of the 2 x 2 block of column x."""
    left, right = np.uint64(2) * x, np.uint64(2) * x + np.uint64(1)
    return np.uint32(lines[0, left] + lines[0, right] + lines[1, left] + lines[1, right])


HEAT = (read(nb.float64, 2), nb.int64, nb.float64, read(nb.uint64, 1))  # heat, block, scale, table


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
    table: Array,
) -> None:
    """Lay the heat over the rows first <= y < last of the colour planes of a YUV 4:2:0 picture, and the two rows of
    luma that belong to each.

    luma, u, v        flat uint8; row y begins at y * pitch
    ..._out           the same, written to
    width             of the luma, even
    heat              (h, w) float64; it is for block by block pixels each, and what lies behind its last is as that
    scale             the level of a pixel is heat * scale, cut off
    table             (levels,) uint64, each of four 16-bit numbers, from the lowest: 256 - opacity, and Y, U and V of
                      the colour times the opacity, of 256

    The colour of a 2 x 2 block is blended with the mean of its four colours and opacities.
    """
    levels, looked_up = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.uint64)
    rest, u_part, v_part = np.empty((3, 2, BLOCK), np.uint32)
    top = table.shape[0] - 1
    clear = table[0] & LOW == 256
    least = 1 / scale if scale > 0 else np.inf
    for y in range(first, last):
        for begin in range(0, width, BLOCK):
            columns = min(BLOCK, width - begin)
            still = clear
            for line in range(2):
                row = heat[min((2 * y + line) // block, heat.shape[0] - 1)]
                still = still and _is_clear(row, begin, columns, block, least)
            half, columns_half = begin // 2, columns // 2
            u_row = u[y * u_pitch + half : y * u_pitch + half + columns_half]
            v_row = v[y * v_pitch + half : y * v_pitch + half + columns_half]
            u_to = u_out[y * u_out_pitch + half : y * u_out_pitch + half + columns_half]
            v_to = v_out[y * v_out_pitch + half : y * v_out_pitch + half + columns_half]
            for line in range(2):
                at = (2 * y + line) * luma_pitch + begin
                to = (2 * y + line) * luma_out_pitch + begin
                row_from = luma[at : at + columns]
                row_to = luma_out[to : to + columns]
                if still:
                    for x in range(np.uint64(columns)):
                        row_to[x] = row_from[x]
                    continue
                row = heat[min((2 * y + line) // block, heat.shape[0] - 1)]
                _levels(row, begin, columns, block, scale, top, levels)
                for x in range(np.uint64(columns)):  # by itself, so that the rest is vectorised
                    looked_up[x] = table[np.uint64(levels[x])]
                for x in range(np.uint64(columns)):
                    found = looked_up[x]
                    rest[line, x] = np.uint32(found & LOW)
                    added = np.uint32(((found >> np.uint64(16)) & LOW) + np.uint64(128))
                    row_to[x] = np.uint8(np.uint32(np.uint32(row_from[x]) * rest[line, x] + added) >> np.uint32(8))
                    u_part[line, x] = np.uint32((found >> np.uint64(32)) & LOW)
                    v_part[line, x] = np.uint32(found >> np.uint64(48))
            if still:
                for x in range(np.uint64(columns_half)):
                    u_to[x] = u_row[x]
                    v_to[x] = v_row[x]
                continue
            for x in range(np.uint64(columns_half)):
                weight = _sum_of_four(rest, x)
                of_u = np.uint32(np.uint32(u_row[x]) * weight + _sum_of_four(u_part, x) + np.uint32(512))
                of_v = np.uint32(np.uint32(v_row[x]) * weight + _sum_of_four(v_part, x) + np.uint32(512))
                u_to[x] = np.uint8(of_u >> np.uint32(10))
                v_to[x] = np.uint8(of_v >> np.uint32(10))
