"""The parts of one video on a cluster: counted, and joined in pairs as they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpuheat.jobs.dask.cluster import Errand

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpuheat.jobs.dask.cluster import Tasks

__all__ = ["Tree"]


@dataclass
class _Piece:
    """What so many parts come to, from the ``first`` on, and whether it has come."""

    first: int
    parts: int
    errand: Errand
    came: bool = False


class Tree:
    """Has parts counted, and joined in pairs, so that no more than a few lie in the cluster's memory.

    Parameters
    ----------
    tasks_of
        Those of the cluster.
    name
        Of the video, for the log.
    parts
        How many there are, at least 1.
    count, join
        What is to be submitted for the part of some number, and for two futures of what follows each other.

    Attributes
    ----------
    counted
        So many parts are.
    outcome
        The future of all of them together, or of what could not be done; None before.
    """

    def __init__(
        self,
        tasks_of: Tasks,
        name: str,
        parts: int,
        count: Callable[[int], tuple[Any, ...]],
        join: Callable[[Any, Any], tuple[Any, ...]],
    ) -> None:
        self._tasks = tasks_of
        self._name = name
        self._parts = parts
        self._count = count
        self._join = join
        self._given = 0
        self._pieces: list[_Piece] = []  # in their order
        self.counted = 0
        self.outcome: Any = None

    def go_on(self, room: int) -> int:
        """Do what can be done; gives out so many parts at most, and returns how many."""
        self._look()
        if self.outcome is not None:
            return 0
        self._join_pairs()
        given = min(max(0, room), self._parts - self._given)
        for number in range(self._given, self._given + given):
            what = f"{self._name}: part {number + 1}"
            self._pieces.append(_Piece(number, 1, Errand(self._tasks, what, *self._count(number), decodes=True)))
        self._given += given
        return given

    @property
    def waits_for(self) -> list[Errand]:
        """Those with one of which there is something to do once it is done."""
        return [piece.errand for piece in self._pieces if not piece.came]

    def _look(self) -> None:
        """Take in what has come."""
        for piece in self._pieces:
            if piece.came or not piece.errand.look():
                continue
            piece.came = True
            if piece.errand.done.status != "finished":
                self.outcome = piece.errand.done
            elif piece.parts == 1:
                self.counted += 1
        if self._pieces and self._pieces[0].parts == self._parts:
            self.outcome = self._pieces[0].errand.done

    def _join_pairs(self) -> None:
        """As in a tree; once all parts are counted, whatever lies side by side."""
        joined: list[_Piece] = []
        for piece in self._pieces:
            before = joined[-1] if joined else None
            if before is not None and before.came and piece.came and self._fit(before, piece):
                parts = before.parts + piece.parts
                what = f"{self._name}: joining parts {before.first + 1} to {before.first + parts}"
                errand = Errand(self._tasks, what, *self._join(before.errand.done, piece.errand.done), first=True)
                joined[-1] = _Piece(before.first, parts, errand)
            else:
                joined.append(piece)
        self._pieces = joined

    def _fit(self, one: _Piece, other: _Piece) -> bool:
        return self.counted == self._parts or (one.parts == other.parts and one.first % (2 * one.parts) == 0)
