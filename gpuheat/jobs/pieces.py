"""A piece of a video, cut out and counted by itself, anywhere; pieces that lie side by side become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from gpuheat.errors import InputError
from gpuheat.inputs.kept_frame import KeptFrame, LastRead, looks
from gpuheat.inputs.video_frame import VideoFrame
from gpuheat.inputs.video_part import NotAsPromisedError
from gpuheat.jobs.tally import Tally

if TYPE_CHECKING:
    from gpuheat.jobs.counted_part import CountedPart, PartJob
    from gpuheat.jobs.scene import Scene
    from gpuheat.jobs.tally import Counting

__all__ = ["Piece"]


@dataclass(frozen=True)
class Piece:
    """What was counted of consecutive frames of a video; it can be sent to another machine or written to a file.

    Attributes
    ----------
    begin, end
        The numbers of the frames it stands for: ``begin <= number < end``.
    looks_first, looks_next
        How its first frame looks, and the one behind it, as its own decoder shows them (:func:`looks`); None where
        that was not decoded.
    read
        The last frame of each part that was decoded.
    sums
        What was counted (:attr:`Tally.sums`); None where no frame was looked at.
    first, last
        The first and the last frame that were looked at.
    """

    begin: int
    end: int
    looks_first: str | None
    looks_next: str | None
    read: tuple[LastRead, ...]
    sums: dict[str, Any] | None
    first: KeptFrame | None
    last: KeptFrame | None

    @classmethod
    def of(cls, counted: CountedPart, job: PartJob) -> Self:
        """What came out of a part."""
        tally, last = counted.tally, counted.last
        assert counted.first is not None
        assert last is not None
        ends = [KeptFrame.of(frame) for frame in (tally.first, tally.last) if isinstance(frame, VideoFrame)]
        first_frame, last_frame = ends or (None, None)
        return cls(
            job.part.first,
            job.part.first + len(job.part.stamps or ()),
            looks(counted.first),
            None if counted.next_frame is None else looks(counted.next_frame),
            (LastRead(last.number, last.shape),),
            tally.sums if ends else None,
            first_frame,
            last_frame,
        )

    def joined(self, other: Piece, counting: Counting, scene: Scene) -> Piece:
        """This piece and the next one.

        ``scene`` is that of the run, which has not seen a frame.

        Raises
        ------
        NotAsPromisedError
            If they do not fit.
        """
        if self.end == other.begin and self.looks_next is not None and self.looks_next != other.looks_first:
            raise NotAsPromisedError(f"frame {other.begin:,} looks different without those before it")
        sums, first, last = self.sums, self.first, self.last
        if sums is None:
            sums, first, last = other.sums, other.first, other.last
        elif other.sums is not None:
            tally = self.tally(counting, scene)
            try:
                tally.append(other.tally(counting, scene))
            except InputError as error:
                raise NotAsPromisedError(f"frame {other.begin:,} has another size") from error
            sums, last = tally.sums, other.last
        return Piece(
            self.begin, other.end, self.looks_first, other.looks_next, self.read + other.read, sums, first, last
        )

    def tally(self, counting: Counting, scene: Scene) -> Tally:
        """A tally of it, to which others may be appended, and which may be appended to others."""
        tally = Tally(counting, scene.following(0))
        if self.sums is not None:
            assert self.last is not None
            rotation = self.last.shape[2]
            tally.restore(self.sums, rotation)
            tally.go_on_from(self.last, rotation, self.first)
        return tally

    @property
    def state(self) -> dict[str, Any]:
        """All of it, for :meth:`restored`: arrays and plain values."""
        return {
            **{name: getattr(self, name) for name in ("begin", "end", "looks_first", "looks_next", "sums")},
            "read": [[number, [*shape]] for number, shape in self.read],
            "first": None if self.first is None else self.first.state,
            "last": None if self.last is None else self.last.state,
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """The piece that gave this as its state."""
        first, last = (None if state[name] is None else KeptFrame.restored(state[name]) for name in ("first", "last"))
        read = tuple(LastRead(number, (width, height, turned)) for number, (width, height, turned) in state["read"])
        return cls(**state | {"read": read, "first": first, "last": last})
