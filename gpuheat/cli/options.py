"""Options that several commands have, and what all of them do."""

from __future__ import annotations

import logging
import re
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "cluster_option",
    "common_options",
    "debug_option",
    "opacity",
    "page_option",
    "report",
    "seconds",
    "size",
    "start_log",
    "zones_option",
]

BEGAN: Final = "gpuheat.began"  # s since 1970, of the command
OF_SOME_OPTIONS: Final = (
    "report.html",
    "decayed.npy",
    "balanced.npy",
    "slices.npz",
    "slices.png",
    "zones.csv",
    "zones_activity.csv",
    "zones_recordings.csv",
    "events.csv",
    "events.png",
)
"""Results that not every run writes, so that those of an earlier one may lie beside new ones."""


def seconds(text: str) -> Fraction:
    """A time in s, exact: seconds, mm:ss or h:mm:ss, each with decimals, or a number of s, m or h."""
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text):
        return Fraction(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise click.BadParameter(f"{text!r} is not a time: give seconds, mm:ss, h:mm:ss, or a number of s, m or h")
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


cluster_option = click.option(
    "--cluster",
    metavar="local|tcp://HOST:PORT",
    help="Have the workers of a Dask cluster do it: one on this machine, or that of a scheduler.",
)


zones_option = click.option(
    "--zones", metavar="FILE", help="Named polygons in a JSON file, to be measured (zones.csv) or masks."
)

page_option = click.option(
    "--report/--no-report",
    "page",
    default=True,
    show_default=True,
    help="Write report.html, the page to look around in.",
)


def common_options(colormap: str, alpha: str, tone: str = "linear") -> Callable[[Any], Any]:
    """The options that motion, fixations and compare share, with their own defaults for the pictures."""
    options = (
        click.option("-o", "--output", required=True, metavar="DIR", help="Folder for the results."),
        click.option("--backend", default="auto", show_default=True, metavar="NAME", help="See 'gpuheat backends'."),
        click.option(
            "--colormap", default=colormap, show_default=True, metavar="NAME", help="Of OpenCV or matplotlib."
        ),
        click.option(
            "--tone",
            default=tone,
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


def start_log(*, quiet: bool) -> None:
    """Show what happens on standard error; with ``quiet`` only errors."""
    from gpuheat.terminal import log_to_stderr

    log_to_stderr(logging.ERROR if quiet else logging.INFO)
    click.get_current_context().meta[BEGAN] = time.time()


def report(headline: str, warnings: Sequence[str], folder: str, *, quiet: bool) -> None:
    """Say what came out, and where it is, and which files beside it are older than the command."""
    from gpuheat.terminal import printable

    old = _older(folder)
    told = [f"{', '.join(old)} in {folder} {'are' if len(old) > 1 else 'is'} of an earlier run"] if old else []
    for warning in (*warnings, *told):
        click.echo(printable(f"gpuheat: warning: {warning}"), err=True)
    if not quiet:
        click.echo(printable(f"{headline} -> {folder}"))


def _older(folder: str) -> list[str]:
    began = click.get_current_context().meta.get(BEGAN, 0.0)
    paths = (Path(folder) / name for name in OF_SOME_OPTIONS)
    return [path.name for path in paths if path.is_file() and path.stat().st_mtime < began]
