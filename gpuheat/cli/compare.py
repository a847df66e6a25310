"""``gpuheat compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gpuheat.cli.options import common_options, report, start_log
from gpuheat.errors import OptionError

__all__ = ["compare"]


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@common_options("coolwarm", "value", "percentile:99")
def compare(a: str, b: str, output: str, backend: str, colormap: str, tone: str, alpha: Any, quiet: bool) -> None:
    """What changed from result A to result B.

    Before and after, or two groups: A and B are folders that 'gpuheat motion' wrote, or both folders that 'gpuheat
    fixations' wrote, with the same settings. Motion is compared as the share of the frames in which a pixel moved,
    fixations as each bin's share of the whole, so that lengths may differ.

    Writes difference.png, figure.png, side_by_side.png, difference.npy and summary.json.
    """
    start_log(quiet=quiet)
    from gpuheat.jobs.compare import compare as compare_results
    from gpuheat.outputs.files import OutputFolder
    from gpuheat.outputs.style import PictureStyle

    if Path(output).resolve() in {Path(folder).resolve() for folder in (a, b)}:
        raise OptionError(
            f"{output} holds one of the results, whose files would be replaced: name another folder with -o"
        )
    style = PictureStyle(colormap, tone, alpha)
    with OutputFolder(output) as out:
        comparison = compare_results(a, b, backend=backend)
        comparison.write(out, style)
    report(comparison.headline, comparison.warnings, output, quiet=quiet)
