"""The command line: parse, call, write."""

from __future__ import annotations

import logging
import re
import signal
import sys
import traceback
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gpuheat.errors import BackendUnavailableError, GpuheatError, IncompleteError, InputError, OptionError, OutputError
from gpuheat.terminal import SignalError, signals_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gpuheat.jobs.motion_run import MotionRun
    from gpuheat.jobs.motion_videos import MotionVideos
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["main"]

FAILED, WRONG_USE, INCOMPLETE, INTERRUPTED = 1, 2, 3, 130
CHECKPOINT = "checkpoint.npz"
REFRESH = 60.0

log = logging.getLogger("gpuheat")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; every error is one line on standard error.

    Exit code 0, 2 for wrong input or options, 3 where only a part of the input could be read, 130 after Ctrl-C, 143
    after SIGTERM, 1 for anything else. Live video that these end is 0: nothing else ends it.
    """
    given = sys.argv[1:] if arguments is None else [*arguments]
    state = {"debug": False, "arguments": given}
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli.main(args=given or ["--help"], prog_name="gpuheat", standalone_mode=False, obj=state)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        _fail(error.format_message(), WRONG_USE, state)
    except IncompleteError as error:
        _fail(str(error), INCOMPLETE, state)
    except (InputError, OptionError, BackendUnavailableError) as error:
        _fail(str(error), WRONG_USE, state)
    except SignalError as error:
        _fail(str(error), error.exit_code, state)
    except click.Abort:
        _fail("interrupted", INTERRUPTED, state)
    except GpuheatError as error:
        _fail(str(error), FAILED, state)
    except Exception as error:  # noqa: BLE001  the last line of defence: no traceback unless asked for
        _fail(f"{type(error).__name__}: {error} (--debug shows where)", FAILED, state)


def _terminate(number: int, _frame: object) -> NoReturn:
    """Leave through every ``with`` block, so that nothing half-written stays behind."""
    sys.exit(128 + number)


def _fail(message: str, code: int, state: dict[str, Any]) -> NoReturn:
    from gpuheat.inputs.address import hide_secrets

    if state["debug"]:
        click.echo(hide_secrets(traceback.format_exc(), state["arguments"]), err=True, nl=False)
    click.echo(f"gpuheat: error: {' '.join(hide_secrets(message, state['arguments']).split())}", err=True)
    sys.exit(code)


def seconds(text: str) -> Fraction:
    """A time in s, exact: seconds, mm:ss or h:mm:ss, each with decimals."""
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise click.BadParameter(f"{text!r} is not a time: give seconds, mm:ss or h:mm:ss")
    total = Fraction(0)
    for part in text.split(":"):
        total = 60 * total + Fraction(part)
    return total


def size(text: str) -> tuple[int, int]:
    """Width and height in px from WIDTHxHEIGHT."""
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a size: give it as WIDTHxHEIGHT, as in 1920x1080")
    return int(match[1]), int(match[2])


def opacity(text: str) -> float | str:
    """A number, or "value"."""
    try:
        return text if text == "value" else float(text)
    except ValueError:
        raise click.BadParameter(f'{text!r} is neither a number from 0 to 1 nor "value"') from None


def _debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.obj["debug"] = True


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_debug, help="Show the traceback of an error."
)


def common_options(colormap: str, alpha: str) -> Callable[[Any], Any]:
    """The options that motion and fixations share, with their own defaults for the pictures."""
    options = (
        click.option("-o", "--output", required=True, metavar="DIR", help="Folder for the results."),
        click.option("--backend", default="auto", show_default=True, metavar="NAME", help="See 'gpuheat backends'."),
        click.option(
            "--colormap", default=colormap, show_default=True, metavar="NAME", help="Of OpenCV or matplotlib."
        ),
        click.option(
            "--tone",
            default="linear",
            show_default=True,
            metavar="linear|sqrt|log|percentile:P",
            help="How values become colours; percentile:99 maps that value to 100 %.",
        ),
        click.option(
            "--alpha",
            type=opacity,
            metavar="0..1|value",
            default=alpha,
            show_default=True,
            help="Opacity of the heat; 'value': none where nothing was.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something is wrong."),
        debug_option,
    )

    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gpuheat", message="gpuheat %(version)s")
@debug_option
def cli() -> None:
    """Exact heat maps: where things moved in a video, and where people looked on a picture."""


@cli.command()
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
@click.option("--start", type=seconds, metavar="T", help="Begin here: seconds, mm:ss or h:mm:ss.")
@click.option("--end", type=seconds, metavar="T", help="End before this time.")
@click.option("--duration", type=seconds, metavar="T", help="End after so much time, instead of --end.")
@click.option("--downscale", type=int, default=1, show_default=True, metavar="N", help="Compare means of N x N pixels.")
@click.option("--mask", metavar="IMAGE", help="Watch only the pixels where this picture is not black.")
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
@common_options("jet", "0.4")
def motion(
    videos: tuple[str, ...],
    output: str,
    colormap: str,
    tone: str,
    alpha: Any,
    quiet: bool,
    resume: bool,
    refresh: float | None,
    **options: Any,
) -> None:
    """Where, and when, things moved in VIDEO.

    VIDEO is a file; several files of one camera, or a pattern in quotes ('day/*.mp4'), follow each other on one time
    line and give one map. Or it is live: an address (rtsp://..., http, rtmp, udp, tcp ...), a camera (/dev/video0) or -
    for standard input, counted until --duration is over or Ctrl-C, which is then a good end like any other.

    Writes heatmap.png, overlay.png, figure.png, counts.npy, activity.csv and summary.json; while it counts, every 30 s
    a checkpoint from which --resume goes on.
    """
    _quiet(quiet)
    from gpuheat.inputs.address import ends_only_when_asked
    from gpuheat.jobs.identity import is_read_once
    from gpuheat.jobs.live import Refresh
    from gpuheat.jobs.motion_run import MotionRun
    from gpuheat.jobs.motion_videos import MotionVideos, files_named
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

    def write_so_far(heatmap: MotionHeatmap) -> None:
        try:
            heatmap.save(output, style)
        except (OptionError, OutputError) as error:  # the next time there may be room again
            log.error("the results so far cannot be written: %s", error)

    files = files_named(videos)
    several = len(files) > 1
    live = not several and ends_only_when_asked(files[0])
    if refresh is None and live:
        refresh = REFRESH
    between = None if refresh is None else Refresh(refresh, write_so_far)
    style = PictureStyle(colormap, tone, alpha)
    with OutputFolder(output) as out:
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
        heatmap.write(out, style)
    if checkpoint is not None:
        checkpoint.remove()
    _report(heatmap.headline, heatmap.facts["warnings"], output, quiet=quiet)
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
        with _progress(without_secrets(name), quiet=quiet) as progress:
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
def _progress(name: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Shows progress where that is wanted, and raises SignalError when Ctrl-C or SIGTERM has come."""
    from gpuheat.terminal import progress_bar

    with signals_kept() as look, progress_bar(name, quiet=quiet) as progress:

        def report(done: int, expected: int | None) -> None:
            look()
            if progress is not None:
                progress(done, expected)

        yield report


@cli.command()
@click.argument("exports", nargs=-1, required=True, metavar="EXPORT...")
@click.option("--reference", metavar="IMAGE", help="The reference image; else the one beside the export.")
@click.option("--size", type=size, metavar="WxH", help="Size of the reference image, px, where there is none.")
@click.option(
    "--weight",
    type=click.Choice(["duration", "count"]),
    help="Whether long fixations weigh more.  [default: duration, for gaze count]",
)
@click.option("--use", type=click.Choice(["fixations", "gaze"]), default="fixations", show_default=True)
@click.option(
    "--scale", type=float, default=3.0, show_default=True, help="Blur: sigma in hundredths of the wider side."
)
@click.option("--bins", type=int, default=300, show_default=True, help="Bins along the wider side.")
@click.option("--recording", "recordings", multiple=True, metavar="ID", help="Use only this one; may be repeated.")
@click.option("--equal-recordings", is_flag=True, help="Every recording weighs the same.")
@click.option("--x", metavar="COL", help="Column of x, for a table that is no known export.")
@click.option("--y", metavar="COL", help="Column of y.")
@click.option("--duration", metavar="COL", help="Column of the duration: ms, or as its name says [s], [us], [ns].")
@click.option("--normalized", is_flag=True, help="x and y are shares of width and height from the upper left.")
@click.option(
    "--min-confidence",
    type=float,
    default=0.6,
    show_default=True,
    help="Leave out Pupil Player's gaze below this confidence.",
)
@click.option("--unfixated-gaze", is_flag=True, help="Take gaze samples that belong to no fixation, too.")
@common_options("turbo", "value")
def fixations(
    exports: tuple[str, ...],
    output: str,
    colormap: str,
    tone: str,
    alpha: Any,
    quiet: bool,
    recordings: tuple[str, ...],
    **options: Any,
) -> None:
    """Where people looked, from the files or folders of eye-tracking exports.

    Writes heatmap.png, overlay.png, figure.png, histogram.npy and summary.json.
    """
    _quiet(quiet)
    from gpuheat.jobs.fixation import fixation_heatmap
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

    style = PictureStyle(colormap, tone, alpha)
    with OutputFolder(output) as out:
        heatmap = fixation_heatmap(exports, recordings=recordings or None, **options)
        heatmap.write(out, style)
    _report(heatmap.headline, heatmap.facts["warnings"], output, quiet=quiet)


@cli.command()
@debug_option
def backends() -> None:
    """What can run here, and what cannot and why."""
    from gpuheat.backends import available_backends, get_backend
    from gpuheat.terminal import show_backends, show_gpus

    statuses = available_backends()
    try:
        default = get_backend()
    except GpuheatError:
        show_backends(statuses, None)
        show_gpus()
        raise
    show_backends(statuses, default)
    show_gpus()


@cli.command()
@click.option(
    "-o", "--output", default="gpuheat-demo", show_default=True, metavar="DIR", help="Folder for the results."
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something is wrong.")
@debug_option
def demo(output: str, quiet: bool) -> None:
    """Make a clip and an eye-tracking export, and a heat map of each."""
    _quiet(quiet)
    from gpuheat.jobs.demo import run_demo

    for headline, folder in run_demo(output):
        _report(headline, [], folder, quiet=quiet)


def _quiet(quiet: bool) -> None:
    from gpuheat.terminal import log_to_stderr

    log_to_stderr(logging.ERROR if quiet else logging.INFO)


def _report(headline: str, warnings: Sequence[str], folder: str, *, quiet: bool) -> None:
    for warning in warnings:
        click.echo(f"gpuheat: warning: {warning}", err=True)
    if not quiet:
        click.echo(f"{headline} -> {folder}")
