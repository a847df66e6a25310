"""Frames that are much further apart than is usual."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from gpuheat.inputs.gaps import Gaps

PATH = Path("clip.mp4")


def warnings(times: list[Fraction | None], usual: Fraction) -> list[str]:
    """Of frames shown at these times, also when another one goes on half way."""
    whole, first, rest = Gaps(usual), Gaps(usual), Gaps(usual)
    for number, time in enumerate(times):
        whole.see(number, time)
        if number < len(times) // 2:
            first.see(number, time)
    rest.go_on(first.position)
    for number in range(len(times) // 2, len(times)):
        rest.see(number, times[number])
    assert rest.warnings(PATH) == whole.warnings(PATH)
    return whole.warnings(PATH)


def at(*tenths: int | None) -> list[Fraction | None]:
    return [None if tenth is None else Fraction(tenth, 10) for tenth in tenths]


@pytest.mark.parametrize(
    ("times", "usual", "expected"),
    [
        ([], Fraction(1, 25), None),
        (at(0, 1, 2, 12), Fraction(1, 25), None),  # 1 s is not more than 1 s
        (at(0, 1, 2, 13), Fraction(1, 10), ("1.0 s in 1 place", "1.1 s from 0.2 s on, behind frame 2")),
        (at(0, 2, 14, 16, 40, 42, 56), Fraction(1, 5), ("2.0 s in 1 place", "2.4 s from 1.6 s on, behind frame 3")),
        (at(0, 20, 40, 70), Fraction(0), ("1.0 s in 3 places", "3.0 s from 4.0 s on, behind frame 2")),
        (at(0, 20, 40), Fraction(0), ("1.0 s in 2 places", "2.0 s from 0.0 s on, behind frame 0")),  # the first of them
        (at(0, 20, 40, 60), Fraction(2), None),
        (at(0, None, 40), Fraction(1, 25), None),
        (at(50, 0, 1, 2), Fraction(1, 25), None),
        (at(50, 0, 51, 52), Fraction(1, 25), ("1.0 s in 1 place", "5.1 s from 0.0 s on, behind frame 1")),
    ],
)
def test_gaps(times: list[Fraction | None], usual: Fraction, expected: tuple[str, str] | None) -> None:
    told = "" if expected is None else " " + ", the longest time being ".join(expected)
    begin, end = "clip.mp4: no frame for more than", ": frames were lost there, or none was recorded"
    assert warnings(times, usual) == ([f"{begin}{told}{end}"] if told else [])


def test_frames_that_are_no_neighbours_have_no_gap_between() -> None:
    gaps = Gaps(Fraction(1, 25))
    for number in (0, 25, 100, 200):
        gaps.see(number, Fraction(number, 25))
    assert gaps.warnings(PATH) == []
    gaps.see(201, Fraction(20))
    assert len(gaps.warnings(PATH)) == 1
