"""The three pictures of a heat map: alone, over its background, and the figure for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gpuheat.outputs.figure import draw_figure
from gpuheat.outputs.picture import colorize, encode_jpeg, encode_png, overlay, resize_heat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gpuheat.outputs.activity import Activity
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle
    from gpuheat.zones import Area

__all__ = ["on_paper", "write_pictures"]

PAPER: Final = 236  # the grey of a background that is not there
JPEG_MOST: Final = 65_500  # px along a side of a JPEG


def write_pictures(
    out: OutputFolder,
    heat: NDArray[np.float32],
    background: NDArray[np.uint8] | None,
    style: PictureStyle,
    *,
    title: str,
    subtitle: str,
    full_scale: str,
    activity: Activity | None = None,
    areas: Sequence[Area] = (),
) -> None:
    """Write ``background.jpg``, ``heatmap.png`` and ``overlay.png``, of the background's size, and ``figure.png``.

    Parameters
    ----------
    out
        Where the files go.
    heat
        (h, w) float32 in [0, 1].
    background
        (H, W, 3) uint8 BGR; None is plain light grey, of the heat's size.
    style
        Colour map, tone and opacity.
    title, subtitle, full_scale, activity, areas
        What the figure says; see :func:`gpuheat.outputs.figure.draw_figure`.
    """
    background = on_paper(background, *heat.shape)
    if max(background.shape) <= JPEG_MOST:
        out.write("background.jpg", encode_jpeg(background))
    heat = resize_heat(heat, *background.shape[:2])
    out.write("heatmap.png", encode_png(colorize(heat, style)))
    out.write("overlay.png", encode_png(overlay(heat, background, style)))
    figure = draw_figure(
        heat=heat,
        background=background,
        style=style,
        title=title,
        subtitle=subtitle,
        full_scale=full_scale,
        activity=activity,
        areas=areas,
    )
    out.write("figure.png", figure)


def on_paper(background: NDArray[np.uint8] | None, height: int, width: int) -> NDArray[np.uint8]:
    """The background; plain light grey of this size where there is none."""
    return np.full((height, width, 3), PAPER, np.uint8) if background is None else background
