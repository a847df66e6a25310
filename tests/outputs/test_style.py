"""Colour maps, tones and the style that names them."""

from __future__ import annotations

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuheat.errors import OptionError
from gpuheat.outputs.colormap import colormap_names, lookup_table
from gpuheat.outputs.style import PictureStyle
from gpuheat.outputs.tone import tone_curve

TONES = ["linear", "sqrt", "log", "percentile:90"]


@pytest.mark.parametrize("constant", [name for name in dir(cv2) if name.startswith("COLORMAP_")])
def test_every_opencv_map_is_known_by_name(constant: str) -> None:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    name = constant.removeprefix("COLORMAP_")
    np.testing.assert_array_equal(lookup_table(name), cv2.applyColorMap(ramp, getattr(cv2, constant))[:, 0])


@pytest.mark.parametrize("name", ["Blues", "coolwarm_r"])
def test_maps_only_matplotlib_has_come_from_there(name: str) -> None:
    expected = mpl.colormaps[name](np.arange(256))[:, 2::-1] * 255
    np.testing.assert_allclose(lookup_table(name.upper()), expected, atol=1)


def test_every_listed_name_gives_a_table() -> None:
    names = colormap_names()
    assert len(set(names)) == len(names) > 150
    assert all(lookup_table(name).shape == (256, 3) for name in names)


def test_a_table_cannot_be_spoilt_for_the_next_caller() -> None:
    with pytest.raises(ValueError, match="read-only"):
        lookup_table("jet")[0] = 0


def test_names_are_kept_in_one_spelling() -> None:
    assert PictureStyle("JET", "Percentile:99.0", 1) == PictureStyle("jet", "percentile:99", 1.0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"colormap": "tubro"}, "did you mean turbo"),
        ({"colormap": "0"}, "OpenCV's are autumn"),
        ({"tone": "cube"}, "linear, sqrt, log or percentile:P"),
        ({"tone": "sqrt:2"}, "linear, sqrt, log or percentile:P"),
        ({"tone": "percentile:0"}, "above 0 and up to 100"),
        ({"tone": "percentile:101"}, "above 0 and up to 100"),
        ({"tone": "percentile:nan"}, "above 0 and up to 100"),
        ({"tone": "percentile"}, "above 0 and up to 100"),
        ({"alpha": 1.01}, "from 0 to 1"),
        ({"alpha": float("nan")}, "from 0 to 1"),
        ({"alpha": "half"}, "from 0 to 1"),
    ],
)
def test_what_is_not_among_the_options_is_refused(arguments: dict[str, object], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        PictureStyle(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tone", "expected"),
    [
        ("linear", [0, 0.01, 0.25, 1]),
        ("sqrt", [0, 0.1, 0.5, 1]),
        ("log", [0, np.log(2) / np.log(101), np.log(26) / np.log(101), 1]),
        ("percentile:50", [0, 0.04, 1, 1]),
    ],
)
def test_tones_follow_their_formula(tone: str, expected: list[float]) -> None:
    heat = np.array([0, 0.01, 0.25, 1], np.float32)
    toned = tone_curve(tone, heat)(heat)
    assert toned.dtype == np.float32
    np.testing.assert_allclose(toned, expected, rtol=1e-6)


@given(tone=st.sampled_from(TONES), values=st.lists(st.floats(0, 1, width=32), min_size=1))
def test_tones_stay_in_range_and_keep_the_order(tone: str, values: list[float]) -> None:
    heat = np.array(sorted([*values, 0.0, 1.0]), np.float32)
    toned = tone_curve(tone, heat)(heat)
    assert toned[0] == 0
    assert toned[-1] == 1
    assert np.all(np.diff(toned) >= 0)


@pytest.mark.parametrize("tone", TONES)
def test_a_map_of_zeros_stays_zero(tone: str) -> None:
    heat = np.zeros((3, 4), np.float32)
    assert not tone_curve(tone, heat)(heat).any()


def test_a_percentile_next_to_zero_does_not_overflow() -> None:
    heat = np.array([1e-45] * 9 + [1], np.float32)
    np.testing.assert_array_equal(tone_curve("percentile:50", heat)(heat), np.ones(10))


def test_saturation_is_the_share_from_which_all_is_hottest() -> None:
    heat = np.linspace(0, 1, 101, dtype=np.float32)
    curve = tone_curve("percentile:50", heat)
    assert curve.saturation == pytest.approx(np.median(heat[1:]))
    np.testing.assert_array_equal(curve(heat) == 1, heat >= np.float32(curve.saturation))
