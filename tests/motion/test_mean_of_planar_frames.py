"""The mean of pictures that are never made, held against that of the pictures themselves."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat.motion import background
from gpuheat.motion.background import Mean
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


def added(frames: list[Pixels]) -> Mean:
    mean = Mean()
    for frame in frames:
        mean.add(partial(Pixels, frame.layout, frame.planes), partial(to_bgr, frame.planes, frame.layout))
    return mean


def check(mean: Mean, frames: list[Pixels]) -> None:
    total = np.sum([to_bgr(frame.planes, frame.layout) for frame in frames], axis=0, dtype=np.int64)
    np.testing.assert_array_equal(mean.picture(), (2 * total + len(frames)) // (2 * len(frames)))


@given(
    frames=st.integers(1, 20),
    rows=st.integers(1, 9),
    half_width=st.integers(1, 100),
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
    check(added(given_frames), given_frames)


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=str)
@pytest.mark.parametrize("luma", [0, 255])
@pytest.mark.parametrize("chroma", [(0, 0), (0, 255), (255, 0), (255, 255)])
def test_more_extreme_frames_than_16_bits_hold(conversion: Any, luma: int, chroma: tuple[int, int]) -> None:
    layout = FrameLayout("yuv420p", conversion)
    planes = np.full((4, 6), luma, np.uint8), *(np.full((2, 3), value, np.uint8) for value in chroma)
    frames = [Pixels(layout, planes)] * 519
    check(added(frames), frames)


def test_frames_of_several_layouts() -> None:
    layouts = [FrameLayout(pixel_format, conversion) for pixel_format in FORMATS for conversion in CONVERSIONS]
    frames = [frame for layout in [*layouts, *layouts[::-1]] for frame in clip(3, (6, 140), layout)]
    check(added(frames), frames)


@pytest.mark.parametrize("first", [1, 5, 300])
@pytest.mark.parametrize("second", [2, 258])
def test_sums_of_sums_and_of_states(first: int, second: int) -> None:
    frames = clip(first + second, (8, 132), FrameLayout("yuv420p", CONVERSIONS[0]))
    mean = added(frames[:first])
    mean.append(added(frames[first:]))
    check(mean, frames)
    again = Mean()
    again.restore(mean.state)
    check(again, frames)
    more = clip(3, (8, 132), FrameLayout("nv12", CONVERSIONS[1]))
    again.append(added(more))
    check(again, frames + more)
    sums = np.sum([to_bgr(frame.planes, frame.layout) for frame in more], axis=0, dtype=np.uint32)
    again.add_sums(np.asarray(sums).transpose(2, 0, 1), 3)
    check(again, frames + more + more)


def test_more_frames_than_32_bits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FRAMES_IN_32_BITS", 300)
    frames = clip(700, (4, 10), FrameLayout("yuv420p", CONVERSIONS[1]))
    mean = added(frames)
    check(mean, frames)
    assert mean.state["planar"].dtype == np.uint64
