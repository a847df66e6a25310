"""The three operations as Numba CUDA kernels; motion.cu, histogram.cu and blur.cu explain the arithmetic.

They are written in what Numba gives on every device and in its simulator, and so do without what the CUDA C has beside
it: 16-byte loads (4 bytes here, neighbouring threads next to each other), dp2a and the 8- and 16-bit vector
instructions (a few whole-number instructions more a pixel), and sums over a warp (see below).

Arrays come flat, contiguous and of the types in :func:`every`; one that is not wanted has no elements. Bytes of frames
are reached by their distance in bytes from the first byte of a flat array, so that rows and frames may lie at any
distance, also a negative one. Words and halves are the same bytes as uint32 and uint16, and are used where ``wide``
says that everything is aligned to them; else, and at the end of a row, bytes are loaded one by one.

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

__all__ = ["BLUR", "COPY", "HISTOGRAM", "MOTION", "Kernel", "every"]

BLUE = np.uint32(grey.BLUE)
GREEN = np.uint32(grey.GREEN)
RED = np.uint32(grey.RED)
BYTE = np.uint32(0xFF)
ONES = np.uint32(0x01010101)
HIGH = np.uint32(0x80808080)
LOW = np.uint32(0x7F7F7F7F)
EVEN = np.uint32(0x00FF00FF)
TAPS = geometry.NUMBA_BLUR_TAPS  # weights under way at once; longer blurs are worked off in pieces
UINT8 = np.dtype(np.uint8)
UINT32 = np.dtype(np.uint32)
FLOAT32 = np.dtype(np.float32)

Array = Any
Colors = tuple[Any, ...]

kernel = cuda.jit(cache=True)
inlined = cuda.jit(device=True, inline="always")


@dataclass(frozen=True)
class Kernel:
    """A kernel and the NumPy types of its arguments; that of an array ends in ``[]``."""

    function: Any
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it does, and with what."""
        return f"{self.function.py_func.__name__} of {self.arguments[0].removesuffix('[]')}"


# ---- motion ----------------------------------------------------------------------------------------------------------
#
# A thread follows a few groups of 4 pixels of a row (of 2 rows, where 2 x 2 pixels share their colour) through the
# batch: each byte of a frame is loaded once, by one thread, while the frame before it is compared; the pixels before
# and the counts, four to a word, stay in registers.
#
# How many pixels moved in a pair goes into a table of a byte for each pair and thread, in shared memory. It is added
# up at the end, so that the loop over the pairs has neither barriers nor atomics.


@inlined
def _place(group: Any, rows: Any, width: Any) -> Any:
    """The row and the first column of a group of 4 pixels, and how many of them there are: none behind the end."""
    groups_in_row = (width + 3) // 4
    row = group // groups_in_row
    column = (group - row * groups_in_row) * 4
    pixels = np.int32(0)
    if row < rows:
        pixels = np.int32(min(4, width - column))
    return row, column, pixels


@inlined
def _word(values: Array, words: Array, at: Any, size: Any, whole: Any) -> Any:
    """The first ``size`` of 4 bytes as a word, zeros behind them; ``whole``: all 4, and aligned."""
    word = np.uint32(0)
    if whole:
        word = words[np.uint64(at >> 2)]
    else:
        if size > 0:
            word = np.uint32(values[np.uint64(at)])
        if size > 1:
            word = np.uint32(word | np.uint32(values[np.uint64(at + 1)]) << np.uint32(8))
        if size > 2:
            word = np.uint32(word | np.uint32(values[np.uint64(at + 2)]) << np.uint32(16))
        if size > 3:
            word = np.uint32(word | np.uint32(values[np.uint64(at + 3)]) << np.uint32(24))
    return word


@inlined
def _half(values: Array, halves: Array, at: Any, size: Any, whole: Any) -> Any:
    """The same of 2 bytes."""
    word = np.uint32(0)
    if whole:
        word = np.uint32(halves[np.uint64(at >> 1)])
    else:
        if size > 0:
            word = np.uint32(values[np.uint64(at)])
        if size > 1:
            word = np.uint32(word | np.uint32(values[np.uint64(at + 1)]) << np.uint32(8))
    return word


@inlined
def _watched(mask: Array, pixel: Any, pixels: Any) -> Any:
    """For each of 4 pixels a byte: 1 where it counts."""
    watched = np.uint32(0)
    for i in range(pixels):
        if mask.size == 0 or mask[np.uint64(pixel + i)] != 0:
            watched = np.uint32(watched | np.uint32(1) << np.uint32(8 * i))
    return watched


@inlined
def _add_counts(counts: Array, pixel: Any, counted: Any, pixels: Any) -> None:
    """Add the four counts of a word."""
    if counts.size > 0 and counted != 0:
        for i in range(pixels):
            count = np.uint32(counted >> np.uint32(8 * i) & BYTE)
            counts[np.uint64(pixel + i)] = np.uint32(counts[np.uint64(pixel + i)] + count)


@inlined
def _add_weight(decayed: Array, pixel: Any, bits: Any, weight: Any) -> None:
    """Add a weight where a pixel moved; no other thread has these pixels."""
    for i in range(4):
        if bits >> np.uint32(8 * i) & np.uint32(1) != 0:
            decayed[np.uint64(pixel + i)] += weight


@inlined
def _add_up(pairs: Any, moved: Array) -> None:
    """Add up the table of what moved: a byte for each pair and thread."""
    table = cuda.shared.array(0, UINT32)
    cuda.syncthreads()
    words = np.int32(cuda.blockDim.x // 4)
    thread = np.int32(cuda.threadIdx.x)
    for pair in range(thread, pairs, cuda.blockDim.x):
        even, odd = np.uint32(0), np.uint32(0)
        place = np.int32(thread % words)  # threads begin at different places, which lie in different banks of memory
        for _ in range(words):
            four = table[np.uint32(pair * words + place)]
            even = np.uint32(even + np.uint32(four & EVEN))
            odd = np.uint32(odd + np.uint32(four >> np.uint32(8) & EVEN))
            place = np.int32(place + 1)
            if place == words:
                place = np.int32(0)
        both = np.uint32(even + odd)
        total = np.uint32((both & np.uint32(0xFFFF)) + (both >> np.uint32(16)))
        if total != 0:
            cuda.atomic.add(moved, pair, total)


@inlined
def _difference(a: Any, b: Any) -> Any:
    """How far each of 4 bytes is from another, a byte each."""
    # a - b of each byte by itself: 7 bits with the eighth set, so that nothing is borrowed from the next byte
    rough = np.uint32((a | HIGH) - (b & LOW))
    less = np.uint32(rough ^ np.uint32((a ^ b ^ HIGH) & HIGH))
    borrowed = np.uint32(np.uint32((~a & b | ~(a ^ b) & less) & HIGH) >> np.uint32(7))  # 1 where a < b
    return np.uint32(np.uint32(less ^ np.uint32(borrowed * BYTE)) + borrowed)  # negated there


@inlined
def _moved_grey(before: Any, now: Any, addend: Any) -> Any:
    """For 4 grey pixels a byte each: its lowest bit is 1 where the pixel moved. ``addend``: 255 - threshold each."""
    difference = _difference(before, now)
    low = np.uint32(np.uint32(difference & LOW) + np.uint32(addend & LOW))
    return np.uint32(np.uint32(difference & addend | (difference | addend) & low) >> np.uint32(7))


@inlined
def _reaches(blue: Any, green: Any, red: Any, limit: Any, bit: Any) -> Any:
    """A bit, if the weighted sum of three differences reaches the limit."""
    weighted = np.uint32(np.uint32(np.uint32(blue * BLUE) + np.uint32(green * GREEN)) + np.uint32(red * RED))
    return np.uint32(1 << bit) if weighted >= limit else np.uint32(0)


@inlined
def _moved_bgr(b0: Any, b1: Any, b2: Any, n0: Any, n1: Any, n2: Any, limit: Any) -> Any:
    """The same for 4 BGR pixels: three words each, BGRB GRBG RBGR."""
    if b0 == n0 and b1 == n1 and b2 == n2:
        return np.uint32(0)
    d0, d1, d2 = _difference(b0, n0), _difference(b1, n1), _difference(b2, n2)
    first = _reaches(d0 & BYTE, d0 >> np.uint32(8) & BYTE, d0 >> np.uint32(16) & BYTE, limit, 0)
    second = _reaches(d0 >> np.uint32(24), d1 & BYTE, d1 >> np.uint32(8) & BYTE, limit, 8)
    third = _reaches(d1 >> np.uint32(16) & BYTE, d1 >> np.uint32(24), d2 & BYTE, limit, 16)
    fourth = _reaches(d2 >> np.uint32(8) & BYTE, d2 >> np.uint32(16) & BYTE, d2 >> np.uint32(24), limit, 24)
    return np.uint32(first | second | third | fourth)


@kernel
def motion_gray8(
    previous: Array,
    previous_words: Array,
    previous_at: int,
    previous_pitch: int,
    frames: Array,
    words: Array,
    at: int,
    pitch: int,
    stride: int,
    wide: Any,
    rows: int,
    width: int,
    pairs: Any,
    limit: Any,
    mask: Array,
    counts: Array,
    decayed: Array,
    weights: Array,
    moved: Array,
) -> None:
    """Compare grey frames: 4 groups of 4 pixels a thread.

    previous, previous_words  the frame before the first
    previous_at, at           where the first pixel lies, from the first byte of the array
    pitch, stride             bytes from row to row, and from frame to frame
    wide                      1: addresses, pitches and strides are multiples of 4
    rows, width               of a frame, px
    limit                     the threshold
    mask                      (h * w,): a pixel counts where it is not 0
    counts                    (h * w,), raised
    decayed                   (h * w,), raised by the weight of a pair where a pixel moved
    weights                   (pairs,)
    moved                     (pairs,), raised by the number of moved pixels
    """
    table = cuda.shared.array(0, UINT8)
    threads, thread = cuda.blockDim.x, cuda.threadIdx.x
    first = np.int64(cuda.blockIdx.x) * np.int64(4 * threads) + thread
    addend = np.uint32((np.uint32(255) - limit) * ONES)

    row0, column0, pixels0 = _place(first, rows, width)
    row1, column1, pixels1 = _place(first + threads, rows, width)
    row2, column2, pixels2 = _place(first + 2 * threads, rows, width)
    row3, column3, pixels3 = _place(first + 3 * threads, rows, width)
    whole0, whole1 = wide != 0 and pixels0 == 4, wide != 0 and pixels1 == 4
    whole2, whole3 = wide != 0 and pixels2 == 4, wide != 0 and pixels3 == 4
    pixel0, pixel1 = row0 * width + column0, row1 * width + column1
    pixel2, pixel3 = row2 * width + column2, row3 * width + column3
    watched0, watched1 = _watched(mask, pixel0, pixels0), _watched(mask, pixel1, pixels1)
    watched2, watched3 = _watched(mask, pixel2, pixels2), _watched(mask, pixel3, pixels3)

    before0 = _word(previous, previous_words, previous_at + row0 * previous_pitch + column0, pixels0, whole0)
    before1 = _word(previous, previous_words, previous_at + row1 * previous_pitch + column1, pixels1, whole1)
    before2 = _word(previous, previous_words, previous_at + row2 * previous_pitch + column2, pixels2, whole2)
    before3 = _word(previous, previous_words, previous_at + row3 * previous_pitch + column3, pixels3, whole3)
    at0, at1 = at + row0 * pitch + column0, at + row1 * pitch + column1
    at2, at3 = at + row2 * pitch + column2, at + row3 * pitch + column3
    next0, next1 = _word(frames, words, at0, pixels0, whole0), _word(frames, words, at1, pixels1, whole1)
    next2, next3 = _word(frames, words, at2, pixels2, whole2), _word(frames, words, at3, pixels3, whole3)
    counted0, counted1, counted2, counted3 = np.uint32(0), np.uint32(0), np.uint32(0), np.uint32(0)

    for pair in range(pairs):
        now0, now1, now2, now3 = next0, next1, next2, next3
        if pair + 1 < pairs:  # under way while this frame is compared
            at0, at1, at2, at3 = at0 + stride, at1 + stride, at2 + stride, at3 + stride
            next0, next1 = _word(frames, words, at0, pixels0, whole0), _word(frames, words, at1, pixels1, whole1)
            next2, next3 = _word(frames, words, at2, pixels2, whole2), _word(frames, words, at3, pixels3, whole3)
        bits0 = np.uint32(_moved_grey(before0, now0, addend) & watched0)
        bits1 = np.uint32(_moved_grey(before1, now1, addend) & watched1)
        bits2 = np.uint32(_moved_grey(before2, now2, addend) & watched2)
        bits3 = np.uint32(_moved_grey(before3, now3, addend) & watched3)
        counted0, counted1 = np.uint32(counted0 + bits0), np.uint32(counted1 + bits1)
        counted2, counted3 = np.uint32(counted2 + bits2), np.uint32(counted3 + bits3)
        every = np.uint32(bits0 | bits1 << np.uint32(1) | bits2 << np.uint32(2) | bits3 << np.uint32(3))
        table[np.uint32(pair * threads + thread)] = np.uint8(cuda.popc(every))
        if decayed.size > 0 and every != 0:
            _add_weight(decayed, pixel0, bits0, weights[np.uint64(pair)])
            _add_weight(decayed, pixel1, bits1, weights[np.uint64(pair)])
            _add_weight(decayed, pixel2, bits2, weights[np.uint64(pair)])
            _add_weight(decayed, pixel3, bits3, weights[np.uint64(pair)])
        before0, before1, before2, before3 = now0, now1, now2, now3

    _add_counts(counts, pixel0, counted0, pixels0)
    _add_counts(counts, pixel1, counted1, pixels1)
    _add_counts(counts, pixel2, counted2, pixels2)
    _add_counts(counts, pixel3, counted3, pixels3)
    _add_up(pairs, moved)


@inlined
def _three_words(values: Array, words: Array, at: Any, size: Any, whole: Any) -> Any:
    """The first ``size`` of 12 bytes as three words, zeros behind them."""
    return (
        _word(values, words, at, size, whole),
        _word(values, words, at + 4, size - 4, whole),
        _word(values, words, at + 8, size - 8, whole),
    )


@kernel
def motion_bgr24(
    previous: Array,
    previous_words: Array,
    previous_at: int,
    previous_pitch: int,
    frames: Array,
    words: Array,
    at: int,
    pitch: int,
    stride: int,
    wide: Any,
    rows: int,
    width: int,
    pairs: Any,
    limit: Any,
    mask: Array,
    counts: Array,
    decayed: Array,
    weights: Array,
    moved: Array,
) -> None:
    """Compare BGR frames: 2 groups of 4 pixels a thread; ``limit`` is grey.lowest_moving_sum.

    The rest as in motion_gray8.
    """
    table = cuda.shared.array(0, UINT8)
    threads, thread = cuda.blockDim.x, cuda.threadIdx.x
    first = np.int64(cuda.blockIdx.x) * np.int64(2 * threads) + thread

    row0, column0, pixels0 = _place(first, rows, width)
    row1, column1, pixels1 = _place(first + threads, rows, width)
    whole0, whole1 = wide != 0 and pixels0 == 4, wide != 0 and pixels1 == 4
    size0, size1 = np.int32(3 * pixels0), np.int32(3 * pixels1)
    pixel0, pixel1 = row0 * width + column0, row1 * width + column1
    watched0, watched1 = _watched(mask, pixel0, pixels0), _watched(mask, pixel1, pixels1)

    at0, at1 = previous_at + row0 * previous_pitch + 3 * column0, previous_at + row1 * previous_pitch + 3 * column1
    a0, a1, a2 = _three_words(previous, previous_words, at0, size0, whole0)
    b0, b1, b2 = _three_words(previous, previous_words, at1, size1, whole1)
    at0, at1 = at + row0 * pitch + 3 * column0, at + row1 * pitch + 3 * column1
    next_a0, next_a1, next_a2 = _three_words(frames, words, at0, size0, whole0)
    next_b0, next_b1, next_b2 = _three_words(frames, words, at1, size1, whole1)
    counted0, counted1 = np.uint32(0), np.uint32(0)

    for pair in range(pairs):
        now_a0, now_a1, now_a2 = next_a0, next_a1, next_a2
        now_b0, now_b1, now_b2 = next_b0, next_b1, next_b2
        if pair + 1 < pairs:
            at0, at1 = at0 + stride, at1 + stride
            next_a0, next_a1, next_a2 = _three_words(frames, words, at0, size0, whole0)
            next_b0, next_b1, next_b2 = _three_words(frames, words, at1, size1, whole1)
        bits0 = np.uint32(_moved_bgr(a0, a1, a2, now_a0, now_a1, now_a2, limit) & watched0)
        bits1 = np.uint32(_moved_bgr(b0, b1, b2, now_b0, now_b1, now_b2, limit) & watched1)
        counted0, counted1 = np.uint32(counted0 + bits0), np.uint32(counted1 + bits1)
        every = np.uint32(bits0 | bits1 << np.uint32(1))
        table[np.uint32(pair * threads + thread)] = np.uint8(cuda.popc(every))
        if decayed.size > 0 and every != 0:
            _add_weight(decayed, pixel0, bits0, weights[np.uint64(pair)])
            _add_weight(decayed, pixel1, bits1, weights[np.uint64(pair)])
        a0, a1, a2 = now_a0, now_a1, now_a2
        b0, b1, b2 = now_b0, now_b1, now_b2

    _add_counts(counts, pixel0, counted0, pixels0)
    _add_counts(counts, pixel1, counted1, pixels1)
    _add_up(pairs, moved)


@inlined
def _clipped(value: Any) -> Any:
    """An int32 clipped to 0..255."""
    return np.int32(min(np.int32(255), max(np.int32(0), value)))


@inlined
def _colors_of_pixel(luma: Any, black: Any, gain: Any, blue: Any, green: Any, red: Any) -> Any:
    """Blue, green and red of a pixel, from its luma and what its chroma adds to each; int32."""
    y = np.int32(np.int32(np.int32(np.int32(np.int32(luma) - black) * np.int32(8)) * gain) >> np.int32(16))
    return _clipped(np.int32(y + blue)), _clipped(np.int32(y + green)), _clipped(np.int32(y + red))


@inlined
def _colors(top: Any, bottom: Any, u: Any, v: Any, by: Colors) -> Any:
    """Blue, green and red of each of 2 x 2 pixels, 12 int32.

    ``top`` and ``bottom``: words with the lumas in their lower two bytes. ``by``: the six factors of YuvToBgr.
    """
    black, gain, red_v, green_u, green_v, blue_u = by
    du = np.int32(np.int32(np.int32(u) - np.int32(128)) * np.int32(8))
    dv = np.int32(np.int32(np.int32(v) - np.int32(128)) * np.int32(8))
    blue = np.int32(np.int32(du * blue_u) >> np.int32(16))
    of_u = np.int32(np.int32(du * green_u) >> np.int32(16))
    green = np.int32(of_u + np.int32(np.int32(dv * green_v) >> np.int32(16)))
    red = np.int32(np.int32(dv * red_v) >> np.int32(16))
    b0, g0, r0 = _colors_of_pixel(top & BYTE, black, gain, blue, green, red)
    b1, g1, r1 = _colors_of_pixel(top >> np.uint32(8) & BYTE, black, gain, blue, green, red)
    b2, g2, r2 = _colors_of_pixel(bottom & BYTE, black, gain, blue, green, red)
    b3, g3, r3 = _colors_of_pixel(bottom >> np.uint32(8) & BYTE, black, gain, blue, green, red)
    return b0, g0, r0, b1, g1, r1, b2, g2, r2, b3, g3, r3


@inlined
def _apart(a: Any, b: Any) -> Any:
    """How far two int32 are from each other, uint32."""
    return np.uint32(abs(np.int32(a - b)))


@inlined
def _moved_colors(p: Colors, n: Colors, limit: Any) -> Any:
    """Of 2 x 2 pixels, which moved: bits 0 and 8 of the first word for the upper two, of the second for the lower."""
    first = _reaches(_apart(p[0], n[0]), _apart(p[1], n[1]), _apart(p[2], n[2]), limit, 0)
    second = _reaches(_apart(p[3], n[3]), _apart(p[4], n[4]), _apart(p[5], n[5]), limit, 8)
    third = _reaches(_apart(p[6], n[6]), _apart(p[7], n[7]), _apart(p[8], n[8]), limit, 0)
    fourth = _reaches(_apart(p[9], n[9]), _apart(p[10], n[10]), _apart(p[11], n[11]), limit, 8)
    return np.uint32(first | second), np.uint32(third | fourth)


@kernel
def motion_yuv420p(
    previous: Array,
    previous_words: Array,
    previous_at: int,
    previous_pitch: int,
    frames: Array,
    words: Array,
    at: int,
    pitch: int,
    stride: int,
    wide: Any,
    previous_u: Array,
    previous_u_halves: Array,
    previous_u_at: int,
    previous_u_pitch: int,
    frames_u: Array,
    u_halves: Array,
    u_at: int,
    u_pitch: int,
    u_stride: int,
    u_wide: Any,
    previous_v: Array,
    previous_v_halves: Array,
    previous_v_at: int,
    previous_v_pitch: int,
    frames_v: Array,
    v_halves: Array,
    v_at: int,
    v_pitch: int,
    v_stride: int,
    v_wide: Any,
    black: Any,
    gain: Any,
    red_v: Any,
    green_u: Any,
    green_v: Any,
    blue_u: Any,
    rows: int,
    width: int,
    pairs: Any,
    limit: Any,
    mask: Array,
    counts: Array,
    decayed: Array,
    weights: Array,
    moved: Array,
) -> None:
    """Compare YUV 4:2:0 frames of three planes: 4 x 2 pixels a thread.

    rows                   pairs of rows: 2 rows of Y, 1 of U and of V
    ..._halves, ..._wide   of U and V: multiples of 2
    black ... blue_u       the factors of YuvToBgr

    The rest as in motion_bgr24. Where all bytes are as they were nothing moved, and nothing is converted.
    """
    table = cuda.shared.array(0, UINT8)
    threads, thread = cuda.blockDim.x, cuda.threadIdx.x
    row, column, pixels = _place(np.int64(cuda.blockIdx.x) * np.int64(threads) + thread, rows, width)
    in_chroma, chroma = column // 2, np.int32(pixels // 2)
    whole, whole_u, whole_v = wide != 0 and pixels == 4, u_wide != 0 and pixels == 4, v_wide != 0 and pixels == 4
    by = (black, gain, red_v, green_u, green_v, blue_u)
    pixel = 2 * row * width + column
    below = pixel + width
    watched, watched_below = _watched(mask, pixel, pixels), _watched(mask, below, pixels)

    place = previous_at + 2 * row * previous_pitch + column
    top = _word(previous, previous_words, place, pixels, whole)
    bottom = _word(previous, previous_words, place + previous_pitch, pixels, whole)
    u = _half(previous_u, previous_u_halves, previous_u_at + row * previous_u_pitch + in_chroma, chroma, whole_u)
    v = _half(previous_v, previous_v_halves, previous_v_at + row * previous_v_pitch + in_chroma, chroma, whole_v)
    left = _colors(top, bottom, u & BYTE, v & BYTE, by)
    right = _colors(top >> np.uint32(16), bottom >> np.uint32(16), u >> np.uint32(8), v >> np.uint32(8), by)

    place = at + 2 * row * pitch + column
    place_u, place_v = u_at + row * u_pitch + in_chroma, v_at + row * v_pitch + in_chroma
    next_top = _word(frames, words, place, pixels, whole)
    next_bottom = _word(frames, words, place + pitch, pixels, whole)
    next_u = _half(frames_u, u_halves, place_u, chroma, whole_u)
    next_v = _half(frames_v, v_halves, place_v, chroma, whole_v)
    counted, counted_below = np.uint32(0), np.uint32(0)

    for pair in range(pairs):
        now_top, now_bottom, now_u, now_v = next_top, next_bottom, next_u, next_v
        if pair + 1 < pairs:
            place, place_u, place_v = place + stride, place_u + u_stride, place_v + v_stride
            next_top = _word(frames, words, place, pixels, whole)
            next_bottom = _word(frames, words, place + pitch, pixels, whole)
            next_u = _half(frames_u, u_halves, place_u, chroma, whole_u)
            next_v = _half(frames_v, v_halves, place_v, chroma, whole_v)
        bits, bits_below = np.uint32(0), np.uint32(0)
        if now_top != top or now_bottom != bottom or now_u != u or now_v != v:
            now = _colors(now_top, now_bottom, now_u & BYTE, now_v & BYTE, by)
            upper, lower = _moved_colors(left, now, limit)
            left = now
            now = _colors(
                now_top >> np.uint32(16), now_bottom >> np.uint32(16), now_u >> np.uint32(8), now_v >> np.uint32(8), by
            )
            upper_right, lower_right = _moved_colors(right, now, limit)
            right = now
            top, bottom, u, v = now_top, now_bottom, now_u, now_v
            bits = np.uint32((upper | upper_right << np.uint32(16)) & watched)
            bits_below = np.uint32((lower | lower_right << np.uint32(16)) & watched_below)
            counted, counted_below = np.uint32(counted + bits), np.uint32(counted_below + bits_below)
            if decayed.size > 0:
                _add_weight(decayed, pixel, bits, weights[np.uint64(pair)])
                _add_weight(decayed, below, bits_below, weights[np.uint64(pair)])
        table[np.uint32(pair * threads + thread)] = np.uint8(cuda.popc(np.uint32(bits | bits_below << np.uint32(1))))

    _add_counts(counts, pixel, counted, pixels)
    _add_counts(counts, below, counted_below, pixels)
    _add_up(pairs, moved)


@kernel
def motion_nv12(
    previous: Array,
    previous_words: Array,
    previous_at: int,
    previous_pitch: int,
    frames: Array,
    words: Array,
    at: int,
    pitch: int,
    stride: int,
    wide: Any,
    previous_uv: Array,
    previous_uv_words: Array,
    previous_uv_at: int,
    previous_uv_pitch: int,
    frames_uv: Array,
    uv_words: Array,
    uv_at: int,
    uv_pitch: int,
    uv_stride: int,
    uv_wide: Any,
    black: Any,
    gain: Any,
    red_v: Any,
    green_u: Any,
    green_v: Any,
    blue_u: Any,
    rows: int,
    width: int,
    pairs: Any,
    limit: Any,
    mask: Array,
    counts: Array,
    decayed: Array,
    weights: Array,
    moved: Array,
) -> None:
    """The same where U and V alternate in one plane."""
    table = cuda.shared.array(0, UINT8)
    threads, thread = cuda.blockDim.x, cuda.threadIdx.x
    row, column, pixels = _place(np.int64(cuda.blockIdx.x) * np.int64(threads) + thread, rows, width)
    whole, whole_uv = wide != 0 and pixels == 4, uv_wide != 0 and pixels == 4
    by = (black, gain, red_v, green_u, green_v, blue_u)
    pixel = 2 * row * width + column
    below = pixel + width
    watched, watched_below = _watched(mask, pixel, pixels), _watched(mask, below, pixels)

    place = previous_at + 2 * row * previous_pitch + column
    place_uv = previous_uv_at + row * previous_uv_pitch + column
    top = _word(previous, previous_words, place, pixels, whole)
    bottom = _word(previous, previous_words, place + previous_pitch, pixels, whole)
    uv = _word(previous_uv, previous_uv_words, place_uv, pixels, whole_uv)
    left = _colors(top, bottom, uv & BYTE, uv >> np.uint32(8) & BYTE, by)
    right = _colors(top >> np.uint32(16), bottom >> np.uint32(16), uv >> np.uint32(16) & BYTE, uv >> np.uint32(24), by)

    place, place_uv = at + 2 * row * pitch + column, uv_at + row * uv_pitch + column
    next_top = _word(frames, words, place, pixels, whole)
    next_bottom = _word(frames, words, place + pitch, pixels, whole)
    next_uv = _word(frames_uv, uv_words, place_uv, pixels, whole_uv)
    counted, counted_below = np.uint32(0), np.uint32(0)

    for pair in range(pairs):
        now_top, now_bottom, now_uv = next_top, next_bottom, next_uv
        if pair + 1 < pairs:
            place, place_uv = place + stride, place_uv + uv_stride
            next_top = _word(frames, words, place, pixels, whole)
            next_bottom = _word(frames, words, place + pitch, pixels, whole)
            next_uv = _word(frames_uv, uv_words, place_uv, pixels, whole_uv)
        bits, bits_below = np.uint32(0), np.uint32(0)
        if now_top != top or now_bottom != bottom or now_uv != uv:
            now = _colors(now_top, now_bottom, now_uv & BYTE, now_uv >> np.uint32(8) & BYTE, by)
            upper, lower = _moved_colors(left, now, limit)
            left = now
            u, v = now_uv >> np.uint32(16) & BYTE, now_uv >> np.uint32(24)
            now = _colors(now_top >> np.uint32(16), now_bottom >> np.uint32(16), u, v, by)
            upper_right, lower_right = _moved_colors(right, now, limit)
            right = now
            top, bottom, uv = now_top, now_bottom, now_uv
            bits = np.uint32((upper | upper_right << np.uint32(16)) & watched)
            bits_below = np.uint32((lower | lower_right << np.uint32(16)) & watched_below)
            counted, counted_below = np.uint32(counted + bits), np.uint32(counted_below + bits_below)
            if decayed.size > 0:
                _add_weight(decayed, pixel, bits, weights[np.uint64(pair)])
                _add_weight(decayed, below, bits_below, weights[np.uint64(pair)])
        table[np.uint32(pair * threads + thread)] = np.uint8(cuda.popc(np.uint32(bits | bits_below << np.uint32(1))))

    _add_counts(counts, pixel, counted, pixels)
    _add_counts(counts, below, counted_below, pixels)
    _add_up(pairs, moved)


# ---- histogram -------------------------------------------------------------------------------------------------------
#
# A thread has 4 consecutive points under way. It holds what falls into one bin until a point falls into another, so
# that one hot bin costs a thread few atomics. Lanes of a warp with points in several hot bins queue up for them.


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
def _hold(
    bins: Array, histogram: Array, private: Any, held: Any, total: Any, place: Any, amount: Any
) -> tuple[Any, Any]:
    """Add a point to what a thread holds of one bin; a point of another bin takes its place, and it is added."""
    if place == held:
        total = np.uint64(total + amount)
    else:
        _add(bins, histogram, private, held, total)
        held, total = place, amount
    return held, total


@inlined
def _point(i: Any, x: Array, y: Array, weight: Array, along_x: Any, along_y: Any) -> Any:
    """The bin of a point, -1 for none, and what it weighs. The axes are the arguments of _bin."""
    x_edges, nx, x_scale, x_margin, x_end = along_x
    y_edges, ny, y_scale, y_margin, y_end = along_y
    place, amount = np.int32(-1), np.uint64(1)
    if i < x.size:
        column = _bin(x[np.uint64(i)], x_edges, nx, x_scale, x_margin, x_end)
        row = _bin(y[np.uint64(i)], y_edges, ny, y_scale, y_margin, y_end)
        if column >= 0 and row >= 0:
            place = np.int32(np.int32(row * nx) + column)
        if weight.size > 0:
            amount = np.uint64(weight[np.uint64(i)])
    return place, amount


@kernel
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
        for i in range(thread, nx * ny, threads):
            bins[np.uint32(i)] = np.uint32(0)
    cuda.syncthreads()

    along_x, along_y = (x_edges, nx, x_scale, x_margin, x_end), (y_edges, ny, y_scale, y_margin, y_end)
    held, total = np.int32(-1), np.uint64(0)
    step = np.int64(cuda.gridDim.x) * np.int64(4 * threads)
    for first in range(np.int64(cuda.blockIdx.x) * np.int64(4 * threads) + 4 * thread, x.size, step):
        place0, amount0 = _point(first, x, y, weight, along_x, along_y)
        place1, amount1 = _point(first + 1, x, y, weight, along_x, along_y)
        place2, amount2 = _point(first + 2, x, y, weight, along_x, along_y)
        place3, amount3 = _point(first + 3, x, y, weight, along_x, along_y)
        held, total = _hold(bins, sums, private, held, total, place0, amount0)
        held, total = _hold(bins, sums, private, held, total, place1, amount1)
        held, total = _hold(bins, sums, private, held, total, place2, amount2)
        held, total = _hold(bins, sums, private, held, total, place3, amount3)
    _add(bins, sums, private, held, total)

    cuda.syncthreads()
    if private != 0:
        for i in range(thread, nx * ny, threads):
            if bins[np.uint32(i)] != 0:
                cuda.atomic.add(sums, i, np.uint64(bins[np.uint32(i)]))


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


def _plane(words: str) -> tuple[str, ...]:
    return ("uint8[]", words, "int64", "int64", "uint8[]", words, "int64", "int64", "int64", "int32")


COMPARED = ("int64", "int64", "int32", "uint32", "uint8[]", "uint32[]", "float64[]", "float64[]", "uint32[]")
FACTORS = ("int32",) * 6
WORDS = _plane("uint32[]")
HALVES = _plane("uint16[]")

MOTION: Final = {
    "gray8": Kernel(motion_gray8, WORDS + COMPARED),
    "bgr24": Kernel(motion_bgr24, WORDS + COMPARED),
    "yuv420p": Kernel(motion_yuv420p, WORDS + HALVES + HALVES + FACTORS + COMPARED),
    "nv12": Kernel(motion_nv12, WORDS + WORDS + FACTORS + COMPARED),
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
