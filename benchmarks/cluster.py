"""``python -m benchmarks.cluster VIDEO...``: what a cluster of Dask costs over and above the counting.

For each video: the seconds of ``--jobs N`` and of a cluster of N workers on the same processors, turn by turn, their
results held against each other to the bit; the bytes of a counted part, the seconds to join two, and those to write a
map. And, with pieces that are simulated, the scheduler's seconds for each part, and its memory on the way.
"""

from __future__ import annotations

import json
import os
import pickle
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from distributed import Client, LocalCluster
from distributed.deploy.subprocess import SubprocessCluster

import gpuheat
from benchmarks.machine import around
from gpuheat.backends.cpu_loops import processors
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.video_part import PartReader
from gpuheat.jobs import dask
from gpuheat.jobs.counted_part import count_part
from gpuheat.jobs.cutting import Sharing, cut, index_of
from gpuheat.jobs.dask.cluster import SCHEDULER, usual_options
from gpuheat.jobs.dask.videos import OF_THE_RECIPE
from gpuheat.jobs.pieces import Piece
from gpuheat.jobs.recipe import Recipe
from gpuheat.jobs.stretch import Stretch

PARTS_OF_ONE = 128  # parts of a simulated video: two hours of 1080p, about
SIMULATED = 2**14  # bytes of a simulated piece


@click.command()
@click.argument("videos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Of each, turn by turn.")
@click.option("--parts", type=click.IntRange(min=1000), default=10_000, show_default=True, help="Simulated ones.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write it here, too.")
def main(videos: tuple[Path, ...], runs: int, parts: int, target: Path | None) -> None:
    """Measure, and print it as JSON."""
    number = processors()
    found: dict[str, Any] = {"workers": number, "machine": around()}
    with (
        LocalCluster(n_workers=number, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        for video in videos:
            found[video.name] = against_jobs(client, video, number, runs) | a_part(video)
    with (
        SubprocessCluster(  # a process for each, so that each has its own memory
            n_workers=number,
            threads_per_worker=1,
            dashboard_address=":0",
            scheduler_kwargs=SCHEDULER,
        ) as cluster,
        Client(cluster) as client,
    ):
        found["scheduling"] = scheduling(client, parts)
    text = json.dumps(found, indent=2)
    click.echo(text)
    if target is not None:
        target.write_text(text + "\n")


def against_jobs(client: Client, video: Path, number: int, runs: int) -> dict[str, Any]:
    """The medians of both, and by how much the cluster is slower, %."""
    seconds: dict[str, list[float]] = {"jobs": [], "cluster": []}
    for run in range(-1, runs):  # the first warms up
        began = time.perf_counter()
        one = gpuheat.motion_heatmap(video, jobs=number)
        between = time.perf_counter()
        many = dask.motion(client, video)
        ended = time.perf_counter()
        np.testing.assert_array_equal(one.counts, many.counts)
        np.testing.assert_array_equal(one.moved, many.moved)
        np.testing.assert_array_equal(one.background, many.background)
        if run >= 0:
            seconds["jobs"].append(between - began)
            seconds["cluster"].append(ended - between)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    return {
        "frames": one.facts["input"]["frames_decoded"],
        "video_s": float(one.facts["input"]["frames_decoded"] * _interval(video)),
        **{f"{name}_s": median for name, median in medians.items()},
        "runs_s": seconds,
        "loss_percent": 100 * (medians["cluster"] / medians["jobs"] - 1),
    }


def _interval(video: Path) -> float:
    with VideoReader(video) as reader:
        return float(reader.frame_interval)


def a_part(video: Path) -> dict[str, Any]:
    """The bytes of the first part as a worker sends it, its processor's seconds, and the seconds to join two."""
    defaults = usual_options(gpuheat.motion_heatmap, {})
    recipe = Recipe(**{name: defaults[name] for name in OF_THE_RECIPE}, jobs=1)
    with VideoReader(video) as reader:
        began = time.perf_counter()
        index = index_of(reader)
        index_s = time.perf_counter() - began
    cutting = cut(index, Stretch(1), Sharing(4))
    assert cutting is not None
    pieces, seconds = [], []
    with PartReader(video) as part_reader:
        for planned in cutting.planned[:2]:
            job = planned.job(recipe.scene)
            began = time.process_time()
            pieces.append(Piece.of(count_part(part_reader, job, recipe.counting, lambda _: False), job))
            seconds.append((time.process_time() - began) / len(planned.wanted))
    joins = []
    for _ in range(5):
        began = time.perf_counter()
        pieces[0].joined(pieces[-1], recipe.counting, recipe.scene) if len(pieces) > 1 else None
        joins.append(time.perf_counter() - began)
    return {
        "parts": len(cutting.planned),
        "index_s": index_s,
        "processor_s_per_frame": seconds[-1],
        "part_bytes": len(pickle.dumps(pieces[0], protocol=5)),
        "join_s": statistics.median(joins),
        "save_s": _seconds_to_save(video),
    }


def _seconds_to_save(video: Path) -> float:
    """Those to write all files of a map but the page."""
    heatmap = gpuheat.motion_heatmap(video, keyframes=True)
    seconds = []
    with TemporaryDirectory() as folder:
        for _ in range(3):
            began = time.perf_counter()
            heatmap.save(folder, report=False)
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def scheduling(client: Client, parts: int) -> dict[str, Any]:
    """The seconds and the scheduler's memory for each of many simulated parts, joined in pairs as counted ones are."""

    def memory(dask_scheduler: Any = None) -> float:
        del dask_scheduler
        return float(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def count(number: int) -> Any:
        return np.full(SIMULATED, number, np.uint8)

    def join(one: Any, other: Any) -> Any:
        return one + other

    memory_mb: dict[str, dict[int, float]] = {"scheduler": {}, "client": {}}
    began, done = time.perf_counter(), 0
    while done < parts:  # one video after the other
        pieces = [client.submit(count, number, pure=False) for number in range(PARTS_OF_ONE)]
        while len(pieces) > 1:
            pieces = [client.submit(join, *pair, pure=False) for pair in zip(pieces[::2], pieces[1::2], strict=True)]
        pieces[0].result()
        before, done = done, done + PARTS_OF_ONE
        if before == 0 or done >= parts or before * 4 // parts < done * 4 // parts:
            memory_mb["scheduler"][done] = client.run_on_scheduler(memory)
            memory_mb["client"][done] = memory()
    return {"s_per_part": (time.perf_counter() - began) / done, "memory_mb_after": memory_mb}


if __name__ == "__main__":
    main()
