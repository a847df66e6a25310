"""Decoded pictures, detached from the decoder's memory."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av
from av.filter import Graph

from gpuheat.errors import VideoError
from gpuheat.inputs.video_frame import is_bottom_up

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Detacher"]

COPY: Final = ("copy",)
COPY_BOTTOM_UP: Final = ("vflip", "copy", "setparams", "vflip")
"""The copy alone would lie top-down. To flip only changes where a picture begins, but it would have what is right
before it write bottom-up; the filter in between sets nothing."""


class Detacher:
    """Copies the pictures of one video out of the decoder's memory, for one thread.

    A decoder writes the next picture into the memory of one that nobody needs any more, and of a damaged picture it
    may write a part alone. So what such a picture shows depends on when those before it were let go.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._graph = Graph()
        self._copies: tuple[str, int, int, bool] | None = None  # what kind of pictures

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The same picture in memory of its own, with all that is said of it.

        Raises
        ------
        VideoError
            If FFmpeg cannot copy it.
        """
        try:
            kind = picture.format.name, picture.width, picture.height, is_bottom_up(picture)
            if kind != self._copies:
                self._graph, self._copies = _copying(picture), kind
            self._graph.vpush(picture)
            copy = self._graph.vpull()
        except (av.FFmpegError, OSError) as error:
            raise VideoError(
                f"{self._path}: FFmpeg cannot copy a picture of {picture.width} x {picture.height} px in "
                f"{picture.format.name}: {error}"
            ) from error
        copy.colorspace, copy.color_range = picture.colorspace, picture.color_range  # else what is not said is guessed
        copy.time_base = picture.time_base or Fraction(0)  # which stands for none
        return copy


def _copying(picture: av.VideoFrame) -> Graph:
    """FFmpeg's filters that copy pictures of this kind one by one."""
    graph = Graph()
    graph.threads = 1
    filters = [graph.add(name) for name in (COPY_BOTTOM_UP if is_bottom_up(picture) else COPY)]
    source = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1))
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph
