"""Loops over video frames on the CPU: what moved between two, and the sums of the pictures of many."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from gpuheat.kernels import grey
from gpuheat.kernels.cpu_compiled import PLANE, Array, compiled, equal, inlined, read, written

__all__ = [
    "FRAMES_AT_ONCE",
    "add_grey_rows",
    "add_motion_rows_bgr",
    "add_motion_rows_grey",
    "add_motion_rows_yuv",
    "add_picture_rows_yuv",
    "expand_luma",
]

BLUE = np.int32(grey.BLUE)
GREEN = np.int32(grey.GREEN)
RED = np.int32(grey.RED)
BLOCK = 128  # pixels of a row; what moves is small, and most of a row of a video is still


@inlined
def _weighted(blue: Any, green: Any, red: Any) -> Any:
    """The weighted sum of three differences, int32."""
    return np.int32(np.int32(np.int32(blue * BLUE) + np.int32(green * GREEN)) + np.int32(red * RED))


@inlined
def _differences(a: Array, b: Array, difference: Array) -> Any:
    """The distance of each two bytes at the same place; returns the largest."""
    most = np.uint8(0)
    for i in range(a.shape[0]):
        distance = np.uint8(max(a[i], b[i]) - min(a[i], b[i]))
        difference[i] = distance
        most = max(most, distance)
    return most


@inlined
def _differences_of_blocks(a: Array, b: Array, size: int, most: Array) -> None:
    """The largest distance of two bytes at the same place, for each block of ``size`` of them."""
    whole = a.shape[0] // size
    for block in range(whole):
        begin = np.uint64(block * size)
        largest = np.uint8(0)
        for i in range(np.uint64(size)):
            one, other = a[begin + i], b[begin + i]
            largest = max(largest, np.uint8(max(one, other) - min(one, other)))
        most[block] = largest
    if whole < most.shape[0]:
        largest = np.uint8(0)
        for i in range(whole * size, a.shape[0]):
            largest = max(largest, np.uint8(max(a[i], b[i]) - min(a[i], b[i])))
        most[whole] = largest


@inlined
def _add_up(
    motion: Array, pixels: int, y: int, begin: int, mask: Array, counts: Array, decayed: Array, weight: float
) -> np.int64:
    """Add what moved of so many pixels of row y from a column on to the sums, which nothing is written to where
    nothing moved.

    Returns how many pixels moved.
    """
    if mask.shape[0] > 0:
        mask_row = mask[y, begin : begin + pixels]
        for x in range(np.uint64(pixels)):
            motion[x] = motion[x] if mask_row[x] != 0 else np.uint8(0)
    moved = np.uint32(0)
    for x in range(np.uint64(pixels)):
        moved = np.uint32(moved + motion[x])
    if moved > 0 and counts.shape[0] > 0:
        counts_row = counts[y, begin : begin + pixels]
        for x in range(np.uint64(pixels)):
            counts_row[x] = np.uint32(counts_row[x] + motion[x])
    if moved > 0 and decayed.shape[0] > 0:
        decayed_row = decayed[y, begin : begin + pixels]
        for x in range(np.uint64(pixels)):
            decayed_row[x] += weight if motion[x] != 0 else 0.0
    return np.int64(moved)


SUMS = (read(nb.uint8, 2), written(nb.uint32, 2), written(nb.float64, 2), nb.float64)  # mask, counts, decayed, weight


@compiled(nb.int64(*PLANE, *PLANE, *(nb.int64,) * 3, nb.uint8, nb.int32, *SUMS))
def add_motion_rows_bgr(
    previous: Array,
    previous_pitch: int,
    frame: Array,
    frame_pitch: int,
    first: int,
    last: int,
    width: int,
    threshold: Any,
    limit: Any,
    mask: Array,
    counts: Array,
    decayed: Array,
    weight: float,
) -> np.int64:
    """Compare the rows first <= y < last of two BGR frames; returns how many pixels moved.

    previous, frame   flat uint8; row y begins at y * pitch
    threshold         uint8; that of the grey value, above which a pixel moved
    limit             int32; a pixel moved when its weighted sum reaches it (grey.lowest_moving_sum)
    mask              (h, w) uint8, or (0, 0): every pixel counts
    counts            (h, w) uint32, raised by 1, or (0, 0): not wanted
    decayed           (h, w) float64, raised by weight, or (0, 0): not wanted

    Each row's bytes come from memory once; the differences and what moved stay in buffers of a row in the
    first-level cache. A grey value is at most the largest of its three differences, so a row in which none is
    above the threshold has no motion, and is done with after one pass, 64 bytes at a time.
    """
    difference = np.empty(3 * width, np.uint8)
    motion = np.empty(width, np.uint8)
    total = np.int64(0)
    for y in range(first, last):
        p = previous[y * previous_pitch : y * previous_pitch + 3 * width]
        f = frame[y * frame_pitch : y * frame_pitch + 3 * width]
        if _differences(p, f, difference) <= threshold:
            continue
        for x in range(width):
            weighted = _weighted(
                np.int32(difference[3 * x]), np.int32(difference[3 * x + 1]), np.int32(difference[3 * x + 2])
            )
            motion[x] = np.uint8(weighted >= limit)
        total += _add_up(motion, width, y, 0, mask, counts, decayed, weight)
    return total


@inlined
def _clipped(value: Any) -> Any:
    """An int16 clipped to 0..255."""
    return max(np.int16(0), min(np.int16(255), value))


@inlined
def _times_8(value: Any, middle: Any) -> Any:
    """(value - middle) * 8 of a byte, in 16 bits."""
    return np.int16(np.int16(np.int16(value) - middle) * np.int16(8))


@inlined
def _scaled(value: Any, factor: Any) -> Any:
    """(value * factor) >> 16 of two int16, for which processors have an instruction."""
    return np.int16(np.int32(np.int32(value) * np.int32(factor)) >> 16)


@inlined
def _color_offsets(u: Array, v: Array, step: int, blocks: int, factors: Array, offsets: Array) -> None:
    """What the chroma of each 2 x 2 block adds to its blue, green and red.

    u, v      uint8, a value at every step-th place
    factors   (6,) int16: black, gain, red_v, green_u, green_v, blue_u (gpuheat.pixels.YuvToBgr)
    offsets   (3, blocks or more) int16
    """
    blue, green, red = offsets[0], offsets[1], offsets[2]
    for i in range(np.uint64(blocks)):
        du = _times_8(u[i * np.uint64(step)], np.int16(128))
        dv = _times_8(v[i * np.uint64(step)], np.int16(128))
        blue[i] = _scaled(du, factors[5])
        green[i] = np.int16(_scaled(du, factors[3]) + _scaled(dv, factors[4]))
        red[i] = _scaled(dv, factors[2])


@inlined
def _compare_colors(
    previous: Array, frame: Array, offsets: Array, blocks: int, black: Any, gain: Any, limit: Any, motion: Array
) -> None:
    """Turn two rows into BGR and compare them.

    previous, frame   (2 * blocks,) uint8: Y
    offsets           (6, blocks or more) int16: what the chroma adds to blue, green and red, of the one and the other
    motion            (2 * blocks or more,) uint8: 1 where a pixel moved
    """
    p_blue, p_green, p_red = offsets[0], offsets[1], offsets[2]
    f_blue, f_green, f_red = offsets[3], offsets[4], offsets[5]
    for i in range(np.uint64(blocks)):
        for right in range(np.uint64(2)):
            x = np.uint64(2) * i + right
            yp, yf = _scaled(_times_8(previous[x], black), gain), _scaled(_times_8(frame[x], black), gain)
            d_blue = abs(np.int16(_clipped(np.int16(yf + f_blue[i])) - _clipped(np.int16(yp + p_blue[i]))))
            d_green = abs(np.int16(_clipped(np.int16(yf + f_green[i])) - _clipped(np.int16(yp + p_green[i]))))
            d_red = abs(np.int16(_clipped(np.int16(yf + f_red[i])) - _clipped(np.int16(yp + p_red[i]))))
            motion[x] = np.uint8(_weighted(np.int32(d_blue), np.int32(d_green), np.int32(d_red)) >= limit)


@inlined
def _change(difference: Any, factor: Any) -> Any:
    """The most by which (value * 8 * factor) >> 16 can change with its value; two floors differ by one more."""
    return np.int32(np.int32(np.int32(np.int32(difference) * np.int32(8)) * abs(np.int32(factor))) >> 16) + np.int32(1)


@compiled(nb.int64(*PLANE, *PLANE, *(nb.int64,) * 3, nb.int32, nb.int16, nb.int16, *SUMS))
def add_motion_rows_grey(
    previous: Array,
    previous_pitch: int,
    frame: Array,
    frame_pitch: int,
    first: int,
    last: int,
    width: int,
    threshold: Any,
    black: Any,
    gain: Any,
    mask: Array,
    counts: Array,
    decayed: Array,
    weight: float,
) -> np.int64:
    """The same for two frames of luma, whose grey is clip(((Y - black) * 8 * gain) >> 16).

    threshold     int32; a pixel moved when the difference of its grey is above it
    black, gain   int16, as in gpuheat.pixels.YuvToBgr; 0 and 8192: grey is Y
    The rest as in add_motion_rows_bgr.

    The largest difference of luma in a block bounds that of its grey, so most blocks of a coded video are done
    with after one pass over their bytes, and the others are brought to grey in registers.
    """
    blocks = (width + BLOCK - 1) // BLOCK
    most = np.empty(blocks, np.uint8)
    motion = np.empty(BLOCK, np.uint8)
    total = np.int64(0)
    for y in range(first, last):
        p = previous[y * previous_pitch : y * previous_pitch + width]
        f = frame[y * frame_pitch : y * frame_pitch + width]
        _differences_of_blocks(p, f, BLOCK, most)
        for block in range(blocks):
            if _change(most[block], gain) > threshold:
                begin, end = block * BLOCK, min(width, block * BLOCK + BLOCK)
                before, now = p[begin:end], f[begin:end]
                for x in range(before.shape[0]):
                    one = _clipped(_scaled(_times_8(before[x], black), gain))
                    other = _clipped(_scaled(_times_8(now[x], black), gain))
                    motion[x] = np.uint8(abs(np.int16(one - other)) > threshold)
                total += _add_up(motion, end - begin, y, begin, mask, counts, decayed, weight)
    return total


@compiled(nb.int64(*PLANE * 6, *(nb.int64,) * 4, nb.int32, read(nb.int16, 1), *SUMS))
def add_motion_rows_yuv(
    previous_y: Array,
    previous_y_pitch: int,
    previous_u: Array,
    previous_u_pitch: int,
    previous_v: Array,
    previous_v_pitch: int,
    frame_y: Array,
    frame_y_pitch: int,
    frame_u: Array,
    frame_u_pitch: int,
    frame_v: Array,
    frame_v_pitch: int,
    first: int,
    last: int,
    chroma_step: int,
    width: int,
    limit: Any,
    factors: Array,
    mask: Array,
    counts: Array,
    decayed: Array,
    weight: float,
) -> np.int64:
    """The same for two YUV 4:2:0 frames, and the chroma rows first <= row < last: two rows of pixels each.

    ..._y, ..._u, ..._v   flat uint8; row y begins at y * pitch
    chroma_step           1: U and V in planes of their own; 2: they alternate, and _v begins a byte later
    width                 px, even
    factors               (6,) int16: black, gain, red_v, green_u, green_v, blue_u (gpuheat.pixels.YuvToBgr)
    limit, mask, counts, decayed, weight   as in add_motion_rows_bgr

    Both pixels are turned into BGR in registers, in 16 bits wherever they suffice. 1.5 bytes a pixel are
    read instead of 3, and there is no BGR picture. The largest differences in the planes bound those of the
    colours (clipping only lessens them) and so their weighted sum: most blocks of a coded video have no motion
    by that alone, and are done with after one pass over their bytes.
    """
    half = width // 2
    blocks = (width + BLOCK - 1) // BLOCK
    most_u, most_v = np.empty(blocks, np.uint8), np.empty(blocks, np.uint8)
    most_upper, most_lower = np.empty(blocks, np.uint8), np.empty(blocks, np.uint8)
    offsets, motion = np.empty((6, BLOCK // 2), np.int16), np.empty(BLOCK, np.uint8)
    black, gain = factors[0], factors[1]
    total = np.int64(0)
    for row in range(first, last):
        pu = previous_u[row * previous_u_pitch : row * previous_u_pitch + half * chroma_step]
        pv = previous_v[row * previous_v_pitch : row * previous_v_pitch + half * chroma_step]
        fu = frame_u[row * frame_u_pitch : row * frame_u_pitch + half * chroma_step]
        fv = frame_v[row * frame_v_pitch : row * frame_v_pitch + half * chroma_step]
        if chroma_step == 1:  # spelled out, so that the common case is vectorised
            _differences_of_blocks(pu, fu, BLOCK // 2, most_u)
            _differences_of_blocks(pv, fv, BLOCK // 2, most_v)
        else:
            _differences_of_blocks(pu, fu, BLOCK, most_u)
            _differences_of_blocks(pv, fv, BLOCK, most_v)
        p_upper = previous_y[2 * row * previous_y_pitch : 2 * row * previous_y_pitch + width]
        f_upper = frame_y[2 * row * frame_y_pitch : 2 * row * frame_y_pitch + width]
        p_lower = previous_y[(2 * row + 1) * previous_y_pitch : (2 * row + 1) * previous_y_pitch + width]
        f_lower = frame_y[(2 * row + 1) * frame_y_pitch : (2 * row + 1) * frame_y_pitch + width]
        _differences_of_blocks(p_upper, f_upper, BLOCK, most_upper)
        _differences_of_blocks(p_lower, f_lower, BLOCK, most_lower)
        for block in range(blocks):
            du, dv = most_u[block], most_v[block]
            luma = _change(max(most_upper[block], most_lower[block]), gain)
            green = _change(du, factors[3]) + _change(dv, factors[4])
            color = _weighted(_change(du, factors[5]), green, _change(dv, factors[2]))
            if _weighted(luma, luma, luma) + color < limit:
                continue
            begin = block * BLOCK
            pixels = min(BLOCK, width - begin)
            i, j = begin // 2 * chroma_step, (begin + pixels) // 2 * chroma_step
            one, other = p_upper[begin : begin + pixels], f_upper[begin : begin + pixels]
            one_below, other_below = p_lower[begin : begin + pixels], f_lower[begin : begin + pixels]
            if pixels == BLOCK and chroma_step == 1:  # short loops are vectorised where their length is known
                _color_offsets(pu[i:j], pv[i:j], 1, BLOCK // 2, factors, offsets[:3])
                _color_offsets(fu[i:j], fv[i:j], 1, BLOCK // 2, factors, offsets[3:])
                _compare_colors(one, other, offsets, BLOCK // 2, black, gain, limit, motion)
                total += _add_up(motion, BLOCK, 2 * row, begin, mask, counts, decayed, weight)
                _compare_colors(one_below, other_below, offsets, BLOCK // 2, black, gain, limit, motion)
                total += _add_up(motion, BLOCK, 2 * row + 1, begin, mask, counts, decayed, weight)
            else:
                _color_offsets(pu[i:j], pv[i:j], chroma_step, pixels // 2, factors, offsets[:3])
                _color_offsets(fu[i:j], fv[i:j], chroma_step, pixels // 2, factors, offsets[3:])
                _compare_colors(one, other, offsets, pixels // 2, black, gain, limit, motion)
                total += _add_up(motion, pixels, 2 * row, begin, mask, counts, decayed, weight)
                _compare_colors(one_below, other_below, offsets, pixels // 2, black, gain, limit, motion)
                total += _add_up(motion, pixels, 2 * row + 1, begin, mask, counts, decayed, weight)
    return total


@inlined
def _add_color(luma: Array, offsets: Array, sums: Array) -> None:
    """Add one colour of a row: luma (w,) and offsets (w / 2,) int16, sums (w,) uint16."""
    for i in range(offsets.shape[0]):
        for x in range(2 * i, 2 * i + 2):
            sums[x] = np.uint16(sums[x] + np.uint16(_clipped(np.int16(luma[x] + offsets[i]))))


@compiled(nb.void(*PLANE, nb.int16, nb.int16, written(nb.uint8, 2)))
def expand_luma(luma: Array, pitch: int, black: Any, gain: Any, expanded: Array) -> None:
    """Bring luma of another range to 0..255: clip(((Y - black) * 8 * gain) >> 16).

    luma          flat uint8; row y begins at y * pitch
    black, gain   as in gpuheat.pixels.YuvToBgr
    expanded      (h, w) uint8, written
    """
    height, width = expanded.shape
    for y in range(height):
        row, expanded_row = luma[y * pitch : y * pitch + width], expanded[y]
        for x in range(width):
            expanded_row[x] = np.uint8(_clipped(_scaled(_times_8(row[x], black), gain)))


@compiled(nb.void(*PLANE, nb.int16, nb.int16, written(nb.uint16, 2)))
def add_grey_rows(luma: Array, pitch: int, black: Any, gain: Any, sums: Array) -> None:
    """Add the grey of luma, as in add_motion_rows_grey, to (h, w) uint16 sums, which hold 257 frames."""
    height, width = sums.shape
    for y in range(height):
        row, out = luma[y * pitch : y * pitch + width], sums[y]
        for x in range(width):
            out[x] = np.uint16(out[x] + np.uint16(_clipped(_scaled(_times_8(row[x], black), gain))))


FRAMES_AT_ONCE = 2


@compiled(
    *(
        nb.void(
            equal(read(nb.uint8, 1), 3 * frames),
            equal(nb.int64, 3 * frames),
            *(nb.int64,) * 4,
            read(nb.int16, 1),
            written(nb.uint16, 3),
        )
        for frames in (1, FRAMES_AT_ONCE)
    )
)
def add_picture_rows_yuv(
    planes: tuple[Array, ...],
    pitches: tuple[int, ...],
    first: int,
    last: int,
    chroma_step: int,
    width: int,
    factors: Array,
    sums: Array,
) -> None:
    """Add the BGR pictures of YUV 4:2:0 frames to sums: the chroma rows first <= row < last.

    planes    Y, U and V of one frame after the other; flat uint8, row y begins at y * pitch. One frame, or
              FRAMES_AT_ONCE, while whose rows are added the sums stay in the first-level cache
    sums      (3, h, w) uint16: blue, green and red in planes of their own, which keeps the loops vectorised;
              holds 257 frames
    The rest as in add_motion_rows_yuv.
    """
    half = width // 2
    offsets = np.empty((3, half), np.int16)
    luma = np.empty(width, np.int16)
    black, gain = factors[0], factors[1]
    for row in range(first, last):
        for plane in range(0, len(planes), 3):
            u_at, v_at = row * pitches[plane + 1], row * pitches[plane + 2]
            u = planes[plane + 1][u_at : u_at + half * chroma_step]
            v = planes[plane + 2][v_at : v_at + half * chroma_step]
            if chroma_step == 1:
                _color_offsets(u, v, 1, half, factors, offsets)
            else:
                _color_offsets(u, v, 2, half, factors, offsets)
            for y in range(2 * row, 2 * row + 2):
                f = planes[plane][y * pitches[plane] : y * pitches[plane] + width]
                for x in range(width):
                    luma[x] = _scaled(_times_8(f[x], black), gain)
                for color in range(3):
                    _add_color(luma, offsets[color], sums[color, y])
