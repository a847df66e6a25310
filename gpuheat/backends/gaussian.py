"""The weights of the Gaussian blur, the same for every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from gpuheat.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_sigma", "weights"]


def weights(sigma: float) -> NDArray[np.float32]:
    """The (2 r + 1,) float32 weights of a Gaussian, summing to 1, as ``cv2.GaussianBlur`` takes them.

    The number of weights is OpenCV's for float images, ``round(8 sigma + 1) | 1``.

    Raises
    ------
    OptionError
        If sigma (px) is negative or not finite.
    """
    check_sigma(sigma)
    if sigma == 0:
        return np.ones(1, np.float32)
    size = round(8 * sigma + 1) | 1
    return np.asarray(cv2.getGaussianKernel(size, sigma, cv2.CV_32F), np.float32).reshape(-1)


def check_sigma(sigma: float) -> None:
    """Raise OptionError unless the standard deviation of a blur is from 0 to 10,000 px."""
    if not 0 <= sigma <= 10_000:
        raise OptionError(f"sigma of a blur must be from 0 to 10000 px, got {sigma!r}")
