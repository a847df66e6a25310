"""Events held against a slow search, pair by pair, and the rule that fits itself to the activity."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from clips import scene
from hypothesis import given
from hypothesis import strategies as st

import gpuheat
from gpuheat.errors import OptionError
from gpuheat.motion.events import Event, EventRule, find_events

if TYPE_CHECKING:
    from pathlib import Path

Pair = tuple[int, float, bool]  # time in quarters of a second, share, counted


def slow_events(pairs: list[Pair], rule: EventRule) -> list[tuple[float, float, float, float, float, int]]:
    """The same by walking along: from one pair in motion to the next, as long as the pause is short enough."""
    in_order = sorted(enumerate(pairs), key=lambda numbered: numbered[1][0])
    times = [time / 4 for _, (time, _, _) in in_order]
    moved = [share if counted else 0.0 for _, (_, share, counted) in in_order]
    padded = [0.0, *moved, 0.0]
    steady = [median(padded[i : i + 3]) for i in range(len(moved))]
    stretches: list[list[int]] = []
    for i, share in enumerate(steady):
        if share < rule.leave or not in_order[i][1][2]:
            continue
        if stretches and times[i] - times[stretches[-1][-1]] <= max(rule.gap, 2 * rule.pad):
            stretches[-1].append(i)
        else:
            stretches.append([i])
    events = []
    for stretch in stretches:
        first, last = stretch[0], stretch[-1]
        if max(steady[i] for i in stretch) < rule.enter or times[last] - times[first] < rule.shortest:
            continue
        shares = [moved[i] for i in range(first, last + 1) if in_order[i][1][2]]
        peak = next(i for i in range(first, last + 1) if moved[i] == max(moved[first : last + 1]))
        start, end = max(times[0], times[first] - rule.pad), min(times[-1], times[last] + rule.pad)
        mean = sum(shares) / len(shares)
        events.append((start, end, times[peak], max(shares), mean, in_order[peak][0]))
    return events


def found(pairs: list[Pair], rule: EventRule) -> list[Event]:
    times, shares, counted = (np.array([pair[k] for pair in pairs]) for k in range(3))
    frames = np.arange(1000, 1000 + len(pairs))
    return find_events(times / 4, shares.astype(float), counted.astype(bool), frames, rule)


shares = st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.02, 0.05, 0.9])
seconds = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0])


@given(
    st.lists(st.tuples(st.integers(0, 120), shares, st.sampled_from([True, True, True, False])), max_size=60),
    st.sampled_from([(0.01, 0.001), (0.02, 0.02), (0.05, 0.01), (1.0, 0.001)]),
    seconds,
    seconds,
    seconds,
)
def test_events_are_those_of_a_slow_search(
    pairs: list[Pair], thresholds: tuple[float, float], gap: float, shortest: float, pad: float
) -> None:
    rule = EventRule(*thresholds, gap, shortest, pad)
    events = found(pairs, rule)
    expected = slow_events(pairs, rule)
    got = [(e.start, e.end, e.peak_time, e.peak_share, e.peak_pair, e.peak_frame) for e in events]
    assert got == [(*each[:4], each[5], 1000 + each[5]) for each in expected]
    assert [event.mean_share for event in events] == pytest.approx([each[4] for each in expected])
    assert all(before.end <= after.start for before, after in pairwise(events))


def moving(times: range, share: float = 0.05, counted: bool = True) -> list[Pair]:
    return [(time, share, counted) for time in times]


RULE = EventRule(enter=0.02, leave=0.001, gap=2, shortest=0.5)


def test_a_short_pause_belongs_to_an_event_and_a_long_one_parts_two() -> None:
    short = [*moving(range(10)), *moving(range(10, 16), 0), *moving(range(17, 30))]
    assert [(e.start, e.end) for e in found(short, RULE)] == [(0.0, 29 / 4)]
    long = [*moving(range(10)), *moving(range(10, 20), 0), *moving(range(20, 30))]
    assert [(e.start, e.end) for e in found(long, RULE)] == [(0.0, 9 / 4), (5.0, 29 / 4)]


def test_a_single_pair_is_no_event_and_neither_are_pairs_that_were_not_counted() -> None:
    still = moving(range(40), 0)
    assert found([*still[:20], (20, 0.9, True), *still[21:]], RULE) == []
    assert found([*still[:20], *moving(range(20, 30), 0.9, counted=False), *still[30:]], RULE) == []
    assert len(found([*still[:20], *moving(range(20, 30), 0.9), *still[30:]], RULE)) == 1


def test_the_duration_is_the_difference_as_it_is_written() -> None:
    assert Event(6.0, 20.4, 7.0, 0.1, 0.1, 70, 69).duration == 14.4


def test_noise_is_no_event_and_what_stands_out_of_it_is() -> None:
    random = np.random.default_rng(1)
    times = np.arange(5000) / 25
    share = np.clip(random.normal(8e-4, 5e-5, 5000), 0, 1)
    rule = EventRule.fitted(times, share)
    assert 9e-4 < rule.leave < 1.3e-3
    counted, frames = np.ones(5000, bool), np.arange(5000)
    assert find_events(times, share, counted, frames, rule) == []
    share[2000:2100] += 0.01
    (event,) = find_events(times, share, counted, frames, EventRule.fitted(times, share))
    assert (event.start, event.end) == (80.0, 83.96)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (2e-4, 5e-5, 2.0)),
        ({"leave": 0.5}, (1.0, 0.5, 2.0)),
        ({"enter": 1e-5}, (1e-5, 1e-5, 2.0)),
        ({"enter": 0.3, "gap": 0}, (0.3, 5e-5, 0.06)),
    ],
)
def test_what_is_not_given_is_fitted(given: dict[str, Any], expected: tuple[float, float, float]) -> None:
    rule = EventRule.fitted(np.arange(100) / 25, np.zeros(100), **given)
    assert (rule.enter, rule.leave, rule.gap) == pytest.approx(expected)


def test_where_pairs_lie_far_apart_so_do_those_of_an_event() -> None:
    assert EventRule.fitted(np.arange(0, 1000, 10.0), np.zeros(100)).gap == 30
    nothing = EventRule.fitted(np.empty(0), np.empty(0))
    assert (nothing.enter, nothing.leave, nothing.gap) == (2e-4, 5e-5, 2.0)
    assert find_events(np.empty(0), np.empty(0), np.empty(0, bool), np.empty(0, np.int64), nothing) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"enter": 0.0}, "enter must be a share above 0"),
        ({"enter": 1.5}, "enter must be a share"),
        ({"leave": float("nan")}, "leave must be a share"),
        ({"enter": 0.1, "leave": 0.2}, "leave must be at most enter, got 0.2 and 0.1"),
        ({"gap": -1}, "gap must be a number of seconds from 0"),
        ({"shortest": float("inf")}, "shortest must be"),
        ({"pad": -0.5}, "pad must be"),
    ],
)
def test_wrong_options_are_told(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        EventRule.fitted(np.arange(3.0), np.zeros(3), **given)


def test_a_heat_map_tells_its_events() -> None:
    frames = np.concatenate([np.repeat(scene(1), 50, axis=0), scene(25), np.repeat(scene(1), 50, axis=0)])
    heatmap = gpuheat.motion_heatmap(frames, times=(np.arange(125) / 25).tolist())
    (event,) = heatmap.events()
    assert event.start == pytest.approx(51 / 25)
    assert event.end == pytest.approx(75 / 25)
    assert event.peak_share == heatmap.activity[event.peak_pair] == heatmap.activity.max()
    assert event.peak_frame == event.peak_pair + 1
    assert heatmap.events(shortest=2) == []
    with pytest.raises(OptionError, match="events need the times"):
        gpuheat.motion_heatmap(frames).events()


@pytest.mark.real_data
def test_each_person_is_one_event(real_data: Path) -> None:
    """When each comes and leaves with a shadow, s: seen in one frame a second; the tenths are those of the activity."""
    persons = [(6.0, 20.4), (22.7, 45.3), (50.2, 70.5), (74.4, 87.5), (92.0, 120.8), (123.4, 136.7)]
    heatmap = gpuheat.motion_heatmap(real_data / "video/intel/one-by-one-person-detection.mp4", background="first")
    events = heatmap.events()
    assert [time for event in events for time in (event.start, event.end)] == pytest.approx(
        [time for person in persons for time in person], abs=0.5
    )
    for gap in (1.5, 2.2):  # it does not hang on the last digit of a default
        assert len(heatmap.events(gap=gap)) == 6
    assert len(heatmap.events(leave=1e-4, enter=2e-4)) == 6
    assert len(heatmap.events(leave=2e-5, gap=1.5)) == 6
