"""What the workers of a cluster do. What they return lies in their memory until another of them takes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gpuheat.backends.base import DecodingBackend
from gpuheat.backends.cpu_loops import at_most
from gpuheat.errors import GpuheatError, IncompleteError, VideoError
from gpuheat.inputs.address import without_secrets
from gpuheat.inputs.gpu_decoding import ON_CPU
from gpuheat.inputs.remote import file_at
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.video_part import NotAsPromisedError, PartReader
from gpuheat.inputs.watch import Watch
from gpuheat.jobs.checkpoint import Checkpoint
from gpuheat.jobs.counted_part import count_part
from gpuheat.jobs.counted_video import CountedVideo, ReadVideo
from gpuheat.jobs.cutting import Cutting, Sharing, VideoIndex, cut, index_of
from gpuheat.jobs.dask.messages import Begin, Failed, How, NotCut, Outline, Wrong
from gpuheat.jobs.motion_run import MotionRun, NoFrameError
from gpuheat.jobs.pieces import Piece
from gpuheat.jobs.recipe import Recipe
from gpuheat.jobs.tally import Counting, Tally
from gpuheat.jobs.threads import outcome, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from gpuheat.inputs.kept_frame import LastRead
    from gpuheat.inputs.keyframes import Part

__all__ = ["count", "finish", "index", "join", "length", "one_pass", "outline", "plan", "same"]


Result = TypeVar("Result")


def same(value: Any) -> Any:
    """What is given: so that the cluster has it once, and makes it again where a worker was lost."""
    return value


def length(how: How, video: str) -> Fraction | Failed | None:
    """How long a video is by its header, s; None where that does not say."""
    recipe = Recipe(**how.recipe)
    try:
        return _read(video, lambda watch: _reader(recipe, video, watch).length)
    except VideoError as error:
        return Failed(str(error))


def index(how: How, video: str) -> VideoIndex | Failed:
    """Where a video can be cut."""
    recipe = Recipe(**how.recipe)
    try:
        return _read(video, lambda watch: index_of(_reader(recipe, video, watch)))
    except VideoError as error:
        return Failed(str(error))


def plan(how: How, found: VideoIndex | Failed, begin: Begin, sharing: Sharing) -> Cutting | Failed | NotCut:
    """How a video is shared."""
    if isinstance(found, Failed):
        return found
    cutting = cut(found, begin.stretch(how.every), sharing)
    return cutting or NotCut("no index to trust")


def outline(found: VideoIndex | Failed, cutting: Cutting | Failed | NotCut) -> Outline | Failed | NotCut:
    """The little of it that whoever gives tasks out needs."""
    if isinstance(found, Failed):
        return found
    if not isinstance(cutting, Cutting):
        return cutting
    return Outline(len(cutting.planned), cutting.looked_at, cutting.seen_until + found.frame_interval)


def count(how: How, video: str, cutting: Cutting, number: int, begin: Begin) -> Piece | NotCut | Wrong:
    """Count one part, unless that was done before and kept."""
    planned = cutting.planned[number]
    recipe, counting = _counting(how, begin)
    try:
        kept = _kept_part(how, video, recipe, planned.part, begin)
        if kept is not None and (state := kept.load()) is not None:
            return Piece.restored(state)
        job = planned.job(recipe.scene.following(begin.looked_at))

        def work(watch: Watch) -> Piece:
            with at_most(1), PartReader(file_at(video), watch, recipe.max_pixels) as reader:
                return Piece.of(count_part(reader, job, counting, lambda _: False), job)

        piece = _read(video, work)
        if kept is not None:
            kept.save(piece.state)
        return piece
    except (NotAsPromisedError, VideoError) as error:  # reading in one pass may get along with it
        return NotCut(str(error))
    except GpuheatError as error:
        return Wrong(error)


def join(how: How, begin: Begin, one: Piece | NotCut | Wrong, other: Piece | NotCut | Wrong) -> Piece | NotCut | Wrong:
    """One piece of two that follow each other."""
    for piece in (one, other):
        if not isinstance(piece, Piece):
            return piece
    recipe, counting = _counting(how, begin)
    assert isinstance(one, Piece)
    assert isinstance(other, Piece)
    try:
        return one.joined(other, counting, recipe.scene)
    except NotAsPromisedError as error:
        return NotCut(str(error))


def finish(
    how: How, video: str, cutting: Cutting, piece: Piece | NotCut | Wrong | None, begin: Begin
) -> CountedVideo | NotCut | Wrong:
    """What came out of a video whose parts were all counted; ``piece`` is None where there are none."""
    if isinstance(piece, NotCut | Wrong):
        return piece
    recipe, counting = _counting(how, begin)

    def work(watch: Watch) -> CountedVideo:
        reader = _reader(recipe, video, watch)
        read = () if piece is None else piece.read
        parts: list[tuple[Part, LastRead | None]] = [(part, None) for part in cutting.skipped]
        parts += [(planned.part, last) for planned, last in zip(cutting.planned, read, strict=True)]
        for part, last in sorted(parts, key=lambda each: each[0].first):
            reader.passed(part, last)
        if not any(planned.over for planned in cutting.planned):
            for frame in reader:
                raise NotAsPromisedError(f"frame {frame.number:,} is behind the last")
        tally = Tally(counting, recipe.scene) if piece is None else piece.tally(counting, recipe.scene)
        return CountedVideo.of(reader, tally, cutting.seen_until, None)

    try:
        return _read(video, work)
    except (NotAsPromisedError, VideoError) as error:
        return NotCut(str(error))


def one_pass(how: How, video: str, begin: Begin) -> CountedVideo | Failed | Wrong:
    """Count a video from its first frame to its last; what was counted before and kept is not counted again."""
    stopped = None
    folder, recipe = how.folder, how.recipe
    checkpoint = None if folder is None or recipe["keyframes"] else Path(folder) / f"{_name(video, begin)}-whole.npz"
    try:
        with MotionRun(
            file_at(video),
            every=how.every,
            start=begin.start,
            end=begin.end,
            times=None,
            later=begin.later,
            looked_at=begin.looked_at,
            slicing=begin.slicing,
            checkpoint=checkpoint,
            **recipe,
        ) as run:
            try:
                run.count()
                run.save()
            except IncompleteError as error:
                stopped = str(error)
            except NoFrameError:
                pass
            assert isinstance(run.reader, VideoReader | ReadVideo)
            run.tally.flush()
            return CountedVideo.of(run.reader, run.tally, run.stretch.seen_until, stopped)
    except VideoError as error:
        return Failed(str(error))
    except GpuheatError as error:
        return Wrong(error)


def _counting(how: How, begin: Begin) -> tuple[Recipe, Counting]:
    recipe = Recipe(**how.recipe)
    return recipe, replace(recipe.counting, later=begin.later, slicing=begin.slicing)


def _reader(recipe: Recipe, video: str, watch: Watch) -> VideoReader:
    """It closes by itself: to leave it as a context would let the watch give up."""
    decoding = ON_CPU if isinstance(recipe.backend, DecodingBackend) else recipe.decoding
    return VideoReader(file_at(video), recipe.max_pixels, watch, decoding)


def _read(video: str, work: Callable[[Watch], Result]) -> Result:
    """What ``work`` returns, or the error where reading makes no progress."""
    watch = Watch(without_secrets(video))
    return outcome(start(lambda: work(watch), "task"), watch)


def _kept_part(how: How, video: str, recipe: Recipe, part: Part, begin: Begin) -> Checkpoint | None:
    """Where a part is kept."""
    if how.folder is None:
        return None
    frames = len(part.stamps or ())
    settings = {"source": "a part of a video", "first": part.first, "frames": frames, "later": str(begin.later)}
    settings |= {"looked_at": begin.looked_at} | recipe.decisive | begin.stretch(how.every).decisive
    settings["slice"] = None if begin.slicing is None else str(begin.slicing.steps.step)
    return Checkpoint(Path(how.folder) / f"{_name(video, begin)}-{part.first}-{frames}.npz", [file_at(video)], settings)


def _name(video: str, begin: Begin) -> str:
    from hashlib import sha256

    return sha256(f"{video} {begin.later} {begin.looked_at}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
