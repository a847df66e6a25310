"""Whether a contender computed what it should have, before it is timed."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["WrongResultError", "check", "difference"]


class WrongResultError(Exception):
    """A contender computed something else than the reference."""


def difference(got: Any, expected: Any) -> float:
    """The largest difference of two host arrays; NaN where one of them holds NaN, infinite where shapes differ."""
    if got.shape != expected.shape:
        return float("inf")
    return float(np.abs(got.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0))


def check(case: str, contender: str, off: float, allowed: float = 0.0) -> None:
    """Raise WrongResultError unless the difference ``off`` is allowed."""
    if not off <= allowed:
        raise WrongResultError(f"{case}: {contender} is off by up to {off} (allowed: {allowed})")
