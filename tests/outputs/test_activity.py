"""The activity over time: reduction to columns, times and ticks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuheat.errors import InputError
from gpuheat.outputs.activity import Activity, envelope, format_time, time_ticks

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=1, max_size=200)


@given(pairs=PAIRS, columns=st.integers(1, 60))
def test_every_pair_is_in_one_column(pairs: list[tuple[float, float, bool]], columns: int) -> None:
    gaps, shares, flags = zip(*pairs, strict=True)
    times, share, counted = np.cumsum(gaps), np.array(shares), np.array(flags)
    parts = envelope(Activity(times, share, counted), columns)

    empty = np.isnan(parts.mean) & ~parts.skipped  # no pair ends in it
    assert np.count_nonzero(~empty) <= columns
    assert not empty[np.searchsorted(parts.edges[1:], times)].any()
    assert np.all(np.diff(parts.edges) >= 0)
    assert parts.edges[-1] == times[-1]
    assert parts.skipped.any() == (not counted.all())
    if counted.any():
        assert np.nanmax(parts.highest) == share[counted].max()
        assert np.all((parts.mean <= parts.highest * (1 + 1e-12))[~np.isnan(parts.mean)])
    else:
        assert np.isnan(parts.highest).all()


def test_columns_hold_highest_and_mean_of_their_pairs() -> None:
    times = np.arange(1.0, 9.0)
    share = np.array([0.1, 0.3, 0.9, 0.2, 0.0, 0.4, 0.8, 0.8])
    counted = np.array([1, 1, 0, 1, 1, 1, 0, 0], bool)
    parts = envelope(Activity(times, share, counted), 4)  # columns begin at 1, 2.75, 4.5 and 6.25 s
    np.testing.assert_array_equal(parts.edges, [0, 2, 4, 6, 8])
    np.testing.assert_allclose(parts.highest, [0.3, 0.2, 0.4, np.nan])
    np.testing.assert_allclose(parts.mean, [0.2, 0.2, 0.2, np.nan])
    np.testing.assert_array_equal(parts.skipped, [False, True, False, True])


@pytest.mark.parametrize("columns", [5, 100])
def test_where_no_frames_are_nothing_is_drawn(columns: int) -> None:
    times = np.concatenate([np.arange(20) / 10, 3600 + np.arange(20) / 10])
    parts = envelope(Activity(times, np.full(40, 0.5), np.ones(40, bool)), columns)
    seconds = np.diff(parts.edges)
    assert seconds[np.isnan(parts.mean)].tolist() == pytest.approx([3598.0])
    assert seconds[~np.isnan(parts.mean)].sum() == pytest.approx(4.0)
    assert not parts.skipped.any()


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [(0, 0, "0:00"), (59.6, 0, "1:00"), (3599.5, 0, "1:00:00"), (100_000, 0, "27:46:40"), (1.999, 2, "0:02.00")],
)
def test_times_are_read_as_on_a_clock(seconds: float, decimals: int, text: str) -> None:
    assert format_time(seconds, decimals) == text


@given(start=st.floats(-10, 1e6), duration=st.floats(0.1, 3e6))
def test_ticks_are_few_in_range_and_told_apart(start: float, duration: float) -> None:
    end = start + duration
    ticks, labels = time_ticks(start, end)
    assert len(ticks) <= 12
    assert all(start - 1e-6 <= tick <= end + 1e-6 for tick in ticks)
    assert len(set(labels)) == len(labels)


def test_ticks_of_an_hour() -> None:
    assert time_ticks(0, 3600)[1][:3] == ["0:00", "10:00", "20:00"]


@pytest.mark.parametrize("times", [[2.0, 1.0], [0.0, np.nan], [1.0]])
def test_times_that_are_no_times_are_refused(times: list[float]) -> None:
    with pytest.raises(InputError, match="times"):
        Activity(np.array(times), np.zeros(2), np.ones(2, bool))
