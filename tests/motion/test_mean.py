"""The mean of frames spread over all that passed, held against the plain one of the frames it should take."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat.motion import background, plane_sums
from gpuheat.motion.background import Mean
from gpuheat.pixels import YUV_TO_BGR, FrameLayout, Pixels, to_bgr, to_grey

Shape = tuple[int, int]
CONVERSIONS = [*YUV_TO_BGR.values()]
YUV = [FrameLayout("yuv420p", conversion) for conversion in CONVERSIONS]
NV12 = [FrameLayout("nv12", conversion) for conversion in CONVERSIONS]
LUMA = [FrameLayout("gray8", conversion) for conversion in CONVERSIONS]
LAYOUTS = [*YUV, *LUMA, FrameLayout.BGR24, FrameLayout.GRAY8]


def clip(frames: int, shape: Shape, layout: FrameLayout, values: Any = None, *, seed: int = 0) -> list[Pixels]:
    """Frames of random bytes, or of random ones of some values; rows are padded."""
    random = np.random.default_rng(seed)

    def plane(size: tuple[int, ...]) -> NDArray[np.uint8]:
        wide = (size[0], size[1] + 7, *size[2:])
        all_values = random.integers(0, 256, wide) if values is None else random.choice(values, wide)
        return all_values.astype(np.uint8)[:, : size[1]]

    return [Pixels(layout, tuple(map(plane, layout.plane_shapes(*shape)))) for _ in range(frames)]


def added(frames: list[Pixels], before: int = 0) -> Mean:
    mean = Mean(before)
    for frame in frames:
        mean.add(partial(Pixels, frame.layout, frame.planes), partial(pytest.fail, "no picture is needed"))
    return mean


def weights(frames: int) -> list[int]:
    """Of frames 0 to 63 each counts once, of those behind them every 16th as often as that."""
    return [1 if number < 64 else 16 * (number % 16 == 0) for number in range(frames)]


def plain(frames: list[Pixels]) -> Any:
    """The (h, w, 3) mean of frames of one layout, in float64: the planes' means turned into BGR."""
    layout = frames[0].layout
    planes = []
    for index in range(len(frames[0].planes)):
        stack = np.stack([frame.planes[index] for frame in frames]).astype(np.float64)
        planes.append(np.floor(np.average(stack, axis=0, weights=weights(len(frames))) + 0.5).astype(np.uint8))
    if layout.planar:
        return to_bgr(tuple(planes), layout)
    grey = planes[0] if layout.conversion is None else to_grey(planes[0], layout.conversion)
    return grey if grey.ndim == 3 else np.stack([grey] * 3, axis=-1)


@given(
    frames=st.integers(1, 130),
    rows=st.integers(1, 70),
    half_width=st.integers(1, 40),
    layout=st.sampled_from(LAYOUTS),
    ends=st.tuples(st.integers(0, 255), st.integers(0, 255)),
    seed=st.integers(0, 99),
)
def test_any_frames(
    frames: int, rows: int, half_width: int, layout: FrameLayout, ends: tuple[int, int], seed: int
) -> None:
    values = np.arange(min(ends), max(ends) + 1)
    film = clip(frames, (2 * rows, 2 * half_width), layout, values, seed=seed)
    np.testing.assert_array_equal(added(film).picture(), plain(film))


@pytest.mark.parametrize(
    "frames",
    [1, 63, 64, 65, 80, 81, 256, 257, 272, 273, 600, 4160, 4161, 4176, 4177, 4193],  # 4177: 258 count 16 times
)
@pytest.mark.parametrize("value", [0, 255])
def test_what_is_the_same_everywhere_stays_so(frames: int, value: int) -> None:
    picture = added(clip(frames, (4, 6), FrameLayout.BGR24, [value])).picture()
    assert picture is not None
    assert np.all(picture == value)


def test_few_of_many_frames_are_looked_at() -> None:
    seen: list[int] = []

    def pixels(number: int) -> Pixels:
        seen.append(number)
        return Pixels(FrameLayout.GRAY8, (np.zeros((1, 1), np.uint8),))

    mean = Mean()
    for number in range(1000):
        mean.add(partial(pixels, number), partial(pytest.fail, "no picture is needed"))
    assert seen == [*range(64), *range(64, 1000, 16)]


def test_no_frame_is_looked_at_whose_sums_might_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 255 * (background.LAST + background.STEP) < 2**32
    monkeypatch.setattr(background, "LAST", 160)
    film = clip(400, (2, 4), YUV[0])
    np.testing.assert_array_equal(added(film).picture(), added(film[:160]).picture())


@pytest.mark.parametrize("most", [1, 3, 64])
@pytest.mark.parametrize("width", [1, 2, 7])
@pytest.mark.parametrize("layout", [FrameLayout.BGR24, FrameLayout.GRAY8, YUV[0]], ids=str)
def test_sums_outgrow_16_bits(monkeypatch: pytest.MonkeyPatch, layout: FrameLayout, width: int, most: int) -> None:
    monkeypatch.setattr(plane_sums, "IN_16_BITS", most)
    film = clip(130, (4, 2 * width if layout.planar else width), layout)
    np.testing.assert_array_equal(added(film).picture(), plain(film))
    monkeypatch.setattr(plane_sums, "ROWS_AT_ONCE", 3)
    np.testing.assert_array_equal(added(film).picture(), plain(film))


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("cuts", [(1,), (64, 65), (70, 200), (16, 32, 200)])
def test_parts_add_up_to_the_whole(layout: FrameLayout, cuts: tuple[int, ...]) -> None:
    film = clip(250, (4, 8), layout)
    bounds = [0, *cuts, len(film)]
    whole = Mean()
    for first, last in itertools.pairwise(bounds):
        whole.append(added(film[first:last], before=first))
        again = Mean()
        again.restore(whole.state)
        whole = again
    np.testing.assert_array_equal(whole.picture(), plain(film))


@pytest.mark.parametrize("layout", [*YUV, *NV12], ids=str)
@pytest.mark.parametrize("batches", [(250,), (7,) * 36, (64, 16, 170)])
def test_sums_made_elsewhere(layout: FrameLayout, batches: tuple[int, ...]) -> None:
    film = clip(sum(batches), (4, 8), layout)
    mean, first = Mean(), 0
    for size in batches:
        for run, weight in mean.pass_by(size):
            chosen = film[first : first + size][run]
            assert chosen
            planes = [
                np.asarray(weight * np.sum([frame.planes[index] for frame in chosen], axis=0), np.uint32)
                for index in range(len(film[0].planes))
            ]
            mean.add_sums(layout, planes, weight * len(chosen))
        first += size
    np.testing.assert_array_equal(mean.picture(), plain(film))


def test_both_kinds_of_planes_are_one_layout() -> None:
    yuv = clip(10, (4, 8), YUV[1])
    mean = Mean()
    for number, frame in enumerate(yuv):
        if number % 2:
            mean.add(partial(Pixels, frame.layout, frame.planes), partial(pytest.fail, "no picture is needed"))
        else:
            assert mean.pass_by(1) == [(slice(0, 1), 1)]
            luma, u, v = (plane.astype(np.uint32) for plane in frame.planes)
            mean.add_sums(NV12[1], (luma, np.stack([u, v], axis=-1)), 1)
    np.testing.assert_array_equal(mean.picture(), plain(yuv))


def test_frames_of_several_layouts_are_the_mean_of_their_pictures() -> None:
    groups = [clip(5, (6, 140), YUV[0]), clip(3, (6, 140), YUV[1]), clip(2, (6, 140), FrameLayout.BGR24)]
    total = sum(len(group) * plain(group).astype(np.int64) for group in groups)
    picture = added([frame for group in groups for frame in group]).picture()
    np.testing.assert_array_equal(picture, (2 * total + 10) // 20)


@pytest.mark.parametrize("layout", [YUV[0], LUMA[1], FrameLayout.BGR24], ids=str)
def test_a_picture_worth_several_threads(layout: FrameLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them has some strips of rows, the last of which is a smaller one."""
    monkeypatch.setattr(background, "processors", lambda: 3)
    frames = clip(5, (1990, 802), layout)
    np.testing.assert_array_equal(added(frames).picture(), plain(frames))
