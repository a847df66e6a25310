"""From counts to heat: blurred, and divided by the maximum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpuheat.backends.cpu_loops import processors, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.backends import Backend

__all__ = ["blurred", "shares"]

ROWS_AT_ONCE: Final = 64  # to spare memory
PIXELS_WORTH_A_THREAD: Final = 1 << 20


def blurred(values: NDArray[Any], sigma: float, backend: Backend) -> NDArray[Any]:
    """(h, w) values, blurred by a Gaussian with this standard deviation, px; 0 leaves them as they are."""
    if sigma == 0:
        return values
    return backend.to_host(backend.gaussian_blur(backend.asarray(values.astype(np.float32)), sigma))


def shares(values: NDArray[Any], peak: float) -> NDArray[np.float32]:
    """(h, w) values as shares of their maximum, float32 in [0, 1]; all zero where that is 0."""
    if peak <= 0:
        return np.zeros(values.shape, np.float32)
    heat = np.empty(values.shape, np.float32)

    def part(first: int, last: int) -> None:
        for begin in range(first, last, ROWS_AT_ONCE):
            rows = slice(begin, min(begin + ROWS_AT_ONCE, last))
            heat[rows] = values[rows].astype(np.float64) / peak

    share(part, len(heat), max(1, PIXELS_WORTH_A_THREAD // values.shape[1]), processors())
    return heat
