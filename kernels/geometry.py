"""How the CUDA kernels are laid out: blocks, threads, shared memory. Pure functions of sizes and of the device.

All kernels use blocks of one dimension or two and a grid whose first dimension grows with the work, so that
no size of input reaches a limit of the grid (2^31 - 1 blocks along x, 65,535 along y).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Final

__all__ = [
    "BLUR_COLUMNS_TILE",
    "BLUR_ROWS_TILE",
    "BLUR_TAPS",
    "BLUR_THREADS",
    "HISTOGRAM_HOT",
    "MOTION_PAIRS",
    "MOTION_PIXELS",
    "MOTION_THREADS",
    "POINTS_AT_ONCE",
    "REGISTERS",
    "SHARED_STATIC",
    "Device",
    "Launch",
    "alignment",
    "blur_columns",
    "blur_rows",
    "histogram",
    "motion",
    "motion_blocks",
]

REGISTERS: Final = 65_536
"""32-bit registers of a multiprocessor, the same from compute capability 7.5 to 12.0."""
SHARED_STATIC: Final = 48 << 10
"""Bytes of shared memory a block may have without asking the device for more."""

MOTION_THREADS: Final = 256
MOTION_PIXELS: Final = 16
"""Pixels of a row that one thread of motion.cu compares; two such rows of a planar frame."""
MOTION_PAIRS: Final = 255
"""Pairs of one launch: their counts are kept in bytes, four to a register."""

POINTS_AT_ONCE: Final = 4
"""Points one thread of histogram.cu has under way, so that their loads overlap."""
HISTOGRAM_HOT: Final = 8
"""Lanes of a warp with points in the same bin from which on they are added up before they touch memory."""

BLUR_THREADS: Final = (32, 8)
BLUR_ROWS_TILE: Final = (128, 8)
"""Pixels (wide, high) that a block of blur_rows writes: 4 in a row for each thread."""
BLUR_COLUMNS_TILE: Final = (32, 64)
"""Pixels (wide, high) that a block of blur_columns writes: 8 in a column for each thread."""
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


def motion_blocks(pixel_format: str, alignment: int) -> int:
    """Blocks that must fit on a multiprocessor: the compiler keeps a thread's registers below what that allows."""
    blocks = {"gray8": 4, "bgr24": 3, "yuv420p": 2, "nv12": 2}[pixel_format]
    return blocks if alignment > 1 else 2  # single bytes take more registers to put together


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


def blur_rows(height: int, width: int) -> Launch:
    """One block for each tile of BLUR_ROWS_TILE, numbered along x alone."""
    return _tiles(height, width, BLUR_ROWS_TILE)


def blur_columns(height: int, width: int) -> Launch:
    """One block for each tile of BLUR_COLUMNS_TILE, numbered along x alone."""
    return _tiles(height, width, BLUR_COLUMNS_TILE)


def _tiles(height: int, width: int, tile: tuple[int, int]) -> Launch:
    return Launch((-(-width // tile[0]) * -(-height // tile[1]),), BLUR_THREADS)
