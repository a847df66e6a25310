"""What a frame is, wherever it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from gpuheat.pixels import Pixels

__all__ = ["Frame", "FrameReader"]


class Frame(Protocol):
    """One picture of a sequence; its pixels are made only when they are asked for."""

    @property
    def number(self) -> int:
        """Counts the frames that were read from 0."""

    @property
    def time(self) -> Fraction | None:
        """Seconds since the beginning, exact; None where there are no times."""

    def native(self, native_formats: Sequence[str]) -> Pixels:
        """The frame's own planes where their format is one of these and they stand for just the picture
        :meth:`bgr` makes; else that picture."""

    def native_luma(self, native_formats: Sequence[str]) -> Pixels:
        """The frame's own luma plane, in whatever range it is, where gray8 is one of these; else :meth:`luma`."""

    def bgr(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 BGR; (h, w) for frames that are grey in memory."""

    def luma(self) -> NDArray[np.uint8]:
        """(h, w) uint8, the brightness from 0 to 255."""


class FrameReader(Protocol):
    """A sequence of frames, to be read once."""

    @property
    def frames_decoded(self) -> int:
        """How many frames were read so far."""

    @property
    def frames_expected(self) -> int | None:
        """How many there may be; None where that is unknown."""

    @property
    def length(self) -> Fraction | None:
        """How long it may be, s, all frames shown; None where that is unknown, or there are no times."""

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise, a multiple of 90, by which frames are to be turned for display."""

    @property
    def facts(self) -> dict[str, Any]:
        """What was read, for ``summary.json``."""

    @property
    def warnings(self) -> Sequence[str]:
        """What whoever looks at the result should know, one line each."""

    def __iter__(self) -> Iterator[Frame]:
        """The frames, in the order of showing."""
