"""Still images: reference images, backgrounds and masks."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gpuheat.errors import InputError
from gpuheat.inputs.remote import Place, file_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["read_image", "read_mask"]


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """An image file as a picture, upright as its EXIF orientation says.

    Grey and palette images become BGR, of 16 bits the upper 8 are kept, and what is transparent is laid on
    white.

    Parameters
    ----------
    path
        A file in a format that OpenCV reads: JPEG, PNG, TIFF, WebP, BMP and others. Or its address, where fsspec reads
        it.

    Returns
    -------
    picture
        (h, w, 3) uint8, BGR.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or is not an image.
    """
    file = file_at(path)
    data = _read(file)
    picture = _decode(data, cv2.IMREAD_COLOR, file)
    unchanged = _decode(data, cv2.IMREAD_UNCHANGED, file)
    if unchanged.ndim == 3 and unchanged.shape[2] == 4:
        return _on_white(data, file)
    return picture.astype(np.uint8, copy=False)


def read_mask(path: str | os.PathLike[str]) -> NDArray[np.bool_]:
    """An image file as a mask: (h, w) bool, true where any colour is not zero; transparency does not matter.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or is not an image.
    """
    file = file_at(path)
    picture = _decode(_read(file), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH, file)
    mask: NDArray[np.bool_] = np.any(picture, axis=2).astype(np.bool_, copy=False)
    return mask


def _read(file: Place) -> NDArray[np.uint8]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the image {file}: {error.strerror}") from error
    if not data:
        raise InputError(f"cannot read the image {file}: the file is empty")
    return np.frombuffer(data, np.uint8)


def _decode(data: NDArray[np.uint8], flags: int, file: Place) -> NDArray[np.generic]:
    with _opencv_silent():
        picture: NDArray[np.generic] | None = cv2.imdecode(data, flags)
    if picture is None:
        raise InputError(f"cannot read the image {file}: it is damaged or not in a format that OpenCV reads")
    return picture


def _on_white(data: NDArray[np.uint8], file: Place) -> NDArray[np.uint8]:
    """A transparent image on white.

    OpenCV turns such an image upright only when it drops the transparency, and multiplies it into a TIFF's
    colours but into no other format's. Pillow, which matplotlib brings, does neither.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data.tobytes())) as image:
            # While it loads a TIFF, and only a TIFF, Pillow itself turns it upright; not from a path, though
            upright = (image if image.format == "TIFF" else ImageOps.exif_transpose(image)).convert("RGBA")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # what Pillow raises
        raise InputError(f"cannot read the transparent image {file}: {error}") from error
    white = Image.new("RGBA", upright.size, "white")
    return np.ascontiguousarray(np.asarray(Image.alpha_composite(white, upright))[..., 2::-1])


@contextmanager
def _opencv_silent() -> Iterator[None]:
    """Keep OpenCV from writing about damaged files to stderr; the caller says it."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
