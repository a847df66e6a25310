"""Seconds that runs took, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyperf

__all__ = ["Timing"]


@dataclass(frozen=True)
class Timing:
    """Seconds of several runs of one contender."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, s."""
        return float(self._statistics.median())

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        between = self._statistics.percentile(75) - self._statistics.percentile(25)
        return float(between) / 2 / self.median

    @cached_property
    def _statistics(self) -> pyperf.Benchmark:
        run = pyperf.Run(self.runs, metadata={"name": "runs"}, collect_metadata=False)
        return pyperf.Benchmark([run])
