"""``python -m benchmarks``: where do I stand, with this machine, this GPU, this backend of mine?"""

from __future__ import annotations

import math
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console

from benchmarks.case import SIZES
from benchmarks.compare import Earlier, compare
from benchmarks.gpu import suite as gpu
from benchmarks.kernels import suite as kernels
from benchmarks.machine import ROOT, around, slug
from benchmarks.noise import Watched
from benchmarks.plot import draw
from benchmarks.report import Report
from benchmarks.runner import Budget
from benchmarks.video import suite as video
from gpuheat.errors import GpuheatError

if TYPE_CHECKING:
    from benchmarks.case import Planned

__all__ = ["main"]

SUITES: Final = ("kernels", "video", "gpu")
FULL_RUNS, QUICK_RUNS = 15, 7
GPU_RUNS: Final = 30


@click.command()
@click.argument("suite", type=click.Choice([*SUITES, "all"]), default="all")
@click.option("--backend", "backends", metavar="NAME", multiple=True, help="Only these backends (repeatable).")
@click.option(
    "--size", "sizes", type=click.Choice([*SIZES]), multiple=True, help="Only frames of these sizes (repeatable)."
)
@click.option("--peers", is_flag=True, help="What other libraries offer, in the same run.")
@click.option("--quick", is_flag=True, help="Small and short, within a minute: does it work, not how fast is it.")
@click.option(
    "--json",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything here, and a page for people beside it (FILE.md).",
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw a picture of the rows (PNG).")
@click.option(
    "--compare",
    "old",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An earlier --json: what is slower than noise allows is marked, and the exit code is 1.",
)
@click.option(
    "--clip",
    "clips",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="video: a file of your own in place of the made ones (repeatable). OpenCV and FFmpeg turn only those of "
    "8 bits and even sides into the same BGR values; others are refused as wrong.",
)
@click.option("--only", metavar="TEXT", multiple=True, help="kernels, gpu: only cases with this in their name.")
@click.option("--runs", type=click.IntRange(min=1), help="Timed runs of each.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=7.5, help="gpu: at most so long.")
@click.option("--checks/--no-checks", default=True, help="gpu: parity tests and compute-sanitizer before the times.")
def main(
    suite: str,
    backends: tuple[str, ...],
    sizes: tuple[str, ...],
    peers: bool,
    quick: bool,
    output: Path | None,
    plot: Path | None,
    old: Path | None,
    clips: tuple[Path, ...],
    only: tuple[str, ...],
    runs: int | None,
    minutes: float,
    checks: bool,
) -> None:
    """Measure gpuheat: its operations (kernels), whole videos (video), a GPU (gpu), or all of them.

    Every result is checked before it is timed. The exit code is 1 where one is wrong, and where --compare finds
    something slower.
    """
    console = Console()
    if not console.is_terminal:
        console.width = 150  # a file or a pipe has no edge to fit into
    budget = Budget(math.inf)
    chosen = list(SUITES) if suite == "all" else [suite]
    absent = gpu.why_not() if "gpu" in chosen else None
    if absent is not None and suite == "gpu":
        raise click.ClickException(absent)
    machine = {
        **around(),
        "when": datetime.now().astimezone().isoformat(timespec="minutes"),
        "command": " ".join(sys.argv[1:]),
    }
    report = Report(machine, output)
    if suite == "gpu" and output is None:
        report.path = ROOT / "benchmarks/results" / f"gpu-{slug(str(machine['when']))}.json"
    earlier = None if old is None else Earlier.read(old)
    watched = Watched()

    def wanted(case: Planned) -> bool:
        return not only or any(text in case.name for text in only)

    try:
        if "kernels" in chosen:
            few = runs or (QUICK_RUNS if quick else FULL_RUNS)
            kernels.measure(console, report, backends, sizes, wanted, peers=peers, quick=quick, runs=few, budget=budget)
        if "video" in chosen:
            video.measure(console, report, backends, sizes, peers=peers, quick=quick, runs=runs, clips=clips)
        if "gpu" in chosen and absent is not None:
            report.notes.append(f"gpu: not run: {absent}")
        elif "gpu" in chosen:
            gpu.measure(
                console,
                report,
                backends,
                wanted,
                quick=quick,
                checks=checks,
                runs=runs or (QUICK_RUNS if quick else GPU_RUNS),
                budget=Budget(60 * minutes),
            )
    except GpuheatError as error:
        raise click.ClickException(str(error)) from error
    report.noise = watched.reasons(report.rows, report.copies)
    report.seconds = budget.spent
    report.write()
    _say(console, report)
    if plot is not None:
        draw(report.rows, machine, plot)
        console.print(f"{plot} is drawn", markup=False)
    comparison = None if earlier is None else compare(earlier, report)
    if comparison is not None:
        console.print(comparison)
    raise SystemExit(1 if report.failures or (comparison is not None and comparison.slower) else 0)


def _say(console: Console, report: Report) -> None:
    """What there is to know beside the tables."""
    for note in report.notes:
        console.print(note, markup=False, highlight=False)
    missed = [
        f"{row.case}: {row.contender} is at {verdict.got:.3g} of {verdict.wanted}"
        for row in report.rows
        for verdict in row.targets
        if verdict.met is False
    ]
    if missed:
        console.print("\n  ".join(["Aims that are missed:", *missed]), markup=False, highlight=False)
    if report.noise:
        console.print(
            "Not to be believed without another run:", *report.noise, sep="\n  ", style="yellow", markup=False
        )
    for failure in report.failures:
        console.print(failure, style="red", markup=False)
    if report.path is not None:
        console.print(f"{report.path} and {report.path.with_suffix('.md').name} are written", markup=False)


if __name__ == "__main__":
    main()
