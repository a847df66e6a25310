"""``gpuheat motion``."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from gpuheat.cli.memory import give_back_large_blocks
from gpuheat.cli.motion_more import More, more_options
from gpuheat.cli.options import (
    cluster_option,
    common_options,
    page_option,
    report,
    seconds,
    start_log,
    zones_option,
)
from gpuheat.errors import IncompleteError, OptionError, OutputError
from gpuheat.terminal import SignalError, signals_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpuheat.jobs.motion_run import MotionRun
    from gpuheat.jobs.motion_videos import MotionVideos
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["motion", "progress_of"]

CHECKPOINT: Final = "checkpoint.npz"
REFRESH: Final = 60.0

log = logging.getLogger("gpuheat")


@click.command()
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...")
@click.option("--threshold", type=int, default=25, show_default=True, help="Grey levels a moved pixel differs by.")
@click.option(
    "--pixels",
    type=click.Choice(["bgr", "luma"]),
    default="bgr",
    show_default=True,
    help="Compare colours, or only brightness (faster).",
)
@click.option("--half-life", type=float, metavar="S", help="Seconds after which motion weighs half as much.")
@click.option("--every", type=int, default=1, show_default=True, metavar="N", help="Compare frames N apart.")
@click.option("--keyframes", is_flag=True, help="Compare key frames only: a quick overview of a long video.")
@click.option("--start", type=seconds, metavar="T", help="Begin here: seconds, 10m, mm:ss or h:mm:ss.")
@click.option("--end", type=seconds, metavar="T", help="End before this time.")
@click.option("--duration", type=seconds, metavar="T", help="End after so much time, instead of --end.")
@click.option("--downscale", type=int, default=1, show_default=True, metavar="N", help="Compare means of N x N pixels.")
@click.option("--mask", metavar="IMAGE", help="Watch only the pixels where this picture is not black.")
@zones_option
@click.option(
    "--max-changed",
    type=float,
    default=1.0,
    show_default=True,
    metavar="S",
    help="Leave out frame pairs in which more than this share of the picture changed.",
)
@click.option(
    "--background",
    default="mean",
    show_default=True,
    metavar="first|mean|median|FILE",
    help="The picture under the overlay.",
)
@click.option("--blur", type=float, default=0.0, show_default=True, metavar="SIGMA", help="Blur the heat, px.")
@click.option("--slice", type=seconds, metavar="T", help="Make a map of every stretch of this length, too: 10m.")
@click.option("--slices", type=int, metavar="N", help="The same, in N stretches.")
@click.option(
    "--decode",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Where the video is decoded; gpu with the backend cupy.",
)
@click.option(
    "--jobs",
    type=int,
    metavar="N",
    help="Parts of the video decoded side by side.  [default: one for each processor, up to 8]",
)
@click.option(
    "--max-pixels",
    type=int,
    default=2**28,
    show_default=True,
    metavar="N",
    help="Refuse a video whose pictures have more pixels.",
)
@click.option(
    "--refresh",
    type=float,
    metavar="S",
    help="Write the results so far every S seconds.  [default: 60 for live video, else never]",
)
@click.option("--resume", is_flag=True, help="Go on where a run of the same command was interrupted.")
@cluster_option
@click.option(
    "--group-by",
    metavar="REGEX",
    help="With --cluster: a map for each group of files, named by what the parentheses of REGEX catch in their paths.",
)
@more_options
@page_option
@common_options("jet", "0.4")
def motion(
    videos: tuple[str, ...],
    output: str,
    colormap: str,
    tone: str,
    alpha: Any,
    quiet: bool,
    page: bool,
    resume: bool,
    refresh: float | None,
    cluster: str | None,
    group_by: str | None,
    **options: Any,
) -> None:
    """Where, and when, things moved in VIDEO.

    VIDEO is a file; several files of one camera, or a pattern in quotes ('day/*.mp4'), follow each other on one time
    line and give one map. Or it is live: an address (rtsp://..., http, rtmp, udp, tcp ...), a camera (/dev/video0) or -
    for standard input, counted until --duration is over or Ctrl-C, which is then a good end like any other.

    Writes report.html, the page to open first, heatmap.png, overlay.png, figure.png, background.jpg, counts.npy,
    activity.csv and summary.json, with --slice slices.png and slices.npz too; while it counts, every 30 s a checkpoint
    from which --resume goes on, on a cluster each part that is counted. --events and --video are made when these are
    written.
    """
    start_log(quiet=quiet)
    give_back_large_blocks()
    from gpuheat.inputs.address import ends_only_when_asked
    from gpuheat.inputs.patterns import files_named
    from gpuheat.jobs.identity import is_read_once
    from gpuheat.jobs.live import Refresh
    from gpuheat.jobs.motion_run import MotionRun
    from gpuheat.jobs.motion_videos import MotionVideos
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

    def write_so_far(heatmap: MotionHeatmap) -> None:
        try:
            heatmap.save(output, style, report=page)
        except (OptionError, OutputError) as error:  # the next time there may be room again
            log.error("the results so far cannot be written: %s", error)

    files = files_named(videos, remote=cluster is not None)
    several = len(files) > 1
    live = cluster is None and not several and ends_only_when_asked(files[0])
    if refresh is None and live:
        refresh = REFRESH
    between = None if refresh is None else Refresh(refresh, write_so_far)
    style = PictureStyle(colormap, tone, alpha)
    if cluster is not None:
        from gpuheat.cli.cluster import Wanted, motion_on_cluster

        if refresh is not None or options.pop("jobs") is not None:
            raise OptionError("--refresh and --jobs are for one machine: leave them out with --cluster")
        wanted = Wanted(cluster, output, style, page=page, resume=resume, quiet=quiet)
        motion_on_cluster(wanted, files, group_by, options)
        return
    if group_by is not None:
        raise OptionError("--group-by makes many maps at the same time, on a cluster: add --cluster local")
    with OutputFolder(output) as out:
        more = More(options, files, out)
        incomplete = None
        options |= {"times": None, "between": between}
        saves = not options["keyframes"] and not any(map(is_read_once, files))
        options |= {"checkpoint": out.path / CHECKPOINT if resume or saves else None, "resume": resume}
        try:
            with MotionVideos(files, **options) if several else MotionRun(files[0], **options) as run:
                _count(run, f"{len(files)} videos" if several else files[0], write_so_far, live=live, quiet=quiet)
                heatmap = run.result()
                checkpoint = run.checkpoint
            del run  # with its decoder and its sums, before pictures take memory
        except IncompleteError as error:
            heatmap, incomplete, checkpoint = error.heatmap, error, None
        if page:
            heatmap.write_report(out, style)
        heatmap.write(out, style)
    if checkpoint is not None:
        checkpoint.remove()
    more.write(output, heatmap, style, partial(progress_of, quiet=quiet))
    report(heatmap.headline, heatmap.facts["warnings"], output, quiet=quiet)
    if incomplete is not None:
        raise incomplete


def _count(
    run: MotionRun | MotionVideos, name: str, write: Callable[[MotionHeatmap], None], *, live: bool, quiet: bool
) -> None:
    """Count all frames, live ones until Ctrl-C or SIGTERM; when these come for others, keep what was counted.

    That is in a checkpoint; of several videos for which there is none, it is the heat map so far.
    """
    from gpuheat.inputs.address import without_secrets
    from gpuheat.jobs.motion_videos import MotionVideos

    try:
        with progress_of(without_secrets(name), quiet=quiet) as progress:
            run.count(progress)
    except SignalError as error:
        if live and run.counted_any:
            return
        more = ""
        if run.save():
            more = "; the same command with --resume goes on from what was counted"
        elif isinstance(run, MotionVideos) and run.counted_any:
            write(run.result("counting was interrupted"))
            more = "; what was counted is written"
        raise SignalError(error.number, more) from None


@contextmanager
def progress_of(name: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Shows progress where that is wanted, and raises SignalError when Ctrl-C or SIGTERM has come."""
    from gpuheat.terminal import progress_bar

    with signals_kept() as look, progress_bar(name, quiet=quiet) as progress:

        def report(done: int, expected: int | None) -> None:
            look()
            if progress is not None:
                progress(done, expected)

        yield report
