"""Fixation heat maps on a cluster."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from gpuheat.errors import GpuheatError
from gpuheat.inputs.eyetracking import read_eyetracking
from gpuheat.inputs.remote import Place
from gpuheat.jobs.dask.cluster import Errand, Tasks, usual_options
from gpuheat.jobs.dask.messages import Wrong
from gpuheat.jobs.dask.progress import ClusterProgress
from gpuheat.jobs.fixation import counted_fixations, fixation_heatmap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributed import Client

    from gpuheat.fixation.heatmap import FixationHeatmap
    from gpuheat.inputs.eyetracking import EyeTracking

__all__ = ["fixations"]


def fixations(
    client: Client,
    exports: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    progress: Callable[[ClusterProgress], None] | None = None,
    **options: Any,
) -> FixationHeatmap:
    """:func:`gpuheat.fixation_heatmap` of files, each read by a worker of a cluster: the same map to the last bit.

    Reading takes nearly all the time; fixations that are in several files are told apart once all are read.

    Parameters
    ----------
    client
        Of any cluster of Dask whose workers have gpuheat.
    exports
        Files or folders, where all workers find them, or at addresses that fsspec reads (``s3://``, ``gs://``,
        ``https://`` ...).
    progress
        Called now and then; it may raise an exception to end the reading.
    options
        Those of :func:`gpuheat.fixation_heatmap`.

    Raises
    ------
    ExportError, InputError, OptionError, BackendUnavailableError
        As of :func:`gpuheat.fixation_heatmap`.
    """
    tasks_of = Tasks(client)

    def read(sources: Sequence[object], how: dict[str, Any]) -> list[EyeTracking]:
        files = [source.resolve() if isinstance(source, Place) else source for source in sources]
        errands = [Errand(tasks_of, f"{source}", _read, file, how) for source, file in zip(sources, files, strict=True)]
        found = tasks_of.results(errands, lambda done: _tell(done, len(errands)))
        for each in found:
            if isinstance(each, Wrong):
                raise each.error
        return found

    def _tell(done: int, of: int) -> None:
        if progress is not None:
            progress(ClusterProgress(done, of, 0.0, 0, tasks_of.workers))

    return counted_fixations(exports, read, **usual_options(fixation_heatmap, options))


def _read(file: object, how: dict[str, Any]) -> EyeTracking | Wrong:
    try:
        return read_eyetracking(file, **how)
    except GpuheatError as error:
        return Wrong(error)
