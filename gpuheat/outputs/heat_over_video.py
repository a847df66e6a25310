"""A heat map that changes from frame to frame, over the frames of a video, plane by plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gpuheat.backends.cpu_loops import numba_cpu, processors, share
from gpuheat.backends.cpu_planes import flat_plane
from gpuheat.errors import OptionError
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.picture import MAX_OPACITY
from gpuheat.outputs.tone import tone_curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.outputs.style import PictureStyle
    from gpuheat.outputs.yuv import YuvStandard

__all__ = ["STRETCH", "HeatOverVideo", "check_video_style"]

LEVELS: Final = 1024
OPAQUE: Final = 256
STRETCH: Final = numba_cpu.STRETCH
"""Pixels of a row that are looked at together."""
PIXELS_WORTH_A_THREAD: Final = 1 << 20
"""An encoder is busy on the other processors."""

Planes = tuple["NDArray[np.uint8]", "NDArray[np.uint8]", "NDArray[np.uint8]"]


def check_video_style(style: PictureStyle) -> None:
    """Raise OptionError for a tone that depends on all of a heat map: that of a video is not known beforehand."""
    if style.tone.startswith("percentile"):
        raise OptionError(f"a video has one scale from its beginning, take the tone linear, sqrt or log: {style.tone}")


class HeatOverVideo:
    """Lays heat over planes of YUV 4:2:0 as :func:`gpuheat.outputs.picture.overlay` does over BGR pictures.

    Parameters
    ----------
    style
        Colour map, tone and opacity.
    standard
        Of the planes.
    """

    def __init__(self, style: PictureStyle, standard: YuvStandard) -> None:
        check_video_style(style)
        linear = np.linspace(0, 1, LEVELS, dtype=np.float32)
        toned = tone_curve(style.tone, linear)(linear)
        colors = standard.colors(lookup_table(style.colormap)[(toned * 255).astype(np.uint8)])
        opacity = MAX_OPACITY * (1 - (1 - toned) ** 4) if style.alpha == "value" else np.full(LEVELS, style.alpha)
        parts = np.rint(opacity * OPAQUE)
        luma, u, v = np.rint(parts[:, None] * colors).T
        self._table = sum(
            column.astype(np.uint64) << np.uint64(16 * place)
            for place, column in enumerate((OPAQUE - parts, luma, u, v))
        )

    def __call__(
        self,
        planes: Planes,
        heat: NDArray[np.float64],
        block: int,
        scale: float,
        out: Planes,
        warm: NDArray[np.uint8] | None = None,
    ) -> None:
        """Write the planes with the heat over them into others.

        Parameters
        ----------
        planes
            uint8: luma of even sides, and the two of colour.
        heat
            (h, w) float64, a value for every ``block`` by ``block`` pixels; behind its last row and column it goes on
            as that.
        scale
            The share of the full scale that 1 is; what comes to 1 and more gets the hottest colour.
        out
            As ``planes``.
        warm
            (h, ceil(w / :data:`STRETCH`)) uint8, with ``block`` 1 only: 0 for stretches of a row that are known to have
            no heat to be seen. Those that are found to have none are set to 0. None: not known.
        """
        sources = [each for plane in planes for each in flat_plane(plane)]
        targets = [each for plane in out for each in _to_write(plane)]
        width = planes[0].shape[1]
        assert warm is None or (block == 1 and warm.flags.c_contiguous)
        warmth = np.empty((0, 0), np.uint8) if warm is None else warm
        how = (np.ascontiguousarray(heat), block, (LEVELS - 1) * scale, warmth, self._table)

        def part(first: int, last: int) -> None:
            numba_cpu.blend_heat_rows_yuv(*sources, *targets, first, last, width, *how)

        share(part, len(planes[1]), max(1, PIXELS_WORTH_A_THREAD // (2 * width)), processors())


def _to_write(plane: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    flat, pitch = flat_plane(plane)
    assert np.shares_memory(flat, plane)
    return flat, pitch
