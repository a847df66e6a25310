"""The weights that turn the difference of two BGR pixels into one grey value.

``grey = (BLUE * dB + GREEN * dG + RED * dR + HALF) >> SHIFT``, OpenCV's ``COLOR_BGR2GRAY`` for 8-bit
pictures (equal for all 2^24 inputs). The weights add up to ``1 << SHIFT``, so a grey difference keeps
its value.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BLUE", "GREEN", "HALF", "RED", "SHIFT", "lowest_moving_sum"]

BLUE: Final = 3735
GREEN: Final = 19235
RED: Final = 9798
SHIFT: Final = 15
HALF: Final = 1 << (SHIFT - 1)


def lowest_moving_sum(threshold: int) -> int:
    """The least ``BLUE * dB + GREEN * dG + RED * dR`` whose grey value is above ``threshold``.

    Comparing the weighted sum with it saves the rounding and the shift at every pixel.
    """
    return ((threshold + 1) << SHIFT) - HALF
