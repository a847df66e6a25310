"""Loops that smooth pictures on the CPU: a Gaussian blur, and means of blocks of pixels."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from gpuheat.kernels.cpu_compiled import PLANE, Array, compiled, inlined, read, written

__all__ = ["TILE", "area_mean_rows", "blur_tiles"]

LANES = 16  # of a vector: one register of AVX-512, two of AVX2, four of NEON
VECTORS = 4  # sums that grow side by side; eight registers of AVX2's sixteen
TILE = LANES * VECTORS  # columns
ROWS_AT_ONCE = 16  # by the time a row is read, what was stored of it has left the store queue
ROWS_AHEAD = 8  # asked for where each row is on a page of its own, because no hardware looks ahead there
PAGE = 1024  # float32
blocks: Any = cgutils  # it has no hints
emitted: Any = intrinsic  # by its hints the caller would have to give the context


# ---- what Numba has no name for --------------------------------------------------------------------------------------


def _place(context: Any, builder: Any, array_type: Any, array: Any, at: Any, points_to: Any) -> Any:
    """A pointer to element ``at`` of an array."""
    memory = context.make_array(array_type)(context, builder, array)
    return builder.bitcast(builder.gep(memory.data, [at]), points_to.as_pointer())


@emitted
def _weigh(_context: Any, out: Any, at: Any, values: Any, begin: Any, step: Any, weights: Any) -> Any:  # noqa: ARG001
    """A tile of sums: ``out[at + x] = sum(weights[k] * values[begin + k * step + x])`` for 0 <= x < TILE.

    The weights are symmetric, so each two values with the same weight are added first. Every sum is made in the
    same order, from the middle outwards, whatever x; it stays in a register until it is done.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, whole, vector = ir.FloatType(), ir.IntType(64), ir.VectorType(ir.FloatType(), LANES)
        out, at, values, begin, step, weights = arguments
        fused = blocks.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{LANES}f32"
        )
        taps = context.make_array(signature.args[5])(context, builder, weights).nitems
        radius = builder.lshr(taps, whole(1))
        centre = builder.add(begin, builder.mul(radius, step))

        def load(first: Any, i: int) -> Any:
            place = builder.add(first, whole(i * LANES))
            return builder.load(_place(context, builder, signature.args[2], values, place, vector), align=4)

        def weight(away: Any) -> Any:
            place = _place(context, builder, signature.args[5], weights, builder.add(radius, away), number)
            nothing, first = ir.Constant(vector, ir.Undefined), ir.IntType(32)(0)
            each = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
            return builder.shuffle_vector(builder.insert_element(nothing, builder.load(place), first), nothing, each)

        middle = weight(whole(0))
        sums = [blocks.alloca_once_value(builder, builder.fmul(middle, load(centre, i))) for i in range(VECTORS)]
        with blocks.for_range_slice(builder, whole(1), builder.add(radius, whole(1)), whole(1)) as (away, _):
            both = weight(away)
            distance = builder.mul(away, step)
            before, behind = builder.sub(centre, distance), builder.add(centre, distance)
            for i, total in enumerate(sums):
                pair = builder.fadd(load(before, i), load(behind, i))
                builder.store(builder.call(fused, [both, pair, builder.load(total)]), total)
        for i, total in enumerate(sums):
            place = _place(context, builder, signature.args[0], out, builder.add(at, whole(i * LANES)), vector)
            builder.store(builder.load(total), place, align=4)
        return context.get_dummy_value()

    return nb.void(out, nb.int64, values, nb.int64, nb.int64, weights), emit


@emitted
def _fetch(_context: Any, values: Any, at: Any) -> Any:  # noqa: ARG001
    """Ask for the cache line of ``values[at]``, which will be read soon. It need not be a place of the array."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, word = ir.IntType(8), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), word, word, word])
        to_read, keep, data = word(0), word(3), word(1)
        values, at = arguments
        place = _place(context, builder, signature.args[0], values, at, byte)
        function = blocks.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, to_read, keep, data])
        return context.get_dummy_value()

    return nb.void(values, nb.int64), emit


# ---- the blur --------------------------------------------------------------------------------------------------------


@inlined
def _mirrored(place: Any, size: Any) -> Any:
    """Which of ``size`` places lies at a place before, on or behind them (OpenCV's BORDER_REFLECT_101)."""
    period = max(2 * (size - 1), 1)
    turn = abs(place) % period
    return min(turn, period - turn) if size > 1 else 0


@inlined
def _copy(values: Array, begin: Any, out: Array, at: Any, number: Any) -> None:
    """Copy so many values from a place of an array to a place of another."""
    for i in range(np.uint64(number)):
        out[np.uint64(at) + i] = values[np.uint64(begin) + i]


@compiled(
    nb.void(
        read(nb.float32, 2),
        read(nb.float32, 1),
        *(nb.int64,) * 2,  # first, last
        written(nb.float32, 2),
    )
)
def blur_tiles(image: Array, weights: Array, first: int, last: int, blurred: Array) -> None:
    """Blur the tiles first <= t < last, each of TILE columns: along x into (h + 2 r, TILE) values, then along y.

    image, blurred  (h, w) float32; the border is mirrored without the edge, as often as it takes
    weights         (2 r + 1,) float32, symmetric

    Tile t begins at column t * TILE; the last one of a picture begins earlier where that makes it whole, and gives
    the columns it shares with the one before the same bits.
    """
    height, width = image.shape
    radius = weights.shape[0] // 2
    size = TILE + 2 * radius
    source, out = image.reshape(-1), blurred.reshape(-1)
    columns = np.empty(size, np.uint64)
    wide = np.empty(ROWS_AT_ONCE * size, np.float32)
    between = np.empty((height + 2 * radius) * TILE + LANES, np.float32)
    above = -(np.int64(between.ctypes.data) // 4) % LANES  # loads that lie in one cache line take half the time
    inner = above + radius * TILE
    sums = np.empty(TILE, np.float32)
    ahead = size + LANES - 1 if width >= PAGE else 0
    for tile in range(first, last):
        left = max(0, min(tile * TILE, width - TILE))
        start = left - radius
        if start >= 0 and start + size <= width:
            for y in range(height):
                for i in range(0, ahead, LANES):
                    _fetch(source, (y + ROWS_AHEAD) * width + start + i)
                _weigh(between, inner + y * TILE, source, y * width + start, 1, weights)
        else:
            inside, outside = max(0, -start), min(size, width - start)
            for i in range(size):
                columns[i] = _mirrored(start + i, width)
            for top in range(0, height, ROWS_AT_ONCE):
                bottom = min(height, top + ROWS_AT_ONCE)
                for y in range(top, bottom):
                    row, to = np.uint64(y * width), np.uint64((y - top) * size)
                    for i in range(np.uint64(inside)):
                        wide[to + i] = source[row + columns[i]]
                    _copy(source, y * width + start + inside, wide, (y - top) * size + inside, outside - inside)
                    for i in range(np.uint64(outside), np.uint64(size)):
                        wide[to + i] = source[row + columns[i]]
                for y in range(top, bottom):
                    _weigh(between, inner + y * TILE, wide, (y - top) * size, 1, weights)
        for k in range(1, radius + 1):
            _copy(between, inner + _mirrored(-k, height) * TILE, between, inner - k * TILE, TILE)
            end = height - 1 + k
            _copy(between, inner + _mirrored(end, height) * TILE, between, inner + end * TILE, TILE)
        for y in range(height):
            if width >= TILE:
                _weigh(out, y * width + left, between, above + y * TILE, TILE, weights)
            else:
                _weigh(sums, 0, between, above + y * TILE, TILE, weights)
                _copy(sums, 0, out, y * width, width)


# ---- means of blocks -------------------------------------------------------------------------------------------------


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
