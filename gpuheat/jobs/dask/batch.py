"""Many maps on one cluster, some at a time."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import fields
from os import PathLike
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from gpuheat.errors import GpuheatError
from gpuheat.jobs.dask.cluster import LOOK, Tasks
from gpuheat.jobs.dask.progress import ClusterProgress
from gpuheat.jobs.dask.videos import motion

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from distributed import Client

    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["motion_batch"]

MOST: Final = 16
"""Maps under way at the same time: each takes the memory of one here, and keeps the whole cluster busy by itself."""


class EndedError(Exception):
    """Whoever asked for the maps wants no more of them."""


def motion_batch(
    client: Client,
    groups: Mapping[str, Sequence[str]],
    *,
    begin: Callable[[str], str | PathLike[str]],
    progress: Callable[[ClusterProgress], None] | None = None,
    **options: Any,
) -> Generator[tuple[str, MotionHeatmap | GpuheatError], None, None]:
    """The map of each group of videos as soon as it is there, or why there is none, or not of all of its videos.

    Parameters
    ----------
    groups
        The videos of each map, by its name.
    begin
        Called with the name of a group when its videos are to be counted; gives the folder in which parts are kept.
    progress
        As of :func:`gpuheat.jobs.dask.motion`, of all groups together; called here.
    options
        The others of that function.
    """
    threads = min(MOST, max(2, Tasks(client).threads))
    ended = Event()
    states: dict[str, ClusterProgress] = {}
    done = ClusterProgress(0, 0, 0.0, 0, 0)

    def count(name: str, checkpoint: str | PathLike[str]) -> MotionHeatmap:
        def look(state: ClusterProgress) -> None:
            states[name] = state
            if ended.is_set():
                raise EndedError

        return motion(client, [*groups[name]], checkpoint=checkpoint, progress=look, **options)

    def all_together() -> ClusterProgress:
        under_way = [states[name] for name in names.values() if name in states]
        sums = {
            each.name: sum((getattr(state, each.name) for state in under_way), start=getattr(done, each.name))
            for each in fields(ClusterProgress)
        }
        sums["of"] = sum(map(len, groups.values()))
        sums["workers"] = Tasks(client).workers
        return ClusterProgress(**sums)

    waiting = list(groups)
    names: dict[Future[MotionHeatmap], str] = {}
    with ThreadPoolExecutor(threads, "gpuheat-map") as pool:
        try:
            while waiting or names:
                while waiting and len(names) < threads:
                    name = waiting.pop(0)
                    names[pool.submit(count, name, begin(name))] = name
                if progress is not None:
                    progress(all_together())
                for future in wait(names, LOOK, FIRST_COMPLETED).done:
                    name = names.pop(future)
                    state = states.pop(name, ClusterProgress(0, len(groups[name]), 0.0, 0, 0))
                    done = ClusterProgress(
                        done.done + len(groups[name]), 0, done.seconds + state.seconds, done.failed + state.failed, 0
                    )
                    error = future.exception()
                    if error is not None and not isinstance(error, GpuheatError):
                        raise error
                    yield name, error or future.result()
        finally:
            ended.set()
