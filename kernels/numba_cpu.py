"""The three operations as fused loops for the CPU, compiled by Numba.

Every function works on a part of its output (some rows, some of the points) and releases the GIL, so
that the caller decides how many threads share the work. They check nothing: sizes, dtypes and
contiguity are the caller's promise.

Two habits keep the loops vectorised: ``int32 * int32`` is int64 in Numba, so every step is cast back;
and an index that cannot be negative is unsigned, because Numba spends a branch on negative ones.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from gpuheat.kernels import grey

__all__ = [
    "FRAMES_AT_ONCE",
    "add_motion_rows",
    "add_motion_rows_yuv",
    "add_picture_rows_yuv",
    "add_points_part",
    "area_mean_rows",
    "blur_along_columns",
    "blur_along_rows",
    "expand_luma",
]

BLUE = np.int32(grey.BLUE)
GREEN = np.int32(grey.GREEN)
RED = np.int32(grey.RED)
POINTS_AT_ONCE = 4096  # their bin numbers, 16 KB, stay in the first-level cache
BLOCK = 128  # pixels of a row; what moves is small, and most of a row of a video is still
COLUMNS_AT_ONCE = 512  # 2 KB a row: the rows under a wide kernel stay in the second-level cache

Array = Any


def read(dtype: Any, ndim: int) -> Any:
    """A C-contiguous array that is only read, so that arrays the caller may not write to are taken too."""
    return nb.types.Array(dtype, ndim, "C", readonly=True)


def written(dtype: Any, ndim: int) -> Any:
    """A C-contiguous array that is written to."""
    return nb.types.Array(dtype, ndim, "C")


def equal(each: Any, number: int) -> Any:
    """A tuple of so many of the same type."""
    return nb.types.UniTuple(each, number)  # type: ignore[no-untyped-call]


def compiled(*signatures: Any) -> Any:
    """Compile for these types, and no others, at import; the machine code is kept on disk."""
    return nb.njit(list(signatures), cache=True, nogil=True)


inlined = nb.njit(inline="always")


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
def _add_up(motion: Array, y: int, begin: int, mask: Array, counts: Array, decayed: Array, weight: float) -> np.int64:
    """Add what moved in row y from a column on to the sums, which nothing is written to where nothing moved.

    Returns how many pixels moved.
    """
    width = motion.shape[0]
    if mask.shape[0] > 0:
        mask_row = mask[y, begin : begin + width]
        for x in range(width):
            motion[x] = motion[x] if mask_row[x] != 0 else np.uint8(0)
    moved = np.uint32(0)
    for x in range(width):
        moved = np.uint32(moved + motion[x])
    if moved > 0 and counts.shape[0] > 0:
        counts_row = counts[y, begin : begin + width]
        for x in range(width):
            counts_row[x] = np.uint32(counts_row[x] + motion[x])
    if moved > 0 and decayed.shape[0] > 0:
        decayed_row = decayed[y, begin : begin + width]
        for x in range(width):
            decayed_row[x] += weight if motion[x] != 0 else 0.0
    return np.int64(moved)


SUMS = (read(nb.uint8, 2), written(nb.uint32, 2), written(nb.float64, 2), nb.float64)  # mask, counts, decayed, weight
PLANE = (read(nb.uint8, 1), nb.int64)  # flat bytes and the distance between rows


@compiled(nb.int64(*PLANE, *PLANE, *(nb.int64,) * 4, nb.uint8, nb.int32, *SUMS))
def add_motion_rows(
    previous: Array,
    previous_pitch: int,
    frame: Array,
    frame_pitch: int,
    first: int,
    last: int,
    channels: int,
    width: int,
    threshold: Any,
    limit: Any,
    mask: Array,
    counts: Array,
    decayed: Array,
    weight: float,
) -> np.int64:
    """Compare the rows first <= y < last of two BGR or grey frames; returns how many pixels moved.

    previous, frame   flat uint8; row y begins at y * pitch
    channels          3: BGR, 1: grey
    threshold         uint8; a grey pixel moved when its difference is above it
    limit             int32; a BGR pixel moved when its weighted sum reaches it (grey.lowest_moving_sum)
    mask              (h, w) uint8, or (0, 0): every pixel counts
    counts            (h, w) uint32, raised by 1, or (0, 0): not wanted
    decayed           (h, w) float64, raised by weight, or (0, 0): not wanted

    Each row's bytes come from memory once; the differences and what moved stay in buffers of a row in the
    first-level cache. A grey value is at most the largest of its three differences, so a row in which none is
    above the threshold has no motion, and is done with after one pass, 64 bytes at a time.
    """
    difference = np.empty(width * channels, np.uint8)
    motion = np.empty(width, np.uint8)
    total = np.int64(0)
    for y in range(first, last):
        p = previous[y * previous_pitch : y * previous_pitch + width * channels]
        f = frame[y * frame_pitch : y * frame_pitch + width * channels]
        if _differences(p, f, difference) <= threshold:
            continue
        if channels == 3:
            for x in range(width):
                weighted = _weighted(
                    np.int32(difference[3 * x]), np.int32(difference[3 * x + 1]), np.int32(difference[3 * x + 2])
                )
                motion[x] = np.uint8(weighted >= limit)
        else:
            for x in range(width):
                motion[x] = np.uint8(difference[x] > threshold)
        total += _add_up(motion, y, 0, mask, counts, decayed, weight)
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
def _color_offsets(u: Array, v: Array, step: int, factors: Array, offsets: Array) -> None:
    """What the chroma of each 2 x 2 block adds to its blue, green and red.

    u, v      uint8, a value at every step-th place
    factors   (6,) int16: black, gain, red_v, green_u, green_v, blue_u (gpuheat.pixels.YuvToBgr)
    offsets   (3, blocks) int16
    """
    blue, green, red = offsets[0], offsets[1], offsets[2]
    for i in range(blue.shape[0]):
        du, dv = _times_8(u[i * step], np.int16(128)), _times_8(v[i * step], np.int16(128))
        blue[i] = _scaled(du, factors[5])
        green[i] = np.int16(_scaled(du, factors[3]) + _scaled(dv, factors[4]))
        red[i] = _scaled(dv, factors[2])


@inlined
def _compare_colors(
    previous: Array, frame: Array, offsets: Array, black: Any, gain: Any, limit: Any, motion: Array
) -> None:
    """Turn two rows into BGR and compare them.

    previous, frame   (2 * blocks,) uint8: Y
    offsets           (6, blocks) int16: what the chroma adds to blue, green and red, of the one and of the other
    motion            (2 * blocks,) uint8: 1 where a pixel moved
    """
    p_blue, p_green, p_red = offsets[0], offsets[1], offsets[2]
    f_blue, f_green, f_red = offsets[3], offsets[4], offsets[5]
    for i in range(p_blue.shape[0]):
        for x in range(2 * i, 2 * i + 2):
            yp, yf = _scaled(_times_8(previous[x], black), gain), _scaled(_times_8(frame[x], black), gain)
            d_blue = abs(np.int16(_clipped(np.int16(yf + f_blue[i])) - _clipped(np.int16(yp + p_blue[i]))))
            d_green = abs(np.int16(_clipped(np.int16(yf + f_green[i])) - _clipped(np.int16(yp + p_green[i]))))
            d_red = abs(np.int16(_clipped(np.int16(yf + f_red[i])) - _clipped(np.int16(yp + p_red[i]))))
            motion[x] = np.uint8(_weighted(np.int32(d_blue), np.int32(d_green), np.int32(d_red)) >= limit)


@inlined
def _change(difference: Any, factor: Any) -> Any:
    """The most by which (value * 8 * factor) >> 16 can change with its value; two floors differ by one more."""
    return np.int32(np.int32(np.int32(np.int32(difference) * np.int32(8)) * abs(np.int32(factor))) >> 16) + np.int32(1)


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
    limit, mask, counts, decayed, weight   as in add_motion_rows, for BGR

    Both pixels are turned into BGR in registers, in 16 bits wherever they suffice. 1.5 bytes a pixel are
    read instead of 3, and there is no BGR picture. The largest differences in the planes bound those of the
    colours (clipping only lessens them) and so their weighted sum: most rows of a coded video have no motion
    by that alone, and are done with after one pass over their bytes.
    """
    half = width // 2
    blocks = (width + BLOCK - 1) // BLOCK
    offsets = np.empty((6, half), np.int16)
    motion = np.empty(width, np.uint8)
    most_y, most_u, most_v = np.empty(blocks, np.uint8), np.empty(blocks, np.uint8), np.empty(blocks, np.uint8)
    color = np.empty(blocks, np.int32)
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
        for block in range(blocks):
            du, dv = most_u[block], most_v[block]
            green = _change(du, factors[3]) + _change(dv, factors[4])
            color[block] = _weighted(_change(du, factors[5]), green, _change(dv, factors[2]))
        converted = False
        for y in range(2 * row, 2 * row + 2):
            p = previous_y[y * previous_y_pitch : y * previous_y_pitch + width]
            f = frame_y[y * frame_y_pitch : y * frame_y_pitch + width]
            _differences_of_blocks(p, f, BLOCK, most_y)
            begin = -1
            for block in range(blocks + 1):
                moving = False
                if block < blocks:
                    luma = _change(most_y[block], gain)
                    moving = _weighted(luma, luma, luma) + color[block] >= limit
                if moving and begin < 0:
                    begin = block * BLOCK
                elif begin >= 0 and not moving:
                    end = min(width, block * BLOCK)
                    if not converted:
                        converted = True
                        if chroma_step == 1:
                            _color_offsets(pu, pv, 1, factors, offsets[:3])
                            _color_offsets(fu, fv, 1, factors, offsets[3:])
                        else:
                            _color_offsets(pu, pv, 2, factors, offsets[:3])
                            _color_offsets(fu, fv, 2, factors, offsets[3:])
                    run = offsets[:, begin // 2 : end // 2]
                    _compare_colors(p[begin:end], f[begin:end], run, black, gain, limit, motion[begin:end])
                    total += _add_up(motion[begin:end], y, begin, mask, counts, decayed, weight)
                    begin = -1
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


FRAMES_AT_ONCE = 4


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
                _color_offsets(u, v, 1, factors, offsets)
            else:
                _color_offsets(u, v, 2, factors, offsets)
            for y in range(2 * row, 2 * row + 2):
                f = planes[plane][y * pitches[plane] : y * pitches[plane] + width]
                for x in range(width):
                    luma[x] = _scaled(_times_8(f[x], black), gain)
                for color in range(3):
                    _add_color(luma, offsets[color], sums[color, y])


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


blur_signature = nb.void(
    read(nb.float32, 2),
    read(nb.intp, 1),
    read(nb.float32, 1),
    *(nb.int64,) * 2,  # first, last
    written(nb.float32, 2),
)


@compiled(blur_signature)
def blur_along_rows(image: Array, columns: Array, weights: Array, first: int, last: int, blurred: Array) -> None:
    """Blur the rows first <= y < last along x.

    image, blurred  (h, w) float32
    columns         (w + 2 r,) intp: the column of the image that lies at each place of a mirrored row
    weights         (2 r + 1,) float32, symmetric
    """
    width = image.shape[1]
    radius = weights.shape[0] // 2
    wide = np.empty(columns.shape[0], np.float32)
    for y in range(first, last):
        for i in range(columns.shape[0]):
            wide[i] = image[y, columns[i]]
        out = blurred[y]
        centre = wide[radius : radius + width]
        for x in range(width):
            out[x] = weights[radius] * centre[x]
        for k in range(1, radius + 1):
            weight = weights[radius + k]
            left = wide[radius - k : radius - k + width]
            right = wide[radius + k : radius + k + width]
            for x in range(width):
                out[x] += weight * (left[x] + right[x])


@compiled(blur_signature)
def blur_along_columns(image: Array, rows: Array, weights: Array, first: int, last: int, blurred: Array) -> None:
    """Blur the rows first <= y < last along y.

    image, blurred  (h, w) float32
    rows            (h + 2 r,) intp: the row of the image that lies at each place of a mirrored column
    weights         (2 r + 1,) float32, symmetric
    """
    width = image.shape[1]
    radius = weights.shape[0] // 2
    for start in range(0, width, COLUMNS_AT_ONCE):
        end = min(width, start + COLUMNS_AT_ONCE)
        size = end - start
        for y in range(first, last):
            out = blurred[y, start:end]
            centre = image[rows[y + radius], start:end]
            for x in range(size):
                out[x] = weights[radius] * centre[x]
            for k in range(1, radius + 1):
                weight = weights[radius + k]
                above = image[rows[y + radius - k], start:end]
                below = image[rows[y + radius + k], start:end]
                for x in range(size):
                    out[x] += weight * (above[x] + below[x])


@compiled(nb.void(*PLANE, *(nb.int64,) * 6, written(nb.uint8, 3)))
def area_mean_rows(
    frame: Array,
    pitch: int,
    height: int,
    width: int,
    channels: int,
    factor: int,
    first: int,
    last: int,
    small: Array,
) -> None:
    """Average blocks of factor x factor pixels into the rows first <= y < last of a smaller frame.

    frame  flat uint8; row y begins at y * pitch
    small  (ceil(height / factor), ceil(width / factor), channels) uint8: the mean, rounded to the nearest
           whole number, halves up; a block cut off by the border is the mean of what is left of it
    """
    columns = np.empty(width * channels, np.uint32)
    for y in range(first, last):
        top = y * factor
        bottom = min(height, top + factor)
        columns[:] = 0
        for source in range(top, bottom):
            row = frame[source * pitch : source * pitch + width * channels]
            for i in range(width * channels):
                columns[i] = np.uint32(columns[i] + row[i])
        for x in range(small.shape[1]):
            left = x * factor
            right = min(width, left + factor)
            area = np.uint64((bottom - top) * (right - left))
            for c in range(channels):
                total = np.uint64(area // np.uint64(2))
                for i in range(left, right):
                    total += np.uint64(columns[i * channels + c])
                small[y, x, c] = np.uint8(total // area)
