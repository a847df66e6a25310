"""The three operations as fused loops for the CPU, compiled by Numba.

Every function works on a part of its output (some rows, some of the points) and releases the GIL, so
that the caller decides how many threads share the work. They check nothing: sizes, dtypes and
contiguity are the caller's promise.
"""

from gpuheat.kernels.cpu_frames import (
    FRAMES_AT_ONCE,
    add_grey_rows,
    add_motion_rows_bgr,
    add_motion_rows_grey,
    add_motion_rows_yuv,
    add_picture_rows_yuv,
    expand_luma,
)
from gpuheat.kernels.cpu_points import add_points_part
from gpuheat.kernels.cpu_smoothing import TILE, area_mean_rows, blur_tiles

__all__ = [
    "FRAMES_AT_ONCE",
    "TILE",
    "add_grey_rows",
    "add_motion_rows_bgr",
    "add_motion_rows_grey",
    "add_motion_rows_yuv",
    "add_picture_rows_yuv",
    "add_points_part",
    "area_mean_rows",
    "blur_tiles",
    "expand_luma",
]
