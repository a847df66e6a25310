"""Signed heat: two unsigned ones, one in each half of the colour map, that meet where nothing changed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpuheat.errors import InputError
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.difference import dimmed, signed_ticks, ticks
from gpuheat.outputs.picture import colorize, encode_jpeg, overlay, resize_heat, shrunk
from gpuheat.outputs.style import PictureStyle
from gpuheat.outputs.tone import ToneCurve, tone_curve

CURVES = [ToneCurve("linear"), ToneCurve("sqrt"), ToneCurve("log"), ToneCurve("percentile", 0.3)]
TONES = ["linear", "sqrt", "log", "percentile:90"]


def signed(height: int = 70, width: int = 31) -> NDArray[np.float32]:
    heat = np.random.default_rng(3).uniform(-1, 1, (height, width)).astype(np.float32)
    heat[:5] = 0
    return heat


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.kind)
@given(place=st.floats(0, 1, width=32))
def test_the_inverse_of_a_tone_leads_back(curve: ToneCurve, place: float) -> None:
    places = np.array([place], np.float32)
    np.testing.assert_allclose(curve(curve.inverse(places)), places, rtol=0, atol=3e-7)


@pytest.mark.parametrize("tone", TONES)
def test_colours_of_each_sign_are_those_of_its_half(tone: str) -> None:
    heat = signed()
    table = lookup_table("coolwarm").astype(int)
    colors = colorize(heat, PictureStyle("coolwarm", tone), signed=True)
    curve = tone_curve(tone, np.abs(heat))
    for row, column in np.ndindex(heat.shape):
        value = heat[row, column]
        step = int(float(curve(np.abs(heat[row : row + 1, column]))[0]) * 127)
        np.testing.assert_array_equal(colors[row, column], table[127 - step if value < 0 else 128 + step])
    np.testing.assert_array_equal(
        colorize(np.array([[-1, 1]], np.float32), PictureStyle("coolwarm"), signed=True)[0], table[[0, 255]]
    )


def test_where_nothing_changed_the_background_stays() -> None:
    heat = signed()
    background = np.random.default_rng(4).integers(0, 256, (*heat.shape, 3), np.uint8)
    picture = overlay(heat, background, PictureStyle("coolwarm", alpha="value"), signed=True)
    np.testing.assert_array_equal(picture[:5], background[:5])
    assert (picture[5:] != background[5:]).any(axis=2).mean() > 0.95
    opposite = overlay(-heat, background, PictureStyle("coolwarm_r", alpha="value"), signed=True)
    off = np.abs(picture.astype(int) - opposite)  # 127 and 128 are the same colour but for rounding
    assert off.max() <= 2


def test_what_is_refused() -> None:
    heat = signed()
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]"):
        colorize(heat, PictureStyle())
    with pytest.raises(InputError, match=r"must lie in \[-1, 1\]"):
        colorize(2 * heat, PictureStyle(), signed=True)
    assert resize_heat(heat, 140, 62, signed=True).min() < -0.9


def test_labels_of_the_colour_bar_stand_where_their_difference_is() -> None:
    heat = signed()
    for tone in TONES:
        curve = tone_curve(tone, np.abs(heat))
        for place, label in signed_ticks(heat, tone, 20.0):
            number = float(label.replace("\N{MINUS SIGN}", "-").removesuffix(" and above").removesuffix(" and below"))
            toned = float(curve(np.array([abs(number) / 20], np.float32))[0])
            assert 0.5 + np.sign(number) * toned / 2 == pytest.approx(place, abs=5e-3)
    assert signed_ticks(heat, "percentile:90", 20.0)[0][1].endswith("and below")
    assert signed_ticks(heat * 0, "percentile:90", 0.0) == [(0.5, "0")]
    assert ticks(8.0) == [(0, "0"), (0.25, "2"), (0.5, "4"), (0.75, "6"), (1, "8")]
    assert ticks(0.0) == [(0, "0")]


def test_a_dimmed_background_is_grey_and_pale_and_keeps_its_edges() -> None:
    background = np.zeros((4, 6, 3), np.uint8)
    background[:, 3:] = (40, 220, 90)
    pale = dimmed(background)
    assert (pale == pale[..., :1]).all()
    assert pale.min() > 120
    assert pale[0, 3, 0] > pale[0, 2, 0] + 30


def test_previews_keep_their_shape() -> None:
    picture = np.zeros((300, 1200, 3), np.uint8)
    assert shrunk(picture, 960).shape == (240, 960, 3)
    assert shrunk(picture[:1], 10).shape == (1, 10, 3)
    small = picture[:, :900]
    assert shrunk(small, 960) is small
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(picture + 80), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - 80).max() <= 2
