"""What those who give tasks out and those who do them tell each other: all of it is small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpuheat.jobs.stretch import Stretch

if TYPE_CHECKING:
    from fractions import Fraction

    from gpuheat.errors import GpuheatError
    from gpuheat.motion.sliced import Slicing

__all__ = ["Begin", "Failed", "How", "NotCut", "Outline", "Wrong"]


@dataclass(frozen=True)
class How:
    """How videos are counted: the options of :class:`Recipe`, every how many-th frame, and where parts are kept."""

    recipe: dict[str, Any]
    every: int
    folder: str | None


@dataclass(frozen=True)
class Begin:
    """Where a video begins on the common time line, s, behind how many frames, and which stretch of it is wanted."""

    later: Fraction
    looked_at: int
    start: Fraction | None
    end: Fraction | None
    slicing: Slicing | None

    def stretch(self, every: int) -> Stretch:
        """The stretch, of which nothing was seen."""
        return Stretch(every, self.start, self.end)


@dataclass(frozen=True)
class Failed:
    """Why a video cannot be read."""

    reason: str


@dataclass(frozen=True)
class Wrong:
    """What is wrong with the options, or with something that is not the video."""

    error: GpuheatError


@dataclass(frozen=True)
class NotCut:
    """Why a video has to be read in one pass."""

    reason: str


@dataclass(frozen=True)
class Outline:
    """What is known of a video before it is decoded: how many parts are counted, how many frames are looked at ...

    ``next_begins``: by how much later the next video begins, s.
    """

    parts: int
    looked_at: int
    next_begins: Fraction
