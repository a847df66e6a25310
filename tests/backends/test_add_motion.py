"""Motion on every backend: equal to the slow loops of reference.py, and to OpenCV, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat.backends import Backend, get_backend
from gpuheat.backends.numba import PIXELS_WORTH_A_THREAD, NumbaBackend
from gpuheat.kernels import grey
from gpuheat.pixels import FrameLayout

BGR, GREY = FrameLayout.BGR24, FrameLayout.GRAY8
THRESHOLDS = [0, 1, 24, 25, 26, 128, 254, 255]


class Result(NamedTuple):
    """What one run gave, on the host."""

    moved: NDArray[np.uint32]
    counts: NDArray[np.uint32]
    decayed: NDArray[np.float64] | None


def run(
    backend: Backend,
    video: NDArray[np.uint8],
    threshold: int = 25,
    mask: NDArray[np.uint8] | None = None,
    weights: NDArray[np.float64] | None = None,
    cuts: tuple[int, ...] = (),
) -> Result:
    """Count the motion of a video, its first frame being the previous one, in pieces that end at the cuts."""
    layout = BGR if video.ndim == 4 else GREY
    counts = backend.zeros(video.shape[1:3], np.uint32)
    decayed = None if weights is None else backend.zeros(video.shape[1:3], np.float64)
    device_mask = None if mask is None else backend.asarray(mask)
    pairs = []
    bounds = [0, *cuts, len(video) - 1]
    for first, last in pairwise(bounds):
        moved = backend.asarray(np.full(last - first, 99, np.uint32))  # set, not added to
        backend.add_motion(
            backend.asarray(video[first]),
            backend.asarray(video[first + 1 : last + 1]),
            layout,
            threshold=threshold,
            moved=moved,
            counts=counts,
            mask=device_mask,
            decayed=decayed,
            weights=None if weights is None else weights[first:last],
        )
        pairs.append(backend.to_host(moved))
    return Result(np.concatenate(pairs), backend.to_host(counts), None if decayed is None else backend.to_host(decayed))


def noise(seed: int, shape: tuple[int, ...], amplitude: int = 256) -> NDArray[np.uint8]:
    """Frames whose values lie at most amplitude - 1 apart, so that differences fall around a threshold."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, amplitude, shape) + rng.integers(0, 257 - amplitude)).astype(np.uint8)


def some_of(seed: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A mask: a third of the pixels do not count, and what counts need not be 1."""
    return np.random.default_rng(seed).choice(np.array([0, 1, 255], np.uint8), shape)


def recipe(video: NDArray[np.uint8], threshold: int) -> tuple[list[int], NDArray[np.uint32]]:
    """Difference, grey, threshold, add, with OpenCV."""
    moved = []
    counts: NDArray[np.uint32] = np.zeros(video.shape[1:3], np.uint32)
    for previous, frame in pairwise(video):
        difference = cv2.absdiff(previous, frame)
        value = cv2.cvtColor(difference, cv2.COLOR_BGR2GRAY) if video.ndim == 4 else difference
        motion = cv2.threshold(value, threshold, 255, cv2.THRESH_BINARY)[1]
        moved.append(int(np.count_nonzero(motion)))
        counts += motion // 255
    return moved, counts


@settings(max_examples=300)
@given(data=st.data())
def test_equals_the_slow_loops(backend: Backend, data: st.DataObject) -> None:
    t, h, w = data.draw(st.tuples(st.integers(0, 4), st.integers(1, 6), st.integers(1, 9)), label="t, h, w")
    shape = (t + 1, h, w, *data.draw(st.sampled_from([(3,), ()]), label="channels"))
    video = noise(data.draw(st.integers(0, 999)), shape, data.draw(st.sampled_from([2, 28, 60, 256])))
    threshold = data.draw(st.integers(0, 255) | st.sampled_from(THRESHOLDS), label="threshold")
    mask = data.draw(st.none() | st.just(some_of(t, (h, w))), label="mask")
    weights = data.draw(
        st.none() | st.lists(st.floats(1e-9, 1e9), min_size=t, max_size=t).map(lambda w: np.array(w, np.float64)),
        label="weights",
    )
    moved, counts, decayed = reference.motion(video[0], video[1:], threshold, mask, weights)
    got = run(backend, video, threshold, mask, weights)
    np.testing.assert_array_equal(got.moved, moved)
    np.testing.assert_array_equal(got.counts, counts)
    if got.decayed is not None:
        np.testing.assert_array_equal(got.decayed, decayed)


@pytest.mark.large
@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("channels", [(3,), ()], ids=["bgr", "grey"])
def test_equals_opencv_on_frames_worth_several_threads(
    backend: Backend, threshold: int, channels: tuple[int, ...]
) -> None:
    height = 3 * PIXELS_WORTH_A_THREAD // 701
    video = noise(threshold, (3, height, 701, *channels), 256 if threshold > 26 else threshold + 20)
    got = run(backend, video, threshold)
    moved, counts = recipe(video, threshold)
    assert got.moved.tolist() == moved
    np.testing.assert_array_equal(got.counts, counts)


def test_the_grey_of_every_bgr_difference_equals_opencv() -> None:
    """Every one of the 2^24: the thresholds below a grey value are as many as the value says."""
    backend = get_backend("numba")
    number = np.arange(2**24, dtype=np.uint32).reshape(4096, 4096)
    every = np.ascontiguousarray(number.view(np.uint8).reshape(4096, 4096, 4)[..., :3])
    counts, moved = backend.zeros((4096, 4096), np.uint32), backend.zeros((1,), np.uint32)
    black = np.zeros_like(every)
    for threshold in range(256):
        backend.add_motion(black, every[None], BGR, threshold=threshold, moved=moved, counts=counts)
    assert np.array_equal(backend.to_host(counts), cv2.cvtColor(every, cv2.COLOR_BGR2GRAY))


def test_the_lowest_moving_sum_is_the_lowest() -> None:
    def value(weighted: int) -> int:
        return (weighted + grey.HALF) >> grey.SHIFT

    for threshold in range(256):
        lowest = grey.lowest_moving_sum(threshold)
        assert value(lowest) > threshold >= value(lowest - 1)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_do_not_change_the_result(threads: int) -> None:
    video = noise(1, (2, 11, PIXELS_WORTH_A_THREAD // 2, 3), 60)
    weights = np.array([0.1])
    got, want = run(NumbaBackend(threads), video, weights=weights), run(get_backend("numpy"), video, weights=weights)
    for field in ("moved", "counts", "decayed"):
        np.testing.assert_array_equal(getattr(got, field), getattr(want, field))


View = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def padded(video: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same pixels with other bytes behind every row, as decoders leave them."""
    wide = np.full((*video.shape[:2], video.shape[2] + 5, *video.shape[3:]), 77, np.uint8)
    wide[:, :, : video.shape[2]] = video
    return wide[:, :, : video.shape[2]]


def read_only(video: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same, not to be written to."""
    video = video.copy()
    video.flags.writeable = False
    return video


VIEWS: dict[str, View] = {
    "padded rows": padded,
    "padded and read-only": lambda v: np.broadcast_to(padded(v), v.shape),
    "upside down": lambda v: v[:, ::-1],
    "left to right": lambda v: v[:, :, ::-1],
    "backwards": lambda v: v[::-1],
    "every other frame": lambda v: np.repeat(v, 2, axis=0)[::2],
    "every other row": lambda v: v[:, ::2],
    "every other column": lambda v: v[:, :, ::2],
    "swapped channels": lambda v: v[..., ::-1],
    "turned": lambda v: v.swapaxes(1, 2),
    "Fortran order": np.asfortranarray,
    "one row again and again": lambda v: np.broadcast_to(v[:, :1], v.shape),
    "one frame again and again": lambda v: np.broadcast_to(v[:1], v.shape),
    "read-only": read_only,
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("shape", [(4, 7, 6, 3), (4, 7, 6), (3, 1, 5, 3), (3, 5, 1, 3), (3, 5, 1), (2, 1, 1)], ids=str)
def test_how_frames_lie_in_memory_does_not_matter(backend: Backend, view: View, shape: tuple[int, ...]) -> None:
    video = view(noise(len(shape), shape, 60))
    got = run(backend, video, 12)
    moved, counts, _ = reference.motion(video[0], video[1:], 12)
    np.testing.assert_array_equal(got.moved, moved)
    np.testing.assert_array_equal(got.counts, counts)


@pytest.mark.parametrize(("before", "after"), [(padded, np.copy), (np.copy, padded)], ids=["previous", "frames"])
def test_only_one_of_the_two_may_have_padded_rows(backend: Backend, before: View, after: View) -> None:
    video = noise(9, (3, 6, 5, 3), 60)
    previous, frames = before(video[:1])[0], after(video[1:])
    moved, counts = backend.zeros((2,), np.uint32), backend.zeros((6, 5), np.uint32)
    backend.add_motion(
        backend.asarray(previous), backend.asarray(frames), BGR, threshold=12, moved=moved, counts=counts
    )
    want = reference.motion(video[0], video[1:], 12)
    np.testing.assert_array_equal(backend.to_host(moved), want[0])
    np.testing.assert_array_equal(backend.to_host(counts), want[1])


@pytest.mark.parametrize("turned", [False, True])
def test_results_arrive_in_arrays_with_gaps(backend: Backend, turned: bool) -> None:
    h, w = 5, 4
    video, mask, weights = noise(4, (4, h, w, 3), 60), some_of(5, (h, 2 * w))[:, ::2], np.array([1.5, 0.25, 8.0])
    whole, inside = {}, {}
    for name, dtype in (("counts", np.uint32), ("decayed", np.float64)):
        whole[name] = backend.zeros((3 * w, 2 * h) if turned else (2 * h, 3 * w), dtype)
        inside[name] = (whole[name].T if turned else whole[name])[::2, 1 : 1 + w]
    moved = backend.zeros((6,), np.uint32)
    for _ in range(2):  # the second time on top of the first
        backend.add_motion(
            backend.asarray(video[0]),
            backend.asarray(video[1:]),
            BGR,
            threshold=12,
            moved=moved[::2],
            mask=backend.asarray(mask),
            weights=weights,
            **inside,
        )
    per_pair, counts, decayed = reference.motion(video[0], video[1:], 12, mask, weights)
    assert np.count_nonzero(counts) > 3
    assert backend.to_host(moved)[::2].tolist() == per_pair.tolist()
    for name, once in (("counts", counts), ("decayed", decayed)):
        got = backend.to_host(whole[name])
        want = np.zeros((2 * h, 3 * w), once.dtype)
        want[::2, 1 : 1 + w] = 2 * once
        np.testing.assert_array_equal(got.T if turned else got, want)


@given(data=st.data())
def test_any_cut_of_the_frames_gives_the_same(backend: Backend, data: st.DataObject) -> None:
    pairs = 7
    video, weights = noise(6, (pairs + 1, 3, 5, 3), 60), np.geomspace(1e-3, 3, pairs)
    cuts = data.draw(st.lists(st.integers(0, pairs), max_size=4).map(sorted), label="cuts")
    whole, pieces = run(backend, video, weights=weights), run(backend, video, weights=weights, cuts=tuple(cuts))
    assert whole.moved.any()
    for field in ("moved", "counts", "decayed"):
        np.testing.assert_array_equal(getattr(pieces, field), getattr(whole, field))


def test_without_counts_only_the_moved_pixels_are_told(backend: Backend) -> None:
    video = noise(7, (5, 4, 9, 3), 60)
    moved = backend.zeros((4,), np.uint32)
    backend.add_motion(backend.asarray(video[0]), backend.asarray(video[1:]), BGR, threshold=25, moved=moved)
    assert backend.to_host(moved).tolist() == reference.motion(video[0], video[1:], 25)[0].tolist()


def test_counts_go_on_beyond_sixteen_bits(backend: Backend) -> None:
    counts = backend.asarray(np.array([[65535, 2**31 - 1, 2**32 - 2]], np.uint32))
    black, white = np.zeros((1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)
    moved = backend.zeros((1,), np.uint32)
    backend.add_motion(backend.asarray(black), backend.asarray(white), GREY, threshold=254, moved=moved, counts=counts)
    assert backend.to_host(counts).tolist() == [[65536, 2**31, 2**32 - 1]]
