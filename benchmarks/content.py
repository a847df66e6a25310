"""What the benchmarks compute with: frames and points, the same from run to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat import BinGrid

__all__ = ["Spread", "moving_band", "noise", "points"]

Spread = Literal["spread", "clustered", "whole px", "one bin"]


def moving_band(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Frames (n, h, ...) as in a video: a band of noise, a quarter of a frame, moves down a picture that stays."""
    frames = np.empty(shape, np.uint8)
    frames[:] = random.integers(0, 256, shape[1:], np.uint8)
    height = shape[1]
    for i, frame in enumerate(frames):
        top = i * height * 100 // 1080
        band = frame[top : top + max(1, height * 250 // 1080)]
        band[:] = random.integers(0, 256, band.shape, np.uint8)
    return frames


def noise(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Frames (n, h, ...) of noise: nearly every pixel moves in every pair."""
    return random.integers(0, 256, shape, np.uint8)


def points(
    random: np.random.Generator, number: int, grid: BinGrid, spread: Spread
) -> tuple[NDArray[Any], NDArray[Any]]:
    """float64 x and y of points on a picture.

    ``"spread"`` evenly, ``"clustered"`` around the middle (normal), ``"whole px"`` evenly on whole pixels, and
    ``"one bin"`` all in one bin of the grid.
    """
    width, height = grid.width, grid.height
    if spread == "clustered":
        return (
            random.normal(width / 2, 3 * width / 80, number),
            random.normal(height / 2, height / 30, number),
        )
    if spread == "one bin":
        return _within_a_bin(random, number, grid.x_edges), _within_a_bin(random, number, grid.y_edges)
    x, y = random.uniform(0, width, number), random.uniform(0, height, number)
    return (np.floor(x), np.floor(y)) if spread == "whole px" else (x, y)


def _within_a_bin(random: np.random.Generator, number: int, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Away from the edges of the middle bin, so that rounding to float32 carries no point over them."""
    first, last = edges[edges.size // 2 - 1], edges[edges.size // 2]
    return random.uniform(first + 0.1 * (last - first), last - 0.1 * (last - first), number)
