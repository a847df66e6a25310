"""The options of counting motion, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpuheat.backends.checks import check_threshold
from gpuheat.errors import OptionError
from gpuheat.motion.decay import check_half_life

__all__ = ["MotionSettings"]


@dataclass(frozen=True)
class MotionSettings:
    """What decides whether a pixel moved and whether a pair counts. Only equals may be merged."""

    threshold: int = 25
    pixels: Literal["bgr", "luma"] = "bgr"
    half_life: float | None = None
    max_changed: float = 1.0

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        if self.pixels not in ("bgr", "luma"):
            raise OptionError(f"pixels must be 'bgr' or 'luma', got {self.pixels!r}")
        if self.half_life is not None:
            check_half_life(self.half_life)
        if not 0 <= self.max_changed <= 1:
            raise OptionError(f"max_changed must be a share from 0 to 1, got {self.max_changed!r}")
