"""What videos that follow each other add up to."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gpuheat
from gpuheat.errors import InputError, VideoError
from gpuheat.inputs.address import without_secrets
from gpuheat.jobs.tally import Tally

if TYPE_CHECKING:
    from gpuheat.inputs.video import VideoReader
    from gpuheat.jobs.counted_video import ReadVideo
    from gpuheat.jobs.recipe import Recipe
    from gpuheat.jobs.stretch import Stretch
    from gpuheat.motion.heatmap import MotionHeatmap

__all__ = ["VideosTally"]


class VideosTally:
    """Takes videos in that are done with, in their order: counted, as far as that was possible, or left out.

    Parameters
    ----------
    videos
        All of them.
    recipe
        How they are counted.

    Attributes
    ----------
    later
        When the next begins on their common time line, s.
    frames
        How many were decoded.
    failed
        Why videos are left out, or not whole.
    """

    def __init__(self, videos: list[str], recipe: Recipe) -> None:
        self._videos = videos
        self._recipe = recipe
        self._tally = Tally(recipe.counting, recipe.scene.following(0))
        self._shown: tuple[int, int, int] | None = None
        self._inputs: list[dict[str, Any]] = []
        self._warnings: list[str] = []
        self.later = Fraction(0)
        self.frames = 0
        self.failed: list[str] = []

    @property
    def done(self) -> int:
        """How many videos it has taken in."""
        return len(self._inputs)

    @property
    def looked_at(self) -> int:
        """At how many frames of them was looked."""
        return len(self._tally.numbers)

    @property
    def counted_any(self) -> bool:
        """Whether there is a result."""
        return self._tally.counter is not None

    def refusal(self, reader: VideoReader | ReadVideo) -> str | None:
        """Why a video cannot follow those so far: its pictures have another size; None where they have not.

        Before one of them was decoded that is what its header says, if anything, which does not tell how to turn them.
        """
        if self._shown is None or (reader.frames_decoded == 0 and reader.width == 0):
            return None
        rotation = reader.rotation if reader.frames_decoded > 0 else self._shown[2]
        if (reader.width, reader.height, rotation) == self._shown:
            return None
        turned = f" turned by {rotation} degrees" if rotation != self._shown[2] else ""
        return (
            f"{reader.path}: its pictures are of {reader.width} x {reader.height} px{turned}, "
            f"those before of {self._shown[0]} x {self._shown[1]} px"
        )

    def take(
        self, reader: VideoReader | ReadVideo, tally: Tally | None, seen_until: Fraction, stopped: str | None
    ) -> None:
        """Add what was counted of the next video, or leave it out where its pictures have another size.

        Parameters
        ----------
        tally
            None where no frame of it was looked at.
        seen_until
            When its last frame is shown that was seen, s.
        stopped
            Why that is not all; None where it is.
        """
        pairs = 0
        if tally is not None:
            if (refusal := self.refusal(reader)) is not None:
                self.leave_out(refusal)
                return
            self._shown = reader.width, reader.height, reader.rotation
            assert tally.counter is not None
            pairs = tally.counter.pairs
            self._tally.append_apart(tally)
        if stopped is not None:
            self.failed.append(stopped)
        self._inputs.append(reader.facts | {"begins_s": float(self.later), "pairs": pairs, "stopped": stopped})
        self._warnings += reader.warnings if stopped is None else [f"incomplete: {stopped}", *reader.warnings]
        self.frames += reader.frames_decoded
        self.later += seen_until + reader.frame_interval

    def leave_out(self, reason: str) -> None:
        """Leave the next video out."""
        video = without_secrets(fspath(self._videos[self.done]))
        self.failed.append(reason)
        self._inputs.append({"name": Path(video).name, "path": video, "pairs": 0, "error": reason})
        self._warnings.append(f"left out: {reason}")

    @property
    def state(self) -> dict[str, Any]:
        """All that was taken in, for :meth:`restore`."""
        return {
            "tally": self._tally.state if self.counted_any else None,
            "shown": self._shown,
            "inputs": self._inputs,
            "warnings": self._warnings,
            "later": str(self.later),
            "frames": self.frames,
            "failed": self.failed,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Begin with what another had taken in of the same videos and gave as its state."""
        if state["tally"] is not None:
            width, height, rotation = state["shown"]
            self._shown = width, height, rotation
            self._tally.restore(state["tally"], rotation)
        self._inputs, self._warnings, self.failed = state["inputs"], state["warnings"], state["failed"]
        self.later, self.frames = Fraction(state["later"]), state["frames"]

    @property
    def shortfall(self) -> str | None:
        """How many of the videos are not whole, in words; None where all are.

        Raises
        ------
        VideoError
            If none of them could be read.
        InputError
            If none has a frame that was to be looked at.
        """
        if not self.counted_any:
            if self.failed:
                raise VideoError(self.failed[0])
            raise InputError("no frame of the videos lies between start and end")
        if self.failed:
            return f"{len(self.failed)} of {len(self._videos)} videos are left out, or not whole"
        return None

    def result(self, stretch: Stretch, seconds: float, stopped: str | None) -> MotionHeatmap:
        """The heat map of what was counted in so many ``seconds``; ``stopped``: why it is not all."""
        assert self._shown is not None
        result = self._tally.result(self._recipe.blur, self._shown[2])
        names = [entry["name"] for entry in self._inputs if "error" not in entry]
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        together = {
            "name": f"{names[0]}{others}",
            "videos": len(self._videos),
            "frames_decoded": self.frames,
            "frames_compared": self.looked_at,
            "compared_as": sorted(self._tally.layouts),
            "stopped": stopped,
        }
        speed = {"frames_per_second": self.frames / seconds, "jobs": self._recipe.jobs_for(*self._shown[:2])}
        return replace(
            result,
            settings=self._recipe.settings_of(result, stretch),
            facts={
                "gpuheat": gpuheat.__version__,
                "input": together,
                "inputs": self._inputs,
                "backend": self._recipe.backend_facts,
                "warnings": self._warnings,
                "time": {"seconds": seconds, **speed},
            },
        )
