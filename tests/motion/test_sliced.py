"""Slices of the time: the store that packs them, and where they begin."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuheat.motion.slice_store import SliceStore
from gpuheat.motion.sliced import Steps

SIZE = 11
VALUES = st.lists(st.sampled_from([0, 0, 0, 1, 255, 256, 65535, 65536, 2**32 - 1, 2**33]), min_size=SIZE, max_size=SIZE)
ADDED = st.lists(st.tuples(st.integers(-9, 9), VALUES), max_size=8)


def filled(added: list[tuple[int, list[int]]], level: int) -> SliceStore:
    store = SliceStore(SIZE, np.uint64, level)
    for number, values in added:
        store.add(number, np.array(values, np.uint64))
    return store


def plain(added: list[tuple[int, list[int]]], divisor: int = 1) -> dict[int, list[int]]:
    """The same in dictionaries of Python's numbers."""
    sums: dict[int, Counter[int]] = {}
    for number, values in added:
        sums.setdefault(number // divisor, Counter()).update(dict(enumerate(values)))
    dense = {number: [one[place] for place in range(SIZE)] for number, one in sums.items()}
    return {number: dense[number] for number in sorted(dense) if any(dense[number])}


def unpacked(store: SliceStore) -> dict[int, list[int]]:
    for number in store:
        places, values = store.sparse(number)
        assert 0 not in values
        assert store.dense(number)[places].tolist() == values.tolist()
    return {number: store.dense(number).tolist() for number in store}


@settings(max_examples=40)
@given(ADDED, ADDED, st.sampled_from([0, 1]))
def test_the_store_holds_what_was_added(one: Any, other: Any, level: int) -> None:
    store = filled(one, level)
    assert unpacked(store) == plain(one)
    again = SliceStore(SIZE, np.uint64, level)
    again.restore(store.state)
    assert unpacked(again) == plain(one)
    copy = store.copy()
    store.merge(filled(other, level))
    assert unpacked(store) == plain(one + other)
    assert unpacked(copy) == plain(one)
    store.join(3)
    assert unpacked(store) == plain(one + other, 3)
    store.shift(-4)
    assert unpacked(store) == {number - 4: values for number, values in plain(one + other, 3).items()}


def test_little_is_kept_of_what_is_zero() -> None:
    store, values = SliceStore(57_600, np.uint64), np.zeros(57_600, np.uint64)
    store.add(3, values)
    assert len(store) == 0
    values[::100] = 200
    store.add(3, values)
    assert store.nbytes < 57_600 // 8 + 576 + 32


@settings(max_examples=40)
@given(
    st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=10_000),
    st.fractions(min_value=-100, max_value=100, max_denominator=1000),
    st.lists(st.one_of(st.integers(-10_000, 10_000), st.floats(-1e6, 1e6)), min_size=1),
)
def test_a_slice_ends_before_the_next_begins(step: Fraction, origin: Fraction, some: list[float]) -> None:
    """Whole numbers are the beginnings of slices, which are no float64."""
    steps = Steps(step, origin)
    for each in some:
        time = float(origin + each * step) if isinstance(each, int) else each
        number = steps.number(time)
        assert steps.begin(number) <= time < steps.begin(number + 1)
        if isinstance(each, int):
            assert number == each


@pytest.mark.parametrize(("time", "number"), [(0.3, 3), (0.7, 7), (-0.1, -1), (0.1 - 1e-17, 0), (1e12, 10**13)])
def test_decimals_are_meant_as_they_are_written(time: float, number: int) -> None:
    assert Steps(Fraction(1, 10), Fraction(0)).number(time) == number
