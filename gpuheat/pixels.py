"""How a frame lies in memory."""

from __future__ import annotations

from enum import Enum

__all__ = ["FrameLayout"]


class FrameLayout(Enum):
    """The layout of an 8-bit frame; the values are FFmpeg's names of the pixel formats.

    ``BGR24`` is (h, w, 3), blue first, as OpenCV has it. ``GRAY8`` is (h, w).
    """

    BGR24 = "bgr24"
    GRAY8 = "gray8"

    def frame_shape(self, height: int, width: int) -> tuple[int, ...]:
        """The shape of one frame of ``height`` by ``width`` px."""
        return (height, width, 3) if self is FrameLayout.BGR24 else (height, width)
