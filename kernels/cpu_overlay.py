"""Loops over the planes of a video frame on the CPU: a heat map over the picture, without a way through BGR."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from gpuheat.kernels.cpu_compiled import PLANE, STRETCH, Array, compiled, inlined, read, written

__all__ = ["LOG_BITS", "blend_heat_rows_yuv", "take_logarithms"]

LOG_BITS = 8
"""The logarithm of a float64 grows by 2 ** LOG_BITS from one power of two to the next."""
DROPPED = np.uint64(52 - LOG_BITS)  # bits of the fraction
MOST = np.uint64(0xFFFF)
LOWER_BITS_OF_FIELDS = np.uint64(0xFFFEFFFEFFFEFFFE)
HALF = STRETCH // 2
PLANE_OUT = (written(nb.uint8, 1), nb.int64)


@inlined
def _highest(logs: Array, row: int, begin: int) -> Any:
    """The highest of a stretch."""
    highest = np.uint16(0)
    for x in range(np.uint64(STRETCH)):
        highest = max(highest, logs[np.uint64(row), np.uint64(begin) + x])
    return highest


@compiled(
    nb.void(
        read(nb.uint64, 2),
        nb.int64,
        nb.uint64,
        read(nb.uint64, 2),
        nb.uint64,
        *(nb.int64,) * 2,
        written(nb.uint16, 2),
        written(nb.uint16, 2),
    )
)
def take_logarithms(
    bits: Array,
    block: int,
    base: Any,
    raised: Array,
    since: Any,
    first: int,
    last: int,
    logs: Array,
    highest: Array,
) -> None:
    """Renew the logarithms of the heat in the rows first <= y < last of a picture, where it was raised.

    bits      (h, w) uint64, those of the heat as float64, which is not negative; each value is for block by block
              pixels, and what lies behind the last is as that
    base      uint64: the logarithm of a value is its upper bits, as many as leave LOG_BITS of the fraction, less this,
              within uint16
    raised    (h, stretches of a row) uint64: only stretches with more than ``since``, uint64, are renewed, for blocks
              of 1 only; (0, 0): all are
    logs      (rows, columns) uint16, of at least STRETCH columns; a last stretch that is not whole is one with the
              columns before it
    highest   (rows, stretches of a row) uint16, the highest of each stretch
    """
    end = bits.shape[1]
    for y in range(first, last):
        row = min(y // block, bits.shape[0] - 1)
        for place in range(highest.shape[1]):
            if raised.shape[0] > 0 and raised[row, place] <= since:
                continue
            begin = min(place * STRETCH, logs.shape[1] - STRETCH)
            if block == 1 and begin + STRETCH <= end:  # the usual case, which is vectorised
                for x in range(np.uint64(STRETCH)):
                    above = max(bits[np.uint64(row), np.uint64(begin) + x] >> DROPPED, base) - base
                    logs[np.uint64(y), np.uint64(begin) + x] = np.uint16(min(above, MOST))
            else:
                for x in range(begin, begin + STRETCH):
                    above = max(bits[row, min(x // block, end - 1)] >> DROPPED, base) - base
                    logs[y, x] = np.uint16(min(above, MOST))
            highest[y, place] = _highest(logs, y, begin)


@inlined
def _copy(a: Array, i: int, out: Array, j: int, size: int) -> None:
    """So many bytes of one from i on to another from j on."""
    for x in range(np.uint64(size)):
        out[np.uint64(j) + x] = a[np.uint64(i) + x]


@inlined
def _look_up(logs: Array, row: int, begin: int, cold: Any, table: Array, places: Array, found: Array) -> None:
    """What is in the table for a stretch."""
    top = np.uint16(table.shape[0] - 1)
    for x in range(np.uint64(STRETCH)):
        log = logs[np.uint64(row), np.uint64(begin) + x]
        places[x] = min(np.uint16(max(log, cold) - cold), top)
    for x in range(np.uint64(STRETCH)):  # by itself, so that the rest is vectorised
        found[x] = table[np.uint64(places[x])]


@inlined
def _mean(a: Any, b: Any) -> Any:
    """That of each of the four numbers in two, cut off."""
    return (a & b) + (((a ^ b) & LOWER_BITS_OF_FIELDS) >> np.uint64(1))


@inlined
def _means_of_four(upper: Array, lower: Array, of_two: Array, means: Array) -> None:
    """For each 2 x 2 pixels the means of what was found for them."""
    for x in range(np.uint64(STRETCH)):
        of_two[x] = _mean(upper[x], lower[x])
    for x in range(np.uint64(HALF)):
        means[x] = _mean(of_two[np.uint64(2) * x], of_two[np.uint64(2) * x + np.uint64(1)])


@inlined
def _of_luma(found: Array, weights: Array, lumas: Array) -> None:
    """The numbers for the luma of a stretch."""
    for x in range(np.uint64(STRETCH)):
        weights[x], lumas[x] = np.uint16(found[x]), np.uint16(found[x] >> np.uint64(16))


@inlined
def _of_colour(means: Array, weights: Array, us: Array, vs: Array) -> None:
    """The numbers for the colours of a stretch."""
    for x in range(np.uint64(HALF)):
        weights[x] = np.uint16(means[x])
        us[x], vs[x] = np.uint16(means[x] >> np.uint64(32)), np.uint16(means[x] >> np.uint64(48))


@inlined
def _blend(weights: Array, added: Array, size: int, a: Array, i: int, out: Array, j: int) -> None:
    """Write so many bytes of one from i on, weighted and with what is added, to another from j on."""
    for x in range(np.uint64(size)):
        weighted = np.uint16(np.uint16(a[np.uint64(i) + x]) * weights[x])  # and what is added is at most 255 * 256
        out[np.uint64(j) + x] = np.uint8(np.uint16(np.uint16(weighted + added[x]) + np.uint16(128)) >> np.uint16(8))


HEAT = (read(nb.uint16, 2), read(nb.uint16, 2), nb.uint16, read(nb.uint64, 1))  # logs, highest, cold, table


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
    logs: Array,
    highest: Array,
    cold: Any,
    table: Array,
) -> None:
    """Lay the heat over the rows first <= y < last of the colour planes of a YUV 4:2:0 picture, and the two rows of
    luma that belong to each.

    luma, u, v        flat uint8; row y begins at y * pitch
    ..._out           the same, written to
    width             of the luma, even, at least STRETCH
    logs, highest     uint16, the logarithms of the heat of every pixel, as take_logarithms leaves them
    cold              uint16, the logarithm up to which the first entry of the table is taken; the second is for one
                      more, and so on, the last for all above
    table             (entries,) uint64, each of four 16-bit numbers, from the lowest: 256 - opacity, and Y, U and V of
                      the colour times the opacity, of 256

    The colour of a 2 x 2 block is blended with the mean of its four colours and opacities.
    """
    places, of_two = np.empty(STRETCH, np.uint16), np.empty(STRETCH, np.uint64)
    upper, lower, means = np.empty(STRETCH, np.uint64), np.empty(STRETCH, np.uint64), np.empty(HALF, np.uint64)
    weights, lumas = np.empty(STRETCH, np.uint16), np.empty(STRETCH, np.uint16)
    us, vs = np.empty(HALF, np.uint16), np.empty(HALF, np.uint16)
    coloured = table[0] & MOST != 256  # what has no heat, too
    for y in range(first, last):
        above, below = 2 * y, 2 * y + 1
        _copy(luma, above * luma_pitch, luma_out, above * luma_out_pitch, width)
        _copy(luma, below * luma_pitch, luma_out, below * luma_out_pitch, width)
        _copy(u, y * u_pitch, u_out, y * u_out_pitch, width // 2)
        _copy(v, y * v_pitch, v_out, y * v_out_pitch, width // 2)
        for place in range(highest.shape[1]):
            if not coloured and highest[above, place] <= cold and highest[below, place] <= cold:
                continue
            begin = min(place * STRETCH, width - STRETCH)
            _look_up(logs, above, begin, cold, table, places, upper)
            _of_luma(upper, weights, lumas)
            _blend(weights, lumas, STRETCH, luma, above * luma_pitch + begin, luma_out, above * luma_out_pitch + begin)
            _look_up(logs, below, begin, cold, table, places, lower)
            _of_luma(lower, weights, lumas)
            _blend(weights, lumas, STRETCH, luma, below * luma_pitch + begin, luma_out, below * luma_out_pitch + begin)
            _means_of_four(upper, lower, of_two, means)
            _of_colour(means, weights, us, vs)
            begin //= 2
            _blend(weights, us, HALF, u, y * u_pitch + begin, u_out, y * u_out_pitch + begin)
            _blend(weights, vs, HALF, v, y * v_pitch + begin, v_out, y * v_out_pitch + begin)
