"""The counter against numpy.histogram2d, for any way of cutting the points."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat import Backend, FixationCounter, InputError, OptionError

WIDTH, HEIGHT, BINS = 400, 300, 20
some = settings(max_examples=40)


def binned(x: Any, y: Any, weight: Any = None, bins: tuple[int, int] = (15, 20)) -> NDArray[np.uint64]:
    """numpy.histogram2d of the points that are numbers."""
    known = ~(np.isnan(x) | np.isnan(y))
    weights = np.ones(len(x)) if weight is None else np.asarray(weight, np.float64)
    edges = [np.linspace(0, HEIGHT, bins[0] + 1), np.linspace(0, WIDTH, bins[1] + 1)]
    counts, _, _ = np.histogram2d(
        np.asarray(y, np.float64)[known], np.asarray(x, np.float64)[known], bins=edges, weights=weights[known]
    )
    return np.asarray(counts, np.uint64)


def points(n: int, dtype: Any, seed: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.uint32]]:
    """Points on edges, outside, nowhere and anywhere."""
    random = np.random.default_rng(seed)
    columns = []
    for extent in (WIDTH, HEIGHT):
        anywhere, edge = random.uniform(-20, extent + 20, n), random.integers(-1, 22, n) * 20.0
        column = np.where(random.random(n) < 0.6, anywhere, edge)
        column[random.random(n) < 0.05] = np.nan
        column[random.random(n) < 0.02] = np.inf
        columns.append(column.astype(dtype))
    return columns[0], columns[1], random.integers(0, 1 << 32, n, np.uint32)


@given(data=st.data(), n=st.integers(0, 200), dtype=st.sampled_from([np.float32, np.float64]), weighed=st.booleans())
@some
def test_any_cut_gives_numpys_histogram(
    backend: Backend, data: st.DataObject, n: int, dtype: Any, weighed: bool
) -> None:
    x, y, weight = points(n, dtype, data.draw(st.integers(0, 999)))
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=4)))
    counter = FixationCounter(WIDTH, HEIGHT, bins=BINS, backend=backend)
    for part_x, part_y, part_weight in zip(*(np.split(values, cuts) for values in (x, y, weight)), strict=True):
        counter.push(part_x, part_y, part_weight if weighed else None)
    assert counter.histogram.dtype == np.uint64
    np.testing.assert_array_equal(counter.histogram, binned(x, y, weight if weighed else None))
    inside = (x >= 0) & (x <= WIDTH) & (y >= 0) & (y <= HEIGHT)
    assert counter.points == np.count_nonzero(inside)
    assert counter.points_outside == n - np.count_nonzero(inside)


def test_sums_beyond_32_bits_are_exact(backend: Backend) -> None:
    counter = FixationCounter(WIDTH, HEIGHT, backend=backend)
    middle = np.full(1000, 200.0)
    counter.push(middle, middle, np.full(1000, (1 << 32) - 1, np.uint32))
    assert counter.histogram.max() == 1000 * ((1 << 32) - 1)
    assert counter.result().total == 1000 * ((1 << 32) - 1)


def test_bins_are_in_proportion_to_the_image() -> None:
    for (width, height, bins), shape in {
        (4000, 3000, 300): (225, 300),
        (3000, 4000, 300): (300, 225),
        (1920, 1080, 300): (169, 300),
        (5000, 3, 300): (1, 300),
        (7, 7, 1): (1, 1),
    }.items():
        counter = FixationCounter(width, height, bins=bins)
        assert counter.histogram.shape == shape
    assert FixationCounter(4000, 3000).grid.shape == (225, 300)


def test_a_copy_comes_out(backend: Backend) -> None:
    counter = FixationCounter(WIDTH, HEIGHT, bins=BINS, backend=backend)
    counter.push(np.array([1.0]), np.array([1.0]))
    counter.histogram[...] = 7
    result = counter.result()
    counter.push(np.array([1.0, 9.0]), np.array([1.0, 1e9]))
    assert (int(counter.histogram.sum()), result.total, counter.points_outside) == (2, 1, 1)


@pytest.mark.parametrize(
    ("x", "y", "weight"),
    [
        (np.zeros(2), np.zeros(3), None),
        (np.zeros(2, np.int64), np.zeros(2, np.int64), None),
        (np.zeros(2, np.float32), np.zeros(2), None),
        (np.zeros((2, 1)), np.zeros((2, 1)), None),
        (np.zeros(2), np.zeros(2), np.ones(2)),
        (np.zeros(2), np.zeros(2), np.ones(2, np.int32)),
        (np.zeros(2), np.zeros(2), np.ones(3, np.uint32)),
        (np.float64(1), np.float64(1), None),
        (["a"], ["b"], None),
    ],
)
def test_points_that_do_not_fit_change_nothing(backend: Backend, x: Any, y: Any, weight: Any) -> None:
    counter = FixationCounter(WIDTH, HEIGHT, bins=BINS, backend=backend)
    counter.push(np.array([5.0]), np.array([5.0]), np.array([9], np.uint32))
    with pytest.raises(InputError):
        counter.push(x, y, weight)
    assert (int(counter.histogram.sum()), counter.points, counter.points_outside) == (9, 1, 0)


def test_points_in_any_kind_of_memory(backend: Backend) -> None:
    x, y, weight = points(50, np.float64, 3)
    table = np.stack([x, y], axis=1)
    table.flags.writeable = False
    expected = binned(x, y, weight)
    for given_x, given_y in ((table[:, 0], table[:, 1]), (x.data, y), (x.astype(">f8"), y.astype(">f8"))):
        counter = FixationCounter(WIDTH, HEIGHT, bins=BINS, backend=backend)
        counter.push(given_x, given_y, weight.astype(">u4"))
        np.testing.assert_array_equal(counter.histogram, expected)


@pytest.mark.parametrize("backends", [*itertools.product(("numpy", "numba"), repeat=2)], ids="-".join)
def test_merged_parts_equal_one_pass(backends: tuple[str, str]) -> None:
    x, y, weight = points(300, np.float32, 5)
    one, other = (FixationCounter(WIDTH, HEIGHT, bins=BINS, backend=name) for name in backends)
    one.push(x[:100], y[:100], weight[:100])
    other.push(x[100:200], y[100:200], weight[100:200])
    one.merge(other)
    one.push(x[200:], y[200:], weight[200:])
    np.testing.assert_array_equal(one.histogram, binned(x, y, weight))
    np.testing.assert_array_equal(other.histogram, binned(x[100:200], y[100:200], weight[100:200]))
    inside = np.count_nonzero((x >= 0) & (x <= WIDTH) & (y >= 0) & (y <= HEIGHT))
    assert [one.points, one.points_outside] == [int(inside), 300 - int(inside)]


def test_another_image_or_other_bins_are_refused() -> None:
    counter = FixationCounter(WIDTH, HEIGHT, bins=BINS)
    for other in (FixationCounter(WIDTH, HEIGHT), FixationCounter(WIDTH + 1, HEIGHT, bins=BINS)):
        with pytest.raises(InputError, match="only equal counts can be merged"):
            counter.merge(other)


@pytest.mark.parametrize("options", [{"bins": 0}, {"bins": 2.5}, {"bins": -3}, {"width": 0}, {"height": -1}])
def test_numbers_outside_their_range(options: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"width": WIDTH, "height": HEIGHT} | options
    with pytest.raises(
        OptionError,
        match="bins must be" if "bins" in options else "of an image, px, must be",
    ):
        FixationCounter(**arguments)
