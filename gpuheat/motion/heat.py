"""From counts to heat: blurred, and divided by the maximum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.backends import Backend

__all__ = ["blurred", "shares"]

ROWS_AT_ONCE: Final = 64  # to spare memory


def blurred(values: NDArray[Any], sigma: float, backend: Backend) -> NDArray[Any]:
    """(h, w) values, blurred by a Gaussian with this standard deviation, px; 0 leaves them as they are."""
    if sigma == 0:
        return values
    return backend.to_host(backend.gaussian_blur(backend.asarray(values.astype(np.float32)), sigma))


def shares(values: NDArray[Any], peak: float) -> NDArray[np.float32]:
    """(h, w) values as shares of their maximum, float32 in [0, 1]; all zero where that is 0."""
    heat = np.zeros(values.shape, np.float32)
    for first in range(0, len(heat) if peak > 0 else 0, ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        heat[rows] = values[rows].astype(np.float64) / peak
    return heat
