"""How the CUDA kernels are laid out: blocks, threads, shared memory. Pure functions of sizes and of the device.

All grids have one dimension, so that no size of input reaches a limit (2^31 - 1 blocks along x, 65,535 along y).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Final

__all__ = [
    "BLUR_ACROSS",
    "BLUR_BOTH_TILE",
    "BLUR_COLUMNS_TILE",
    "BLUR_DOWN",
    "BLUR_ROWS_TILE",
    "BLUR_TAPS",
    "BLUR_THREADS",
    "HISTOGRAM_HOT",
    "MOTION_PAIRS",
    "MOTION_PIXELS",
    "MOTION_THREADS",
    "NUMBA_BLUR_ROWS",
    "NUMBA_BLUR_TAPS",
    "NUMBA_HISTOGRAM_THREADS",
    "NUMBA_PAIRS",
    "NUMBA_THREADS",
    "PICTURE_SUMS_THREADS",
    "POINTS_AT_ONCE",
    "REGISTERS",
    "SHARED_STATIC",
    "Device",
    "Launch",
    "alignment",
    "blur_both",
    "blur_columns",
    "blur_rows",
    "histogram",
    "motion",
    "motion_ahead",
    "motion_blocks",
    "numba_blur",
    "numba_copy",
    "numba_histogram",
    "numba_motion",
    "picture_sums",
]

REGISTERS: Final = 65_536
"""32-bit registers of a multiprocessor, the same from compute capability 7.5 to 12.0."""
SHARED_STATIC: Final = 48 << 10
"""Bytes of shared memory a block may have without asking the device for more."""

MOTION_THREADS: Final = 256
MOTION_PIXELS: Final = 16
"""Pixels of a row that one thread of a motion kernel compares; two such rows of a planar frame."""
MOTION_PAIRS: Final = 255
"""Pairs of one launch: their counts are kept in bytes, four to a register."""

PICTURE_SUMS_THREADS: Final = 256

POINTS_AT_ONCE: Final = 4
"""Points one thread of histogram.cu has under way, so that their loads overlap."""
HISTOGRAM_HOT: Final = 8
"""Lanes of a warp with points in the same bin from which on they are added up before they touch memory."""

BLUR_THREADS: Final = (32, 8)
BLUR_ACROSS: Final = 4
"""Pixels of a row that a thread of blur.cu has under way."""
BLUR_DOWN: Final = 8
"""Pixels of a column that it has under way."""
BLUR_ROWS_TILE: Final = (BLUR_THREADS[0] * BLUR_ACROSS, BLUR_THREADS[1])
"""Pixels (wide, high) that a block of blur_rows writes."""
BLUR_COLUMNS_TILE: Final = (BLUR_THREADS[0], BLUR_THREADS[1] * BLUR_DOWN)
"""Pixels (wide, high) that a block of blur_columns writes."""
BLUR_BOTH_TILE: Final = (128, 64)
"""Pixels (wide, high) that a block of blur_both writes."""
BLUR_TAPS: Final = 64
"""Weights under way at once; longer kernels are worked off in pieces, so that any radius fits."""


@dataclass(frozen=True)
class Device:
    """What the rules need to know of a device.

    ``shared_block`` and ``shared_multiprocessor`` are bytes of shared memory: the most a block may ask for, and
    what a multiprocessor has for all of its blocks.
    """

    multiprocessors: int
    shared_block: int
    shared_multiprocessor: int


@dataclass(frozen=True)
class Launch:
    """Blocks of a grid, threads of a block, and bytes of dynamic shared memory of a block."""

    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared: int = 0


def alignment(*numbers: int) -> int:
    """The widest load, 16, 4 or 1 bytes, at which all of these addresses and distances can be reached."""
    common = reduce(gcd, numbers, 16)
    return 16 if common == 16 else 4 if common % 4 == 0 else 1


def motion(rows: int, width: int) -> Launch:
    """One thread for every MOTION_PIXELS px of every row; a planar frame's rows count in twos."""
    groups = rows * -(-width // MOTION_PIXELS)
    return Launch((-(-groups // MOTION_THREADS),), (MOTION_THREADS,))


def picture_sums(size: int) -> Launch:
    """One thread for each of the ``size`` bytes of a plane."""
    return Launch((-(-size // PICTURE_SUMS_THREADS),), (PICTURE_SUMS_THREADS,))


def motion_blocks(pixel_format: str, alignment: int) -> int:
    """Blocks that must fit on a multiprocessor: the compiler keeps a thread's registers below what that allows."""
    blocks = {"gray8": 4, "bgr24": 3, "yuv420p": 2, "nv12": 2}[pixel_format]
    return blocks if alignment > 1 else 2  # single bytes take more registers to put together


def motion_ahead(pixel_format: str, alignment: int) -> int:
    """Frames whose pixels a thread has under way at a time.

    What a multiprocessor has under way must cover the time memory takes: some 23 KB on an H200, if 132 of them share
    4.3 TB/s and a load takes 0.7 us (assumed, not measured). A thread loads 16 bytes of a grey frame, 48 of others.
    """
    return 3 if pixel_format == "gray8" and alignment > 1 else 1


def histogram(points: int, bins: int, device: Device) -> Launch:
    """Private uint32 bins in the shared memory of every block where that pays, ``shared=0`` where it does not.

    Private bins have to be cleared and added to the histogram, which costs about as much as that many
    points: a block must have at least as many points as bins, or the points are added to the histogram in
    global memory at once. So they are where the bins do not fit into a block's shared memory.
    """
    shared = 4 * bins
    worth = points // bins
    if shared > device.shared_block or worth == 0:
        threads = 256
        blocks = min(8 * device.multiprocessors, -(-points // (threads * POINTS_AT_ONCE)))
        return Launch((max(1, blocks),), (threads,))
    resident = min(2, device.shared_multiprocessor // (shared + 1024))  # the driver keeps 1 KB of each block
    return Launch((min(max(1, resident) * device.multiprocessors, worth),), (1024,), shared)


def blur_both(height: int, width: int, radius: int, device: Device) -> Launch | None:
    """One block for each tile of BLUR_BOTH_TILE; None where two passes are better, or all that can be done.

    A block keeps its tile and ``radius`` rows on either side in shared memory after the first pass. That has to fit
    twice into a multiprocessor, so that one block computes while another one loads.
    """
    wide, high = BLUR_BOTH_TILE
    shared = 4 * wide * (high + 2 * radius)
    static = 4 * (BLUR_THREADS[1] * (wide + BLUR_TAPS + BLUR_ACROSS) + BLUR_TAPS)
    whole = shared + static
    if 2 * radius + 1 > BLUR_TAPS or whole > device.shared_block or 2 * (whole + 1024) > device.shared_multiprocessor:
        return None
    return Launch(_tiles(height, width, BLUR_BOTH_TILE).grid, BLUR_THREADS, shared)


def blur_rows(height: int, width: int) -> Launch:
    """One block for each tile of BLUR_ROWS_TILE, numbered along x alone."""
    return _tiles(height, width, BLUR_ROWS_TILE)


def blur_columns(height: int, width: int) -> Launch:
    """One block for each tile of BLUR_COLUMNS_TILE, numbered along x alone."""
    return _tiles(height, width, BLUR_COLUMNS_TILE)


def _tiles(height: int, width: int, tile: tuple[int, int]) -> Launch:
    return Launch((-(-width // tile[0]) * -(-height // tile[1]),), BLUR_THREADS)


# ---- the kernels of numba_cuda.py ------------------------------------------------------------------------------------
# The threads of a block are an argument: Numba's simulator starts a thread of the host for each.

NUMBA_THREADS: Final = 128
NUMBA_PAIRS: Final = 128
"""Pairs of one launch: a block counts in a byte for each pair and thread, 16 KB of shared memory at most."""
NUMBA_HISTOGRAM_THREADS: Final = 1024
"""The most threads of a block that counts points."""
NUMBA_BLUR_ROWS: Final = 4
"""Pixels under each other that one thread of blur sums up."""
NUMBA_BLUR_TAPS: Final = 64
"""Weights under way at once."""


def numba_motion(rows: int, width: int, pairs: int, threads: int = NUMBA_THREADS) -> Launch:
    """A thread for every MOTION_PIXELS px of every row; a planar frame's rows count in twos.

    Worked example: 1080 rows of 1918 grey px are 1080 * 120 groups, 128 threads a block: 1013 blocks, and 16 pairs take
    16 * 128 bytes of shared memory.
    """
    groups = rows * -(-width // MOTION_PIXELS)
    return Launch((-(-groups // threads),), (threads,), pairs * threads)


def numba_histogram(points: int, bins: int, device: Device, threads: int = NUMBA_HISTOGRAM_THREADS) -> Launch:
    """As histogram, with at most so many threads in a block."""
    launch = histogram(points, bins, device)
    return Launch(launch.grid, (min(threads, launch.block[0]),), launch.shared)


def numba_blur(height: int, width: int, threads: int = 2 * NUMBA_THREADS) -> Launch:
    """One block for each tile, as wide as it has threads across and NUMBA_BLUR_ROWS times as high as it has down."""
    across = min(32, max(1, threads // 4))
    down = threads // across
    tiles = -(-width // across) * -(-height // (NUMBA_BLUR_ROWS * down))
    high = NUMBA_BLUR_ROWS * down
    tile = max((across + NUMBA_BLUR_TAPS) * high, across * (high + NUMBA_BLUR_TAPS))
    shared = 4 * (NUMBA_BLUR_TAPS + tile)
    return Launch((tiles,), (across, down), shared)


def numba_copy(elements: int, threads: int = NUMBA_THREADS) -> Launch:
    """A thread for every element."""
    return Launch((-(-elements // threads),), (threads,))
