"""Into which stretches of the time a map is asked for to be cut."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from gpuheat.errors import OptionError
from gpuheat.inputs.arrays import exact_seconds
from gpuheat.motion.sliced import MOST_OF_ONE_STEP, Slicing, Steps
from gpuheat.options import whole_number

if TYPE_CHECKING:
    from gpuheat.jobs.stretch import Stretch

__all__ = ["slicing_of"]


def slicing_of(slice_: Any, slices: Any, stretch: Stretch, length: Fraction | None) -> Slicing | None:
    """The slices of a stretch, from its beginning on.

    Parameters
    ----------
    slice_
        How long each is, s; None where that is not asked for.
    slices
        How many there are to be, likewise.
    stretch
        What is counted of the source.
    length
        How long the source is, s, as far as is known beforehand; for frames without times, how many pairs there are.

    Raises
    ------
    OptionError
        If both are asked for, one of them is out of range, or there is no telling how long so many slices are.
    """
    if slice_ is None and slices is None:
        return None
    if slice_ is not None and slices is not None:
        raise OptionError("slice and slices exclude each other: one says how long they are, the other how many")
    begin = stretch.start or Fraction(0)
    ends = [end for end in (stretch.end, length) if end is not None]
    whole = min(ends) - begin if ends else None
    if slices is not None:
        number = whole_number("slices", slices, 1, MOST_OF_ONE_STEP)
        if whole is not None and whole <= 0:
            raise OptionError(
                f"slices: the video ends at {float(min(ends)):g} s, as far as is known beforehand, and start is "
                f"{float(begin):g} s: give an earlier start, or slice, in seconds"
            )
        if whole is None:
            raise OptionError("slices needs to know how long the video is, and nothing says so: give slice, in seconds")
        return Slicing(Steps(whole / number, begin), number)
    step = exact_seconds(slice_)
    if step <= 0:
        raise OptionError(f"slice must be above 0 s, got {float(step):g}")
    if whole is not None and whole / step > MOST_OF_ONE_STEP:
        raise OptionError(
            f"slice must be at least {float(whole / MOST_OF_ONE_STEP):.3g} s, for there can be {MOST_OF_ONE_STEP:,} "
            f"slices of {float(whole):,.0f} s, got {float(step):g}"
        )
    return Slicing(Steps(step, begin))
