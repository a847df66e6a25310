"""A heat map that changes from frame to frame, over the frames of a video, plane by plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gpuheat.backends.cpu_loops import numba_cpu, processors, share
from gpuheat.backends.cpu_planes import flat_plane
from gpuheat.errors import OptionError
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.log_heat import PIXELS_WORTH_A_THREAD, LogHeat
from gpuheat.outputs.picture import MAX_OPACITY
from gpuheat.outputs.tone import tone_curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.motion.raised import Raised
    from gpuheat.outputs.style import PictureStyle
    from gpuheat.outputs.yuv import YuvStandard

__all__ = ["HeatOverVideo", "check_video_style"]

LEVELS: Final = 1024
OPAQUE: Final = 256

Planes = tuple["NDArray[np.uint8]", "NDArray[np.uint8]", "NDArray[np.uint8]"]


def check_video_style(style: PictureStyle) -> None:
    """Raise OptionError for a tone that depends on all of a heat map: that of a video is not known beforehand."""
    if style.tone.startswith("percentile"):
        raise OptionError(f"a video has one scale from its beginning, take the tone linear, sqrt or log: {style.tone}")


class HeatOverVideo:
    """Lays heat over planes of YUV 4:2:0 as :func:`gpuheat.outputs.picture.overlay` does over BGR pictures.

    The pictures of a video are drawn one after the other: what is known of the heat of the last is used for the next.

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
        # 128 + 127.5 stands for a pure blue or red where all of 0..255 is used
        colors = np.minimum(standard.colors(lookup_table(style.colormap)[(toned * 255).astype(np.uint8)]), 255)
        opacity = MAX_OPACITY * (1 - (1 - toned) ** 4) if style.alpha == "value" else np.full(LEVELS, style.alpha)
        parts = np.rint(opacity * OPAQUE)
        luma, u, v = np.rint(parts[:, None] * colors).T
        self._table = sum(
            column.astype(np.uint64) << np.uint64(16 * place)
            for place, column in enumerate((OPAQUE - parts, luma, u, v))
        )
        self._logs: LogHeat | None = None

    def __call__(
        self,
        planes: Planes,
        heat: NDArray[np.float64],
        block: int,
        scale: float,
        out: Planes,
        raised: Raised | None = None,
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
        raised
            Where the heat was raised, and when; elsewhere it is what it was in the call before, which gave the same.
            None: not known.
        """
        height, width = planes[0].shape
        if (missing := numba_cpu.STRETCH - width) > 0:  # the loops take whole stretches
            luma, u, v = planes
            wide = _widened(luma, missing), _widened(u, missing // 2), _widened(v, missing // 2)
            drawn = np.empty_like(wide[0]), np.empty_like(wide[1]), np.empty_like(wide[2])
            self(wide, heat, block, scale, drawn, raised)
            for plane, one in zip(out, drawn, strict=True):
                plane[...] = one[:, : plane.shape[1]]
            return
        sources = [each for plane in planes for each in flat_plane(plane)]
        targets = [each for plane in out for each in _to_write(plane)]
        if self._logs is None or (self._logs.logs.shape, self._logs.block) != ((height, width), block):
            self._logs = LogHeat(height, width, block)
        logs = self._logs
        cold, table = self._entries(logs, heat, scale, raised)

        def part(first: int, last: int) -> None:
            numba_cpu.blend_heat_rows_yuv(*sources, *targets, first, last, width, logs.logs, logs.highest, cold, table)

        share(part, height // 2, max(1, PIXELS_WORTH_A_THREAD // (2 * width)), processors())

    def _entries(
        self, logs: LogHeat, heat: NDArray[np.float64], scale: float, raised: Raised | None
    ) -> tuple[int, NDArray[np.uint64]]:
        """The logarithm up to which there is no heat to be seen, and what is drawn for it and for each above.

        The logarithms follow the heat, unless none of it can be seen.
        """
        if scale == 0 or not np.isfinite(1 / scale):
            return 2**16 - 1, self._table[:1]
        least = 1 / ((LEVELS - 1) * scale)
        logs.take(heat, least, raised)
        cold = logs.log_of(least) - 1
        shares = logs.values(np.arange(cold, logs.log_of(1 / scale) + 1)) * scale
        levels = (np.minimum(shares, 1) * (LEVELS - 1)).astype(np.intp)
        levels[0], levels[-1] = 0, LEVELS - 1
        return cold, self._table[levels]


def _widened(plane: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    return np.pad(plane, ((0, 0), (0, by)))


def _to_write(plane: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    flat, pitch = flat_plane(plane)
    assert np.shares_memory(flat, plane)
    return flat, pitch
