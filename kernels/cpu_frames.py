"""Loops over video frames on the CPU: what moved between two, and the sums of many."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from gpuheat.kernels import grey
from gpuheat.kernels.cpu_compiled import PLANE, STRETCH, Array, compiled, inlined, read, written

__all__ = [
    "PAIRS",
    "add_bytes",
    "add_motion_rows_bgr",
    "add_motion_rows_grey",
    "add_motion_rows_yuv",
    "expand_luma",
]

BLUE = np.int32(grey.BLUE)
GREEN = np.int32(grey.GREEN)
RED = np.int32(grey.RED)
PAIRS = 2
"""So many pairs of frames are compared in one pass: the rows of the frame they share come from memory once."""
PLANES = nb.types.UniTuple(read(nb.uint8, 1), PAIRS + 1), nb.types.UniTuple(nb.int64, PAIRS + 1)  # type: ignore[no-untyped-call]


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
def _mark(a: Array, i: int, b: Array, j: int, size: int, least: Any, marks: Array) -> None:
    """Mark each block in which two bytes at the same place lie at least so far apart.

    a, b, i, j   flat uint8, and where the first block begins in them
    size         of a block, bytes
    marks        uint8, one for each block; set to 1
    """
    for block in range(marks.size):
        far = np.uint8(0)
        for x in range(np.uint64(size)):
            place = np.uint64(block * size) + x
            one, other = a[np.uint64(i) + place], b[np.uint64(j) + place]
            far |= np.uint8(np.uint8(max(one, other) - min(one, other)) >= least)
        marks[block] |= far


@inlined
def _add_up(
    motion: Array,
    i: int,
    pixels: int,
    y: int,
    begin: int,
    mask: Array,
    counts: Array,
    decayed: Array,
    weight: float,
    raised: Array,
    number: Any,
) -> np.int64:
    """Add what moved of so many pixels of row y from a column on, where a stretch begins, to the sums, which nothing is
    written to where nothing moved. In ``motion`` they begin at i.

    Returns how many pixels moved.
    """
    row, column, at = np.uint64(y), np.uint64(begin), np.uint64(i)
    if mask.shape[0] > 0:
        for x in range(np.uint64(pixels)):
            motion[at + x] = motion[at + x] if mask[row, column + x] != 0 else np.uint8(0)
    moved = np.uint32(0)
    for x in range(np.uint64(pixels)):
        moved = np.uint32(moved + motion[at + x])
    if moved > 0 and counts.shape[0] > 0:
        for x in range(np.uint64(pixels)):
            counts[row, column + x] = np.uint32(counts[row, column + x] + motion[at + x])
    if moved > 0 and decayed.shape[0] > 0:
        for x in range(np.uint64(pixels)):
            decayed[row, column + x] += weight if motion[at + x] != 0 else 0.0
    if moved > 0 and raised.shape[0] > 0:
        raised[row, column // np.uint64(STRETCH)] = number
    return np.int64(moved)


SUMS = (  # mask, counts, decayed, raised, number, weights, moved
    read(nb.uint8, 2),
    written(nb.uint32, 2),
    written(nb.float64, 2),
    written(nb.uint64, 2),
    nb.uint64,
    read(nb.float64, 1),
    written(nb.int64, 1),
)


@compiled(nb.void(*PLANES, *(nb.int64,) * 3, nb.uint8, nb.int32, *SUMS))
def add_motion_rows_bgr(
    frames: Any,
    pitches: Any,
    first: int,
    last: int,
    width: int,
    threshold: Any,
    limit: Any,
    mask: Array,
    counts: Array,
    decayed: Array,
    raised: Array,
    number: Any,
    weights: Array,
    moved: Array,
) -> None:
    """Compare the rows first <= y < last of consecutive BGR frames, each with the one before it.

    frames      PAIRS + 1 of flat uint8; row y begins at y * pitch
    threshold   uint8; that of the grey value, above which a pixel moved
    limit       int32; a pixel moved when its weighted sum reaches it (grey.lowest_moving_sum)
    mask        (h, w) uint8, or (0, 0): every pixel counts
    counts      (h, w) uint32, raised by 1, or (0, 0): not wanted
    decayed     (h, w) float64, raised by the pair's weight, or (0, 0): not wanted
    raised      (h, stretches of a row) uint64, set to ``number``, uint64, where anything moved, or (0, 0): not wanted
    weights     (pairs,) float64
    moved       (pairs,) int64, at most PAIRS, raised by how many pixels moved of each pair; only these are compared

    Each row's bytes come from memory once; the differences and what moved stay in buffers of a row in the
    first-level cache. A grey value is at most the largest of its three differences, so a row in which none is
    above the threshold has no motion, and is done with after one pass, 64 bytes at a time.
    """
    difference = np.empty(3 * width, np.uint8)
    motion = np.empty(width, np.uint8)
    whole = width // STRETCH * STRETCH
    for y in range(first, last):
        for pair in range(moved.size):
            p = frames[pair][y * pitches[pair] : y * pitches[pair] + 3 * width]
            f = frames[pair + 1][y * pitches[pair + 1] : y * pitches[pair + 1] + 3 * width]
            if _differences(p, f, difference) <= threshold:
                continue
            for x in range(width):
                weighted = _weighted(
                    np.int32(difference[3 * x]), np.int32(difference[3 * x + 1]), np.int32(difference[3 * x + 2])
                )
                motion[x] = np.uint8(weighted >= limit)
            total, weight = np.int64(0), weights[pair]
            for x in range(0, whole, STRETCH):  # short loops are vectorised where their length is known
                total += _add_up(motion, x, STRETCH, y, x, mask, counts, decayed, weight, raised, number)
            moved[pair] += total + _add_up(
                motion, whole, width - whole, y, whole, mask, counts, decayed, weight, raised, number
            )


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
def _color_offsets(
    u: Array, i: int, v: Array, j: int, step: int, blocks: int, factors: Array, offsets: Array, to: int
) -> None:
    """What the chroma of each 2 x 2 block adds to its blue, green and red.

    u, v, i, j   flat uint8, a value at every step-th place, and where the first of these is
    factors      (6,) int16: black, gain, red_v, green_u, green_v, blue_u (gpuheat.pixels.YuvToBgr)
    offsets      (6, blocks or more) int16, of which three rows are written, from this one on
    """
    for block in range(np.uint64(blocks)):
        du = _times_8(u[np.uint64(i) + block * np.uint64(step)], np.int16(128))
        dv = _times_8(v[np.uint64(j) + block * np.uint64(step)], np.int16(128))
        offsets[to, block] = _scaled(du, factors[5])
        offsets[to + 1, block] = np.int16(_scaled(du, factors[3]) + _scaled(dv, factors[4]))
        offsets[to + 2, block] = _scaled(dv, factors[2])


@inlined
def _compare_colors(
    previous: Array,
    i: int,
    frame: Array,
    j: int,
    blocks: int,
    offsets: Array,
    black: Any,
    gain: Any,
    limit: Any,
    motion: Array,
) -> None:
    """Turn parts of two rows into BGR and compare them.

    previous, frame, i, j   flat uint8, Y, and where the part of 2 * blocks pixels begins
    offsets                 (6, blocks or more) int16: what the chroma adds to the colours, of the one and the other
    black, gain, limit      as in add_motion_rows_yuv
    motion                  (2 * blocks or more,) uint8: 1 where a pixel moved
    """
    for block in range(np.uint64(blocks)):
        for right in range(np.uint64(2)):
            x = np.uint64(2) * block + right
            yp = _scaled(_times_8(previous[np.uint64(i) + x], black), gain)
            yf = _scaled(_times_8(frame[np.uint64(j) + x], black), gain)
            d_blue = abs(
                np.int16(_clipped(np.int16(yf + offsets[3, block])) - _clipped(np.int16(yp + offsets[0, block])))
            )
            d_green = abs(
                np.int16(_clipped(np.int16(yf + offsets[4, block])) - _clipped(np.int16(yp + offsets[1, block])))
            )
            d_red = abs(
                np.int16(_clipped(np.int16(yf + offsets[5, block])) - _clipped(np.int16(yp + offsets[2, block])))
            )
            motion[x] = np.uint8(_weighted(np.int32(d_blue), np.int32(d_green), np.int32(d_red)) >= limit)


@inlined
def _change(difference: Any, factor: Any) -> Any:
    """The most by which (value * 8 * factor) >> 16 can change with its value; two floors differ by one more."""
    return np.int32(np.int32(np.int32(np.int32(difference) * np.int32(8)) * abs(np.int32(factor))) >> 16) + np.int32(1)


@inlined
def _compare_grey(previous: Array, i: int, frame: Array, j: int, pixels: int, levels: Any, motion: Array) -> None:
    """Bring parts of two rows of luma to grey and compare them.

    previous, frame, i, j   flat uint8, and where the part begins
    levels                  black, gain and threshold, as in add_motion_rows_grey
    motion                  (pixels or more,) uint8: 1 where a pixel moved
    """
    black, gain, threshold = levels
    for x in range(np.uint64(pixels)):
        one = _clipped(_scaled(_times_8(previous[np.uint64(i) + x], black), gain))
        other = _clipped(_scaled(_times_8(frame[np.uint64(j) + x], black), gain))
        motion[x] = np.uint8(abs(np.int16(one - other)) > threshold)


@compiled(nb.void(*PLANES, *(nb.int64,) * 3, nb.int16, nb.int16, nb.int16, *SUMS))
def add_motion_rows_grey(
    frames: Any,
    pitches: Any,
    first: int,
    last: int,
    width: int,
    threshold: Any,
    black: Any,
    gain: Any,
    mask: Array,
    counts: Array,
    decayed: Array,
    raised: Array,
    number: Any,
    weights: Array,
    moved: Array,
) -> None:
    """The same for frames of luma, whose grey is clip(((Y - black) * 8 * gain) >> 16).

    threshold     int16; a pixel moved when the difference of its grey is above it
    black, gain   int16, as in gpuheat.pixels.YuvToBgr; 0 and 8192: grey is Y
    The rest as in add_motion_rows_bgr.

    The difference of luma bounds that of the grey, so most blocks of a coded video are done with after one pass
    over their bytes, and the others are brought to grey in registers.
    """
    still = np.int32(-1)  # the most by which luma can differ without any motion; -1: nothing is little enough
    while still < 255 and _change(still + 1, gain) <= threshold:
        still = np.int32(still + 1)
    if still == 255:
        return
    least, levels = np.uint8(still + 1), (black, gain, threshold)
    whole = width // STRETCH
    marks, motion = np.empty(whole, np.uint8), np.empty(STRETCH, np.uint8)
    for y in range(first, last):
        for pair in range(moved.size):
            previous, frame = frames[pair], frames[pair + 1]
            i, j = y * pitches[pair], y * pitches[pair + 1]
            marks[:] = 0
            _mark(previous, i, frame, j, STRETCH, least, marks)
            total, weight = np.int64(0), weights[pair]
            for block in range(whole):  # short loops are vectorised where their length is known
                if marks[block] != 0:
                    x = block * STRETCH
                    _compare_grey(previous, i + x, frame, j + x, STRETCH, levels, motion)
                    total += _add_up(motion, 0, STRETCH, y, x, mask, counts, decayed, weight, raised, number)
            x = whole * STRETCH
            if x < width:
                _compare_grey(previous, i + x, frame, j + x, width - x, levels, motion)
                total += _add_up(motion, 0, width - x, y, x, mask, counts, decayed, weight, raised, number)
            moved[pair] += total


@inlined
def _bound(luma: Any, chroma: Any, factors: Array) -> Any:
    """The most that the weighted sum of the colours' differences can be, where Y, and U and V, differ by so much."""
    grey = _change(luma, factors[1])
    green = _change(chroma, factors[3]) + _change(chroma, factors[4])
    return _weighted(grey, grey, grey) + _weighted(_change(chroma, factors[5]), green, _change(chroma, factors[2]))


@compiled(nb.void(*PLANES * 3, *(nb.int64,) * 4, nb.int32, read(nb.int16, 1), *SUMS))
def add_motion_rows_yuv(
    frames_y: Any,
    pitches_y: Any,
    frames_u: Any,
    pitches_u: Any,
    frames_v: Any,
    pitches_v: Any,
    first: int,
    last: int,
    chroma_step: int,
    width: int,
    limit: Any,
    factors: Array,
    mask: Array,
    counts: Array,
    decayed: Array,
    raised: Array,
    number: Any,
    weights: Array,
    moved: Array,
) -> None:
    """The same for YUV 4:2:0 frames, and the chroma rows first <= row < last: two rows of pixels each.

    frames_y, _u, _v   PAIRS + 1 of flat uint8; row y begins at y * pitch
    chroma_step        1: U and V in planes of their own; 2: they alternate, and V begins a byte later
    width              px, even
    factors            (6,) int16: black, gain, red_v, green_u, green_v, blue_u (gpuheat.pixels.YuvToBgr)
    The rest as in add_motion_rows_bgr.

    Pixels are turned into BGR in registers, in 16 bits wherever they suffice. 1.5 bytes a pixel are
    read instead of 3, and there is no BGR picture. The differences in the planes bound those of the
    colours (clipping only lessens them) and so their weighted sum: most blocks of a coded video have no motion
    by that alone, and are done with after one pass over their bytes.
    """
    # the most by which Y can differ, while U and V do by a third of it, without any motion; -1: nothing is so little
    still = np.int32(-1)
    while still < 255 and _bound(still + 1, (still + 1) // 3, factors) < limit:
        still = np.int32(still + 1)
    if still == 255:
        return
    least, least_chroma = np.uint8(still + 1), np.uint8(still // 3 + 1)
    whole = width // STRETCH
    marks, blocks = np.empty(whole, np.uint8), (width + STRETCH - 1) // STRETCH
    offsets, motion = np.empty((6, STRETCH // 2), np.int16), np.empty(STRETCH, np.uint8)
    black, gain = factors[0], factors[1]
    for row in range(first, last):
        for pair in range(moved.size):
            p_y, p_u, p_v = frames_y[pair], frames_u[pair], frames_v[pair]
            f_y, f_u, f_v = frames_y[pair + 1], frames_u[pair + 1], frames_v[pair + 1]
            i, i_u, i_v = 2 * row * pitches_y[pair], row * pitches_u[pair], row * pitches_v[pair]
            j, j_u, j_v = 2 * row * pitches_y[pair + 1], row * pitches_u[pair + 1], row * pitches_v[pair + 1]
            i_lower, j_lower = i + pitches_y[pair], j + pitches_y[pair + 1]
            marks[:] = 0
            _mark(p_y, i, f_y, j, STRETCH, least, marks)
            _mark(p_y, i_lower, f_y, j_lower, STRETCH, least, marks)
            if chroma_step == 1:  # spelled out: short loops are vectorised where their length is known
                _mark(p_u, i_u, f_u, j_u, STRETCH // 2, least_chroma, marks)
                _mark(p_v, i_v, f_v, j_v, STRETCH // 2, least_chroma, marks)
            else:
                _mark(p_u, i_u, f_u, j_u, STRETCH, least_chroma, marks)
            total, weight = np.int64(0), weights[pair]
            for block in range(blocks):  # whole ones are spelled out, too
                if block < whole and marks[block] == 0:
                    continue
                x = block * STRETCH
                c, half = x // 2 * chroma_step, min(STRETCH, width - x) // 2
                if block < whole and chroma_step == 1:
                    _color_offsets(p_u, i_u + c, p_v, i_v + c, 1, STRETCH // 2, factors, offsets, 0)
                    _color_offsets(f_u, j_u + c, f_v, j_v + c, 1, STRETCH // 2, factors, offsets, 3)
                else:
                    _color_offsets(p_u, i_u + c, p_v, i_v + c, chroma_step, half, factors, offsets, 0)
                    _color_offsets(f_u, j_u + c, f_v, j_v + c, chroma_step, half, factors, offsets, 3)
                if block < whole:
                    _compare_colors(p_y, i + x, f_y, j + x, STRETCH // 2, offsets, black, gain, limit, motion)
                    total += _add_up(motion, 0, STRETCH, 2 * row, x, mask, counts, decayed, weight, raised, number)
                    _compare_colors(
                        p_y, i_lower + x, f_y, j_lower + x, STRETCH // 2, offsets, black, gain, limit, motion
                    )
                    total += _add_up(motion, 0, STRETCH, 2 * row + 1, x, mask, counts, decayed, weight, raised, number)
                else:
                    _compare_colors(p_y, i + x, f_y, j + x, half, offsets, black, gain, limit, motion)
                    total += _add_up(motion, 0, 2 * half, 2 * row, x, mask, counts, decayed, weight, raised, number)
                    _compare_colors(p_y, i_lower + x, f_y, j_lower + x, half, offsets, black, gain, limit, motion)
                    total += _add_up(motion, 0, 2 * half, 2 * row + 1, x, mask, counts, decayed, weight, raised, number)
            moved[pair] += total


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


@compiled(*(nb.void(*PLANE, nb.uint32, written(dtype, 3), nb.int64) for dtype in (nb.uint16, nb.uint32)))
def add_bytes(plane: Array, pitch: int, weight: Any, sums: Array, part: int) -> None:
    """Add the bytes of a plane, each times a weight, to one part of the sums.

    plane   flat uint8; row y begins at y * pitch
    sums    (rows, parts, bytes of a row) uint16 or uint32
    """
    rows, size = sums.shape[0], sums.shape[2]
    for y in range(rows):
        row, out = plane[y * pitch : y * pitch + size], sums[y, part]
        for x in range(size):
            out[x] = np.uint32(out[x] + np.uint32(np.uint32(row[x]) * weight))
