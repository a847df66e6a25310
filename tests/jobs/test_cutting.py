"""How a video is shared: no frame twice or never, in parts of about equal work, and as many as were wanted."""

from __future__ import annotations

import itertools
from array import array
from fractions import Fraction
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuheat.inputs.keyframes import Cut, Part
from gpuheat.jobs.cutting import Sharing, VideoIndex, cut
from gpuheat.jobs.stretch import Stretch

SIZE = (1920, 1080)


def index_of(lengths: list[int]) -> VideoIndex:
    """A video whose parts have so many frames, 25 a second."""
    bounds = [*itertools.accumulate(lengths, initial=0)]
    cuts = [*(Cut(first, first, first, first, 100 * first, 9, True) for first in bounds[:-1]), None]
    parts = [
        Part(None if begin.number == 0 else begin, end, array("q", range(first, last)), last)
        for (begin, end), (first, last) in zip(
            itertools.pairwise(cast("list[Any]", cuts)), itertools.pairwise(bounds), strict=True
        )
    ]
    return VideoIndex(tuple(parts), SIZE, Fraction(1, 25), 0, Fraction(1, 25))


@given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=40), wanted=st.integers(1, 9), every=st.integers(1, 7)
)
def test_every_frame_is_in_one_part(lengths: list[int], wanted: int, every: int) -> None:
    cutting = cut(index_of(lengths), Stretch(every), Sharing(wanted, 1, 2**62))
    assert cutting is not None
    decoded = [stamp for planned in cutting.planned for stamp in planned.part.stamps or ()]
    skipped = [stamp for part in cutting.skipped for stamp in part.stamps or ()]
    assert sorted(decoded + skipped) == [*range(sum(lengths))]
    looked_at = [number for planned in cutting.planned for number in planned.wanted]
    assert looked_at == [*range(0, sum(lengths), every)]
    assert len(cutting.planned) <= wanted or every > 1


@pytest.mark.parametrize("wanted", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("length", [48, 200, 240, 250])
def test_parts_are_as_many_as_were_wanted_and_about_equal(wanted: int, length: int) -> None:
    cutting = cut(index_of([length] * 17), Stretch(1), Sharing(wanted, 1, 2**62))
    assert cutting is not None
    frames = [len(planned.part.stamps or ()) for planned in cutting.planned]
    assert len(frames) == wanted
    assert max(frames) - min(frames) <= length
