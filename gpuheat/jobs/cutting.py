"""How the frames of a video are shared among workers: in parts of about equal work, and not of equal length."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpuheat.inputs.keyframes import Part
from gpuheat.jobs.counted_part import PartJob

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from gpuheat.inputs.video import VideoReader
    from gpuheat.jobs.scene import Scene
    from gpuheat.jobs.stretch import Stretch

__all__ = ["Cutting", "Planned", "Sharing", "VideoIndex", "cut", "index_of"]


@dataclass(frozen=True)
class Sharing:
    """In how many parts a video is shared.

    Attributes
    ----------
    wanted
        So many at least, if they are not too small for that.
    least, most
        How many pixels are decoded for one part, about: 250 and 2,000 pictures of 1080p, up to some seconds of one
        processor. Joining parts, and starting their decoders, takes time as well.
    """

    wanted: int
    least: int = 2**29
    most: int = 2**32

    def frames_of(self, index: VideoIndex) -> float:
        """How many frames a part is to have."""
        pixels = max(1, index.size[0] * index.size[1])
        return max(self.least, min(self.most, pixels * index.frames / self.wanted)) / pixels


@dataclass(frozen=True)
class VideoIndex:
    """Where a video can be cut, and when its frames are shown.

    Attributes
    ----------
    parts
        All of it, or up to where there is no index to trust, which the last one then says.
    size
        Width and height by the header, px.
    frame_interval
        How long a frame is shown on average, s.
    begins, unit
        The time stamp of 0 s, and the length of one step, s.
    """

    parts: tuple[Part, ...]
    size: tuple[int, int]
    frame_interval: Fraction
    begins: int
    unit: Fraction

    @property
    def frames(self) -> int:
        """How many there are, as far as there is an index."""
        return sum(len(part.stamps or ()) for part in self.parts)

    def times_of(self, part: Part) -> list[Fraction]:
        """When each frame of a part is shown, s."""
        return [(stamp - self.begins) * self.unit for stamp in part.stamps or ()]


@dataclass(frozen=True)
class Planned:
    """A part that is counted by itself: see :class:`PartJob`; so many frames are looked at before it."""

    part: Part
    wanted: range
    over: bool
    looked_at: int

    def job(self, scene: Scene) -> PartJob:
        """What is to be done; ``scene`` is that of the video."""
        return PartJob(self.part, 1, self.wanted, self.over, scene.following(self.looked_at), None)


@dataclass(frozen=True)
class Cutting:
    """What is done with a video, up to the end of a stretch.

    Attributes
    ----------
    planned
        What is to be counted, one by one.
    skipped
        Parts of which nothing is decoded.
    looked_at
        How many frames are looked at.
    seen_until
        When the last frame is shown that was seen, s.
    """

    planned: tuple[Planned, ...]
    skipped: tuple[Part, ...]
    looked_at: int
    seen_until: Fraction


def cut(index: VideoIndex, stretch: Stretch, sharing: Sharing) -> Cutting | None:
    """Share a video; None where it cannot be cut.

    Parameters
    ----------
    stretch
        It has seen nothing of it yet.
    sharing
        In how many parts.
    """
    cutter = _Cutter(stretch.every, sharing.frames_of(index))
    for part in index.parts:
        if stretch.over:
            break
        if part.stamps is None:
            return None
        frames = stretch.within(part.first, index.times_of(part))
        if len(frames) > 0 or stretch.over:
            cutter.add(part, frames)
        else:
            cutter.skip(part)
    cutter.close(over=stretch.over)
    return Cutting(tuple(cutter.planned), tuple(cutter.skipped), cutter.looked_at, stretch.seen_until)


class _Cutter:
    """Joins parts that follow each other, ``every`` so many-th frame of which is looked at.

    It cuts where that is nearest to a multiple of ``size`` frames: so as many parts come out as were wanted, and not
    one more, for which most workers would wait.
    """

    def __init__(self, every: int, size: float) -> None:
        self._every = every
        self._size = size
        self._gathered: list[Part] = []
        self._frames = 0  # of all parts
        self._next_cut = size  # behind so many of them, about
        self._wanted = range(0)
        self.planned: list[Planned] = []
        self.skipped: list[Part] = []
        self.looked_at = 0

    def add(self, part: Part, wanted: range) -> None:
        """Take in a part that is decoded, to be counted with those before it or by itself."""
        frames = len(part.stamps or ())
        if self._gathered and self._next_cut - self._frames < self._frames + frames - self._next_cut:
            self.close()
        first = self._wanted if len(self._wanted) > 0 else wanted
        self._wanted = range(first.start, wanted.stop, self._every)
        self._gathered.append(part)
        self._frames += frames

    def skip(self, part: Part) -> None:
        """Take in a part that is not decoded."""
        self.close()
        self.skipped.append(part)

    def close(self, *, over: bool = False) -> None:
        """Plan what was gathered; ``over``: nothing behind it is looked at."""
        if self._gathered:
            self.planned.append(Planned(_joined(self._gathered), self._wanted, over, self.looked_at))
            self.looked_at += len(self._wanted)
        self._next_cut = self._size * (math.floor(self._frames / self._size + 0.5) + 1)
        self._gathered, self._wanted = [], range(0)


def _joined(parts: Sequence[Part]) -> Part:
    stamps = array("q")
    for part in parts:
        stamps.extend(part.stamps or ())
    return Part(parts[0].begin, parts[-1].end, stamps, parts[-1].packets)


def index_of(reader: VideoReader) -> VideoIndex:
    """The index of a video, all packets of which are read."""
    parts = tuple(reader.parts(reader.watch))
    begins, unit = reader.time_origin
    return VideoIndex(parts, (reader.width, reader.height), reader.frame_interval, begins, unit)
