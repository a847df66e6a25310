"""The pictures against the seed's recipe, written out with OpenCV's own calls."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gpuheat.errors import InputError
from gpuheat.outputs.picture import MAX_OPACITY, ROWS_AT_ONCE, colorize, encode_png, overlay, resize_heat
from gpuheat.outputs.style import PictureStyle
from gpuheat.outputs.tone import tone_curve

RNG = np.random.default_rng(20)
SIZE = (2 * ROWS_AT_ONCE + 9, 61)
BACKGROUND = RNG.integers(0, 256, (*SIZE, 3), np.uint8)
COUNTS = RNG.integers(0, 3000, SIZE).astype(np.float32)
HEAT = COUNTS / COUNTS.max()


@given(alpha=st.floats(0, 1), name=st.sampled_from(["jet", "HOT", "inferno", "turbo"]))
def test_linear_pictures_are_the_recipe_bit_for_bit(alpha: float, name: str) -> None:
    gray = (COUNTS / COUNTS.max() * 255).astype(np.uint8)
    color = cv2.applyColorMap(gray, getattr(cv2, f"COLORMAP_{name.upper()}"))
    style = PictureStyle(name, alpha=alpha)
    np.testing.assert_array_equal(colorize(HEAT, style), color)
    np.testing.assert_array_equal(
        overlay(HEAT, BACKGROUND, style), cv2.addWeighted(BACKGROUND, 1 - alpha, color, alpha, 0)
    )


@pytest.mark.parametrize("tone", ["linear", "sqrt", "log", "percentile:80"])
def test_drawn_in_strips_the_pictures_are_as_if_drawn_at_once(tone: str) -> None:
    toned = tone_curve(tone, HEAT)(HEAT)
    color = cv2.applyColorMap((toned * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    opacity = MAX_OPACITY * (1 - np.square(np.square(1 - toned)))
    style = PictureStyle("turbo", tone, "value")
    np.testing.assert_array_equal(colorize(HEAT, style), color)
    np.testing.assert_array_equal(
        overlay(HEAT, BACKGROUND, style), cv2.blendLinear(color, BACKGROUND, opacity, 1 - opacity)
    )


def test_value_alpha_is_clear_at_zero_and_denser_with_the_value() -> None:
    style = PictureStyle("turbo", alpha="value")
    zero = np.zeros_like(HEAT)
    np.testing.assert_array_equal(overlay(zero, BACKGROUND, style), BACKGROUND)

    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None, :]
    black, white = (overlay(ramp, np.full((1, 256, 3), level, np.uint8), style) for level in (0, 255))
    shows = (white.astype(float) - black).mean(axis=(0, 2)) / 255  # the share of the background that is left
    assert np.all(np.diff(shows) <= 1 / 255)
    np.testing.assert_allclose(shows, 1 - MAX_OPACITY * (1 - (1 - ramp[0]) ** 4), atol=1 / 255)


def test_grey_background_is_as_good_as_bgr() -> None:
    grey = BACKGROUND[..., 0]
    bgr = np.stack([grey] * 3, axis=2)
    np.testing.assert_array_equal(overlay(HEAT, grey, PictureStyle()), overlay(HEAT, bgr, PictureStyle()))


def test_a_smaller_heat_map_is_enlarged_to_the_background() -> None:
    small = RNG.random((9, 15), np.float32)
    large = cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)
    np.testing.assert_array_equal(
        overlay(small, BACKGROUND, PictureStyle()), overlay(large, BACKGROUND, PictureStyle())
    )


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_resizing_keeps_a_constant_and_the_range(h: int, w: int, height: int, width: int) -> None:
    ones = resize_heat(np.ones((h, w), np.float32), height, width)
    assert ones.shape == (height, width)
    np.testing.assert_allclose(ones, 1, rtol=1e-6)
    assert ones.max() <= 1


@pytest.mark.parametrize(
    "heat",
    [
        HEAT.astype(np.float64),
        COUNTS,
        -HEAT,
        np.full((2, 2), np.nan, np.float32),
        np.zeros((0, 4), np.float32),
        np.zeros((2, 2, 1), np.float32),
    ],
)
def test_what_is_no_heat_map_is_refused(heat: np.ndarray) -> None:
    with pytest.raises(InputError, match="a heat map must"):
        colorize(heat, PictureStyle())


@pytest.mark.parametrize("shape", [(*SIZE, 4), SIZE[:1], (0, 61, 3)])
def test_what_is_no_background_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="a background must"):
        overlay(HEAT, np.zeros(shape, np.uint8), PictureStyle())


def test_png_holds_the_picture_exactly() -> None:
    with Image.open(io.BytesIO(encode_png(BACKGROUND))) as image:
        np.testing.assert_array_equal(np.asarray(image), BACKGROUND[..., ::-1])
