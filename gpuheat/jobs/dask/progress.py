"""How far the work of a cluster is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClusterProgress"]


@dataclass(frozen=True)
class ClusterProgress:
    """How far the work is.

    Attributes
    ----------
    done, of
        How many videos, or recordings, are done with, and how many there are.
    seconds
        How much video was counted, s.
    failed
        How many are left out so far, or are not whole.
    workers
        How many work now.
    """

    done: int
    of: int
    seconds: float
    failed: int
    workers: int
