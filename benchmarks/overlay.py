"""``python -m benchmarks.overlay VIDEO...``: what an overlay video costs over and above decoding and encoding.

For each video, turn by turn: decoding alone; encoding alone, of the pictures with the heat over them from memory;
both side by side, which is what is left where counting and drawing cost nothing; and the overlay video, whose counts
are held against those of :func:`gpuheat.motion_heatmap`. All with the same decoder, encoder and settings, and so that
the encoder has the same to do: the pictures are those that were drawn, and the files come out alike.
"""

from __future__ import annotations

import json
import statistics
import time
from fractions import Fraction
from functools import partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import av
import click
import numpy as np

import gpuheat
from benchmarks.machine import around
from benchmarks.video.contenders import pictures
from gpuheat.outputs.video import VideoWriter
from gpuheat.outputs.yuv import YuvStandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@click.command()
@click.argument("videos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--frames", type=click.IntRange(min=10), default=300, show_default=True, help="Of each, kept in memory.")
@click.option("--runs", type=click.IntRange(min=1), default=7, show_default=True, help="Of each, turn by turn.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write it here, too.")
def main(videos: tuple[Path, ...], frames: int, runs: int, target: Path | None) -> None:
    """Measure, and print it as JSON."""
    found: dict[str, Any] = {"machine": around()}
    with TemporaryDirectory(prefix="gpuheat-") as folder:
        for video in videos:
            found[video.name] = measured(video, Path(folder), frames, runs)
    text = json.dumps(found, indent=2)
    click.echo(text)
    if target is not None:
        target.write_text(text + "\n")


def measured(video: Path, folder: Path, frames: int, runs: int) -> dict[str, Any]:
    """The frames/s of each, the milliseconds of processor time for a frame, and the shares."""
    end = next((picture.time for picture in islice(pictures(video, "FRAME"), frames, None)), None)
    over, written = folder / "over.mp4", folder / "written.mp4"
    overlay, drawn = drawn_pictures(video, over, end)
    np.testing.assert_array_equal(overlay.counts, gpuheat.motion_heatmap(video, end=end).counts)
    number = overlay.moved.size + 1
    ways: dict[str, Callable[[], object]] = {
        "decoding": lambda: sum(1 for _ in islice(pictures(video, "FRAME"), number)),
        "encoding": partial(encode, drawn, written),
        "decoding and encoding": lambda: encode(
            (picture for picture, _ in zip(drawn, pictures(video, "FRAME"), strict=False)), written
        ),
        "overlay video": partial(gpuheat.overlay_video, video, over, end=end),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(-1, runs):  # the first warms up
        for name, way in ways.items():
            began, before = time.perf_counter(), time.process_time()
            way()
            if run >= 0:
                seconds[name].append(time.perf_counter() - began)
                processor[name].append(time.process_time() - before)
    speed = {name: number / statistics.median(each) for name, each in seconds.items()}
    return {
        "frames": number,
        "width": drawn[0].width,
        "height": drawn[0].height,
        "frames_per_s": speed,
        "processor_ms_per_frame": {name: 1e3 * statistics.median(each) / number for name, each in processor.items()},
        "runs_s": seconds,
        "of_encoding": speed["overlay video"] / speed["encoding"],
        "of_decoding_and_encoding": speed["overlay video"] / speed["decoding and encoding"],
    }


def drawn_pictures(video: Path, path: Path, end: float | None) -> tuple[gpuheat.MotionHeatmap, list[av.VideoFrame]]:
    """The heat map of an overlay video, and copies of the pictures that were handed to the encoder."""
    drawn: list[av.VideoFrame] = []
    write = VideoWriter.write

    def keep(writer: VideoWriter, picture: av.VideoFrame, time: Fraction) -> None:
        drawn.append(av.VideoFrame.from_ndarray(picture.to_ndarray(), format="yuv420p"))
        write(writer, picture, time)

    with patch.object(VideoWriter, "write", keep):
        return gpuheat.overlay_video(video, path, end=end), drawn


def encode(frames: Iterable[av.VideoFrame], path: Path) -> None:
    """Write them as an overlay video is written, a thirtieth of a second each."""
    every = iter(frames)
    first = next(every)
    standard = YuvStandard.usual(first.height)
    with VideoWriter(path, first.height, first.width, standard, Fraction(30), Fraction(1, 90000)) as writer:
        for number, picture in enumerate(chain([first], every)):
            writer.write(picture, Fraction(number, 30))


if __name__ == "__main__":
    main()
