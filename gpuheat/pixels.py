"""How a frame lies in memory, and how its numbers become colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["YUV_TO_BGR", "FrameLayout", "Pixels", "YuvToBgr", "to_bgr", "to_grey"]


@dataclass(frozen=True)
class YuvToBgr:
    """FFmpeg's default conversion of 8-bit YUV 4:2:0 to BGR, in whole numbers.

    With ``y = ((Y - black) * 8 * gain) >> 16``, ``u = (U - 128) * 8`` and ``v = (V - 128) * 8``:
    ``B = clip(y + (u * blue_u >> 16))``, ``G = clip(y + (u * green_u >> 16) + (v * green_v >> 16))`` and
    ``R = clip(y + (v * red_v >> 16))``, clipped to 0..255, with arithmetic shifts; each U and V serves the
    four pixels of its 2 x 2 block. Equal to what swscale makes of yuv420p of even width and height; nv12
    with the same content is converted alike here, which swscale does not do.
    """

    black: int
    gain: int
    red_v: int
    green_u: int
    green_v: int
    blue_u: int


YUV_TO_BGR: Final[dict[tuple[Literal["bt601", "bt709"], Literal["limited", "full"]], YuvToBgr]] = {
    ("bt601", "limited"): YuvToBgr(16, 9539, 13075, -3209, -6660, 16525),
    ("bt709", "limited"): YuvToBgr(16, 9539, 14686, -1747, -4366, 17305),
    ("bt601", "full"): YuvToBgr(0, 8192, 11485, -2819, -5850, 14516),
    ("bt709", "full"): YuvToBgr(0, 8192, 12901, -1535, -3835, 15201),
}
"""By matrix and range. A frame that says nothing is BT.601, limited. Both matrices make the same of grey pixels."""


@dataclass(frozen=True)
class FrameLayout:
    """The layout of an 8-bit frame; ``pixel_format`` is FFmpeg's name of it.

    ==================================== ==================================================================
    ``FrameLayout.BGR24``                one array (h, w, 3), blue first, as OpenCV has it
    ``FrameLayout.GRAY8``                one array (h, w)
    ``FrameLayout("gray8", YuvToBgr)``   one array (h, w), of luma: grey is what a pixel without colour becomes
    ``FrameLayout("yuv420p", YuvToBgr)`` three planes: Y (h, w), U and V (h / 2, w / 2); h and w are even
    ``FrameLayout("nv12", YuvToBgr)``    two planes: Y (h, w) and UV (h / 2, w / 2, 2); h and w are even
    ==================================== ==================================================================
    """

    pixel_format: Literal["bgr24", "gray8", "yuv420p", "nv12"]
    conversion: YuvToBgr | None = None

    BGR24: ClassVar[FrameLayout]
    GRAY8: ClassVar[FrameLayout]

    @property
    def planar(self) -> bool:
        """Whether a frame is a tuple of planes, and not one array."""
        return self.pixel_format in ("yuv420p", "nv12")

    def plane_shapes(self, height: int, width: int) -> tuple[tuple[int, ...], ...]:
        """The shapes of the planes of a frame of ``height`` by ``width`` px."""
        full, half = (height, width), (height // 2, width // 2)
        match self.pixel_format:
            case "bgr24":
                return ((*full, 3),)
            case "gray8":
                return (full,)
            case "yuv420p":
                return full, half, half
            case "nv12":
                return full, (*half, 2)

    def frame_shape(self, height: int, width: int) -> tuple[int, ...]:
        """The shape of the first plane, which is the whole frame unless it is planar."""
        return self.plane_shapes(height, width)[0]


FrameLayout.BGR24 = FrameLayout("bgr24")
FrameLayout.GRAY8 = FrameLayout("gray8")


@dataclass(frozen=True, eq=False)
class Pixels:
    """One frame: its layout, and its planes as that says."""

    layout: FrameLayout
    planes: tuple[NDArray[np.uint8], ...]

    @property
    def frame(self) -> Any:
        """The frame as counters and backends take it: a tuple of planes, or one array."""
        return self.planes if self.layout.planar else self.planes[0]


def to_grey(luma: NDArray[Any], conversion: YuvToBgr) -> NDArray[np.uint8]:
    """The uint8 grey of luma, as :class:`YuvToBgr` says for pixels without colour."""
    import numpy as np

    y = (np.arange(256) - conversion.black) * 8 * conversion.gain >> 16
    grey: NDArray[np.uint8] = y.clip(0, 255).astype(np.uint8)[luma]
    return grey


def to_bgr(planes: tuple[NDArray[Any], ...], layout: FrameLayout) -> NDArray[np.uint8]:
    """The (h, w, 3) uint8 BGR picture of one planar frame, step by step as :class:`YuvToBgr` says."""
    import numpy as np

    conversion = layout.conversion
    assert conversion is not None
    luma = planes[0].astype(np.int32)
    chroma = planes[1:] if layout.pixel_format == "yuv420p" else (planes[1][..., 0], planes[1][..., 1])
    u, v = ((plane.repeat(2, axis=0).repeat(2, axis=1).astype(np.int32) - 128) * 8 for plane in chroma)
    y = ((luma - conversion.black) * 8 * conversion.gain) >> 16
    picture = np.empty((*luma.shape, 3), np.uint8)
    picture[..., 0] = (y + (u * conversion.blue_u >> 16)).clip(0, 255)
    picture[..., 1] = (y + (u * conversion.green_u >> 16) + (v * conversion.green_v >> 16)).clip(0, 255)
    picture[..., 2] = (y + (v * conversion.red_v >> 16)).clip(0, 255)
    return picture
