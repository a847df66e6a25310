"""Frames in memory: how they come out, what is refused, and times as the numbers they were written as."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
from clips import noise

from gpuheat.backends import get_backend
from gpuheat.errors import InputError, OptionError
from gpuheat.inputs.arrays import ArrayFrame, ArrayFrames, exact_seconds


def frames_of(frames: Any, times: Any = None) -> ArrayFrames:
    return ArrayFrames(frames, times, get_backend("numpy"))


def test_frames_are_numbered_timed_and_not_copied() -> None:
    pixels = noise((3, 4, 5, 3))
    reader = frames_of(pixels, [0.1, 1, Fraction(1, 3)])
    frames = list(reader)
    assert [(frame.number, frame.time) for frame in frames] == [
        (0, Fraction(1, 10)),
        (1, Fraction(1)),
        (2, Fraction(1, 3)),
    ]
    assert all(np.shares_memory(frame.bgr(), pixels) for frame in frames)
    assert all(np.array_equal(frame.bgr(), pixel) for frame, pixel in zip(frames, pixels, strict=True))
    assert reader.frames_decoded == reader.frames_expected == 3
    assert reader.facts == {"name": "frames in memory", "frames_decoded": 3}
    assert reader.rotation == 0


def test_an_iterable_is_read_one_by_one_and_of_unknown_length() -> None:
    asked = []

    def pictures() -> Any:
        for number in range(3):
            asked.append(number)
            yield noise((4, 5), seed=number)

    reader = frames_of(pictures())
    assert reader.frames_expected is None
    for number, frame in enumerate(reader):
        assert asked == list(range(number + 1))
        assert frame.time is None
    assert frames_of([noise((4, 5))]).frames_expected == 1


def test_luma_is_opencvs_grey() -> None:
    bgr, grey = noise((6, 7, 3)), noise((6, 7))
    expected = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    backend = get_backend("numpy")
    np.testing.assert_array_equal(ArrayFrame(0, None, bgr, backend).luma(), expected)
    np.testing.assert_array_equal(ArrayFrame(0, None, bgr[::-1, ::-1], backend).luma(), expected[::-1, ::-1])
    assert ArrayFrame(0, None, grey, backend).luma() is grey


@pytest.mark.parametrize("wrong", [noise((4, 5, 4)), noise((5,)), noise((1, 4, 5, 3)), np.zeros((4, 5)), np.uint8(3)])
def test_what_is_no_frame_is_refused_by_its_number(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"frame 1 must be uint8 of shape \(h, w, 3\) or \(h, w\), got"):
        list(frames_of([noise((4, 5)), wrong]))


def test_fewer_times_than_frames_are_refused() -> None:
    with pytest.raises(OptionError, match="times must be one number per frame, got 2"):
        list(frames_of(noise((3, 4, 5)), [0.0, 1.0]))


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        *((0.1, "1/10"), (0.3, "3/10"), (1e-3, "1/1000"), (np.float64(0.7), "7/10"), (np.float32(0.1), "1/10")),
        *((2, "2"), ("2.25", "9/4"), (Fraction(5, 7), "5/7"), (-0.5, "-1/2"), (np.int64(4), "4")),
    ],
)
def test_times_are_exact(time: Any, seconds: str) -> None:
    assert exact_seconds(time) == Fraction(seconds)


@pytest.mark.parametrize("time", [float("nan"), float("inf"), "soon", "1:30", "1/0", "1/3", None, ""])
def test_times_that_are_no_numbers_are_refused(time: Any) -> None:
    with pytest.raises(OptionError, match="a time must be a finite number of seconds"):
        exact_seconds(time)


def test_a_time_without_an_end_is_refused_like_any_other() -> None:
    with pytest.raises(OptionError, match="a time must be a finite number of seconds"):
        exact_seconds("1/0")
