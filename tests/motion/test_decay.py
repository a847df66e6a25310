"""Decayed sums: right weights, and the same bits whatever the order and the grouping."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuheat.errors import OptionError
from gpuheat.motion.decay import check_half_life, epoch_of, pair_weights, rescaled, value_at

HALF_LIFE = 2.5
WITHIN_FIFTEEN = st.lists(st.floats(100.0, 100.0 + 15 * HALF_LIFE), min_size=1, max_size=200)


@given(time=st.floats(0, 1e6), half_life=st.floats(0.04, 1e5), ahead=st.integers(-200, 200))
def test_a_weight_doubles_with_every_half_life(time: float, half_life: float, ahead: int) -> None:
    epoch = epoch_of(time, half_life) + ahead
    weight = float(pair_weights([time], half_life, epoch)[0])
    exponent = Fraction(time) / Fraction(half_life) - epoch
    whole = int(exponent // 1)
    want = 2.0 ** float(exponent - whole)
    assert abs(np.ldexp(weight, -whole) / want - 1) < 1e-6


def test_whole_half_lives_weigh_powers_of_two() -> None:
    assert pair_weights([0.0, 0.5, 1.0, -0.5], 0.5, -1).tolist() == [2.0, 4.0, 8.0, 1.0]


@given(time=st.floats(-1e6, 1e6), half_life=st.floats(1e-3, 1e6))
def test_a_pair_in_its_own_epoch_weighs_from_one_to_two(time: float, half_life: float) -> None:
    assert 1 <= pair_weights([time], half_life, epoch_of(time, half_life))[0] <= 2


def added_up(weights: Iterable[float]) -> float:
    """Their sum one by one; Python's own ``sum`` corrects for rounding."""
    return reduce(add, weights, 0.0)


@given(times=WITHIN_FIFTEEN, data=st.data())
def test_order_and_grouping_do_not_change_a_bit(times: list[float], data: st.DataObject) -> None:
    weights = pair_weights(times, HALF_LIFE, epoch_of(min(times), HALF_LIFE)).tolist()
    shuffled = data.draw(st.permutations(weights))
    cut = data.draw(st.integers(0, len(times)))
    exact = sum((Fraction(weight) for weight in weights), Fraction(0))
    assert added_up(weights) == added_up(shuffled[:cut]) + added_up(shuffled[cut:]) == exact


def test_nor_do_they_with_many_pairs() -> None:
    weights = pair_weights(np.linspace(0, 15 * HALF_LIFE, 50_000).tolist(), HALF_LIFE, 0).tolist()
    assert added_up(weights) == added_up(reversed(weights)) == math.fsum(weights)


@given(times=WITHIN_FIFTEEN, first=st.integers(-300, 300), second=st.integers(-300, 300))
def test_other_units_are_exact(times: list[float], first: int, second: int) -> None:
    sums = np.cumsum(pair_weights(times, HALF_LIFE, first))
    moved_on = rescaled(sums, first, second)
    assert moved_on.tolist() == np.cumsum(pair_weights(times, HALF_LIFE, second)).tolist()
    assert rescaled(moved_on, second, first).tolist() == sums.tolist()


@pytest.mark.parametrize("epoch", [-3, 0, 40])
def test_the_value_is_the_decayed_sum_of_ones(epoch: int) -> None:
    times, now = [0.0, 1.0, 3.7, 9.9, 10.0], 12.0
    sums = np.array([pair_weights(times, HALF_LIFE, epoch).sum()])
    want = sum(0.5 ** ((now - time) / HALF_LIFE) for time in times)
    assert abs(value_at(sums, epoch, now, HALF_LIFE)[0] / want - 1) < 1e-6


@pytest.mark.parametrize("half_life", [0.0, 1e-320, -1.0, float("nan"), float("inf")])
def test_an_impossible_half_life_is_refused(half_life: float) -> None:
    with pytest.raises(OptionError, match="half_life"):
        check_half_life(half_life)
