"""``python -m benchmarks video``: from a file to the heat map, beside the plain recipe and decoding alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import av
import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.checking import WrongResultError
from benchmarks.gpu.machine import around
from benchmarks.video.clips import FULL, QUICK, Clip, describe, make
from benchmarks.video.contenders import DECODING, SEED, contenders
from benchmarks.video.measure import Measured, in_turn, peak_memory
from gpuheat import get_backend
from gpuheat.errors import GpuheatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.video.contenders import Contender
    from gpuheat import Backend

__all__ = ["video"]

RUNS, QUICK_RUNS = 5, 1
PACKAGES = ("gpuheat", "numpy", "numba", "opencv-python-headless", "opencv-python", "av")


@click.command()
@click.option("--quick", is_flag=True, help="A small, short clip and one run each: does it work, not how fast is it.")
@click.option("--json", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows here.")
@click.option(
    "--clip",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A video of your own, in place of the made ones (repeatable). OpenCV and FFmpeg turn only those of 8 bits and "
    "even sides into the same BGR values; others are refused as wrong.",
)
@click.option("--backend", "name", default="auto", show_default=True, help="What gpuheat counts with.")
@click.option(
    "--runs", type=click.IntRange(min=1), help=f"Timed runs of each.  [default: {RUNS}; with --quick: {QUICK_RUNS}]"
)
def video(quick: bool, output: Path | None, files: tuple[Path, ...], name: str, runs: int | None) -> None:
    """Measure the way from a video file to its heat map beside the plain OpenCV recipe and beside decoding alone.

    Makes clips of a street as a fixed camera sees it, 600 frames in 1080p and in 4K, each as the encoder of a camera
    writes it and as x264 does by default, one at a time and in a folder that is removed at the end. All take turns on
    the same file in the same run; a contender whose result is wrong stops it.
    """
    console = Console()
    if not console.is_terminal:
        console.width = 110  # a file or a pipe has no edge to fit into
    runs = runs or (QUICK_RUNS if quick else RUNS)
    try:
        backend = get_backend(name)
        machine = {**around(), "libavcodec": ".".join(map(str, av.library_versions["libavcodec"]))}
        console.print(_headline(machine, backend), markup=False, highlight=False)
        facts, everything = [], []
        with TemporaryDirectory(prefix="gpuheat-") as folder:
            for clip in _clips(console, files, quick, Path(folder)):
                found, rows = _measure(console, clip, backend, runs)
                facts.append(found)
                everything += rows
    except (WrongResultError, GpuheatError, av.FFmpegError) as error:
        raise click.ClickException(str(error)) from error
    if output is not None:
        output.write_text(json.dumps({"machine": machine, "clips": facts, "rows": everything}, indent=2) + "\n")


def _headline(machine: Mapping[str, Any], backend: Backend) -> str:
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in PACKAGES if name in machine["versions"])
    return (
        f"{os.cpu_count()} processors, Python {machine['python']}, {versions} (libavcodec {machine['libavcodec']})\n"
        f"gpuheat counts with {backend.name} on {backend.device}"
    )


def _clips(console: Console, files: Sequence[Path], quick: bool, folder: Path) -> Iterator[Clip]:
    """One after the other, so that there is no more than one made file at a time."""
    for path in files:
        yield Clip(path.name, path)
    for plan in () if files else QUICK if quick else FULL:
        with console.status(f"{plan.name}: making {plan.frames} frames"):
            clip = make(plan, folder)
        yield clip
        clip.path.unlink()


def _measure(console: Console, clip: Clip, backend: Backend, runs: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with console.status(f"{clip.name}: checking the results"):
        every = contenders(clip.path, backend)
        for each in every:
            each.check(clip.name)
    with console.status(f"{clip.name}: {runs} runs of each"):
        measured = in_turn(every, runs)
        peak = peak_memory(clip.path, backend.name)
    decoding = min(DECODING, key=lambda name: measured[name].timing.median)
    facts = {
        **describe(clip),
        "moved_share_of_a_pair": _moved_share(every),
        "decoding_alone": decoding,
        "backend": backend.name,
        "peak_resident_bytes": peak,
    }
    rows = [_row(clip, each, measured, decoding) for each in every]
    notes = [f"'of decoding' is of {decoding}: the faster of the two."]
    if not any("luma" in each.name for each in every):
        notes.append(f"Brightness alone is not compared: {facts['pixel_format']} is not 8-bit 4:2:0.")
    notes.append(f"Peak memory of a process that makes the heat map and nothing else: {peak / 1e6:,.0f} MB.")
    console.print()
    console.print(_words(facts, rows[0]["frames"]), style="bold", markup=False, highlight=False)
    console.print(_table(rows))
    console.print("\n".join(notes), markup=False, highlight=False)
    return facts, rows


def _moved_share(every: Sequence[Contender]) -> float:
    """The share of the picture that moves in a pair of frames, on average."""
    expected = every[0].expected
    return float(expected.accumulator.mean(dtype=np.float64)) / 255 / max(1, expected.frames - 1)


def _row(clip: Clip, contender: Contender, measured: Mapping[str, Measured], decoding: str) -> dict[str, Any]:
    timing, frames = measured[contender.name].timing, contender.expected.frames
    return {
        "clip": clip.name,
        "contender": contender.name,
        "frames": frames,
        "runs_s": timing.runs,
        "median_s": timing.median,
        "spread": timing.spread if len(timing.runs) > 1 else None,
        "frames_per_s": frames / timing.median,
        "processor_s_per_frame": measured[contender.name].processor_seconds / frames,
        "times_as_fast_as_seed": measured[SEED].timing.median / timing.median,
        "share_of_decoding": measured[decoding].timing.median / timing.median,
    }


def _words(facts: Mapping[str, Any], frames: int) -> str:
    words = f"{facts['clip']}: {frames} frames {facts['codec']} of {facts['width']} x {facts['height']}"
    if facts["frame_rate"] is not None:
        megabits = 8e-6 * facts["bytes"] / frames * facts["frame_rate"]
        words += f", {facts['frame_rate']:.4g} frames/s, {megabits:.1f} Mbit/s"
    words += f"; {100 * facts['moved_share_of_a_pair']:.2g} % of the picture moves"
    if facts["seconds_to_make"] is not None:
        words += f"; made in {facts['seconds_to_make']:.0f} s"
    return words


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("contender", min_width=36)
    for heading in ("frames/s", "spread", "CPU ms/frame", "of the seed", "of decoding"):
        table.add_column(heading, justify="right", min_width=9)
    for row in rows:
        table.add_row(
            row["contender"],
            f"{row['frames_per_s']:,.1f}",
            "one run" if row["spread"] is None else f"{100 * row['spread']:.0f} %",
            f"{1e3 * row['processor_s_per_frame']:.2f}",
            f"{row['times_as_fast_as_seed']:.2f} x",
            f"{100 * row['share_of_decoding']:.0f} %",
        )
    return table
