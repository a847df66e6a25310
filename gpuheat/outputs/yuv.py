"""BGR pictures and colours as 8-bit YUV 4:2:0, in the four standards that :data:`gpuheat.pixels.YUV_TO_BGR` reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np

from gpuheat.pixels import YUV_TO_BGR

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from gpuheat.pixels import YuvToBgr

__all__ = ["YuvStandard"]

RED_AND_BLUE: Final = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
"""The shares of the luma that come from red and from blue; ITU-R BT.601 and BT.709."""


@dataclass(frozen=True)
class YuvStandard:
    """How colours are written as YUV: the matrix, and whether the values use all of 0..255."""

    matrix: Literal["bt601", "bt709"]
    range: Literal["limited", "full"]

    @classmethod
    def of(cls, conversion: YuvToBgr) -> Self:
        """The standard that a conversion reads."""
        return next(cls(*names) for names, numbers in YUV_TO_BGR.items() if numbers == conversion)

    @classmethod
    def usual(cls, height: int) -> Self:
        """What players take a picture of this height for that does not say."""
        return cls("bt709" if height >= 720 else "bt601", "limited")

    @property
    def from_bgr(self) -> NDArray[np.float64]:
        """(3, 4): Y, U and V as sums of blue, green, red and 1."""
        red, blue = RED_AND_BLUE[self.matrix]
        luma = np.array([blue, 1 - red - blue, red])
        u = (np.array([1.0, 0, 0]) - luma) / (2 * (1 - blue))
        v = (np.array([0, 0, 1.0]) - luma) / (2 * (1 - red))
        black, of_luma, of_colour = (16, 219 / 255, 224 / 255) if self.range == "limited" else (0, 1.0, 1.0)
        return np.column_stack([np.stack([luma * of_luma, u * of_colour, v * of_colour]), [black, 128, 128]])

    def colors(self, bgr: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(n, 3) YUV of (n, 3) BGR colours."""
        matrix = self.from_bgr
        return np.asarray(bgr @ matrix[:, :3].T + matrix[:, 3])

    def planes(self, picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """The three planes of an (h, w, 3) BGR or (h, w) grey picture.

        Where a side is odd its last row or column is repeated, for a plane of colour holds one value for 2 x 2 pixels:
        their mean.
        """
        bgr = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture
        height, width = bgr.shape[:2]
        if height % 2 or width % 2:
            bgr = cv2.copyMakeBorder(bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        yuv = cv2.transform(bgr, self.from_bgr)
        half = (bgr.shape[1] // 2, bgr.shape[0] // 2)
        colour = cv2.resize(yuv[..., 1:], half, interpolation=cv2.INTER_AREA)
        planes = (np.ascontiguousarray(plane, np.uint8) for plane in (yuv[..., 0], colour[..., 0], colour[..., 1]))
        luma, u, v = planes
        return luma, u, v
