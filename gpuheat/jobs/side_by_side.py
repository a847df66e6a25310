"""Counting the parts of a video side by side."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future, wait
from contextlib import ExitStack
from functools import cache
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Self

from gpuheat.backends.cpu_loops import at_most
from gpuheat.errors import VideoError
from gpuheat.inputs.video_part import NotAsPromisedError, PartReader
from gpuheat.inputs.watch import Watch
from gpuheat.jobs.counted_part import CountedPart, PartJob, count_part
from gpuheat.jobs.tally import Counting, Tally
from gpuheat.jobs.threads import GRACE, outcome, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gpuheat.inputs.keyframes import Part
    from gpuheat.inputs.video import VideoReader
    from gpuheat.inputs.video_frame import VideoFrame
    from gpuheat.jobs.stretch import Stretch

__all__ = ["count_side_by_side"]

log = logging.getLogger("gpuheat")


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
    and reads on there in one pass: the result is the same. Damage can spoil frames that are shown before it; so what
    lies directly before it is left to that pass, too. Where ``tally`` awaits a frame of an earlier run, counting
    goes on behind that.

    Parameters
    ----------
    reader
        At the beginning of its file, or where an earlier run had come to.
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
        If reading makes no progress.
    """
    under_way: deque[tuple[PartJob, Future[CountedPart]]] = deque()
    held: deque[tuple[PartJob, CountedPart]] = deque()  # good by themselves; it takes the next one to be sure of them
    promised: VideoFrame | None = None  # the first frame of the next part, after those before it

    def take_held() -> None:
        while held:
            job, counted = held[0]
            reader.passed(job.part, counted.last)
            held.popleft()
            tally.append(counted.tally)
            between()

    with _Workers(reader, counting, jobs) as workers:
        planned = _planned(reader, stretch, tally, workers, look)
        while True:
            while len(held) + len(under_way) <= jobs and (job := next(planned, None)) is not None:
                under_way.append((job, workers.submit(job)))
            if not under_way:
                break
            job, future = under_way.popleft()
            try:
                try:
                    counted = outcome(future, workers.watch, lambda: look(workers.frames))
                except VideoError:  # nothing is read any more
                    take_held()
                    raise
                if promised is not None and counted.first is not None and not promised.shows_the_same_as(counted.first):
                    raise NotAsPromisedError(f"frame {job.part.first:,} looks different without those before it")
                if not held and tally.awaited is not None and not tally.awaits(counted.tally.first):
                    raise NotAsPromisedError(f"frame {tally.awaited.number:,} looks different than before")
                if job.is_decoded:
                    take_held()
                held.append((job, counted))
                if job.is_last or not held[0][0].is_decoded:
                    take_held()
            except NotAsPromisedError as error:
                first = held[0][0].part.first if held else job.part.first
                log.info("%s: %s, read in one pass from frame %s on", reader.path, error, f"{first:,}")
                stretch.forget(first)
                reader.begin_again()
                return
            promised = counted.next_frame
        if held:
            stretch.forget(held[0][0].part.first)


def _planned(
    reader: VideoReader, stretch: Stretch, tally: Tally, workers: _Workers, look: Callable[[int], None]
) -> Iterator[PartJob]:
    """What the workers are to do, up to the end of the stretch, or to where there is no index to trust.

    Parts are found ahead of those that are begun, so that each worker knows whether others will have nothing left to
    do; the first ones do not wait for that. Where only one has frames that are wanted, there is nothing for them to do.
    """
    parts = reader.parts(workers.watch)
    found: deque[Part] = deque()
    found_all = False
    planned = decoded = 0
    looked_at = len(tally.numbers)
    again = None if tally.awaited is None else tally.awaited.number
    while not stretch.over:
        while len(found) <= min(1 + planned, workers.number) and not found_all:
            part = outcome(start(lambda: next(parts, None), "index"), workers.watch, lambda: look(workers.frames))
            if part is None:
                found_all = True
            else:
                found.append(part)
        if not found:
            return
        part = found.popleft()
        if part.stamps is None:
            log.info("%s: no index to trust from frame %s on, read in one pass", reader.path, f"{part.first:,}")
            return
        if again is not None and again >= part.first + len(part.stamps):
            continue
        wanted = stretch.within(part.first, reader.times_of(part))
        if again is not None:
            wanted = range(again + wanted.step, wanted.stop, wanted.step)
        threads = max(1, workers.number // (len(found) + 1)) if found_all else 1
        job = PartJob(part, threads, wanted, stretch.over, tally.scene.following(looked_at), again)
        alone = found_all and not found and not decoded
        if alone and job.is_decoded and part.is_closed:  # in one pass it is saved before its end
            stretch.forget(part.first)
            return
        yield job
        planned += 1
        decoded += job.is_decoded
        looked_at += len(wanted)
        again = None


class _Workers:
    """Threads that count parts. Each opens the file once; they stop when nobody waits for them any more."""

    def __init__(self, reader: VideoReader, counting: Counting, number: int) -> None:
        self._path, self._max_pixels = reader.path, reader.max_pixels
        self._gpu = reader.gpu
        self._counting = counting
        self._stop = Event()
        self._jobs: SimpleQueue[tuple[PartJob, Future[CountedPart]] | None] = SimpleQueue()
        self.watch = Watch(str(self._path))
        self.frames = reader.frames_decoded  # so far
        self.number = number
        self._threads = [start(self._work, f"part-{each}") for each in range(number)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.watch.give_up()
        for _thread in self._threads:
            self._jobs.put(None)
        wait(self._threads, GRACE)

    def submit(self, job: PartJob) -> Future[CountedPart]:
        """Have the frames of a part counted that are wanted."""
        counted: Future[CountedPart] = Future()
        self._jobs.put((job, counted))
        return counted

    def _work(self) -> None:
        with ExitStack() as own, at_most(1):

            @cache
            def reader() -> PartReader:
                return own.enter_context(PartReader(self._path, self.watch, self._max_pixels, self._gpu))

            while self._do_next(reader):
                pass

    def _do_next(self, reader: Callable[[], PartReader]) -> bool:
        """Do what is to be done next; whether there was something. While it is waited for, nothing is held."""
        taken = self._jobs.get()
        if taken is None or self._stop.is_set():
            return False
        job, counted = taken
        try:
            counted.set_result(self._count(reader, job))
        except VideoError as error:  # reading in one pass may get along with it
            counted.set_exception(NotAsPromisedError(f"frame {job.part.first:,} or one behind it: {error}"))
        except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
            counted.set_exception(error)
        return True

    def _count(self, reader: Callable[[], PartReader], job: PartJob) -> CountedPart:
        if not job.is_decoded:
            return CountedPart(Tally(self._counting, job.scene))

        def see(frame: VideoFrame) -> bool:
            self.frames += job.again is None or frame.number > job.again
            return self._stop.is_set()

        return count_part(reader(), job, self._counting, see)
