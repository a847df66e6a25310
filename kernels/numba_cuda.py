"""The three operations as Numba CUDA kernels; motion.cu, histogram.cu and blur.cu explain the arithmetic.

They are written in what Numba gives on every device and in its simulator, and in the instructions of
numba_intrinsics.py: 16-byte loads, and sums and differences of several bytes at once.

Arrays come flat, contiguous and of the types in :func:`every`; one that is not wanted has no elements. Bytes of frames
are reached by their distance in bytes from the first byte of a flat array, so that rows and frames may lie at any
distance, also a negative one. Several are loaded at once where ``wide`` says that everything is aligned to that; else,
and at the end of a row, bytes are loaded one by one.

Three habits: whole numbers are 64 bits wide in Numba after every operation, so each step is cast back; an index that
cannot be negative is unsigned, because Numba spends instructions on negative ones; and nothing overflows 32 bits,
which the simulator would complain about.

The functions that kernels call are inlined by Numba, so that a kernel can be compiled where there is no GPU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import cuda

from gpuheat.kernels import geometry, grey
from gpuheat.kernels.numba_intrinsics import (
    SIMULATED,
    absolute_differences,
    clipped,
    dot_high,
    dot_low,
    four_words,
    one_word,
    permuted,
    set_four_words,
    sum_of_bytes,
    two_words,
)

__all__ = ["BLUR", "COPY", "HISTOGRAM", "MOTION", "Kernel", "every"]

PIXELS = geometry.MOTION_PIXELS
RED = np.uint32(grey.RED)
BLUE_GREEN = np.uint32(grey.BLUE | grey.GREEN << 16)  # two weights, in the lower and the upper half
GREEN_RED = np.uint32(grey.GREEN | grey.RED << 16)
NONE_BLUE = np.uint32(grey.BLUE << 16)
SHIFT = np.int32(13)
HALF = np.int32(0xFFFF)
HIGH = np.int32(16)
THREE = np.uint64(3)
BYTE = np.uint32(0xFF)
ONES = np.uint32(0x01010101)
LOW = np.uint32(0x7F7F7F7F)
TAPS = geometry.NUMBA_BLUR_TAPS  # weights under way at once; longer blurs are worked off in pieces
ALL_LANES = np.uint32(0xFFFFFFFF)
UINT8 = np.dtype(np.uint8)
UINT32 = np.dtype(np.uint32)
INT64 = np.dtype(np.int64)
FLOAT32 = np.dtype(np.float32)

Array = Any
Planes = tuple[Array, ...]
Distances = tuple[Any, ...]

kernel = cuda.jit(cache=True)
compared = kernel if SIMULATED else cuda.jit(cache=True, launch_bounds=(geometry.NUMBA_THREADS, 4))
binned = kernel if SIMULATED else cuda.jit(cache=True, launch_bounds=geometry.NUMBA_HISTOGRAM_THREADS)


def inlined(function: Any) -> Any:
    """A function for kernels; the simulator, which would make much of each call, runs it as a part of the kernel."""
    return function if SIMULATED else cuda.jit(device=True, inline="always")(function)


@dataclass(frozen=True)
class Kernel:
    """A kernel and the NumPy types of its arguments; that of an array ends in ``[]``, a tuple's are a tuple."""

    function: Any
    arguments: tuple[Any, ...]

    @property
    def name(self) -> str:
        """What it does, and with what."""
        first = self.arguments[0]
        while isinstance(first, tuple):
            first = first[0]
        return f"{self.function.py_func.__name__} of {first.removesuffix('[]')}"


# ---- motion ----------------------------------------------------------------------------------------------------------
#
# A thread follows PIXELS pixels of a row (of two rows, where 2 x 2 pixels share their colour) through the batch: each
# byte of a frame is loaded once, by one thread, 16 bytes at a time where the layout allows, while the frames before it
# are compared. Where none of a thread's bytes has changed nothing moved, and no more is computed. The bytes of the
# frame before, the colours that they stand for and the counts, four to a word, lie in local arrays: all loops over them
# have constant bounds, so that they become registers.
#
# How many pixels moved in a pair goes into a table of a byte for each pair and thread, in shared memory. It is added
# up at the end, so that the loop over the pairs has neither barriers nor atomics.
#
# Instructions of that loop, counted in the code for compute capability 9.0 with 16-byte loads, all pixels moving:
#     gray8    5.6 a pixel     bgr24   9.9     yuv420p   16.4     nv12   15.9
#
# The formats differ in three functions: where a thread's rows lie (_begin_...), how their bytes become words
# (_load_...), and which pixels moved (_find_...).


@inlined
def _row(distances: Distances, row: Any, byte: Any, i: int, before: Array, places: Array, steps: Array) -> None:
    """Where a thread's bytes of one row lie: in the frame before, in the first frame, and from frame to frame."""
    previous_at, previous_pitch, at, pitch, stride = distances
    before[i] = previous_at + row * previous_pitch + byte
    places[i] = at + row * pitch + byte
    steps[i] = stride


@inlined
def _begin_gray8(distances: Distances, row: Any, column: Any, before: Array, places: Array, steps: Array) -> None:
    _row(distances[0], row, column, 0, before, places, steps)


@inlined
def _begin_bgr24(distances: Distances, row: Any, column: Any, before: Array, places: Array, steps: Array) -> None:
    _row(distances[0], row, 3 * column, 0, before, places, steps)


@inlined
def _begin_yuv420p(distances: Distances, row: Any, column: Any, before: Array, places: Array, steps: Array) -> None:
    _row(distances[0], 2 * row, column, 0, before, places, steps)
    _row(distances[0], 2 * row + 1, column, 1, before, places, steps)
    _row(distances[1], row, column // 2, 2, before, places, steps)
    _row(distances[2], row, column // 2, 3, before, places, steps)


@inlined
def _begin_nv12(distances: Distances, row: Any, column: Any, before: Array, places: Array, steps: Array) -> None:
    _row(distances[0], 2 * row, column, 0, before, places, steps)
    _row(distances[0], 2 * row + 1, column, 1, before, places, steps)
    _row(distances[1], row, column, 2, before, places, steps)


@inlined
def _load_bytes(values: Array, at: Any, size: Any, words: Array, first: int, number: int) -> None:
    """So many words, of which the first ``size`` bytes are there, and zeros behind them."""
    for i in range(number):
        words[first + i] = np.uint32(0)
        for j in range(4):
            if 4 * i + j < size:
                byte = np.uint32(values[np.uint64(at + (4 * i + j))])
                words[first + i] = np.uint32(words[first + i] | byte << np.uint32(8 * j))


@inlined
def _load(values: Array, at: Any, size: Any, wide: Any, words: Array, first: int, number: int) -> None:
    """The same; all bytes are there if ``wide`` says that 16 or 4 are loaded at once."""
    if wide == 16:
        for i in range(0, number, 4):
            four = four_words(values, at + 4 * i)
            words[first + i], words[first + i + 1], words[first + i + 2], words[first + i + 3] = four
    elif wide == 4:
        for i in range(number):
            words[first + i] = one_word(values, at + 4 * i)
    else:
        _load_bytes(values, at, size, words, first, number)


@inlined
def _load_half(values: Array, at: Any, size: Any, wide: Any, words: Array, first: int) -> None:
    """The same of two words, half as many bytes for as many pixels: 8 at once where others load 16."""
    if wide == 16:
        words[first], words[first + 1] = two_words(values, at)
    elif wide == 4:
        words[first], words[first + 1] = one_word(values, at), one_word(values, at + 4)
    else:
        _load_bytes(values, at, size, words, first, 2)


@inlined
def _load_gray8(planes: Planes, places: Array, pixels: Any, wide: Any, words: Array, first: int) -> None:
    _load(planes[0], places[0], pixels, wide, words, first, 4)


@inlined
def _load_bgr24(planes: Planes, places: Array, pixels: Any, wide: Any, words: Array, first: int) -> None:
    _load(planes[0], places[0], 3 * pixels, wide, words, first, 12)


@inlined
def _load_yuv420p(planes: Planes, places: Array, pixels: Any, wide: Any, words: Array, first: int) -> None:
    _load(planes[0], places[0], pixels, wide, words, first, 4)
    _load(planes[0], places[1], pixels, wide, words, first + 4, 4)
    _load_half(planes[1], places[2], pixels // 2, wide, words, first + 8)
    _load_half(planes[2], places[3], pixels // 2, wide, words, first + 10)


@inlined
def _load_nv12(planes: Planes, places: Array, pixels: Any, wide: Any, words: Array, first: int) -> None:
    _load(planes[0], places[0], pixels, wide, words, first, 4)
    _load(planes[0], places[1], pixels, wide, words, first + 4, 4)
    _load(planes[1], places[2], pixels, wide, words, first + 8, 4)


@inlined
def _find_gray8(before: Array, now: Array, _colors: Array, _by: Any, limit: Any, bits: Array) -> None:
    """A word for each 4 pixels: the lowest bit of a byte is 1 where the pixel moved, the other bits are anything."""
    # A difference above the threshold is carried out of its byte by 255 - threshold. The lower seven bits are added by
    # themselves, so that no carry crosses into the next byte; the carry out of the eighth is the majority.
    addend = np.uint32((np.uint32(255) - limit) * ONES)
    for quad in range(4):
        difference = absolute_differences(before[quad], now[quad])
        low = np.uint32(np.uint32(difference & LOW) + np.uint32(addend & LOW))
        bits[quad] = np.uint32(np.uint32(difference & addend | (difference | addend) & low) >> np.uint32(7))


@inlined
def _moved_bgr(b0: Any, b1: Any, b2: Any, n0: Any, n1: Any, n2: Any, limit: Any) -> Any:
    """The same for 4 pixels in three words each, BGRB GRBG RBGR."""
    d0, d1, d2 = absolute_differences(b0, n0), absolute_differences(b1, n1), absolute_differences(b2, n2)
    # Each sum begins at -limit and stays within 24 bits: its uppermost byte is 0 where it reached 0, else 255.
    start = np.int32(np.int32(0) - np.int32(limit))
    s0 = dot_low(BLUE_GREEN, d0, dot_high(RED, d0, start))
    s1 = dot_high(NONE_BLUE, d0, dot_low(GREEN_RED, d1, start))
    s2 = dot_high(BLUE_GREEN, d1, dot_low(RED, d2, start))
    s3 = dot_low(NONE_BLUE, d2, dot_high(GREEN_RED, d2, start))
    return np.uint32(~permuted(permuted(s0, s1, 0x0073), permuted(s2, s3, 0x0073), 0x5410))


@inlined
def _find_bgr24(before: Array, now: Array, _colors: Array, _by: Any, limit: Any, bits: Array) -> None:
    for quad in range(4):
        i = 3 * quad
        bits[quad] = _moved_bgr(before[i], before[i + 1], before[i + 2], now[i], now[i + 1], now[i + 2], limit)


# A colour is made of a byte and a factor of 16 bits: (8 * byte * factor) >> 16 of YuvToBgr is (byte * factor) >> 13.


@inlined
def _chroma(dot: Any, uv: Any, by: Any) -> Any:
    """What the U and the V in one half of a word add to blue, green and red; int32."""
    _, _, red_v, green_u, green_v, blue_u = by
    blue = dot(blue_u & HALF, uv, np.int32(np.int32(-128) * blue_u))
    green = dot(green_u & HALF, uv, np.int32(np.int32(-128) * green_u)) >> SHIFT  # each rounded down by itself
    green = green + (dot(green_v << HIGH, uv, np.int32(np.int32(-128) * green_v)) >> SHIFT)
    red = dot(red_v << HIGH, uv, np.int32(np.int32(-128) * red_v))
    return np.int32(blue >> SHIFT), np.int32(green), np.int32(red >> SHIFT)


@inlined
def _bgr(luma: Any, left: Any, right: Any, by: Any) -> Any:
    """4 pixels in three words, BGRB GRBG RBGR, of a word of luma and what _chroma says for two of them each."""
    black, gain, _, _, _, _ = by
    start = np.int32(np.int32(0) - np.int32(black * gain))
    y0, y1 = dot_low(gain, luma, start) >> SHIFT, dot_low(gain << HIGH, luma, start) >> SHIFT
    y2, y3 = dot_high(gain, luma, start) >> SHIFT, dot_high(gain << HIGH, luma, start) >> SHIFT
    (b0, g0, r0), (b2, g2, r2) = left, right
    return (
        clipped(y0 + g0, y0 + b0, clipped(y1 + b0, y0 + r0, 0)),
        clipped(y1 + r0, y1 + g0, clipped(y2 + g2, y2 + b2, 0)),
        clipped(y3 + b2, y2 + r2, clipped(y3 + r2, y3 + g2, 0)),
    )


@inlined
def _find_planar(now: Array, quad: int, uv: Any, colors: Array, by: Any, limit: Any, bits: Array) -> None:
    """The same for 4 x 2 pixels; ``colors`` are those of the frame before, and become those of this one."""
    left, right = _chroma(dot_low, uv, by), _chroma(dot_high, uv, by)
    for row in range(2):
        i = 12 * row + 3 * quad
        n0, n1, n2 = _bgr(now[4 * row + quad], left, right, by)
        bits[4 * row + quad] = _moved_bgr(colors[i], colors[i + 1], colors[i + 2], n0, n1, n2, limit)
        colors[i], colors[i + 1], colors[i + 2] = n0, n1, n2


@inlined
def _find_yuv420p(_before: Array, now: Array, colors: Array, by: Any, limit: Any, bits: Array) -> None:
    for i in range(2):
        u, v = now[8 + i], now[10 + i]
        _find_planar(now, 2 * i, permuted(u, v, 0x5140), colors, by, limit, bits)
        _find_planar(now, 2 * i + 1, permuted(u, v, 0x7362), colors, by, limit, bits)


@inlined
def _find_nv12(_before: Array, now: Array, colors: Array, by: Any, limit: Any, bits: Array) -> None:
    for quad in range(4):
        _find_planar(now, quad, now[8 + quad], colors, by, limit, bits)


@inlined
def _place(pixel: Any, width: Any, quad: int, i: int) -> Any:
    """Where pixel i of a group of 4 lies in mask, counts and decayed; the second four groups are a row below."""
    return np.uint64(pixel + quad // 4 * width + (4 * (quad % 4) + i))


@inlined
def _add_counts(counts: Array, place: Any, four: Any, wide: Any) -> None:
    """Add four counts, a byte each; ``wide``: all four places are there, and aligned to 16 bytes."""
    if wide:
        c0, c1, c2, c3 = four_words(counts, place)
        c0, c1 = np.uint32(c0 + (four & BYTE)), np.uint32(c1 + (four >> np.uint32(8) & BYTE))
        c2, c3 = np.uint32(c2 + (four >> np.uint32(16) & BYTE)), np.uint32(c3 + (four >> np.uint32(24)))
        set_four_words(counts, place, c0, c1, c2, c3)
    else:
        for i in range(4):
            count = np.uint32(four >> np.uint32(8 * i) & BYTE)
            if count != 0:
                counts[np.uint64(place + np.uint64(i))] = np.uint32(counts[np.uint64(place + np.uint64(i))] + count)


@inlined
def _add_weight(decayed: Array, pixel: Any, width: Any, quads: int, moved: Any, weight: Any) -> None:
    """Add a weight where a pixel moved; no other thread has these pixels."""
    for quad in range(quads):
        for i in range(4):
            if moved >> np.uint32(8 * i + quad) & np.uint32(1) != 0:
                decayed[_place(pixel, width, quad, i)] += weight


@inlined
def _add_up(pairs: Any, moved: Array) -> None:
    """Add up the table of what moved: a byte for each pair and thread."""
    table = cuda.shared.array(0, UINT32)
    cuda.syncthreads()
    words = np.int32(cuda.blockDim.x // 4)
    thread = np.int32(cuda.threadIdx.x)
    for pair in range(thread, pairs, cuda.blockDim.x):
        total = np.uint32(0)
        place = np.int32(thread % words)  # threads begin at different places, which lie in different banks of memory
        for _ in range(words):
            total = sum_of_bytes(table[np.uint32(pair * words + place)], total)
            place = np.int32(place + 1)
            if place == words:
                place = np.int32(0)
        if total != 0:
            cuda.atomic.add(moved, pair, total)


@inlined
def _follow(
    begin: Any,
    load: Any,
    find: Any,
    quads: int,
    number: int,
    previous: Planes,
    frames: Planes,
    distances: Distances,
    by: Any,
    sizes: Any,
    arrays: Any,
) -> None:
    """Compare frames of any format: ``quads`` groups of 4 pixels a thread, whose bytes are ``number`` words.

    The rest as in motion_gray8.
    """
    wide, wide_counts, rows, width, pairs, limit = sizes
    mask, counts, decayed, weights, moved = arrays
    table = cuda.shared.array(0, UINT8)
    threads, thread = cuda.blockDim.x, cuda.threadIdx.x
    group = np.int64(cuda.blockIdx.x) * np.int64(threads) + thread
    groups_in_row = (width + (PIXELS - 1)) // PIXELS
    row = group // groups_in_row
    column = (group - row * groups_in_row) * PIXELS
    pixel = row * width * (quads // 4) + column
    pixels = np.int32(0)  # none behind the end
    if row < rows:
        pixels = np.int32(min(PIXELS, width - column))
    if pixels < PIXELS:
        wide = np.int32(1)

    # Which pixels, in one word: group q of 4 pixels has bit q of each byte, pixel i of it that of byte i.
    watched = np.uint32(0)
    for quad in range(quads):
        for i in range(4):
            if 4 * (quad % 4) + i < pixels and (mask.size == 0 or mask[_place(pixel, width, quad, i)] != 0):
                watched = np.uint32(watched | np.uint32(1) << np.uint32(8 * i + quad))

    under_way = 12 // number  # frames
    places, first, steps = cuda.local.array(4, INT64), cuda.local.array(4, INT64), cuda.local.array(4, INT64)
    before, now, ahead = cuda.local.array(12, UINT32), cuda.local.array(12, UINT32), cuda.local.array(12, UINT32)
    colors, bits, counted = cuda.local.array(24, UINT32), cuda.local.array(8, UINT32), cuda.local.array(8, UINT32)
    for i in range(4):
        places[i] = steps[i] = 0
    for quad in range(quads):
        counted[quad] = np.uint32(0)
    begin(distances, row, column, first, places, steps)
    mine = pairs
    if pixels == 0:
        mine = np.int32(0)
        for pair in range(pairs):
            table[np.uint32(pair * threads + thread)] = np.uint8(0)
    load(previous, first, pixels, wide, before, 0)
    for k in range(under_way):
        if k < mine:
            load(frames, places, pixels, wide, ahead, k * number)
            for i in range(4):
                places[i] += steps[i]
    find(before, before, colors, by, limit, bits)  # for the colours

    for start in range(0, mine, under_way):
        for k in range(under_way):
            pair = start + k
            if k == 0 or pair < mine:
                changed, here = np.uint32(0), np.uint32(0)
                for i in range(number):
                    now[i] = ahead[k * number + i]
                    changed = np.uint32(changed | (before[i] ^ now[i]))
                if pair + under_way < mine:  # on the way while this frame and those before it are compared
                    load(frames, places, pixels, wide, ahead, k * number)
                    for i in range(4):
                        places[i] += steps[i]
                if changed != 0:
                    find(before, now, colors, by, limit, bits)
                    for quad in range(quads):
                        ones = np.uint32(bits[quad] & ONES)
                        counted[quad] = np.uint32(counted[quad] + ones)
                        here = np.uint32(here | ones << np.uint32(quad))
                    here = np.uint32(here & watched)
                    if decayed.size > 0 and here != 0:
                        _add_weight(decayed, pixel, width, quads, here, weights[np.uint64(pair)])
                for i in range(number):
                    before[i] = now[i]
                table[np.uint32(pair * threads + thread)] = np.uint8(cuda.popc(here))

    if counts.size > 0:
        for quad in range(quads):
            place = _place(pixel, width, quad, 0)
            four = np.uint32(counted[quad] & np.uint32((watched >> np.uint32(quad) & ONES) * BYTE))
            if four != 0:
                whole = wide_counts != 0 and place & THREE == 0 and 4 * (quad % 4) + 4 <= pixels
                _add_counts(counts, place, four, whole)
    _add_up(pairs, moved)


@compared
def motion_gray8(previous: Planes, frames: Planes, distances: Distances, sizes: Any, arrays: Any) -> None:
    """Compare grey frames, PIXELS pixels a thread.

    previous     the bytes of the frame before the first, one array a plane
    frames       those of all frames
    distances    in bytes, of each plane: from the first byte of ``previous`` to its first pixel, and from row to row;
                 from the first byte of ``frames`` to its first pixel, from row to row, and from frame to frame
    sizes        wide: 16, 4 or 1, of which addresses, pitches and strides are multiples; 1 if counts begin at a
                 multiple of 16 bytes; rows and width of a frame, px; pairs; limit: the threshold
    arrays       mask (h * w,): a pixel counts where it is not 0; counts (h * w,), raised; decayed (h * w,), raised by
                 the weight of a pair where a pixel moved; weights (pairs,); moved (pairs,), raised by the number of
                 moved pixels
    """
    _follow(_begin_gray8, _load_gray8, _find_gray8, 4, 4, previous, frames, distances, (), sizes, arrays)


@compared
def motion_bgr24(previous: Planes, frames: Planes, distances: Distances, sizes: Any, arrays: Any) -> None:
    """Compare BGR frames; ``limit`` is grey.lowest_moving_sum. The rest as in motion_gray8."""
    _follow(_begin_bgr24, _load_bgr24, _find_bgr24, 4, 12, previous, frames, distances, (), sizes, arrays)


@compared
def motion_yuv420p(previous: Planes, frames: Planes, distances: Distances, by: Any, sizes: Any, arrays: Any) -> None:
    """Compare YUV 4:2:0 frames of three planes, PIXELS x 2 pixels a thread.

    by       the six factors of YuvToBgr, of 16 bits with sign
    sizes    wide: of which half is enough for U and V, if it is 16; rows: pairs of rows, 2 of Y and 1 of U and of V

    The rest as in motion_bgr24.
    """
    _follow(_begin_yuv420p, _load_yuv420p, _find_yuv420p, 8, 12, previous, frames, distances, by, sizes, arrays)


@compared
def motion_nv12(previous: Planes, frames: Planes, distances: Distances, by: Any, sizes: Any, arrays: Any) -> None:
    """The same where U and V alternate in one plane."""
    _follow(_begin_nv12, _load_nv12, _find_nv12, 8, 12, previous, frames, distances, by, sizes, arrays)


# ---- histogram -------------------------------------------------------------------------------------------------------
#
# A thread has 4 consecutive points under way, whose loads come first, so that they overlap. It holds what falls into
# one bin until a point falls into another, so that points that stay in a bin cost no atomics.
#
# Lanes of a warp that let go of the same bin would queue up for it. Where that happens they add up what they have, all
# bins at the same time, in one round for 2 lanes and 5 for 32, and one lane speaks for all of a bin. That it happens is
# seen by comparing each lane with those 1 and 12 below: the first has the same bin where points come in runs, the
# second where 2, 3 or 4 bins take turns, and of 8 lanes that share a bin at random places two are that far apart in 39
# of 40 warps. Points that spread out pay for no more than that, 2 shuffles a point and a vote for 4.
#
# All lanes of a warp take part in every shuffle, vote and match, so that threads of a block take the same number of
# turns. No lane asks one that may not be there, so that a warp may have fewer than 32 threads.


if hasattr(cuda, "vote_sync_intrinsic"):  # before numba-cuda 0.22, whose own ballot needs a GPU to be compiled

    @inlined
    def _lanes_where(condition: Any) -> Any:
        """A bit for each lane of the warp: 1 where the condition holds."""
        return np.uint32(cuda.vote_sync_intrinsic(ALL_LANES, np.int32(3), condition)[0])

else:

    @inlined
    def _lanes_where(condition: Any) -> Any:
        """A bit for each lane of the warp: 1 where the condition holds."""
        return np.uint32(cuda.ballot_sync(ALL_LANES, condition))


@inlined
def _bin(coordinate: Any, edges: Array, bins: Any, scale: Any, margin: Any, end: Any) -> Any:
    """The bin of a coordinate on one axis, -1 outside and for NaN.

    edges    (bins + 1,) float64, px, ascending from 0
    scale    bins per px
    margin   more than the error of coordinate * scale and of the edges, less than 1/2
    end      bins + margin

    Where the product may lie on either side of an edge the coordinate is compared with that edge. A product and a
    sum may become one instruction that rounds once: that is an error less, and the margin bounds it as well.
    """
    place = coordinate * scale
    if not (place > -margin and place < end):  # so written that NaN leaves
        return np.int32(-1)
    low, high = np.int32(math.floor(place - margin)), np.int32(math.floor(place + margin))
    if low == high and low < bins:
        return low
    exact, edge = np.float64(coordinate), edges[np.uint32(high)]
    if exact < edge:
        return np.int32(high - 1)  # before the first edge: -1
    if high < bins:
        return high
    return np.int32(high - 1) if exact == edge else np.int32(-1)


@inlined
def _add(bins: Array, histogram: Array, private: Any, place: Any, amount: Any) -> None:
    """Add to a bin. What a private bin of 32 bits cannot hold is carried into the histogram at once."""
    if place >= 0:
        if private != 0:
            low = np.uint32(amount & np.uint64(0xFFFFFFFF))
            old = cuda.atomic.add(bins, place, low)
            carried = np.uint64(np.uint64(np.uint64(old) + amount) >> np.uint64(32))
            if carried != 0:
                cuda.atomic.add(histogram, place, np.uint64(carried << np.uint64(32)))
        else:
            cuda.atomic.add(histogram, place, amount)


@inlined
def _hold(held: Any, total: Any, place: Any, amount: Any) -> tuple[Any, Any, Any, Any]:
    """Add a point to what a thread holds of one bin; a point of another bin takes its place.

    What is held then, and what is let go of: a bin, -1 for none, and the sum.
    """
    left, left_total = np.int32(-1), total
    if place == held:
        total = np.uint64(total + amount)
    else:
        left = held
        held, total = place, amount
    return held, total, left, left_total


@inlined
def _alike(place: Any, lane: Any) -> Any:
    """Whether a lane has a bin that the one before it has as well, or the one 12 below."""
    near = cuda.shfl_up_sync(ALL_LANES, place, np.int32(1))
    far = cuda.shfl_up_sync(ALL_LANES, place, np.int32(12))
    return (place >= 0) & (((place == near) & (lane >= 1)) | ((place == far) & (lane >= 12)))  # without branches


@inlined
def _together(place: Any, total: Any, lane: Any) -> tuple[Any, Any]:
    """Add up what lanes of a warp have of the same bin: the lowest of them gets it all, the others nothing.

    In each round a lane adds what the next one above it has; every other lane of the bin is done with that.
    """
    same = np.uint32(cuda.match_any_sync(ALL_LANES, place))
    above = np.uint32(same & np.uint32(np.uint32(0xFFFFFFFE) << lane)) if place >= 0 else np.uint32(0)
    rank = np.uint32(cuda.popc(np.uint32(same & np.uint32(~np.uint32(np.uint32(0xFFFFFFFF) << lane)))))
    first = rank == 0
    while _lanes_where(above != 0) != 0:
        next_lane = np.int32(cuda.ffs(above)) - np.int32(1) if above != 0 else np.int32(lane)
        other = np.uint64(cuda.shfl_sync(ALL_LANES, np.int64(total), next_lane))
        if above != 0:
            total = np.uint64(total + other)
        above = np.uint32(above & _lanes_where(rank & np.uint32(1) == 0))
        rank = np.uint32(rank >> np.uint32(1))
    return place if first else np.int32(-1), total


@inlined
def _four(values: Array, first: Any) -> tuple[Any, Any, Any, Any]:
    """Four values; zeros behind the end."""
    zero = values.dtype.type(0)
    value0, value1, value2, value3 = zero, zero, zero, zero
    if first + 4 <= values.size:
        value0, value1 = values[np.uint64(first)], values[np.uint64(first + 1)]
        value2, value3 = values[np.uint64(first + 2)], values[np.uint64(first + 3)]
    elif first < values.size:
        value0 = values[np.uint64(first)]
        if first + 1 < values.size:
            value1 = values[np.uint64(first + 1)]
        if first + 2 < values.size:
            value2 = values[np.uint64(first + 2)]
    return value0, value1, value2, value3


@inlined
def _place_of(there: Any, x: Any, y: Any, along_x: Any, along_y: Any) -> Any:
    """The bin of a point, -1 for none. The axes are the arguments of _bin."""
    x_edges, nx, x_scale, x_margin, x_end = along_x
    y_edges, ny, y_scale, y_margin, y_end = along_y
    column = _bin(x, x_edges, nx, x_scale, x_margin, x_end)
    row = _bin(y, y_edges, ny, y_scale, y_margin, y_end)
    if there and column >= 0 and row >= 0:
        return np.int32(np.int32(row * nx) + column)
    return np.int32(-1)


@binned
def histogram(
    x: Array,
    y: Array,
    weight: Array,
    x_edges: Array,
    y_edges: Array,
    nx: Any,
    ny: Any,
    x_scale: Any,
    y_scale: Any,
    x_margin: Any,
    y_margin: Any,
    x_end: Any,
    y_end: Any,
    private: Any,
    sums: Array,
) -> None:
    """Add points to bins.

    x, y       (n,) px
    weight     (n,), or none: 1 for each point
    private    1: each block has bins of its own in shared memory
    sums       (ny * nx,), raised

    The rest as in _bin.
    """
    bins = cuda.shared.array(0, UINT32)
    threads, thread = cuda.blockDim.x, cuda.threadIdx.x
    if private != 0:
        i = thread
        while i < nx * ny:
            bins[np.uint32(i)] = np.uint32(0)
            i += threads
    cuda.syncthreads()

    along_x, along_y = (x_edges, nx, x_scale, x_margin, x_end), (y_edges, ny, y_scale, y_margin, y_end)
    lane = np.uint32(thread & 31)
    held, total = np.int32(-1), np.uint64(0)
    amount0, amount1, amount2, amount3 = np.uint32(1), np.uint32(1), np.uint32(1), np.uint32(1)
    step = np.int64(cuda.gridDim.x) * np.int64(4 * threads)
    start = np.int64(cuda.blockIdx.x) * np.int64(4 * threads)
    while start < x.size:
        first = start + 4 * thread
        x0, x1, x2, x3 = _four(x, first)
        y0, y1, y2, y3 = _four(y, first)
        if weight.size > 0:
            amount0, amount1, amount2, amount3 = _four(weight, first)
        place0 = _place_of(first < x.size, x0, y0, along_x, along_y)
        place1 = _place_of(first + 1 < x.size, x1, y1, along_x, along_y)
        place2 = _place_of(first + 2 < x.size, x2, y2, along_x, along_y)
        place3 = _place_of(first + 3 < x.size, x3, y3, along_x, along_y)

        held, total, left0, sum0 = _hold(held, total, place0, np.uint64(amount0))
        held, total, left1, sum1 = _hold(held, total, place1, np.uint64(amount1))
        held, total, left2, sum2 = _hold(held, total, place2, np.uint64(amount2))
        held, total, left3, sum3 = _hold(held, total, place3, np.uint64(amount3))
        alike0, alike1 = _alike(left0, lane), _alike(left1, lane)
        alike2, alike3 = _alike(left2, lane), _alike(left3, lane)
        if _lanes_where(alike0 | alike1 | alike2 | alike3) != 0:
            left0, sum0 = _together(left0, sum0, lane)
            left1, sum1 = _together(left1, sum1, lane)
            left2, sum2 = _together(left2, sum2, lane)
            left3, sum3 = _together(left3, sum3, lane)
        _add(bins, sums, private, left0, sum0)
        _add(bins, sums, private, left1, sum1)
        _add(bins, sums, private, left2, sum2)
        _add(bins, sums, private, left3, sum3)
        start += step
    held, total = _together(held, total, lane)
    _add(bins, sums, private, held, total)

    cuda.syncthreads()
    if private != 0:
        i = thread
        while i < nx * ny:
            if bins[np.uint32(i)] != 0:
                cuda.atomic.add(sums, i, np.uint64(bins[np.uint32(i)]))
            i += threads


# ---- blur ------------------------------------------------------------------------------------------------------------


@inlined
def _mirrored(place: Any, size: Any) -> Any:
    """The place inside 0 ... size - 1 that a place outside of it shows (OpenCV's BORDER_REFLECT_101)."""
    if place < 0:
        place = -place
    if place >= size:
        period = max(np.int64(1), 2 * (size - 1))
        place = place % period
        if place >= size:
            place = period - place
    return place


@kernel
def blur(image: Array, weights: Array, height: int, width: int, radius: Any, along_rows: Any, blurred: Array) -> None:
    """One pass of the separable blur, along the rows or along the columns.

    image, blurred  (height * width,)
    weights         (2 * radius + 1,)
    along_rows      1, or 0: along the columns

    A block writes a tile, as wide as it has threads and four times as high; a thread has 4 pixels under each other. For
    TAPS weights at a time the block brings the pixels under them into shared memory.
    """
    shared = cuda.shared.array(0, FLOAT32)  # the weights, then the tile
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    across, down = cuda.blockDim.x, cuda.blockDim.y
    tiles_in_row = (width + across - 1) // across
    top = np.int64(cuda.blockIdx.x) // tiles_in_row * (4 * down)
    left = np.int64(cuda.blockIdx.x) % tiles_in_row * across
    sum0, sum1, sum2, sum3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)

    for first in range(0, 2 * radius + 1, TAPS):
        under_way = min(TAPS, 2 * radius + 1 - first)
        for i in range(y * across + x, under_way, across * down):
            shared[np.uint32(i)] = weights[np.uint32(first + i)]
        pitch, step, wide, high = across, across, across, 4 * down + under_way - 1
        from_x, from_y = left, top + first - radius
        if along_rows != 0:
            pitch, step, wide, high = across + TAPS, 1, across + under_way - 1, 4 * down
            from_x, from_y = left + first - radius, top
        for row in range(y, high, down):
            begin = _mirrored(from_y + row, height) * width
            for column in range(x, wide, across):
                shared[np.uint32(TAPS + row * pitch + column)] = image[
                    np.uint64(begin + _mirrored(from_x + column, width))
                ]
        cuda.syncthreads()
        place, next_pixel = TAPS + y * pitch + x, down * pitch
        for i in range(under_way):
            tap = shared[np.uint32(i)]
            sum0 = np.float32(sum0 + np.float32(tap * shared[np.uint32(place)]))
            sum1 = np.float32(sum1 + np.float32(tap * shared[np.uint32(place + next_pixel)]))
            sum2 = np.float32(sum2 + np.float32(tap * shared[np.uint32(place + 2 * next_pixel)]))
            sum3 = np.float32(sum3 + np.float32(tap * shared[np.uint32(place + 3 * next_pixel)]))
            place += step
        cuda.syncthreads()

    at = left + x
    if at < width:
        if top + y < height:
            blurred[np.uint64((top + y) * width + at)] = sum0
        if top + y + down < height:
            blurred[np.uint64((top + y + down) * width + at)] = sum1
        if top + y + 2 * down < height:
            blurred[np.uint64((top + y + 2 * down) * width + at)] = sum2
        if top + y + 3 * down < height:
            blurred[np.uint64((top + y + 3 * down) * width + at)] = sum3


# ---- copying ---------------------------------------------------------------------------------------------------------


@kernel
def copy(
    source: Array,
    source_at: int,
    source_0: int,
    source_1: int,
    source_2: int,
    source_3: int,
    target: Array,
    target_at: int,
    target_0: int,
    target_1: int,
    target_2: int,
    target_3: int,
    elements: int,
    size_1: int,
    size_2: int,
    size_3: int,
    item: Any,
) -> None:
    """Copy an array of four axes to another, whatever their strides: an element a thread, byte by byte.

    source, target       bytes
    ..._at               where the first element lies
    source_0 ...         bytes from element to element along each axis
    elements             of all axes; size_1 ... those of the last three
    item                 bytes of an element
    """
    i = np.int64(cuda.blockIdx.x) * np.int64(cuda.blockDim.x) + cuda.threadIdx.x
    if i < elements:
        place_3, i = i % size_3, i // size_3
        place_2, i = i % size_2, i // size_2
        place_1, place_0 = i % size_1, i // size_1
        of = source_at + place_0 * source_0 + place_1 * source_1 + place_2 * source_2 + place_3 * source_3
        to = target_at + place_0 * target_0 + place_1 * target_1 + place_2 * target_2 + place_3 * target_3
        for byte in range(item):
            target[np.uint64(to + byte)] = source[np.uint64(of + byte)]


# ---- all there are ---------------------------------------------------------------------------------------------------


def _planes(number: int) -> tuple[Any, ...]:
    return ("uint8[]",) * number, ("uint8[]",) * number, (("int64",) * 5,) * number


FACTORS = ("int32",) * 6
SIZES = ("int32", "int32", "int64", "int64", "int32", "uint32")
ARRAYS = ("uint8[]", "uint32[]", "float64[]", "float64[]", "uint32[]")

MOTION: Final = {
    "gray8": Kernel(motion_gray8, (*_planes(1), SIZES, ARRAYS)),
    "bgr24": Kernel(motion_bgr24, (*_planes(1), SIZES, ARRAYS)),
    "yuv420p": Kernel(motion_yuv420p, (*_planes(3), FACTORS, SIZES, ARRAYS)),
    "nv12": Kernel(motion_nv12, (*_planes(2), FACTORS, SIZES, ARRAYS)),
}
"""By pixel format."""

HISTOGRAM: Final = {
    (of, products): Kernel(
        histogram,
        (
            *(f"{of}[]",) * 2,
            "uint32[]",
            *("float64[]",) * 2,
            *("int32",) * 2,
            *(products,) * 6,
            "int32",
            "uint64[]",
        ),
    )
    for of, products in (("float32", "float32"), ("float32", "float64"), ("float64", "float64"))
}
"""By the type of the coordinates, and that of their products with the scales."""

BLUR: Final = Kernel(blur, ("float32[]", "float32[]", "int64", "int64", "int32", "int32", "float32[]"))
COPY: Final = Kernel(copy, (*("uint8[]", *("int64",) * 5) * 2, *("int64",) * 4, "int32"))


def every() -> list[Kernel]:
    """All kernels, each with all types it is launched with."""
    return [*MOTION.values(), *HISTOGRAM.values(), BLUR, COPY]
