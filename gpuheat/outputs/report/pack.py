"""Arrays and pictures as text, small enough to lie inside a page."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MOST_PX", "jpeg", "pack"]

MOST_PX: Final = 1600
"""The longer side of a background, at most."""
JPEG_BYTES: Final = 600_000
QUALITIES: Final = (88, 80, 70, 60)
TYPES: Final = ("u1", "u2", "u4", "f4", "f8")


def pack(array: NDArray[Any]) -> dict[str, Any]:
    """An array of one dimension in base64, as the page reads it.

    Whole numbers become unsigned ones of as few bytes as they need, those beyond 32 bits float64. First come the
    lowest bytes of all elements, then the next ones, so that deflating finds those that are 0; it is raw deflate.

    >>> pack(np.array([1, 2, 300]))["type"]
    'u2'
    """
    if array.dtype.kind in "iub":
        highest = int(array.max(initial=0))
        array = array.astype("u1" if highest < 2**8 else "u2" if highest < 2**16 else "u4" if highest < 2**32 else "f8")
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    assert little.ndim == 1
    assert little.dtype.str[1:] in TYPES
    planes = little.view(np.uint8).reshape(-1, little.itemsize).T
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    deflated = deflate.compress(planes.tobytes()) + deflate.flush()
    return {"type": little.dtype.str[1:], "length": little.size, "data": base64.b64encode(deflated).decode("ascii")}


def jpeg(picture: NDArray[np.uint8], most_px: int = MOST_PX) -> str:
    """A BGR picture as a JPEG file in base64: at most ``most_px`` px along, as good as ``JPEG_BYTES`` allow."""
    longer = max(picture.shape[:2])
    if longer > most_px:
        height, width = (max(1, round(side * most_px / longer)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    for quality in QUALITIES:
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if encoded.size <= JPEG_BYTES:
            return base64.b64encode(encoded.tobytes()).decode("ascii")
    return jpeg(picture, most_px // 2)
