"""Counting a part of a video by itself, wherever that is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gpuheat.inputs.video_frame import rotation_of
from gpuheat.jobs.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpuheat.inputs.keyframes import Part
    from gpuheat.inputs.video_frame import VideoFrame
    from gpuheat.inputs.video_part import PartReader
    from gpuheat.jobs.scene import Scene
    from gpuheat.jobs.tally import Counting

__all__ = ["CountedPart", "PartJob", "count_part"]


class PartJob(NamedTuple):
    """The frames of a part that are wanted.

    ``threads`` may decode it. ``over``: there are none behind those that are wanted. ``again``: the one before them,
    which was counted in an earlier run.
    """

    part: Part
    threads: int
    wanted: range
    over: bool
    scene: Scene
    again: int | None

    @property
    def is_decoded(self) -> bool:
        """Whether one of its frames is needed."""
        return len(self.wanted) > 0 or self.over or self.again is not None

    @property
    def is_last(self) -> bool:
        """Whether nothing behind it is read."""
        return self.over or self.part.end is None


@dataclass
class CountedPart:
    """What came out of a part: its first and last frame, and the first of the next as its decoder shows it."""

    tally: Tally
    first: VideoFrame | None = None
    last: VideoFrame | None = None
    next_frame: VideoFrame | None = None


def count_part(reader: PartReader, job: PartJob, counting: Counting, see: Callable[[VideoFrame], bool]) -> CountedPart:
    """Count the frames of a part that are wanted.

    ``see`` is called with every frame that was read; where it returns true counting ends there.

    Raises
    ------
    NotAsPromisedError
        If the part does not hold what the packets promised.
    """
    counted = CountedPart(Tally(counting, job.scene))
    for frame in reader.frames(job.part, job.threads):
        counted.first = counted.first or frame
        counted.last = frame
        if frame.number == job.again:
            counted.tally.go_on_from(frame, rotation_of(frame.picture))
        elif frame.number in job.wanted:
            counted.tally.add(frame, rotation_of(frame.picture))
        if see(frame) or (job.over and frame.number >= job.wanted.stop):
            break
    else:
        counted.next_frame = reader.next_frame
    counted.tally.flush()
    counting.backend.synchronize()  # this thread's stream: whoever takes the counts asks another
    return counted
