"""What the operations must give: slow, obvious, and independent of the package, from which nothing is imported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPS32 = 2.0**-23  # distance from 1 to the next float32


def moved(previous: NDArray[np.uint8], frame: NDArray[np.uint8], threshold: int) -> NDArray[np.bool_]:
    """Which pixels moved: (h, w) bool, from two (h, w, 3) BGR or (h, w) grey frames."""
    height, width = frame.shape[:2]
    result = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            before, now = previous[y, x].tolist(), frame[y, x].tolist()
            if frame.ndim == 3:
                blue, green, red = (abs(n - b) for n, b in zip(now, before, strict=True))
                grey = (3735 * blue + 19235 * green + 9798 * red + 16384) >> 15
            else:
                grey = abs(now - before)
            result[y, x] = grey > threshold
    return result


def motion(
    previous: NDArray[np.uint8],
    frames: NDArray[np.uint8],
    threshold: int,
    mask: NDArray[np.uint8] | None = None,
    weights: Sequence[float] | NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64]]:
    """The moved pixels of each pair (t,), the counts (h, w) and the sums of the weights (h, w)."""
    per_pair = np.zeros(len(frames), np.uint32)
    counts = np.zeros(previous.shape[:2], np.uint32)
    sums = np.zeros(previous.shape[:2], np.float64)
    for pair, frame in enumerate(frames):
        here = moved(previous, frame, threshold)
        if mask is not None:
            here &= mask != 0
        per_pair[pair] = here.sum()
        counts += here
        if weights is not None:
            sums[here] += weights[pair]
        previous = frame
    return per_pair, counts, sums


def bin_of(value: float, edges: NDArray[np.float64]) -> int | None:
    """The bin of a coordinate by comparing it with every edge; None outside and for NaN."""
    if not edges[0] <= value <= edges[-1]:
        return None
    return min(int(np.count_nonzero(edges <= value)) - 1, len(edges) - 2)


def histogram(
    x: NDArray[Any],
    y: NDArray[Any],
    bins: tuple[int, int],
    extent: tuple[float, float],
    weight: NDArray[np.uint32] | None = None,
) -> NDArray[np.uint64]:
    """The (ny, nx) histogram of points; ``bins`` is (nx, ny), ``extent`` (width, height)."""
    x_edges, y_edges = (np.linspace(0.0, size, number + 1) for size, number in zip(extent, bins, strict=True))
    result = np.zeros(bins[::-1], np.uint64)
    for i in range(len(x)):
        column, row = bin_of(float(x[i]), x_edges), bin_of(float(y[i]), y_edges)
        if column is not None and row is not None:
            result[row, column] += np.uint64(1 if weight is None else weight[i])
    return result


def mirrored(place: int, size: int) -> int:
    """The place inside 0 ... size - 1 that one outside shows: mirrored at the ends, the ends not repeated."""
    while size > 1 and not 0 <= place < size:
        place = -place if place < 0 else 2 * (size - 1) - place
    return place if size > 1 else 0


def blur_radius(sigma: float) -> int:
    """Half of the kernel, px: OpenCV's choice for float32 pictures."""
    return (round(8 * sigma + 1) | 1) // 2


def blur(image: NDArray[Any], sigma: float) -> NDArray[np.float64]:
    """A Gaussian blur of an (h, w) image, along the rows, then along the columns."""
    radius = blur_radius(sigma)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) if k else 1.0 for k in range(-radius, radius + 1)]
    return _along_rows(_along_rows(image.astype(np.float64), weights).T, weights).T


def _along_rows(image: NDArray[np.float64], weights: list[float]) -> NDArray[np.float64]:
    radius, width = len(weights) // 2, image.shape[1]
    total = math.fsum(weights)
    places = [[mirrored(x + k, width) for k in range(-radius, radius + 1)] for x in range(width)]
    return np.array(
        [
            [sum(w * row[place] for w, place in zip(weights, places[x], strict=True)) / total for x in range(width)]
            for row in image.tolist()
        ]
    ).reshape(image.shape)


def blur_tolerance(radius: int, peak: float) -> float:
    """How far a float32 blur may be off, absolute: the only tolerance there is.

    A pass adds 2 r + 1 products of float32 numbers, each of at most weight * peak, and the weights add up
    to 1: with one rounding of each weight, product and sum it is off by at most (2 r + 1) * eps * peak.
    The second pass adds as much again.
    """
    return 2 * (2 * radius + 1) * EPS32 * peak


def area_mean(frame: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """The mean of every block of factor x factor pixels, or of what the border leaves of it, halves up."""
    height, width, channels = frame.shape
    rows = []
    for top in range(0, height, factor):
        row = []
        for left in range(0, width, factor):
            block = frame[top : top + factor, left : left + factor].reshape(-1, channels).tolist()
            row.append([(2 * sum(values) + len(block)) // (2 * len(block)) for values in zip(*block, strict=True)])
        rows.append(row)
    return np.array(rows, np.uint8)
