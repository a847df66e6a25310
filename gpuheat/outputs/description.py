"""What a heat map says of itself beside its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpuheat.outputs.activity import Activity

__all__ = ["Description"]


@dataclass(frozen=True)
class Description:
    """The words and numbers of a heat map.

    Attributes
    ----------
    title
        What it is of.
    full, unit
        What 1 in the heat stands for: a number and its unit.
    extent
        The left, right, lower and upper edge of the picture, px, as matplotlib wants them.
    facts
        Names and values of what matters.
    warnings
        What the reader ought to know.
    activity
        The activity over time, where there is one.
    """

    title: str
    full: float
    unit: str
    extent: tuple[float, float, float, float]
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str] = ()
    activity: Activity | None = None
