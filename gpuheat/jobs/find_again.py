"""Going on, in one pass, where an earlier run had come to."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from gpuheat.errors import VideoError
from gpuheat.inputs.video import VideoReader

if TYPE_CHECKING:
    from gpuheat.inputs.keyframes import Part
    from gpuheat.jobs.tally import Tally

__all__ = ["begin_before_last"]

ATTEMPTS: Final = 16


def begin_before_last(reader: VideoReader, tally: Tally) -> None:
    """Have a reader begin at a cut shortly before the frame that a tally awaits.

    It is left at the beginning of its file where there is no cut, or where decoding from there does not show that frame
    as it was: with several threads some decoders do not find their way in at a key frame that is followed by frames
    shown before it.
    """
    assert tally.awaited is not None
    before: deque[Part] = deque(maxlen=ATTEMPTS)
    for part in reader.parts(reader.watch):
        if part.stamps is None or part.first > tally.awaited.number:
            break
        before.append(part)
    for part in reversed(before):
        if part.begin is not None and _leads_there(reader, part, tally):
            reader.begin_at(part)
            return


def _leads_there(reader: VideoReader, part: Part, tally: Tally) -> bool:
    assert tally.awaited is not None
    try:
        # closes by itself: to leave it as a context would let the watch give up
        attempt = VideoReader(reader.path, reader.max_pixels, reader.watch)
        attempt.begin_at(part)
        attempt.frames_skipped = part.first
        for frame in attempt:
            if attempt.is_damaged or frame.number >= tally.awaited.number:
                return not attempt.is_damaged and tally.awaits(frame)
    except VideoError:
        return False
    return False
