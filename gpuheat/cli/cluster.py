"""``--cluster``: the same commands on a cluster of Dask."""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gpuheat.cli.motion_more import More
from gpuheat.cli.options import report
from gpuheat.errors import IncompleteError, OptionError
from gpuheat.terminal import SignalError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from distributed import Client

    from gpuheat.fixation.heatmap import FixationHeatmap
    from gpuheat.jobs.dask import ClusterProgress
    from gpuheat.motion.heatmap import MotionHeatmap
    from gpuheat.outputs.style import PictureStyle

__all__ = ["Wanted", "fixations_on_cluster", "motion_on_cluster"]

log = logging.getLogger("gpuheat")
GOES_ON: Final = "; the same command with --resume goes on from the parts that are counted"


@dataclass(frozen=True)
class Wanted:
    """Where the cluster is, where the results go, and how."""

    cluster: str
    output: str
    style: PictureStyle
    page: bool
    resume: bool
    quiet: bool


def motion_on_cluster(wanted: Wanted, files: Sequence[str], group_by: str | None, options: dict[str, Any]) -> None:
    """Count videos and write the map of all, or with ``group_by`` one of each group and a manifest."""
    from gpuheat.outputs.files import OutputFolder

    with OutputFolder(wanted.output) as out:
        more = More(options, files, out)
        if group_by is not None and more.is_wanted:
            raise OptionError("--events and --video are made of one map, --group-by makes many: leave them out")
        if group_by is not None:
            from gpuheat.jobs.groups import grouped

            groups = grouped(files, group_by)
    if group_by is not None:
        _count_groups(wanted, groups, options)
    else:
        _count_all(wanted, files, options, more)


def fixations_on_cluster(
    cluster: str, exports: Sequence[str], options: dict[str, Any], *, quiet: bool
) -> FixationHeatmap:
    """The fixation heat map of exports that the workers read."""
    from gpuheat.jobs.dask.recordings import fixations

    with _cluster(cluster, options["backend"], "files", quiet=quiet) as work:
        return fixations(work.client, exports, progress=work.progress, **options)


def _count_all(wanted: Wanted, files: Sequence[str], options: dict[str, Any], more: More) -> None:
    from gpuheat.cli.motion import progress_of
    from gpuheat.jobs.dask.parts_folder import PARTS, PartsFolder
    from gpuheat.jobs.dask.videos import motion

    source = [*files] if len(files) > 1 else files[0]
    incomplete = None
    with PartsFolder(Path(wanted.output) / PARTS, resume=wanted.resume) as parts:
        with _counting(wanted, options) as work:
            try:
                heatmap = motion(work.client, source, checkpoint=parts.path, progress=work.progress, **options)
            except IncompleteError as error:
                heatmap, incomplete = error.heatmap, error
        _write(wanted, wanted.output, heatmap)
        parts.remove()
    more.write(wanted.output, heatmap, wanted.style, lambda name: progress_of(name, quiet=wanted.quiet))
    report(heatmap.headline, heatmap.facts["warnings"], wanted.output, quiet=wanted.quiet)
    if incomplete is not None:
        raise incomplete


def _count_groups(wanted: Wanted, groups: Mapping[str, Sequence[str]], options: dict[str, Any]) -> None:
    from gpuheat.jobs.dask.batch import motion_batch
    from gpuheat.jobs.dask.map_folders import MapFolders

    with (
        MapFolders(Path(wanted.output), groups, options, resume=wanted.resume) as folders,
        _counting(wanted, options) as work,
        closing(
            motion_batch(work.client, folders.left, begin=folders.begin, progress=work.progress, **options)
        ) as maps,
    ):
        for name, came in maps:
            heatmap = folders.take(name, came, partial(_write, wanted))
            with work.aside():
                if heatmap is None:
                    click.echo(printable(f"gpuheat: warning: left out: {name}: {came}"), err=True)
                else:
                    report(heatmap.headline, heatmap.facts["warnings"], str(folders.folder(name)), quiet=wanted.quiet)
    folders.check_that_all_are_whole()


def _write(wanted: Wanted, folder: str, heatmap: MotionHeatmap) -> None:
    heatmap.save(folder, wanted.style, report=wanted.page)


@dataclass(frozen=True)
class _Work:
    """A cluster; what is told how far it is, and raises SignalError when Ctrl-C or SIGTERM came; a place for words."""

    client: Client
    progress: Callable[[ClusterProgress], None]
    aside: Callable[[], AbstractContextManager[None]]


def _counting(wanted: Wanted, options: Mapping[str, Any]) -> AbstractContextManager[_Work]:
    """A cluster for videos."""
    return _cluster(wanted.cluster, options["backend"], "videos", quiet=wanted.quiet, ending=GOES_ON)


@contextmanager
def _cluster(address: str, backend: str, what: str, *, quiet: bool, ending: str = "") -> Iterator[_Work]:
    """A cluster for so many of ``what``; ``ending``: what is to be said when a signal ends it."""
    from gpuheat.jobs.dask.cluster import connected
    from gpuheat.terminal import cluster_bar, signals_kept

    with connected(address, backend) as client:
        if not quiet:
            click.echo(f"gpuheat: the cluster's dashboard: {client.dashboard_link}", err=True)
        with signals_kept() as look, cluster_bar(what, quiet=quiet) as bar:

            def progress(state: ClusterProgress) -> None:
                look()
                bar.show(state)

            try:
                yield _Work(client, progress, bar.aside)
            except SignalError as error:
                raise SignalError(error.number, ending) from None
