"""The picture behind a heat map."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from gpuheat.motion.background import BACKGROUNDS, Background
from gpuheat.pixels import FrameLayout, Pixels

Shape = tuple[int, ...]


def shown(name: str, frames: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[int]]:
    """The picture, and which frames it wanted made. Each frame's memory is used again for the next."""
    background = BACKGROUNDS[name]()
    wanted = []
    memory: NDArray[np.uint8] = np.empty(frames.shape[1:], np.uint8)

    def frame(number: int) -> Callable[[], NDArray[np.uint8]]:
        def make() -> NDArray[np.uint8]:
            wanted.append(number)
            memory[...] = frames[number]
            return memory

        return make

    for number, pixels in enumerate(frames):
        layout = FrameLayout.BGR24 if pixels.ndim == 3 else FrameLayout.GRAY8
        background.add(partial(Pixels, layout, (pixels.copy(),)), frame(number))
    memory[...] = 0
    picture = background.picture()
    assert picture is not None
    assert picture.dtype == np.uint8
    return picture, wanted


def noise(shape: Shape) -> NDArray[np.uint8]:
    return np.random.default_rng(len(shape)).integers(0, 256, shape, np.uint8)


def as_bgr(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_without_frames_there_is_no_picture(name: str) -> None:
    background: Background = BACKGROUNDS[name]()
    assert background.picture() is None


@pytest.mark.parametrize("shape", [(5, 3, 4, 3), (5, 3, 4)], ids=["bgr", "grey"])
def test_first_is_the_first_and_no_other_is_made(shape: Shape) -> None:
    frames = noise(shape)
    picture, wanted = shown("first", frames)
    np.testing.assert_array_equal(picture, as_bgr(frames[0]))
    assert wanted == [0]


@pytest.mark.parametrize("number", [1, 2, 3, 21, 22, 23, 43, 44, 45, 500])
@pytest.mark.parametrize("size", [(3, 4, 3), (3, 4)], ids=["bgr", "grey"])
def test_the_median_is_that_of_frames_spread_over_all(number: int, size: Shape) -> None:
    frames = noise((number, *size))
    picture, _ = shown("median", frames)
    step = 1
    while -(-number // step) >= 22:
        step *= 2
    kept = frames[::step]
    assert len(kept) == number or len(kept) >= 11
    np.testing.assert_array_equal(picture, as_bgr(np.median(kept, axis=0).astype(np.uint8)))


def test_the_median_makes_few_of_many_frames() -> None:
    _, wanted = shown("median", noise((5000, 1, 1, 3)))
    assert len(wanted) < 22 + 11 * 9  # 11 more for each doubling of the step
