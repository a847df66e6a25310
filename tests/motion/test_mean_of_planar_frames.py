"""Sums of pictures that are never made, held against the pictures themselves."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat.kernels import numba_cpu
from gpuheat.motion import planar_sums
from gpuheat.motion.planar_sums import PlanarSums
from gpuheat.pixels import YUV_TO_BGR, FrameLayout, Pixels, to_bgr

Shape = tuple[int, int]
CONVERSIONS = [*YUV_TO_BGR.values()]
FORMATS: tuple[Literal["yuv420p", "nv12"], ...] = ("yuv420p", "nv12")


def clip(frames: int, shape: Shape, layout: FrameLayout, values: Any = None, *, seed: int = 0) -> list[Pixels]:
    """Frames of random bytes, or of random ones of some values; rows are padded."""
    random = np.random.default_rng(seed)

    def plane(size: tuple[int, ...]) -> NDArray[np.uint8]:
        wide = (size[0], size[1] + 7, *size[2:])
        all_values = random.integers(0, 256, wide) if values is None else random.choice(values, wide)
        return all_values.astype(np.uint8)[:, : size[1]]

    return [Pixels(layout, tuple(map(plane, layout.plane_shapes(*shape)))) for _ in range(frames)]


def expected(frames: list[Pixels]) -> NDArray[np.int64]:
    return np.asarray(np.sum([to_bgr(frame.planes, frame.layout) for frame in frames], axis=0, dtype=np.int64))


def added(frames: list[Pixels], shape: Shape) -> PlanarSums:
    sums = PlanarSums(*shape)
    for frame in frames:
        sums.add(frame)
    return sums


def check(sums: PlanarSums, frames: list[Pixels]) -> None:
    np.testing.assert_array_equal(sums[0 : sums.shape[0]], expected(frames))
    np.testing.assert_array_equal(sums[2:4], expected(frames)[2:4])


@given(
    frames=st.integers(1, 20),
    rows=st.integers(2, 9),
    half_width=st.integers(1, 200),
    conversion=st.sampled_from(CONVERSIONS),
    pixel_format=st.sampled_from(FORMATS),
    ends=st.tuples(st.integers(0, 255), st.integers(0, 255)),
    seed=st.integers(0, 99),
)
def test_any_frames(
    frames: int, rows: int, half_width: int, conversion: Any, pixel_format: Any, ends: tuple[int, int], seed: int
) -> None:
    values = np.arange(min(ends), max(ends) + 1)
    shape = 2 * rows, 2 * half_width
    given_frames = clip(frames, shape, FrameLayout(pixel_format, conversion), values, seed=seed)
    check(added(given_frames, shape), given_frames)


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=str)
@pytest.mark.parametrize("luma", [0, 255])
@pytest.mark.parametrize("u", [0, 255])
@pytest.mark.parametrize("v", [0, 255])
def test_as_many_extreme_frames_as_fit(conversion: Any, luma: int, u: int, v: int) -> None:
    layout = FrameLayout("yuv420p", conversion)
    planes = np.full((4, 6), luma, np.uint8), np.full((2, 3), u, np.uint8), np.full((2, 3), v, np.uint8)
    frames = [Pixels(layout, planes)] * (2 * numba_cpu.FRAMES_IN_16_BITS + 3)
    check(added(frames, (4, 6)), frames)


def test_frames_of_several_layouts() -> None:
    shape = (6, 140)
    layouts = [FrameLayout(pixel_format, conversion) for pixel_format in FORMATS for conversion in CONVERSIONS]
    frames = [frame for layout in [*layouts, *layouts[::-1]] for frame in clip(3, shape, layout)]
    check(added(frames, shape), frames)


@pytest.mark.parametrize("first", [1, 5, 250])
@pytest.mark.parametrize("second", [2, 130])
def test_sums_of_sums_and_of_states(first: int, second: int) -> None:
    shape = (8, 132)
    frames = clip(first + second, shape, FrameLayout("yuv420p", CONVERSIONS[0]))
    sums = added(frames[:first], shape)
    sums.append(added(frames[first:], shape))
    check(sums, frames)
    again = PlanarSums.restore(sums.state)
    check(again, frames)
    again.add(frames[0])
    check(again, [*frames, frames[0]])
    pictures = np.transpose(expected(frames[:3]), (2, 0, 1)).astype(np.uint32)
    again.add_pictures(pictures, 3)
    check(again, [*frames, frames[0], *frames[:3]])


def test_more_frames_than_32_bits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planar_sums, "FRAMES_IN_32_BITS", 150)
    shape = (4, 10)
    frames = clip(400, shape, FrameLayout("yuv420p", CONVERSIONS[1]))
    sums = added(frames, shape)
    check(sums, frames)
    assert sums.state["luma"].dtype == np.int64
    check(PlanarSums.restore(sums.state), frames)


def test_only_rows_in_which_something_is_clipped_are_kept_apart() -> None:
    layout = FrameLayout("yuv420p", YUV_TO_BGR["bt601", "limited"])
    grey = Pixels(layout, (np.full((6, 260), 120, np.uint8), *(np.full((3, 130), 128, np.uint8) for _ in range(2))))
    grey.planes[0][3, 200] = 250
    frames = [grey] * 5
    sums = added(frames, (6, 260))
    check(sums, frames)
    assert sums.state["clipped_rows"].tolist() == [3]
