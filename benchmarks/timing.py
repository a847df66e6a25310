"""Timing several ways to do one thing so that they can be compared."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Timing", "in_turn"]


@dataclass(frozen=True)
class Timing:
    """Seconds of several runs of one contender."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, s."""
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        lower, _, upper = statistics.quantiles(self.runs, n=4)
        return (upper - lower) / 2 / self.median


def in_turn(contenders: Mapping[str, Callable[[], object]], runs: int) -> dict[str, Timing]:
    """Run the contenders in turn, ``runs`` times round.

    Taking turns lets a machine that grows slower or faster do so for all of them. Each run that is timed
    follows one that is not: by then the caches hold the contender's own data, and the threads of the one
    before it have gone to sleep.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, run in contenders.items():
            run()
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return {name: Timing(tuple(taken)) for name, taken in seconds.items()}
