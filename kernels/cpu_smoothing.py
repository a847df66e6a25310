"""Loops that smooth pictures on the CPU: a Gaussian blur, and means of blocks of pixels."""

from __future__ import annotations

import numba as nb
import numpy as np

from gpuheat.kernels.cpu_compiled import PLANE, Array, compiled, read, written

__all__ = ["area_mean_rows", "blur_along_columns", "blur_along_rows"]

COLUMNS_AT_ONCE = 512  # 2 KB a row: the rows under a wide kernel stay in the second-level cache

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
