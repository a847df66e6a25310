"""Where a video has no frame for much longer than is usual in it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    from gpuheat.inputs.remote import RemoteFile

__all__ = ["Gaps"]

SHORTEST: Final = Fraction(1)  # s
USUAL: Final = 10  # times the usual distance


class Gaps:
    """The gaps between neighbouring frames that are both longer than 1 s and than ten times the usual distance.

    What was lost leaves one; so does a recorder that writes a frame only when the picture changes.

    Parameters
    ----------
    usual
        The usual distance of two frames, s; 0 where it is not known.
    """

    def __init__(self, usual: Fraction) -> None:
        self._shortest = max(SHORTEST, USUAL * usual)
        self._last: tuple[int, Fraction] | None = None  # the last frame, and when it is shown, s
        self._count = 0
        self._longest = Fraction(0)  # s
        self._before = (0, Fraction(0))  # the frame before the longest, and when it is shown, s

    def see(self, number: int, time: Fraction | None) -> None:
        """Take note of when a frame is shown, s; None where nothing says so. Only neighbours have a gap between."""
        if time is not None and self._last is not None and self._last[0] == number - 1:
            gap = time - self._last[1]
            self._count += gap > self._shortest
            if gap > max(self._shortest, self._longest):
                self._longest, self._before = gap, self._last
        self._last = None if time is None else (number, time)

    @property
    def position(self) -> list[Any]:
        """What was seen so far, for :meth:`go_on`: numbers, texts and lists of them."""
        last = None if self._last is None else _as_texts(self._last)
        return [last, self._count, str(self._longest), _as_texts(self._before)]

    def go_on(self, position: list[Any]) -> None:
        """Go on with what another one saw, which gave its position."""
        last, self._count, longest, before = position
        self._last = None if last is None else _of_texts(last)
        self._longest, self._before = Fraction(longest), _of_texts(before)

    def warnings(self, path: Path | RemoteFile) -> list[str]:
        """One line about all of them, if there are any."""
        if self._count == 0:
            return []
        number, time = self._before
        places = f"{self._count:,} place{'' if self._count == 1 else 's'}"
        return [
            f"{path}: no frame for more than {float(self._shortest):,.1f} s in {places}, the longest time being "
            f"{float(self._longest):,.1f} s from {float(time):,.1f} s on, behind frame {number:,}: frames were lost "
            "there, or none was recorded"
        ]


def _as_texts(frame: tuple[int, Fraction]) -> list[Any]:
    return [frame[0], str(frame[1])]


def _of_texts(frame: list[Any]) -> tuple[int, Fraction]:
    return frame[0], Fraction(frame[1])
