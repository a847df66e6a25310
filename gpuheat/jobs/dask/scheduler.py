"""A scheduler whose memory does not grow with the tasks it ever had: ``dask scheduler --preload`` this module."""

from __future__ import annotations

from typing import Any

from distributed.spans import SpansSchedulerExtension

__all__ = ["dask_setup"]


class SpansWithoutCollections(SpansSchedulerExtension):
    """Dask's record of what tasks belong together, without a note of each call that gave some out.

    Dask keeps these for as long as the scheduler lives, 0.3 kB for each task. They say what kinds of collections were
    computed, which of tasks that are given out one by one is nothing.
    """

    def observe_tasks(self, tss: Any, code: Any, span_metadata: Any) -> Any:
        """As in Dask."""
        return super().observe_tasks(tss, code=code, span_metadata={**span_metadata, "collections": []})


def dask_setup(scheduler: Any) -> None:
    """Called by Dask before the scheduler has any task."""
    scheduler.extensions["spans"] = SpansWithoutCollections(scheduler)
