"""Counting the parts of a video side by side."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event, local
from typing import TYPE_CHECKING, Final, Self

from gpuheat.backends.cpu_loops import one_thread
from gpuheat.inputs.video_frame import rotation_of
from gpuheat.inputs.video_part import NotAsPromisedError, PartReader
from gpuheat.jobs.tally import Counting, Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from gpuheat.inputs.keyframes import Part
    from gpuheat.inputs.video import VideoReader
    from gpuheat.inputs.video_frame import VideoFrame
    from gpuheat.jobs.scene import Scene
    from gpuheat.jobs.stretch import Stretch

__all__ = ["count_side_by_side"]

LOOK: Final = 0.1  # s between two looks at how far the work is
log = logging.getLogger("gpuheat")


@dataclass
class _Counted:
    """What came out of a part: its first and last frame, and the first of the next as its decoder shows it."""

    tally: Tally
    first: VideoFrame | None = None
    last: VideoFrame | None = None
    next_frame: VideoFrame | None = None


def count_side_by_side(
    reader: VideoReader,
    stretch: Stretch,
    tally: Tally,
    counting: Counting,
    jobs: int,
    look: Callable[[int], None],
    between: Callable[[], None],
) -> None:
    """Count the frames of a stretch, each part of the video by a decoder of its own.

    Comes as far as the parts hold what the packets promise. ``reader`` is left behind the last part that was counted,
    and reads on there in one pass: the result is the same.

    Parameters
    ----------
    reader
        At the beginning of its file.
    tally
        Takes in the parts, in their order.
    jobs
        How many decoders work side by side.
    look
        Called now and then with the number of frames that were read.
    between
        Called between two parts, when ``reader`` and ``tally`` are equally far.

    Raises
    ------
    VideoError
        If the file cannot be opened any more, or FFmpeg cannot convert its pictures.
    """
    parts = reader.parts()
    under_way: deque[tuple[Part, Future[_Counted]]] = deque()
    looked_at = 0
    promised: VideoFrame | None = None  # the first frame of the next part, after those before it
    with _Workers(reader.path, counting, jobs) as workers:
        while True:
            while len(under_way) <= jobs and not stretch.over and (part := next(parts, None)) is not None:
                if part.stamps is None:
                    log.info("%s: no index to trust from frame %s on, read in one pass", reader.path, f"{part.first:,}")
                    parts = iter(())
                    break
                wanted = stretch.within(part.first, reader.times_of(part))
                under_way.append((part, workers.submit(part, wanted, stretch.over, tally.scene.following(looked_at))))
                looked_at += len(wanted)
            if not under_way:
                return
            part, future = under_way.popleft()
            while not wait([future], LOOK).done:
                look(workers.frames)
            try:
                counted = future.result()
                if promised is not None and counted.first is not None and not promised.shows_the_same_as(counted.first):
                    raise NotAsPromisedError(f"frame {part.first:,} looks different without those before it")
                reader.passed(part, counted.last)
            except NotAsPromisedError as error:
                log.info("%s: %s, read in one pass from frame %s on", reader.path, error, f"{part.first:,}")
                stretch.forget(part.first)
                reader.begin_again()
                return
            tally.append(counted.tally)
            between()
            promised = counted.next_frame


class _Workers:
    """Threads that count parts. Each opens the file once; they stop when nobody waits for them any more."""

    def __init__(self, path: Path, counting: Counting, threads: int) -> None:
        self._path = path
        self._counting = counting
        self._own = local()
        self._open = ExitStack()
        self._stop = Event()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="gpuheat-part")
        self.frames = 0  # read so far

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)
        self._open.close()

    def submit(self, part: Part, wanted: range, over: bool, scene: Scene) -> Future[_Counted]:
        """Have the frames of a part counted that are wanted; ``over``: there are none behind them."""
        return self._pool.submit(self._count, part, wanted, over, scene)

    def _count(self, part: Part, wanted: range, over: bool, scene: Scene) -> _Counted:
        counted = _Counted(Tally(self._counting, scene))
        if len(wanted) == 0 and not over:
            return counted
        if not hasattr(self._own, "reader"):
            self._own.reader = self._open.enter_context(PartReader(self._path))
        reader: PartReader = self._own.reader
        with one_thread():
            for frame in reader.frames(part):
                self.frames += 1
                counted.first = counted.first or frame
                counted.last = frame
                if frame.number in wanted:
                    counted.tally.add(frame, rotation_of(frame.picture))
                if self._stop.is_set() or (over and frame.number >= wanted.stop):
                    return counted
        counted.next_frame = reader.next_frame
        return counted
