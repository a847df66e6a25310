"""The counter against the plain recipe and against sums over pairs, for any way of cutting the frames."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from clips import noise, recipe
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat import Backend, InputError, MotionCounter, OptionError

BACKENDS = ("numpy", "numba")
HEIGHT, WIDTH = 5, 7
some = settings(max_examples=40)


@st.composite
def cut_frames(
    draw: st.DrawFn, layouts: tuple[str, ...] = ("bgr", "grey")
) -> tuple[NDArray[np.uint8], list[NDArray[np.uint8]]]:
    """2 to 12 random frames, and the same in pieces of any sizes; a piece of one may come without its first axis."""
    n = draw(st.integers(2, 12))
    pixel = (3,) if draw(st.sampled_from(layouts)) == "bgr" else ()
    frames = noise((n, HEIGHT, WIDTH, *pixel), seed=draw(st.integers(0, 1 << 20)))
    pieces = np.split(frames, sorted(draw(st.lists(st.integers(0, n), max_size=5))))
    return frames, [piece[0] if len(piece) == 1 and draw(st.booleans()) else piece for piece in pieces]


def counted(frames: object, times: Any = None, **options: Any) -> MotionCounter:
    counter = MotionCounter(HEIGHT, WIDTH, **options)
    counter.push(frames, times)
    return counter


def decayed_by_pairs(
    frames: NDArray[np.uint8], times: NDArray[np.float64], half_life: float, counted_pairs: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Every pair's motion, weighed by its age at the end, in plain float64."""
    total = np.zeros(frames.shape[1:3])
    for pair in np.flatnonzero(counted_pairs):
        total += (recipe(frames[pair : pair + 2])[0] / 255) * 0.5 ** ((max(times[1:]) - times[pair + 1]) / half_life)
    return total


# --- counts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", ["bgr", "luma"])
@given(data=st.data(), threshold=st.sampled_from([0, 1, 24, 25, 26, 100, 254, 255]))
@some
def test_any_cut_gives_the_recipe(backend: Backend, pixels: Any, data: st.DataObject, threshold: int) -> None:
    frames, pieces = data.draw(cut_frames(("grey",) if pixels == "luma" else ("bgr", "grey")))
    counter = MotionCounter(HEIGHT, WIDTH, threshold=threshold, pixels=pixels, backend=backend)
    for piece in pieces:
        counter.push(piece)
    result = counter.result()
    accumulator, moved = recipe(frames, threshold)
    assert result.counts.dtype == np.uint32
    np.testing.assert_array_equal(result.accumulator, accumulator)
    np.testing.assert_array_equal(result.moved, moved)
    assert result.counted.all()
    assert result.times is None
    assert counter.pairs == len(moved)


def test_the_threshold_is_a_bound_not_crossed_by_its_own_value(backend: Backend) -> None:
    frames = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    frames[1, 0, :3] = (24, 25, 26)
    assert counted(frames, backend=backend).result().counts[0, :3].tolist() == [0, 0, 1]


class DLPackOnly:
    """Offers its memory through DLPack and in no other way."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


def test_frames_come_in_any_kind_of_memory(backend: Backend) -> None:
    frames = noise((4, HEIGHT, WIDTH, 3))
    read_only = frames.copy()
    read_only.flags.writeable = False
    wide = noise((4, 2 * HEIGHT, WIDTH + 3, 6))
    wide[:, ::2, 2:-1, ::-2] = frames
    strided = wide[:, ::2, 2:-1, ::-2]
    expected, moved = recipe(frames)
    for given_frames in (DLPackOnly(frames), frames.data, read_only, strided, np.asfortranarray(frames)):
        result = counted(given_frames, backend=backend).result()
        np.testing.assert_array_equal(result.accumulator, expected)
        np.testing.assert_array_equal(result.moved, moved)
    np.testing.assert_array_equal(strided, frames)  # what was given is only read
    upside_down = counted(frames[:, ::-1, ::-1], backend=backend).result()
    np.testing.assert_array_equal(upside_down.accumulator, expected[::-1, ::-1])


def test_a_caller_may_reuse_its_buffer(backend: Backend) -> None:
    frames = noise((6, HEIGHT, WIDTH, 3))
    counter, buffer = MotionCounter(HEIGHT, WIDTH, backend=backend), np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for frame in frames:
        buffer[...] = frame
        counter.push(buffer)
    np.testing.assert_array_equal(counter.result().accumulator, recipe(frames)[0])


def test_without_a_copy_the_last_frame_stays_the_callers(backend: Backend) -> None:
    frames = noise((4, HEIGHT, WIDTH, 3))
    counter = MotionCounter(HEIGHT, WIDTH, backend=backend)
    counter.push(frames[:2].copy(), copy=True)
    last = frames[2].copy()
    counter.push(last, copy=False)
    last[...] = frames[3]
    counter.push(frames[3])
    if backend.name in ("numba", "numpy"):  # it is the same memory, so that the next frame differs in nothing
        assert counter.result().moved[-1] == 0
    careful = MotionCounter(HEIGHT, WIDTH, backend=backend)
    for frame in frames:
        careful.push(frame, copy=False)
    np.testing.assert_array_equal(careful.result().accumulator, recipe(frames)[0])


def test_both_backends_give_the_same_on_a_picture_worth_several_threads() -> None:
    frames = noise((3, 720, 401, 3))
    results = []
    for backend in BACKENDS:
        counter = MotionCounter(720, 401, half_life=0.3, backend=backend)
        counter.push(frames, [0.0, 0.4, 0.5])
        results.append(counter.result())
    np.testing.assert_array_equal(results[0].accumulator, recipe(frames)[0])
    np.testing.assert_array_equal(results[1].accumulator, results[0].accumulator)
    np.testing.assert_array_equal(results[0].decayed, results[1].decayed)
    np.testing.assert_array_equal(results[0].moved, results[1].moved)


def test_counting_goes_on_after_a_result_and_leaves_it_alone() -> None:
    frames = noise((4, HEIGHT, WIDTH))
    counter = counted(frames[:3], [0, 1, 2], half_life=1.0)
    first = counter.result()
    kept = [np.array(a) for a in (first.counts, first.decayed, first.moved, first.times)]
    counter.push(frames[3], 3)
    for array, before in zip((first.counts, first.decayed, first.moved, first.times), kept, strict=True):
        np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(counter.result().accumulator, recipe(frames)[0])


def test_the_last_result_may_have_the_memory_of_its_counter() -> None:
    counter = counted(noise((4, HEIGHT, WIDTH)))
    kept, last = counter.result(), counter.result(copy=False)
    np.testing.assert_array_equal(last.counts, kept.counts)
    np.testing.assert_array_equal(last.heat, kept.heat)
    assert np.shares_memory(last.counts, counter.result(copy=False).counts)
    assert not np.shares_memory(last.counts, kept.counts)


def test_no_frames_and_one_frame_make_no_pair() -> None:
    counter = MotionCounter(HEIGHT, WIDTH)
    counter.push(np.empty((0, HEIGHT, WIDTH, 3), np.uint8))
    assert counter.result().moved.shape == (0,)
    counter.push(noise((HEIGHT, WIDTH, 3)))
    result = counter.result()
    assert counter.pairs == 0
    assert not result.counts.any()
    assert not result.heat.any()
    assert not result.moved_share


@given(data=st.data())
@some
def test_the_mask_leaves_pixels_out(backend: Backend, data: st.DataObject) -> None:
    frames = noise((5, HEIGHT, WIDTH, 3), seed=data.draw(st.integers(0, 999)))
    mask = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.25, -1.0, 255.0]), min_size=35, max_size=35)))
    mask[data.draw(st.integers(0, 34))] = 1
    mask = mask.reshape(HEIGHT, WIDTH)
    result = counted(frames, mask=mask, backend=backend).result()
    accumulator, moved = recipe(frames, mask=mask)
    np.testing.assert_array_equal(result.accumulator, accumulator)
    np.testing.assert_array_equal(result.moved, moved)
    assert result.pixels_watched == np.count_nonzero(mask)
    np.testing.assert_array_equal(True if result.watched is None else result.watched, mask != 0)
    assert (result.watched is None) == mask.all()
    np.testing.assert_array_equal(result.activity, np.array(moved) / np.count_nonzero(mask))
    assert result.moved_share == np.count_nonzero(accumulator) / np.count_nonzero(mask)


# --- what is refused --------------------------------------------------------------------------------------------


WRONG_FRAMES = [
    np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8),
    np.zeros((2, HEIGHT + 1, WIDTH, 3), np.uint8),
    np.zeros((HEIGHT, WIDTH, 4), np.uint8),
    np.zeros((2, HEIGHT, WIDTH, 1), np.uint8),
    np.zeros((1, 2, HEIGHT, WIDTH, 3), np.uint8),
    np.zeros((WIDTH,), np.uint8),
    np.uint8(3),
    np.zeros((HEIGHT, WIDTH, 3), np.int8),
    np.zeros((HEIGHT, WIDTH, 3), np.uint16),
    np.zeros((HEIGHT, WIDTH, 3), np.float32),
    np.zeros((HEIGHT, WIDTH, 3), np.bool_),
    np.zeros((HEIGHT, WIDTH), np.uint8),  # grey after BGR
    "frames",
    None,
]


@pytest.mark.parametrize("wrong", WRONG_FRAMES, ids=lambda wrong: f"{getattr(wrong, 'dtype', '')}{np.shape(wrong)}")
def test_frames_that_do_not_fit_change_nothing(backend: Backend, wrong: object) -> None:
    frames = noise((4, HEIGHT, WIDTH, 3))
    counter = counted(frames[:3], backend=backend)
    with pytest.raises(InputError):
        counter.push(wrong)
    counter.push(frames[3])
    np.testing.assert_array_equal(counter.result().accumulator, recipe(frames)[0])


def test_the_error_says_what_was_expected_and_what_came() -> None:
    with pytest.raises(InputError, match=r"\(5, 7, 3\) or \(5, 7\).*got uint16 of shape \(2, 5, 7\)"):
        counted(np.zeros((2, HEIGHT, WIDTH), np.uint16))
    with pytest.raises(InputError, match=r"shape \(5, 7\),.*got uint8 of shape \(5, 7, 3\)"):
        counted(np.zeros((HEIGHT, WIDTH, 3), np.uint8), pixels="luma")


@pytest.mark.parametrize("wrong", [[0.0], [0.0, 1.0, 2.0], [0.0, np.nan], [0.0, np.inf], 3.0, []])
def test_times_that_do_not_fit_change_nothing(wrong: Any) -> None:
    frames = noise((4, HEIGHT, WIDTH))
    counter = counted(frames[:2], [0.0, 1.0])
    with pytest.raises(OptionError, match="2 numbers of seconds"):
        counter.push(frames[2:], wrong)
    with pytest.raises(OptionError, match="with every push or with none"):
        counter.push(frames[2:])
    counter.push(frames[2:], [2.0, 3.5])
    result = counter.result()
    np.testing.assert_array_equal(result.accumulator, recipe(frames)[0])
    assert result.times is not None
    assert result.times.tolist() == [1.0, 2.0, 3.5]


def test_times_cannot_begin_half_way_and_a_half_life_needs_them() -> None:
    frames = noise((3, HEIGHT, WIDTH))
    counter = counted(frames[:2])
    with pytest.raises(OptionError, match="with every push or with none"):
        counter.push(frames[2], 3.0)
    assert counter.pairs == 1
    with pytest.raises(OptionError, match="half_life weighs pairs by time"):
        counted(frames, half_life=1.0)


def test_a_refused_push_does_not_settle_what_frames_look_like() -> None:
    counter = MotionCounter(HEIGHT, WIDTH)
    with pytest.raises(OptionError):
        counter.push(noise((2, HEIGHT, WIDTH)), [0.0])
    frames = noise((2, HEIGHT, WIDTH, 3))
    counter.push(frames)
    np.testing.assert_array_equal(counter.result().accumulator, recipe(frames)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": -1}, "threshold"),
        ({"threshold": 256}, "threshold"),
        ({"threshold": 25.0}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"pixels": "rgb"}, "pixels"),
        ({"half_life": 0.0}, "half_life"),
        ({"half_life": -1.0}, "half_life"),
        ({"half_life": float("nan")}, "half_life"),
        ({"half_life": float("inf")}, "half_life"),
        ({"max_changed": -0.1}, "max_changed"),
        ({"max_changed": 1.1}, "max_changed"),
        ({"max_changed": float("nan")}, "max_changed"),
    ],
)
def test_options_outside_their_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=f"^{message} must be"):
        MotionCounter(HEIGHT, WIDTH, **options)


def test_sizes_and_masks_that_make_no_sense() -> None:
    for height in (0, 30.5, "30", True):
        with pytest.raises(OptionError, match=r"^the height of a frame, px, must be a whole number from 1"):
            MotionCounter(height, WIDTH)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"\(5, 7\), got \(7, 5\)"):
        MotionCounter(HEIGHT, WIDTH, mask=np.ones((WIDTH, HEIGHT)))
    with pytest.raises(InputError, match="zero everywhere"):
        MotionCounter(HEIGHT, WIDTH, mask=np.zeros((HEIGHT, WIDTH)))


# --- pairs in which too much changed ----------------------------------------------------------------------------


@given(data=st.data(), watched=st.booleans())
@some
def test_max_changed_leaves_pairs_out_of_the_counts(backend: Backend, data: st.DataObject, watched: bool) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    n = data.draw(st.integers(2, 10))
    busy = random.random((n, 1, 1)) ** 2
    frames = np.where(random.random((n, HEIGHT, WIDTH)) < busy, 200, 50).astype(np.uint8)
    mask = random.random((HEIGHT, WIDTH)) < 0.6 if watched else np.ones((HEIGHT, WIDTH), np.bool_)
    mask[0, 0] = True
    pixels = np.count_nonzero(mask)
    share = data.draw(st.integers(0, int(pixels))) / pixels  # each pair can lie right on the border
    moved = np.array(recipe(frames, mask=mask)[1])
    expected = moved <= np.round(share * pixels)
    counts = np.zeros((HEIGHT, WIDTH), np.uint32)
    for pair in np.flatnonzero(expected):
        counts += (recipe(frames[pair : pair + 2], mask=mask)[0] / 255).astype(np.uint32)

    counter = MotionCounter(HEIGHT, WIDTH, max_changed=share, mask=mask, backend=backend)
    for piece in np.split(frames, sorted(data.draw(st.lists(st.integers(0, n), max_size=3)))):
        counter.push(piece)
    result = counter.result()
    np.testing.assert_array_equal(result.counts, counts)
    np.testing.assert_array_equal(result.counted, expected)
    np.testing.assert_array_equal(result.moved, moved)


# --- half-life --------------------------------------------------------------------------------------------------

# A weight is rounded to 21 bits, which is 2**-21 of it; the float64 sums of the two sides add 1e-13 at the most.
WEIGHT_ERROR = 2.0**-21 + 1e-13


@pytest.mark.parametrize("max_changed", [1.0, 0.5])
@given(data=st.data(), half_life=st.sampled_from([0.04, 0.3, 1.0, 60.0]))
@some
def test_half_life_weighs_by_time(backend: Backend, max_changed: float, data: st.DataObject, half_life: float) -> None:
    n = data.draw(st.integers(2, 12))
    frames = noise((n, HEIGHT, WIDTH, 3), seed=data.draw(st.integers(0, 999)))
    steps = data.draw(st.lists(st.sampled_from([0.0, 1 / 30, 0.1, 0.5, 2.0]), min_size=n, max_size=n))
    times = np.cumsum(steps) + data.draw(st.sampled_from([-3.0, 0.0, 1e5]))
    counter = MotionCounter(HEIGHT, WIDTH, half_life=half_life, max_changed=max_changed, backend=backend)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=3)))
    for piece, stamps in zip(np.split(frames, cuts), np.split(times, cuts), strict=True):
        counter.push(piece, stamps.tolist())
    result = counter.result()
    assert result.decayed is not None
    expected = decayed_by_pairs(frames, times, half_life, result.counted)
    # 2**(t / half_life) knows t / half_life to a float64's last place, and there is one on each side
    exponent_error = 2 * np.spacing(max(1.0, np.abs(times).max() / half_life))
    np.testing.assert_allclose(result.decayed, expected, rtol=WEIGHT_ERROR + 2 * exponent_error, atol=1e-300)
    highest = result.decayed.max()
    np.testing.assert_array_equal(result.heat, (result.decayed / (highest or 1.0)).astype(np.float32))
    counted_pairs = sum(
        (recipe(frames[pair : pair + 2])[0] for pair in np.flatnonzero(result.counted)), np.zeros((HEIGHT, WIDTH))
    )
    np.testing.assert_array_equal(result.accumulator, counted_pairs)


@pytest.mark.parametrize("at_once", [True, False])
def test_what_lies_far_more_than_512_half_lives_back_fades_without_overflow(at_once: bool) -> None:
    frames = np.zeros((6, HEIGHT, WIDTH), np.uint8)
    times = [0.0, 1.0, 600.0, 601.0, 5000.0, 5001.0]
    for number, pixel in enumerate(range(1, 6), 1):
        frames[number:, 0, pixel] = 200  # pixel p moves once, at times[p]
    counter = MotionCounter(HEIGHT, WIDTH, half_life=1.0)
    for piece, stamps in [(frames, times)] if at_once else [(f, [t]) for f, t in zip(frames, times, strict=True)]:
        counter.push(piece, stamps)
    decayed = counter.result().decayed
    assert decayed is not None
    assert decayed[0, :6].tolist() == [0.0, 0.0, 0.0, 0.0, 0.5, 1.0]
    early = MotionCounter(HEIGHT, WIDTH, half_life=1.0)
    early.push(frames[:4], times[:4])
    decayed = early.result().decayed
    assert decayed is not None
    assert decayed[0, :4].tolist() == [0.0, 0.5**600, 0.5, 1.0]


@given(data=st.data())
@some
def test_the_cut_does_not_change_a_bit_of_what_decayed(backend: Backend, data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 14))
    frames = noise((n, HEIGHT, WIDTH), seed=data.draw(st.integers(0, 999)))
    times = np.sort(np.random.default_rng(n).random(n)) * 15  # fifteen half-lives: exact in float64
    whole = counted(frames, times, half_life=1.0, backend=backend).result()
    counter = MotionCounter(HEIGHT, WIDTH, half_life=1.0, backend=backend)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=6)))
    for piece, stamps in zip(np.split(frames, cuts), np.split(times, cuts), strict=True):
        counter.push(piece, stamps.tolist())
    np.testing.assert_array_equal(counter.result().decayed, whole.decayed)


# --- merging ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backends", [*itertools.product(BACKENDS, BACKENDS)], ids="-".join)
@given(data=st.data(), half_life=st.sampled_from([None, 1.0]), max_changed=st.sampled_from([1.0, 0.4]))
@some
def test_merged_parts_equal_one_pass(
    backends: tuple[str, str], data: st.DataObject, half_life: float | None, max_changed: float
) -> None:
    n = data.draw(st.integers(3, 12))
    frames = noise((n, HEIGHT, WIDTH, 3), seed=data.draw(st.integers(0, 999)))
    times = np.sort(np.random.default_rng(n).random(n)) * 14
    options: dict[str, Any] = {"half_life": half_life, "max_changed": max_changed}
    whole = counted(frames, times, **options).result()
    end = data.draw(st.integers(1, n - 1))  # frames after it are pushed once the parts are together
    cut = data.draw(st.integers(0, end - 1))
    first = counted(frames[: cut + 1], times[: cut + 1], backend=backends[0], **options)
    second = counted(frames[cut:end], times[cut:end], backend=backends[1], **options)
    first.merge(second)
    first.push(frames[end:], times[end:].tolist())
    result = first.result()
    for name in ("counts", "moved", "times", "counted", "decayed", "heat"):
        np.testing.assert_array_equal(getattr(result, name), getattr(whole, name), err_msg=name)
    assert first.pairs == n - 1
    np.testing.assert_array_equal(second.result().counts, counted(frames[cut:end], times[cut:end], **options)._counts)


def test_parts_hundreds_of_half_lives_apart_merge_in_either_order() -> None:
    frames = np.zeros((4, HEIGHT, WIDTH), np.uint8)
    frames[1, 0, 1], frames[3, 0, 3] = 200, 200
    early = counted(frames[:2], [0.0, 1.0], half_life=1.0)
    late = counted(frames[2:], [2000.0, 2001.0], half_life=1.0)
    near = counted(frames[2:], [2.0, 3.0], half_life=1.0)
    near.merge(early)
    assert near.result().decayed[0, :4].tolist() == [0.0, 0.25, 0.0, 1.0]  # type: ignore[index]
    early.merge(late)
    assert early.result().decayed[0, :4].tolist() == [0.0, 0.0, 0.0, 1.0]  # type: ignore[index]


def test_a_part_without_frames_changes_nothing() -> None:
    frames = noise((4, HEIGHT, WIDTH, 3))
    counter, nothing = counted(frames[:3], [0, 1, 2], half_life=2.0), MotionCounter(HEIGHT, WIDTH, half_life=2.0)
    counter.merge(nothing)
    counter.push(frames[3], 3)
    nothing.merge(counter)
    for result in (counter.result(), nothing.result()):
        np.testing.assert_array_equal(result.accumulator, recipe(frames)[0])
        np.testing.assert_array_equal(result.decayed, counted(frames, range(4), half_life=2.0).result().decayed)
        assert result.times is not None
        assert result.times.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 26}, "threshold is 25 here and 26 there"),
        ({"half_life": 1.0}, "half_life is None here and 1.0 there"),
        ({"max_changed": 0.5}, "max_changed is 1.0 here and 0.5 there"),
        ({"mask": np.eye(HEIGHT, WIDTH)}, "masks differ"),
    ],
)
def test_parts_of_other_settings_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    frames = noise((3, HEIGHT, WIDTH))
    counter, other = counted(frames, [0, 1, 2]), counted(frames, [0, 1, 2], **options)
    before = counter.result()
    with pytest.raises(InputError, match=message):
        counter.merge(other)
    np.testing.assert_array_equal(counter.result().counts, before.counts)
    np.testing.assert_array_equal(counter.result().moved, before.moved)


def test_parts_of_another_kind_are_refused_by_name() -> None:
    grey = counted(noise((2, HEIGHT, WIDTH)))
    with pytest.raises(InputError, match="pixels is bgr here and luma there"):
        grey.merge(MotionCounter(HEIGHT, WIDTH, pixels="luma"))
    with pytest.raises(InputError, match=r"size is \(5, 7\) here and \(7, 5\) there"):
        grey.merge(MotionCounter(WIDTH, HEIGHT))
    with pytest.raises(InputError, match="times"):
        grey.merge(counted(noise((2, HEIGHT, WIDTH)), [0, 1]))
    mask = np.eye(HEIGHT, WIDTH)
    with pytest.raises(InputError, match="masks differ"):
        MotionCounter(HEIGHT, WIDTH, mask=mask).merge(MotionCounter(HEIGHT, WIDTH, mask=1 - mask))
    MotionCounter(HEIGHT, WIDTH, mask=mask).merge(MotionCounter(HEIGHT, WIDTH, mask=7 * mask))
