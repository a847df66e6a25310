"""The heat of a picture as 16-bit logarithms, which are renewed only where it was raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gpuheat.backends.cpu_loops import numba_cpu, processors, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gpuheat.motion.raised import Raised

__all__ = ["PIXELS_WORTH_A_THREAD", "LogHeat"]

PIXELS_WORTH_A_THREAD: Final = 1 << 20
"""An encoder is busy on the other processors."""

DROPPED: Final = 52 - numba_cpu.LOG_BITS
"""Bits of the fraction of a float64 that its logarithm lacks."""
RANGE: Final = 2**16 - 16 * 2**numba_cpu.LOG_BITS
"""The least may have a logarithm up to this: 16 powers of two are left for what is hotter."""


class LogHeat:
    """The logarithm of the heat of every pixel, for a picture that is drawn again and again.

    It is the upper bits of the value as float64, which grow as its logarithm to the base 2 does, in straight pieces
    from one power of two to the next: a value is known to 1 / 512 of itself. A quarter of the memory, and where the
    heat only fades there is nothing to be done: it is the scale that changes.

    Parameters
    ----------
    height, width
        Of the picture, px; at least a stretch wide.
    block
        So many by so many pixels have one value.

    Attributes
    ----------
    logs
        (height, width) uint16.
    highest
        (height, ceil(width / stretch)) uint16, the highest of each stretch of a row.
    """

    def __init__(self, height: int, width: int, block: int) -> None:
        self.block = block
        self.logs: NDArray[np.uint16] = np.zeros((height, width), np.uint16)
        self.highest: NDArray[np.uint16] = np.zeros((height, -(-width // numba_cpu.STRETCH)), np.uint16)
        self._base = 0
        self._raised: Raised | None = None
        self._since = 0

    def take(self, heat: NDArray[np.float64], least: float, raised: Raised | None) -> None:
        """Follow the heat.

        Parameters
        ----------
        heat
            (h, w) float64, 0 or more, a value for each block; behind its last row and column it goes on as that.
        least
            What is less need not be told from 0.
        raised
            Where it was raised, and when; elsewhere it is what it was in the call before, which gave the same. None:
            not known.
        """
        if raised is not None and (raised.stretch != numba_cpu.STRETCH or self.block > 1):
            raised = None
        known = raised is not None and raised is self._raised
        lowest = _upper_bits(least)
        if not 0 < lowest - self._base <= RANGE:
            self._base, known = lowest - 1, False
        numbers, since = np.empty((0, 0), np.uint64), 0
        if known and raised is not None:
            numbers, since = raised.numbers, self._since
        bits = np.ascontiguousarray(heat).view(np.uint64)

        def part(first: int, last: int) -> None:
            numba_cpu.take_logarithms(
                bits, self.block, self._base, numbers, since, first, last, self.logs, self.highest
            )

        height, width = self.logs.shape
        share(part, height, max(1, PIXELS_WORTH_A_THREAD // width), processors())
        self._raised = raised
        self._since = 0 if raised is None else raised.latest

    def log_of(self, value: float) -> int:
        """That of a value from the least on."""
        return _upper_bits(value) - self._base

    def values(self, logs: NDArray[np.int64]) -> NDArray[np.float64]:
        """What logarithms stand for: the middle of the values that have them."""
        upper = (logs + self._base).astype(np.uint64) << np.uint64(DROPPED)
        return (upper | np.uint64(1 << (DROPPED - 1))).view(np.float64)


def _upper_bits(value: float) -> int:
    return int(np.float64(value).view(np.uint64)) >> DROPPED
