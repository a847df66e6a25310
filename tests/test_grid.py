"""The bins of a histogram."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuheat.errors import OptionError
from gpuheat.grid import BinGrid


@pytest.mark.parametrize(
    ("width", "height", "bins", "shape"),
    [
        (4000, 3000, 300, (225, 300)),
        (3000, 4000, 300, (300, 225)),
        (1080, 1080, 300, (300, 300)),
        (1, 1, 300, (300, 300)),
        (10_000, 1, 300, (1, 300)),
        (1, 10_000, 300, (300, 1)),
        (8, 5, 4, (2, 4)),  # 2.5 bins: half to even
        (8, 7, 4, (4, 4)),  # 3.5 bins
        (640, 480, 1, (1, 1)),
    ],
)
def test_the_wider_side_has_the_bins_and_the_other_its_share(
    width: int, height: int, bins: int, shape: tuple[int, int]
) -> None:
    grid = BinGrid.for_image(width, height, bins)
    assert grid.shape == (grid.ny, grid.nx) == shape
    assert (grid.width, grid.height) == (width, height)


@given(width=st.integers(1, 20_000), height=st.integers(1, 20_000), bins=st.integers(1, 1000))
def test_the_other_side_is_rounded_to_the_nearest(width: int, height: int, bins: int) -> None:
    shape = BinGrid.for_image(width, height, bins).shape
    exact = Fraction(bins * min(width, height), max(width, height))
    assert max(shape) == bins
    assert abs(min(shape) - max(exact, Fraction(1))) <= Fraction(1, 2)


def test_the_edges_are_those_of_linspace_and_stay_so() -> None:
    grid = BinGrid(7, 300, 0.1, 1919.7)
    np.testing.assert_array_equal(grid.x_edges, np.linspace(0, 0.1, 8))
    np.testing.assert_array_equal(grid.y_edges, np.linspace(0, 1919.7, 301))
    with pytest.raises(ValueError, match="read-only"):
        grid.x_edges[0] = 1


def test_grids_of_the_same_numbers_are_equal() -> None:
    grid = BinGrid.for_image(40, 30)
    assert grid.x_edges.size == 301  # what it remembers does not count
    assert grid == BinGrid(300, 225, 40.0, 30.0) != BinGrid(300, 225, 40.0, 31.0)
    assert len({grid, BinGrid(300, 225, 40.0, 30.0)}) == 1


GOOD = {"nx": 3, "ny": 2, "width": 1e-6, "height": 1e12}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("nx", "ny") for value in (0, -1, 2.0, True, "3")],
        *[(name, value) for name in ("width", "height") for value in (0, 9e-7, 1.1e12, -1, float("nan"), float("inf"))],
    ],
)
def test_a_number_outside_its_range_is_named(name: str, value: Any) -> None:
    numbers: dict[str, Any] = GOOD | {name: value}
    BinGrid(**GOOD)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=f"{name} must be .*{value}"):
        BinGrid(**numbers)


def test_bins_are_numbered_with_31_bits() -> None:
    assert BinGrid(2**31 - 1, 1, 1.0, 1.0).shape == (1, 2**31 - 1)
    with pytest.raises(OptionError, match="more than"):
        BinGrid(2**16, 2**15, 1.0, 1.0)


@pytest.mark.parametrize(("arguments", "message"), [((0, 5), "width"), ((5, 0), "height"), ((5, 5, 0), "bins")])
def test_an_impossible_image_is_refused(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        BinGrid.for_image(*arguments)
