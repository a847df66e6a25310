"""What came out of one video, without the file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import gpuheat

if TYPE_CHECKING:
    from gpuheat.inputs.frames import FrameReader
    from gpuheat.inputs.remote import RemoteFile
    from gpuheat.inputs.video import VideoReader
    from gpuheat.jobs.recipe import Recipe
    from gpuheat.jobs.stretch import Stretch
    from gpuheat.jobs.tally import Tally
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["CountedVideo", "ReadVideo", "one_result"]

ONE_FRAME = "only one frame was looked at: there is no pair to compare, and the map is empty"


@dataclass(frozen=True)
class ReadVideo:
    """What a :class:`VideoReader` tells once reading has ended; it can be sent to another machine."""

    path: Path | RemoteFile
    width: int
    height: int
    rotation: int
    frames_decoded: int
    frame_interval: Fraction
    facts: dict[str, Any]
    warnings: list[str]

    @classmethod
    def of(cls, reader: VideoReader | ReadVideo) -> Self:
        """What this reader tells."""
        return cls(**{name: getattr(reader, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class CountedVideo:
    """What was counted of a video, for another machine.

    Attributes
    ----------
    reader
        What reading brought up.
    sums
        :attr:`Tally.sums`; None where no frame was looked at.
    seen_until
        When the last frame is shown that was seen, s.
    stopped
        Why that is not all; None where it is.
    """

    reader: ReadVideo
    sums: dict[str, Any] | None
    seen_until: Fraction
    stopped: str | None

    @classmethod
    def of(cls, reader: VideoReader | ReadVideo, tally: Tally, seen_until: Fraction, stopped: str | None) -> Self:
        """What these two came to."""
        sums = None if tally.counter is None else tally.sums
        return cls(ReadVideo.of(reader), sums, seen_until, stopped)


def one_result(
    recipe: Recipe,
    stretch: Stretch,
    reader: FrameReader | ReadVideo,
    tally: Tally,
    *,
    seconds: float,
    jobs: int,
    stopped: str | None,
) -> MotionHeatmap:
    """The heat map of what was counted of one source in so many ``seconds``; ``stopped``: why it is not all.

    The last one, where ``reader`` is one that has read all.
    """
    result = tally.result(recipe.blur, reader.rotation, copy=not isinstance(reader, ReadVideo))
    compared = {"frames_compared": len(tally.numbers), "compared_as": sorted(tally.layouts), "stopped": stopped}
    warnings = [*reader.warnings, *([] if len(tally.numbers) > 1 else [ONE_FRAME])]
    return replace(
        result,
        settings=recipe.settings_of(result, stretch),
        facts={
            "gpuheat": gpuheat.__version__,
            "input": reader.facts | compared,
            "backend": recipe.backend_facts,
            "warnings": warnings if stopped is None else [f"incomplete: {stopped}", *warnings],
            "time": {"seconds": seconds, "frames_per_second": reader.frames_decoded / seconds, "jobs": jobs},
        },
    )
