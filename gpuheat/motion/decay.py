"""Sums in which what is recent weighs more: exponential decay by time, with a half-life.

A pair of frames at time t (s) adds ``2 ** (t / half_life)`` to every pixel that moved; dividing the sums
by ``2 ** (T / half_life)`` gives their value as of time T. That is the same as multiplying the sums by
``2 ** -(dt / half_life)`` at every pair and adding 1, but old motion is never touched again, and nothing
depends on the order or the grouping of the pairs:

* A weight is a whole number times a power of two, with ``MANTISSA_BITS`` bits (its relative error is
  below 1e-6). Float64 sums of such numbers are exact until the newest weighs 2 ** 52 times as much as
  the last bit of the oldest, so merged parts equal one pass to the bit for about fifteen half-lives,
  and to 1e-15 of the value beyond.
* To stay within float64, the sums are counted in units of ``2 ** epoch``, and the epoch is moved on by
  exact multiplication with a power of two.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gpuheat.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["check_half_life", "epoch_of", "pair_weights", "rescaled", "value_at"]

MANTISSA_BITS: Final = 21


def check_half_life(half_life: float) -> None:
    """Raise OptionError unless a half-life is a finite number of at least a microsecond."""
    if not math.isfinite(half_life) or half_life < 1e-6:
        raise OptionError(f"half_life must be a finite number of seconds of at least 1e-6, got {half_life!r}")


def epoch_of(time: float, half_life: float) -> int:
    """The whole half-lives up to ``time``: sums counted in units of two to this power stay near 1."""
    return math.floor(time / half_life)


def pair_weights(times: Sequence[float], half_life: float, epoch: int) -> NDArray[np.float64]:
    """The (t,) weights of pairs at ``times`` (s), in units of ``2 ** epoch``."""
    exponents = np.asarray(times, np.float64) / half_life
    whole = np.floor(exponents)
    mantissa = np.rint(np.exp2(exponents - whole) * 2.0 ** (MANTISSA_BITS - 1))
    return np.asarray(np.ldexp(mantissa, (whole - epoch - (MANTISSA_BITS - 1)).astype(np.int64)))


def rescaled(sums: NDArray[np.float64], epoch: int, new_epoch: int) -> NDArray[np.float64]:
    """Sums in units of ``2 ** epoch`` expressed in units of ``2 ** new_epoch``; exact."""
    return np.asarray(np.ldexp(sums, epoch - new_epoch))


def value_at(sums: NDArray[np.float64], epoch: int, time: float, half_life: float) -> NDArray[np.float64]:
    """What the sums, in units of ``2 ** epoch``, are worth at ``time`` (s): a pair right then counts 1."""
    return sums * math.exp2(epoch - time / half_life)
