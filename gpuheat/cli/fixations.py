"""``gpuheat fixations``."""

from __future__ import annotations

from typing import Any

import click

from gpuheat.cli.options import (
    cluster_option,
    common_options,
    page_option,
    report,
    size,
    start_log,
    zones_option,
)

__all__ = ["fixations"]


@click.command()
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
@zones_option
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
@cluster_option
@page_option
@common_options("turbo", "value")
def fixations(
    exports: tuple[str, ...],
    output: str,
    colormap: str,
    tone: str,
    alpha: Any,
    quiet: bool,
    page: bool,
    recordings: tuple[str, ...],
    cluster: str | None,
    **options: Any,
) -> None:
    """Where people looked, from the files or folders of eye-tracking exports, or the addresses of such.

    Writes report.html, the page to open first, heatmap.png, overlay.png, figure.png, background.jpg, histogram.npy and
    summary.json.
    """
    start_log(quiet=quiet)
    from gpuheat.inputs.patterns import files_named
    from gpuheat.jobs.fixation import fixation_heatmap
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

    files = files_named(exports, remote=True)
    style = PictureStyle(colormap, tone, alpha)
    options["recordings"] = recordings or None
    with OutputFolder(output) as out:
        if cluster is None:
            heatmap = fixation_heatmap(files, **options)
        else:
            from gpuheat.cli.cluster import fixations_on_cluster

            heatmap = fixations_on_cluster(cluster, files, options, quiet=quiet)
        if page:
            heatmap.write_report(out, style)
        heatmap.write(out, style)
    report(heatmap.headline, heatmap.facts["warnings"], output, quiet=quiet)
