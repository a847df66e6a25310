"""Smaller frames: exact rounded means, also of blocks that the border cuts off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from gpuheat.errors import OptionError
from gpuheat.motion.downscale import area_mean, shrink_mask


@given(
    shape=st.tuples(st.integers(1, 17), st.integers(1, 17), st.sampled_from([1, 3])),
    factor=st.integers(1, 20),
    seed=st.integers(0, 999),
)
def test_equals_the_slow_loops(shape: tuple[int, int, int], factor: int, seed: int) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    want = reference.area_mean(frame, factor)
    np.testing.assert_array_equal(area_mean(frame, factor), want)
    if shape[2] == 1:
        np.testing.assert_array_equal(area_mean(frame[..., 0], factor), want[..., 0])


def test_a_frame_worth_several_threads() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (901, 1303, 3), np.uint8)
    cut = np.pad(frame.astype(np.int64), ((0, -901 % 4), (0, -1303 % 4), (0, 0)))
    sums = cut.reshape(226, 4, 326, 4, 3).sum(axis=(1, 3))
    rows, columns = np.minimum(4, 901 - 4 * np.arange(226)), np.minimum(4, 1303 - 4 * np.arange(326))
    area = (rows[:, None] * columns)[..., None]
    np.testing.assert_array_equal(area_mean(frame, 4), (2 * sums + area) // (2 * area))


@pytest.mark.parametrize(("pixels", "mean"), [([0, 1], 1), ([0, 0, 0, 1], 0), ([254, 255], 255), ([0, 0, 1, 1], 1)])
def test_halves_go_up(pixels: list[int], mean: int) -> None:
    assert area_mean(np.array([pixels], np.uint8), 4).tolist() == [[mean]]


@pytest.mark.parametrize(
    "view",
    [lambda f: f[::-1], lambda f: f[:, ::-2], lambda f: f[..., ::-1], np.asfortranarray, lambda f: f.swapaxes(0, 1)],
    ids=["upside down", "with gaps", "swapped channels", "Fortran order", "turned"],
)
def test_how_a_frame_lies_in_memory_does_not_matter(view: Any) -> None:
    frame = view(np.random.default_rng(2).integers(0, 256, (11, 14, 3), np.uint8))
    frame.flags.writeable = False
    np.testing.assert_array_equal(area_mean(frame, 3), reference.area_mean(frame, 3))


@given(shape=st.tuples(st.integers(1, 9), st.integers(1, 9)), factor=st.integers(1, 10), seed=st.integers(0, 99))
def test_a_block_counts_only_where_all_of_it_does(shape: tuple[int, int], factor: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random(shape) < 0.8
    want = [
        [bool(mask[y : y + factor, x : x + factor].all()) for x in range(0, shape[1], factor)]
        for y in range(0, shape[0], factor)
    ]
    assert shrink_mask(mask, factor).tolist() == want


@pytest.mark.parametrize("factor", [0, -1, 2.0, True])
def test_an_impossible_factor_is_refused(factor: Any) -> None:
    with pytest.raises(OptionError, match="downscale"):
        area_mean(np.zeros((4, 4), np.uint8), factor)
    with pytest.raises(OptionError, match="downscale"):
        shrink_mask(np.ones((4, 4), np.bool_), factor)


def test_the_sums_of_huge_blocks_do_not_overflow() -> None:
    assert (area_mean(np.full((4200, 4200), 255, np.uint8), 4200) == 255).all()
