"""What a counter keeps by slices of the time, against the pairs of each slice by themselves."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from by_slices import MOST, assert_same_timeline, assert_timeline, block_sums, pair_maps
from clips import noise
from cuda_on_cpu.host_cupy import HostCupy
from hypothesis import given
from hypothesis import strategies as st

from gpuheat import Backend, InputError, MotionCounter, OptionError
from gpuheat.backends.cupy import CupyBackend
from gpuheat.kernels.cpu_compiled import STRETCH
from gpuheat.motion.over_time import BlockSums, OverTime
from gpuheat.motion.raised import Raised
from gpuheat.motion.sliced import Slicing, Steps
from gpuheat.motion.timeline import block_size

HEIGHT, WIDTH, FRAMES = 7, 330, 40  # blocks of 2 px, of which a row is left over
VIDEO = noise((FRAMES, HEIGHT, WIDTH, 3), seed=1)
MAPS = pair_maps(VIDEO)
STAMPS: dict[str, list[float]] = {
    "even": [i / 10 for i in range(FRAMES)],
    "far apart": [float(i**3) for i in range(FRAMES)],
    "jumping back": [float(i % 7 * 13.3) for i in range(FRAMES)],
    "before 0": [i * 11.0 - 300 for i in range(FRAMES)],
    "on the edges": [i * 0.5 for i in range(FRAMES)],
    "one far away": [0.1 * i if i != 20 else 1e11 for i in range(FRAMES)],
}
TIMELINE = OverTime(timeline=True)


def counted(backend: Any, stamps: list[float] | None, cuts: list[int], **options: Any) -> MotionCounter:
    """A counter that was given the video in pieces which end at the cuts."""
    counter = MotionCounter(HEIGHT, WIDTH, backend=backend, over_time=TIMELINE, **options)
    for first, last in pairwise([0, *cuts, FRAMES]):
        counter.push(VIDEO[first:last], None if stamps is None else stamps[first:last])
    return counter


def some_cuts(seed: int) -> list[int]:
    return sorted(random.Random(seed).sample(range(1, FRAMES), 9))


@pytest.mark.parametrize("shape", [(1, 1), (7, 330), (641, 5), (360, 641), (1000, 3)])
@pytest.mark.parametrize("turned", [0, 90, 180, 270, -90, 360])
def test_blocks_are_those_of_the_map_as_shown(shape: tuple[int, int], turned: int) -> None:
    counts = np.random.default_rng(0).integers(0, 2**32, shape, np.uint32)
    shown = np.rot90(counts, turned // 90)
    want = block_sums(shown, block_size(*shape))
    np.testing.assert_array_equal(BlockSums(shape, turned)(counts), want.ravel())


@given(
    shape=st.tuples(st.integers(1, 50), st.sampled_from([1, 127, 128, 129, 300, 640, 1300])),
    quarters=st.integers(0, 3),
    stretch_counts=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    seed=st.integers(0, 2**16),
)
def test_blocks_are_added_up_where_counts_were_raised(
    shape: tuple[int, int], quarters: int, stretch_counts: list[int], seed: int
) -> None:
    """And nowhere else: what is raised without a word is not seen."""
    random = np.random.default_rng(seed)
    raised = Raised(shape, STRETCH)
    sums = BlockSums(shape, 90 * quarters, raised)
    told = np.zeros(shape, np.uint32)
    for number in stretch_counts:
        raised.next()
        for _ in range(number):
            y, x = random.integers(shape[0]), random.integers(shape[1])
            told[y, x] += np.uint32(random.integers(1, 2**27))
            raised.numbers[y, x // STRETCH] = raised.latest
        want = block_sums(np.rot90(told, quarters), block_size(*shape))
        np.testing.assert_array_equal(sums(told), want.ravel())
    told[:] = random.integers(0, 2**32, shape, np.uint32)
    np.testing.assert_array_equal(sums(told), want.ravel())
    raised.everywhere()
    np.testing.assert_array_equal(sums(told), block_sums(np.rot90(told, quarters), block_size(*shape)).ravel())


@pytest.mark.parametrize("name", STAMPS)
def test_each_slice_has_the_pairs_of_its_time(backend: Backend, name: str) -> None:
    for cuts in ([], some_cuts(1)):
        counter = counted(backend, STAMPS[name], cuts)
        assert_timeline(counter.result().timeline, MAPS, STAMPS[name][1:])


def test_pairs_without_times_are_at_their_places(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for cuts in ([], [1], some_cuts(2)):
        assert_timeline(counted(backend, None, cuts).result().timeline, MAPS, range(FRAMES - 1))
    monkeypatch.setattr("gpuheat.motion.over_time.MOST", 5)
    assert_timeline(counted(backend, None, some_cuts(3)).result().timeline, MAPS, range(FRAMES - 1), most=5)


def test_looking_at_it_changes_nothing(backend: Backend) -> None:
    stamps = STAMPS["jumping back"]
    counter, early = MotionCounter(HEIGHT, WIDTH, backend=backend, over_time=TIMELINE), None
    for number, (frame, time) in enumerate(zip(VIDEO, stamps, strict=True)):
        counter.push(frame, [time])
        if number % 6 == 1:
            assert_timeline(counter.result().timeline, MAPS[:number], stamps[1 : number + 1])
        if number == 20:
            early = counter.result().timeline
    assert_timeline(early, MAPS[:20], stamps[1:21])


def test_pairs_that_are_left_out_are_in_no_slice(backend: Backend) -> None:
    share = float(np.median([one.mean() for one in MAPS]))
    stamps = STAMPS["far apart"]
    result = counted(backend, stamps, some_cuts(4), max_changed=share).result()
    assert 0 < np.count_nonzero(result.counted) < FRAMES - 1
    kept = [one * counted for one, counted in zip(MAPS, result.counted, strict=True)]
    assert_timeline(result.timeline, kept, stamps[1:])


def test_a_cut_and_a_mask(backend: Backend) -> None:
    stamps, mask = STAMPS["even"], np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[2:6, 50:200] = 1
    counter = MotionCounter(HEIGHT, WIDTH, mask=mask, backend=backend, over_time=TIMELINE)
    counter.push(VIDEO[:13], stamps[:13])
    counter.cut()
    counter.push(VIDEO[13:], stamps[13:])
    maps = [one * mask for place, one in enumerate(MAPS, 1) if place != 13]
    assert_timeline(counter.result().timeline, maps, stamps[1:13] + stamps[14:])


@pytest.mark.parametrize("name", STAMPS)
def test_parts_add_up_to_one_pass(backend: Backend, name: str) -> None:
    """Parts counted apart, merged in their order, taken from a state, and gone on with."""
    stamps = STAMPS[name]
    for seed in range(2):
        cuts = some_cuts(seed)
        whole = MotionCounter(HEIGHT, WIDTH, backend=backend, over_time=TIMELINE)
        for first, last in pairwise([0, *cuts, FRAMES]):
            begin = max(0, first - 1)
            part = MotionCounter(HEIGHT, WIDTH, backend=backend, over_time=TIMELINE)
            part.push(VIDEO[begin : last - 1], stamps[begin : last - 1])
            before, part = part, MotionCounter(HEIGHT, WIDTH, backend=backend, over_time=TIMELINE)
            part.restore(before.state)
            if begin < last - 1:
                part.push(VIDEO[last - 2], stamps[last - 2 : last - 1])
            part.push(VIDEO[last - 1], stamps[last - 1 : last])
            whole.merge(part)
        assert_timeline(whole.result().timeline, MAPS, stamps[1:])


def test_maps_merge_like_counters(backend: Backend) -> None:
    stamps = STAMPS["far apart"]
    first, second = (MotionCounter(HEIGHT, WIDTH, backend=backend, over_time=TIMELINE) for _ in range(2))
    first.push(VIDEO[:15], stamps[:15])
    second.push(VIDEO[14:], stamps[14:])
    one, other = first.result(), second.result()
    for merged in (one.merge(other, backend=backend), other.merge(one, backend=backend)):
        assert_timeline(merged.timeline, MAPS, stamps[1:])
    assert one.timeline is not None
    assert_timeline(one.timeline.merge(other.timeline), MAPS, stamps[1:])  # type: ignore[arg-type]
    untimed = counted(backend, None, []).result()
    assert untimed.merge(untimed, backend=backend).timeline is None


def test_what_has_no_common_time_is_not_merged() -> None:
    one, other = counted("numpy", None, []), counted("numpy", None, [])
    with pytest.raises(InputError, match="give times"):
        one.merge(other)
    assert_timeline(one.result().timeline, MAPS, range(FRAMES - 1))
    empty = MotionCounter(HEIGHT, WIDTH, backend="numpy", over_time=TIMELINE)
    empty.merge(other)
    assert_timeline(empty.result().timeline, MAPS, range(FRAMES - 1))
    with pytest.raises(InputError, match="over time"):
        MotionCounter(HEIGHT, WIDTH, backend="numpy").merge(empty)


def test_nothing_is_kept_unless_asked_for() -> None:
    counter = MotionCounter(HEIGHT, WIDTH, backend="numpy")
    counter.push(VIDEO, STAMPS["even"])
    assert counter.result().timeline is None


def test_a_map_that_is_turned_has_no_timeline() -> None:
    result = counted("numpy", STAMPS["even"], []).result()
    assert result.turned(90).timeline is None
    assert_same_timeline(result.turned(360).timeline, result.timeline)


def test_memory_that_runs_out_behind_the_edge_of_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frames before it fit, those behind it do not: they are halved, and nothing is counted twice."""
    video = noise((9, 512, 682, 3), seed=8)  # 1 MiB each
    stamps = [0.0, 0.1, 0.6, 0.6, 0.7, 0.7, 0.8, 0.8, 0.9]
    backend, pieces = CupyBackend(module=HostCupy(memory=13 << 20)), []
    own = backend.add_motion

    def add_motion(previous: Any, frames: Any, *arguments: Any, **options: Any) -> None:
        own(previous, frames, *arguments, **options)
        pieces.append(len(frames))

    monkeypatch.setattr(backend, "add_motion", add_motion)
    counter = MotionCounter(512, 682, backend=backend, over_time=TIMELINE)
    counter.push(video, stamps)
    assert_timeline(counter.result().timeline, pair_maps(video), stamps[1:])
    assert pieces[0] == 1
    assert max(pieces) < 7


def test_the_step_is_that_of_the_contract() -> None:
    stamps = [0.0, MOST / 2 - 0.01, MOST / 2]
    for frames, step in ((2, 0.5), (3, 1.0)):
        counter = MotionCounter(HEIGHT, WIDTH, backend="numpy", over_time=TIMELINE)
        counter.push(VIDEO[:frames], stamps[:frames])
        timeline = counter.result().timeline
        assert timeline is not None
        assert timeline.step == step
        assert [part.number for part in timeline.slices][-1] == int(Fraction(stamps[frames - 1]) // Fraction(step))


def test_too_many_slices() -> None:
    """Time stamps that leap would make a map of zeros for each of millions of slices."""
    over_time = OverTime(slicing=Slicing(Steps(Fraction(1, 2))))
    counter = MotionCounter(HEIGHT, WIDTH, backend="numpy", over_time=over_time)
    counter.push(VIDEO[:3], [0, 1, 4999])
    with pytest.raises(OptionError, match=r"slices of 0\.5 s are too many for a time of 5000 s"):
        counter.push(VIDEO[3], [5000])
    slices = counter.result().slices
    assert slices is not None
    assert len(slices) == 9999
    assert [each.number for each in slices if each.pairs] == [2, 9998]
    np.testing.assert_array_equal(slices[2].counts, MAPS[0])
