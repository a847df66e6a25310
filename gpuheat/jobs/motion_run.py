"""One run over a video, or over frames in memory, whose result can be had at any time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from fractions import Fraction
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Self

from gpuheat.backends.cpu_loops import at_most, processors
from gpuheat.errors import IncompleteError, InputError, OptionError, VideoError
from gpuheat.inputs.address import origin_of
from gpuheat.inputs.arrays import ArrayFrames
from gpuheat.inputs.key_frame_reader import KeyFrameReader
from gpuheat.inputs.live import LiveReader
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.watch import Watch
from gpuheat.jobs.checkpoint import Checkpoint
from gpuheat.jobs.counted_video import ReadVideo, one_result
from gpuheat.jobs.find_again import begin_before_last
from gpuheat.jobs.live import with_cuts
from gpuheat.jobs.read_ahead import read_ahead
from gpuheat.jobs.recipe import Recipe
from gpuheat.jobs.side_by_side import count_side_by_side
from gpuheat.jobs.stretch import Stretch, end_of
from gpuheat.jobs.tally import Tally
from gpuheat.jobs.threads import outcome, start

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from gpuheat.inputs.frames import Frame, FrameReader
    from gpuheat.motion.heatmap import MotionHeatmap
    from gpuheat.motion.sliced import Slicing

__all__ = ["NO_CHECKPOINT", "MotionRun", "NoFrameError", "last_frame", "opened"]

BUSY: Final = 4
"""While frames are waited for, one of so many processors counts: to compare takes that much less than to decode."""
NO_CHECKPOINT: Final = "a checkpoint is for all frames of video files, not for frames in memory or live video"
log = logging.getLogger("gpuheat")


class NoFrameError(InputError):
    """None of the frames of a source lies in the stretch that is looked at."""


class MotionRun:
    """Counts the frames of a source; a context manager.

    The options, those of :class:`Recipe` among them, are those of :func:`gpuheat.motion_heatmap`, which say what is
    wrong with them. A run may follow others: ``later`` moves the times of the pairs by so many s, but not the stretch,
    ``looked_at`` frames were seen before, and ``slicing`` is that of all. ``between`` is called between two frames, or
    two parts of a video, when all that was read was counted; so is ``progress``, which may raise an exception to end
    counting there. ``seen`` is called after every frame that is counted, which needs a half-life: one after the other.
    """

    def __init__(
        self,
        source: Any,
        *,
        every: Any,
        start: Any,
        end: Any,
        times: Sequence[float] | None,
        duration: Any = None,
        later: Fraction = Fraction(0),
        looked_at: int = 0,
        slicing: Slicing | None = None,
        between: Callable[[MotionRun], None] | None = None,
        seen: Callable[[MotionRun], None] | None = None,
        checkpoint: str | PathLike[str] | None = None,
        resume: bool = True,
        **options: Any,
    ) -> None:
        self._began = time.perf_counter()
        self.stretch = Stretch(every, start, end_of(start, end, duration))
        self._recipe = recipe = Recipe(**options)
        if recipe.keyframes:
            opening = _key_frames(source, recipe, every)
        else:
            opening = opened(source, times, recipe, self.stretch.end)
        self._opened = ExitStack()
        reader = self._opened.enter_context(opening)
        self.reader: FrameReader | ReadVideo = reader
        recipe.cut_into_slices(self.stretch, _length(reader, self.stretch))
        # whoever gave an array may write into it again
        shared_memory = not isinstance(source, str | PathLike)
        self._counting = replace(
            recipe.counting,
            copy=shared_memory,
            one_by_one=seen is not None,
            later=later,
            slicing=slicing or recipe.counting.slicing,
        )
        self.tally = Tally(self._counting, recipe.scene.following(looked_at), first_of_all=True)
        self._between = between
        self._seen = seen
        self.later = later
        self._position: dict[str, Any] = {}
        self.checkpoint = None if checkpoint is None else self._with_checkpoint(checkpoint, resume)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def count(self, progress: Callable[[int, int | None], None] | None = None) -> None:
        """Count all frames of the stretch that are left.

        Raises
        ------
        VideoError
            If nothing can be read.
        IncompleteError
            If reading has to stop half way.
        InputError
            If frames, mask or background do not fit, or no frame lies in the stretch.
        """
        try:
            self._count(progress)
        except VideoError as error:
            self.tally.flush()
            if len(self.tally.numbers) < 2:
                raise
            raise IncompleteError(str(error), self.result(str(error))) from error
        if self.tally.counter is None:
            raise NoFrameError(f"no frame lies between start and end: {self.stretch.frames_seen}")
        self._let_go()

    def _let_go(self) -> None:
        """Close a video that was counted: what decodes takes more memory than a result."""
        if isinstance(self.reader, VideoReader):
            self.reader = ReadVideo.of(self.reader)
            self._opened.close()

    @property
    def counted_any(self) -> bool:
        """Whether there is a result."""
        self.tally.flush()
        return self.tally.counter is not None

    def save(self) -> bool:
        """Write a checkpoint of what was counted so far; whether there is one now.

        To be called when counting has ended or was ended by ``progress``.
        """
        if self.checkpoint is None:
            return False
        if self.awaits:  # nothing came to what was loaded
            return True
        state = self.state
        return state is not None and self.checkpoint.save(state | {"seconds": time.perf_counter() - self._began})

    @property
    def awaits(self) -> bool:
        """Whether it goes on where another came to, and has not found that place yet."""
        return self.tally.awaited is not None

    @property
    def state(self) -> dict[str, Any] | None:
        """What was counted of a video file so far, for :meth:`go_on`; None before there is anything.

        To be asked for when counting has ended or was ended by ``progress``, or by ``between``; not while it awaits.
        """
        self.tally.flush()
        if self.tally.counter is None:
            return None
        return {"tally": self.tally.state, "reader": self._position, "first": self.stretch.first}

    def go_on(self, state: dict[str, Any]) -> None:
        """Begin where another run over the same file with the same options had come to, which gave its state."""
        assert isinstance(self.reader, VideoReader)
        self.tally.restore(state["tally"], state["reader"]["rotation"])
        self.stretch.restore(state["first"])
        self._position = state["reader"]
        self.reader.go_on(self._position, again=last_frame(state))

    def _with_checkpoint(self, path: str | PathLike[str], resume: bool) -> Checkpoint:
        """The checkpoint of this run, which goes on from it if it should."""
        if not isinstance(self.reader, VideoReader) or self._recipe.keyframes:
            raise OptionError(NO_CHECKPOINT)
        settings = {"source": "one video"} | self._recipe.decisive | self.stretch.decisive
        checkpoint = Checkpoint(path, [self.reader.path], settings)
        state = checkpoint.begin(resume)
        if state is not None:
            self.go_on(state)
            self._began -= state["seconds"]
            log.info("goes on behind frame %s, from the checkpoint %s", f"{last_frame(state):,}", checkpoint.path)
        return checkpoint

    def result(self, stopped: str | None = None) -> MotionHeatmap:
        """The heat map of what was counted so far; ``stopped``: why it is not all."""
        return one_result(
            self._recipe,
            self.stretch,
            self.reader,
            self.tally,
            seconds=time.perf_counter() - self._began,
            jobs=self._jobs,
            stopped=stopped,
        )

    @property
    def _jobs(self) -> int:
        """How many decoders work side by side; frames in memory and live video need none, or one."""
        reader = self.reader
        if not isinstance(reader, VideoReader | ReadVideo):
            return 1
        return self._recipe.jobs_for(reader.width, reader.height)

    def _count(self, progress: Callable[[int, int | None], None] | None) -> None:
        reader, stretch, tally = self.reader, self.stretch, self.tally
        assert not isinstance(reader, ReadVideo)  # else all was counted

        def look(done: int | None = None) -> None:
            if progress is not None:
                progress(reader.frames_decoded if done is None else done, reader.frames_expected)

        def between() -> None:
            if self._between is not None:
                self._between(self)
            if self.checkpoint is not None and self.checkpoint.is_due:
                self.save()
            look()

        if isinstance(reader, VideoReader) and not reader.is_damaged and not self._recipe.keyframes:
            # decayed sums are rounded once they are many half-lives old: their last bit shows the order of adding
            if self._jobs > 1 and self._counting.half_life is None:
                self._count_side_by_side(reader, look, between)
            if self.awaits:
                outcome(start(lambda: begin_before_last(reader, tally), "index"), reader.watch, look)
        if not stretch.over:
            few = max(1, processors() // BUSY)
            for frame, is_ahead in self._frames(look):
                if tally.awaited is None:
                    with at_most(None if is_ahead else few):  # else decoders keep the processors busy
                        tally.add(frame, reader.rotation)
                        if self._seen is not None:
                            self._seen(self)
                elif tally.awaits(frame):
                    tally.go_on_from(frame, reader.rotation)
                else:
                    break
                if not tally.waits:
                    between()
            if tally.waits:
                tally.flush()
                between()
        if tally.awaited is not None:
            number = tally.awaited.number
            raise InputError(f"frame {number:,} does not show what it did when it was counted: begin anew")
        look()

    def _count_side_by_side(
        self, reader: VideoReader, look: Callable[[int], None], between: Callable[[], None]
    ) -> None:
        def between_parts() -> None:
            self._position = reader.position
            between()

        count_side_by_side(reader, self.stretch, self.tally, self._counting, self._jobs, look, between_parts)

    def _frames(self, look: Callable[[], None]) -> Iterator[tuple[Frame, bool]]:
        """The frames of the stretch that are left, in one pass, and of each whether the decoder is ahead."""
        reader, stretch = self.reader, self.stretch
        if isinstance(reader, VideoReader):
            # by the time a frame is counted, the reader is ahead of it
            positioned = ((frame, reader.position) for frame in stretch.of(reader))
            for (frame, self._position), is_ahead in read_ahead(positioned, reader.watch, look):
                yield frame, is_ahead
        elif isinstance(reader, LiveReader):
            yield from with_cuts(read_ahead(stretch.of(reader), reader.watch, look), reader, self.tally)
        else:
            assert isinstance(reader, ArrayFrames)
            for frame in stretch.of(reader):
                yield frame, True


def last_frame(state: dict[str, Any]) -> int:
    """The number of the frame that a run counted last which gave this as its state."""
    return int(state["tally"]["last"]["number"])


def _length(reader: FrameReader, stretch: Stretch) -> Fraction | None:
    """How long a source is, s, or how many pairs frames without times make; None where that is unknown."""
    if isinstance(reader, ArrayFrames) and reader.length is None and reader.frames_expected is not None:
        return Fraction(stretch.pairs_of(reader.frames_expected))
    return reader.length


def opened(
    source: Any,
    times: Sequence[float] | None,
    recipe: Recipe,
    end: Fraction | None,
) -> AbstractContextManager[FrameReader]:
    """A reader of a source, which closes it at the end; ``end`` is when what is looked at ends, s."""
    decoding, max_pixels = recipe.decoding, recipe.max_pixels
    if isinstance(source, str | PathLike):
        if times is not None:
            raise OptionError("times are for frames in memory; a video has time stamps of its own")
        origin = origin_of(source)
        if origin is not None:
            if decoding.where == "gpu":
                raise OptionError("decode='gpu' is for video files, live video is decoded by the CPU")
            watch = Watch(origin.name)
            return outcome(start(lambda: LiveReader(origin, max_pixels, watch, end), "opening"), watch)
        watch = Watch(str(source))
        return outcome(start(lambda: VideoReader(source, max_pixels, watch, decoding), "opening"), watch)
    if decoding.where == "gpu":
        raise OptionError("decode='gpu' is for videos, frames in memory are decoded already")
    return nullcontext(ArrayFrames(source, times, recipe.backend))


def _key_frames(source: Any, recipe: Recipe, every: int) -> AbstractContextManager[FrameReader]:
    if not isinstance(source, str | PathLike) or origin_of(source) is not None:
        raise OptionError("keyframes is for video files, not for frames in memory or live video")
    if every != 1:
        raise OptionError("every and keyframes exclude each other: key frames lie as far apart as they do")
    watch = Watch(str(source))
    return outcome(start(lambda: KeyFrameReader(source, recipe.max_pixels, watch, recipe.decoding), "opening"), watch)
