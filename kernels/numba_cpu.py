"""The operations as fused loops for the CPU, compiled by Numba.

Every function works on a part of its output (some rows, some of the points) and releases the GIL, so
that the caller decides how many threads share the work. They check nothing: sizes, dtypes and
contiguity are the caller's promise.
"""

from gpuheat.kernels.cpu_blocks import sum_blocks
from gpuheat.kernels.cpu_compiled import STRETCH
from gpuheat.kernels.cpu_frames import (
    PAIRS,
    add_bytes,
    add_motion_rows_bgr,
    add_motion_rows_grey,
    add_motion_rows_yuv,
    expand_luma,
)
from gpuheat.kernels.cpu_overlay import LOG_BITS, blend_heat_rows_yuv, take_logarithms
from gpuheat.kernels.cpu_points import add_points_part
from gpuheat.kernels.cpu_smoothing import TILE, area_mean_rows, blur_tiles
from gpuheat.kernels.cpu_spans import sum_spans

__all__ = [
    "LOG_BITS",
    "PAIRS",
    "STRETCH",
    "TILE",
    "add_bytes",
    "add_motion_rows_bgr",
    "add_motion_rows_grey",
    "add_motion_rows_yuv",
    "add_points_part",
    "area_mean_rows",
    "blend_heat_rows_yuv",
    "blur_tiles",
    "expand_luma",
    "sum_blocks",
    "sum_spans",
    "take_logarithms",
]
