"""From a video file to the heat map, beside the plain recipe, decoding alone, and what others use."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from math import inf, isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from benchmarks.case import Case, Planned
from benchmarks.runner import Budget, run_case
from benchmarks.video.clips import Clip, describe, make, plans
from benchmarks.video.contenders import DECODING, PLAIN, Contender, contenders
from benchmarks.video.measure import InTurn, peak_memory
from benchmarks.video.peers import peers as other_ways
from gpuheat import get_backend

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from benchmarks.report import Report
    from benchmarks.results import Row
    from gpuheat import Backend

__all__ = ["measure"]

RUNS: Final = 7
HEADINGS: Final = ("frames/s", "spread", "CPU ms/frame", "of the recipe", "of decoding")


def measure(
    console: Console,
    report: Report,
    names: Sequence[str],
    sizes: Sequence[str],
    *,
    peers: bool,
    quick: bool,
    runs: int | None,
    clips: Sequence[Path],
) -> None:
    """Measure the way from a video file to its heat map.

    Makes clips of a street as a fixed camera sees it, in 1080p and in 4K, each as the encoder of a camera writes it and
    as x264 does by default, one at a time and in a folder that is removed at the end. All take turns on the same file.

    Parameters
    ----------
    console, report
        Where the tables are shown, and where the rows and what is known of the clips go.
    names
        The backends that count; none: the first that can run.
    sizes
        Names of SIZES, of the clips to make; none: the usual ones.
    peers
        Whether what others use is measured as well. The plain recipe and decoding alone always are.
    quick
        One small, short clip.
    runs
        Timed runs of each; None: as many as are usual.
    clips
        Videos to take instead of making some.
    """
    backends = list({backend.name: backend for backend in map(get_backend, names or ["auto"])}.values())
    with TemporaryDirectory(prefix="gpuheat-") as folder:
        for clip in _clips(console, clips, sizes, Path(folder), quick=quick):
            _measure(console, report, clip, backends, runs or RUNS, peers=peers)
            report.write()


def _clips(
    console: Console, files: Sequence[Path], sizes: Sequence[str], folder: Path, *, quick: bool
) -> Iterator[Clip]:
    """One after the other, so that there is no more than one made file at a time."""
    for path in files:
        yield Clip(path.name, path)
    for plan in () if files else plans(sizes, quick=quick):
        with console.status(f"making {plan.name}"):
            clip = make(plan, folder)
        yield clip
        clip.path.unlink()


def _measure(
    console: Console, report: Report, clip: Clip, backends: Sequence[Backend], runs: int, *, peers: bool
) -> None:
    every: list[Contender] = []

    def case(_: InTurn) -> Case:
        every.extend(contenders(clip.path, backends))
        if peers:
            every.extend(other_ways(clip.path, every[0].expected))
        ours = {each.name: each.work for each in every if each.ours}
        return Case(every[0].expected.frames, "frames", ours, {each.name: each.work for each in every if not each.ours})

    planned = Planned("video", f"video: {clip.name}, heat map", case, clock="host")
    machine = InTurn()
    with console.status(f"{escape(planned.name)}: {runs} runs of each, after a check"):
        rows = [_with_processors(row, machine) for row in run_case(planned, machine, inf, runs, Budget(inf))]
    report.rows += rows
    decoding = min(
        (row for row in rows if row.contender in DECODING and row.median_s is not None),
        key=lambda row: row.median_s or inf,
        default=None,
    )
    console.print(_table(planned.name, rows, decoding))
    for row in rows:
        if row.median_s is None:
            console.print(f"{row.contender}: {row.outcome}", style="red" if row.failed else "dim", markup=False)
    if every:
        report.notes.append(f"video: {clip.name}: {_facts(console, clip, every, backends[0])}.")


def _with_processors(row: Row, machine: InTurn) -> Row:
    """The row with processor time; and without a spread of one run, or a difference where nothing was compared."""
    return replace(
        row,
        processor_s=machine.processor_seconds.get(row.contender),
        spread=row.spread if len(row.runs_s) > 1 else None,
        difference=None if row.difference is None or isnan(row.difference) else row.difference,
    )


def _facts(console: Console, clip: Clip, every: Sequence[Contender], backend: Backend) -> str:
    """What is known of a clip, in words."""
    facts, expected = describe(clip), every[0].expected
    moved = float(expected.accumulator.mean(dtype=np.float64)) / 255 / max(1, expected.frames - 1)
    words = []
    if clip.seconds_to_make is None:  # its name tells no more than that of a file
        words.append(f"{expected.frames} frames {facts['codec']} of {facts['width']} x {facts['height']}")
    if facts["frame_rate"] is not None:
        megabits = 8e-6 * facts["bytes"] / expected.frames * facts["frame_rate"]
        words.append(f"{facts['frame_rate']:.4g} frames/s, {megabits:.1f} Mbit/s")
    words.append(f"{100 * moved:.2g} % of the picture moves")
    if clip.seconds_to_make is not None:
        words.append(f"made in {clip.seconds_to_make:.0f} s")
    if not any("luma" in each.name for each in every):
        words.append(f"brightness alone is not compared: {facts['pixel_format']} is not 8-bit 4:2:0")
    with console.status(f"{escape(clip.name)}: peak memory"):
        try:
            peak = f"{peak_memory(clip.path, backend.name) / 1e6:,.0f} MB"
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            peak = f"not known ({said[-1] if said else error})"
    words.append(f"peak memory of a process that makes the heat map with {backend.name} and nothing else: {peak}")
    return "; ".join(words)


def _table(title: str, rows: Sequence[Row], decoding: Row | None) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    if decoding is not None:
        table.caption = Text(f"'of decoding' is of {decoding.contender}, the faster of the two")
        table.caption_justify = "left"
    table.add_column("contender", min_width=44)
    for heading in HEADINGS:
        table.add_column(heading, justify="right", min_width=9)
    for row in rows:
        table.add_row(Text(row.contender), *_cells(row, decoding), style="" if row.ours else "dim")
    return table


def _cells(row: Row, decoding: Row | None) -> tuple[str, ...]:
    """In the order of HEADINGS; nothing where nothing was measured."""
    if row.median_s is None or row.processor_s is None or row.items_per_s is None:
        return ("-",) * len(HEADINGS)
    frames = row.items_per_s * row.median_s
    recipe = 1.0 if row.contender == PLAIN else row.times_as_fast_as.get(PLAIN)
    share = None if decoding is None else 1.0 if row is decoding else row.times_as_fast_as[decoding.contender]
    return (
        f"{row.items_per_s:,.1f}",
        "one run" if row.spread is None else f"{100 * row.spread:.0f} %",
        f"{1e3 * row.processor_s / frames:.2f}",
        "" if recipe is None else f"{recipe:.2f} x",
        "" if share is None else f"{100 * share:.0f} %",
    )
