"""A few frames of a video by their numbers, without decoding all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpuheat.inputs.container import MAX_PIXELS
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.video_frame import rotation_of
from gpuheat.inputs.video_part import NotAsPromisedError, PartReader

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from gpuheat.inputs.keyframes import Part
    from gpuheat.inputs.remote import RemoteFile
    from gpuheat.inputs.watch import Watch

__all__ = ["picked_frames"]


def picked_frames(
    path: str | os.PathLike[str], numbers: Collection[int], max_pixels: int = MAX_PIXELS
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The frames with these numbers, in their order, each with its (h, w, 3) BGR picture as shown.

    Of each part of the video that holds one, what is before it is decoded as well. Where the parts cannot be relied on
    (no time stamps, damage), the file is decoded from its beginning up to the last frame that is wanted.

    Raises
    ------
    VideoError
        If the file cannot be read as far as to the last of them.
    """
    left = sorted(set(numbers))
    with VideoReader(path, max_pixels) as reader:
        if not left or reader.is_damaged:  # or its decoder would pass over damage in silence
            parts: list[tuple[Part, list[int]]] = []
        else:
            parts = _wanted_parts(reader.parts(reader.watch), left)
        try:
            for number, picture in _of_parts(reader.path, parts, reader.watch, max_pixels):
                left.remove(number)
                yield number, picture
        except NotAsPromisedError:
            pass  # the others are read in one pass
        for frame in reader if left else ():
            if frame.number == left[0]:
                yield left.pop(0), _upright(frame.bgr(), reader.rotation)
            if not left:
                return


def _wanted_parts(parts: Iterator[Part], numbers: list[int]) -> list[tuple[Part, list[int]]]:
    """The parts that hold some of these frames, each with their numbers, up to one that is not to be relied on."""
    wanted: list[tuple[Part, list[int]]] = []
    for part in parts:
        if part.stamps is None:
            break
        after = part.first + len(part.stamps)
        if inside := [number for number in numbers if part.first <= number < after]:
            wanted.append((part, inside))
        if numbers[-1] < after:
            break
    return wanted


def _of_parts(
    path: Path | RemoteFile, parts: list[tuple[Part, list[int]]], watch: Watch, max_pixels: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    if not parts:
        return
    with PartReader(path, watch, max_pixels) as reader:
        for part, numbers in parts:
            for frame in reader.frames(part):
                if frame.number in numbers:
                    yield frame.number, _upright(frame.bgr(), rotation_of(frame.picture))
                if frame.number >= numbers[-1]:
                    break


def _upright(picture: NDArray[np.uint8], rotation: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rot90(picture, rotation // 90))
