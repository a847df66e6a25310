"""A heat map as a picture, alone and over its background. Pictures are BGR, uint8, (h, w, 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from gpuheat.errors import InputError
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.tone import tone_curve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gpuheat.outputs.layout import Box
    from gpuheat.outputs.style import PictureStyle

__all__ = ["as_bgr", "colorize", "encode_jpeg", "encode_png", "fitted", "opacity", "overlay", "resize_heat", "shrunk"]

MAX_OPACITY = np.float32(0.7)
"""Opacity of the hottest spot with ``alpha="value"``: what lies under it still shows."""
ROWS_AT_ONCE: Final = 64  # to spare memory
JPEG_QUALITY: Final = 95


def colorize(heat: NDArray[np.float32], style: PictureStyle, *, signed: bool = False) -> NDArray[np.uint8]:
    """The heat map in colours.

    The place on the colour map is cut off, not rounded, to one of 256:
    ``cv2.applyColorMap((tone(heat) * 255).astype(uint8), colormap)``.

    Parameters
    ----------
    heat
        (h, w) float32 in [0, 1], 1 being the map's maximum.
    style
        Its colour map and tone are used.
    signed
        The heat lies in [-1, 1]: 0 is the middle of the colour map, and the tone goes by the amount.

    Returns
    -------
    picture
        (h, w, 3) uint8, BGR.

    Raises
    ------
    InputError
        If ``heat`` is not what is asked for above.
    """
    picture = np.empty((*heat.shape, 3), np.uint8)
    for rows, _, colors in _strips(heat, style, signed):
        picture[rows] = colors
    return picture


def overlay(
    heat: NDArray[np.float32], background: NDArray[np.uint8], style: PictureStyle, *, signed: bool = False
) -> NDArray[np.uint8]:
    """The coloured heat map over a picture.

    With a number for ``alpha`` this is ``cv2.addWeighted(background, 1 - alpha, colorize(heat), alpha, 0)``.
    With ``"value"`` the opacity of a pixel is ``0.7 * (1 - (1 - t)^4)``, where ``t`` is its place on the colour
    map: none where nothing was, with a soft edge, and by a third of the maximum dense enough for the colour to
    be recognised on the colour bar.

    Parameters
    ----------
    heat
        (h, w) float32 in [0, 1]; resized as `resize_heat` does where its size is not the background's.
    background
        (h, w, 3) uint8 BGR, or (h, w) uint8 grey.
    style
        Colour map, tone and alpha.
    signed
        As for `colorize`; ``t`` is then the place between the middle of the colour map and its end.

    Returns
    -------
    picture
        uint8 BGR, of the size of ``background``.

    Raises
    ------
    InputError
        If ``heat`` or ``background`` is not what is asked for above.
    """
    background = as_bgr(background)
    picture = np.empty(background.shape, np.uint8)
    for rows, toned, colors in _strips(resize_heat(heat, *background.shape[:2], signed=signed), style, signed):
        if style.alpha == "value":
            weight = opacity(toned)
            picture[rows] = cv2.blendLinear(colors, background[rows], weight, 1 - weight)
        else:
            picture[rows] = cv2.addWeighted(background[rows], 1 - style.alpha, colors, style.alpha, 0)
    return picture


def opacity(toned: NDArray[np.float32]) -> NDArray[np.float32]:
    """How dense the heat is with ``alpha="value"``, from 0 to 0.7, by its places in [0, 1] on the colour map."""
    return MAX_OPACITY * (1 - np.square(np.square(1 - toned)))


def resize_heat(heat: NDArray[np.float32], height: int, width: int, *, signed: bool = False) -> NDArray[np.float32]:
    """The heat map at another size: linear where it grows, the mean over areas where it shrinks.

    Neither overshoots, so the values stay in [0, 1], or in [-1, 1]. A map that has the size already is returned as
    it is.
    """
    _check_heat(heat, signed)
    if heat.shape == (height, width):
        return heat
    shrinks = heat.shape[0] >= height and heat.shape[1] >= width
    resized = cv2.resize(heat, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.clip(resized, -1.0 if signed else 0.0, 1.0, out=resized).astype(np.float32, copy=False)


def shrunk(picture: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """The picture with at most so many px along its wider side; a smaller one is returned as it is."""
    height, width = picture.shape[:2]
    factor = most / max(height, width)
    if factor >= 1:
        return picture
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def fitted(picture: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The picture at the largest size that fits the box; far enlarged ones keep their pixels visible."""
    height, width = picture.shape[:2]
    factor = min(box.width / width, box.height / height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC if factor < 6 else cv2.INTER_NEAREST
    return cv2.resize(picture, size, interpolation=way).astype(np.uint8, copy=False)


def as_bgr(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey (h, w) or BGR (h, w, 3) uint8 picture as BGR; `InputError` for anything else."""
    if picture.dtype == np.uint8 and picture.size:
        if picture.ndim == 2:
            return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)
        if picture.ndim == 3 and picture.shape[2] == 3:
            return picture
    raise InputError(
        f"a background must be uint8 and (h, w, 3) BGR or (h, w) grey, got {picture.dtype} {picture.shape}"
    )


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG file with this picture, (h, w, 3) BGR or (h, w) grey, uint8."""
    _, encoded = cv2.imencode(".png", picture)
    return encoded.tobytes()


def encode_jpeg(picture: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> bytes:
    """The bytes of a JPEG file with this picture, (h, w, 3) BGR, uint8, of at most 65,500 px along a side."""
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def _strips(
    heat: NDArray[np.float32], style: PictureStyle, signed: bool
) -> Iterator[tuple[slice, NDArray[np.float32], NDArray[np.uint8]]]:
    """Some rows of a heat map at a time: which, their places in [0, 1] on the colour map, and their colours.

    Where the heat is signed, the places are those between the middle of the colour map and its ends.
    """
    _check_heat(heat, signed)
    curve = tone_curve(style.tone, np.abs(heat) if signed else heat)
    table = lookup_table(style.colormap).reshape(256, 1, 3)
    for first in range(0, heat.shape[0], ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        if signed:
            toned = curve(np.abs(heat[rows]))
            steps = (toned * 127).astype(np.uint8)
            colored = np.where(heat[rows] < 0, 127 - steps, 128 + steps)
        else:
            toned = curve(heat[rows])
            colored = (toned * 255).astype(np.uint8)
        yield rows, toned, cv2.applyColorMap(colored, table).astype(np.uint8, copy=False)


def _check_heat(heat: NDArray[np.float32], signed: bool) -> None:
    if heat.dtype != np.float32 or heat.ndim != 2 or not heat.size:
        raise InputError(f"a heat map must be float32 and (h, w), got {heat.dtype} {heat.shape}")
    low, high, least = float(heat.min()), float(heat.max()), -1 if signed else 0
    if not (low >= least and high <= 1.0):  # false for NaN too
        raise InputError(
            f"a heat map must lie in [{least}, 1], got values from {low} to {high}; divide it by its maximum"
        )
