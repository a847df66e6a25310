"""The figure: whole for every shape, honest in its colour bar, no peak lost. Warnings are errors here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuheat.outputs.activity import MEAN_COLOR, SKIPPED_COLOR, Activity
from gpuheat.outputs.figure import bar_ticks, draw_figure
from gpuheat.outputs.layout import CAPTION, MAX_HEIGHT, MAX_WIDTH, Box, arrange
from gpuheat.outputs.outlines import place_name
from gpuheat.outputs.page import TextRuler
from gpuheat.outputs.picture import colorize, overlay
from gpuheat.outputs.style import PictureStyle
from gpuheat.outputs.tone import ToneCurve
from gpuheat.zones import Area, Zone, Zones

STYLE = PictureStyle("turbo", alpha="value")


def draw(
    heat: np.ndarray,
    background: np.ndarray,
    activity: Activity | None = None,
    areas: Sequence[Area] = (),
    **texts: str,
) -> np.ndarray:
    texts = {"title": "Title", "subtitle": "Facts", "full_scale": "100 % = 3.21 s"} | texts
    png = draw_figure(heat=heat, background=background, style=STYLE, activity=activity, areas=areas, **texts)
    page = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert page is not None
    return page


def bgr(color: str) -> list[int]:
    return list(bytes.fromhex(color[1:]))[::-1]


def where(page: np.ndarray, color: str) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.nonzero((page == bgr(color)).all(axis=2))
    return rows, columns


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (48, 48), (240, 320), (640, 360), (60, 900), (1, 3000), (3000, 2), (3000, 4000)]
)
def test_every_shape_of_picture_makes_a_page_with_clean_margins(height: int, width: int) -> None:
    heat = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
    page = draw(heat, np.full((height, width), 90, np.uint8))
    assert 1000 <= page.shape[1] <= MAX_WIDTH + 120
    assert page.shape[0] <= MAX_HEIGHT + 500
    inner = page[30:-30, 30:-30]
    assert np.count_nonzero(page != 255) == np.count_nonzero(inner != 255) > 20_000


def test_pictures_of_the_boxes_size_are_on_the_page_pixel_for_pixel() -> None:
    box, background_box, _ = arrange(576, 768)
    background = np.random.default_rng(1).integers(0, 256, (box.height, box.width, 3), np.uint8)
    heat = np.linspace(0, 1, box.height * box.width, dtype=np.float32).reshape(box.height, box.width)
    page = draw(heat, background)
    for picture in (
        overlay(heat, background, STYLE),
        cv2.resize(colorize(heat, STYLE), (background_box.width, background_box.height), interpolation=cv2.INTER_AREA),
    ):
        found = cv2.matchTemplate(page, picture, cv2.TM_SQDIFF)
        _, _, (left, top), _ = cv2.minMaxLoc(found)
        part = page[top : top + picture.shape[0], left : left + picture.shape[1]]
        np.testing.assert_allclose(part, picture, atol=1)


def test_long_and_strange_texts_stay_on_the_page() -> None:
    page = draw(
        np.ones((90, 160), np.float32),
        np.zeros((90, 160, 3), np.uint8),
        title=r"D:\$ecret$ \alpha_{日本} " + "w" * 500,
        subtitle="a fact · " * 60 + "y" * 400,
        full_scale="100 % = " + "z" * 400,
    )
    assert (page[:, :50] == 255).all()
    assert (page[:, -50:] == 255).all()


LATIN = st.text(st.characters(codec="latin-1", categories=["L", "N", "Z"]), max_size=200)


@given(text=LATIN, room=st.integers(60, 400))
def test_shortened_text_fits_and_keeps_its_ends(text: str, room: int) -> None:
    ruler = TextRuler()
    line = " ".join(text.split())
    short = ruler.shorten(text, room, 20)
    assert ruler.width(short, 20) <= room
    assert short == line or (line.startswith(short.split("…")[0]) and line.endswith(short.split("…")[-1]))


def test_a_single_peak_in_a_million_pairs_is_drawn_where_it_was() -> None:
    n, at = 1_000_000, 250_000
    share, counted = np.full(n, 0.001), np.ones(n, bool)
    share[at] = 0.5
    share[750_000], counted[750_000] = 0.9, False
    activity = Activity(np.arange(1, n + 1) / 30, share, counted)
    page = draw(np.zeros((90, 160), np.float32), np.zeros((90, 160), np.uint8), activity)

    rows, columns = where(page, MEAN_COLOR)
    rows, columns = rows[rows < rows.max() - 30], columns[rows < rows.max() - 30]
    chart = page.shape[1] - 120 - 84
    high = columns[rows < rows.min() + 20]
    assert np.median(high) == pytest.approx(60 + 84 + chart * at / n, abs=3)

    rows, columns = where(page, SKIPPED_COLOR)
    band = columns[rows < np.median(rows)]
    assert np.median(band) == pytest.approx(60 + 84 + chart * 0.75, abs=3)


@pytest.mark.parametrize(
    ("times", "share", "counted"),
    [
        ([], [], []),
        ([1.0], [0.0], [True]),
        ([3.0, 3.0], [0.5, 0.5], [True, False]),
        ([1.0, 2.0], [1.0, 1.0], [False, False]),
    ],
)
def test_short_activities_are_drawn(times: list[float], share: list[float], counted: list[bool]) -> None:
    activity = Activity(np.array(times, float), np.array(share, float), np.array(counted, bool))
    heat, background = np.zeros((90, 160), np.float32), np.zeros((90, 160), np.uint8)
    assert draw(heat, background, activity).shape[0] > draw(heat, background).shape[0] + 200


@pytest.mark.parametrize(
    "curve", [ToneCurve("linear"), ToneCurve("sqrt"), ToneCurve("log"), ToneCurve("percentile", 0.3)]
)
def test_labels_of_the_colour_bar_stand_where_their_share_is(curve: ToneCurve) -> None:
    ticks = bar_ticks(curve)
    places = [place for place, _ in ticks]
    assert (places[0], places[-1]) == (0, 1)
    assert min(np.diff(places)) >= 0.1
    for place, label in ticks:
        share = float(label.removesuffix(" %").split("\N{EN DASH}")[0]) / 100
        assert curve(np.array([share], np.float32))[0] == pytest.approx(place, abs=1e-6)


def test_a_saturated_colour_bar_says_from_which_share_on() -> None:
    assert bar_ticks(ToneCurve("percentile", 0.3))[-1] == (1.0, "30\N{EN DASH}100 %")
    assert bar_ticks(ToneCurve("linear"))[-1] == (1.0, "100 %")


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_pictures_do_not_overlap_and_stay_in_the_block(height: int, width: int) -> None:
    boxes = arrange(height, width)
    for box in boxes:
        assert box.left >= 0
        assert box.top >= CAPTION
        assert min(box.width, box.height) >= 1
        assert box.right <= MAX_WIDTH
        assert box.bottom <= MAX_HEIGHT + CAPTION
    for k, one in enumerate(boxes):
        for other in boxes[k + 1 :]:
            beside = one.right < other.left or other.right < one.left
            assert beside or one.bottom + CAPTION < other.top or other.bottom + CAPTION < one.top


def test_pyplot_is_never_imported() -> None:
    code = """
import sys, numpy as np
from gpuheat.outputs.figure import draw_figure
from gpuheat.outputs.style import PictureStyle
assert "matplotlib" not in sys.modules
draw_figure(heat=np.zeros((4, 4), np.float32), background=np.zeros((4, 4), np.uint8), style=PictureStyle(),
            title="", subtitle="", full_scale="")
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def outlined(*zones: Zone) -> tuple[np.ndarray, np.ndarray]:
    """Where the overlay on a page differs when these zones are drawn on it, (h, w) bool, and the page."""
    heat, grey = np.zeros((576, 768), np.float32), np.full((576, 768), 90, np.uint8)
    page = draw(heat, grey, areas=Zones(zones).placed(768, 576))
    changed = (page != draw(heat, grey)).any(axis=2)
    rows, columns = where(draw(heat, grey), "#5a5a5a")
    top, left = rows.min(), columns.min()
    box = arrange(576, 768)[0]
    assert not changed[:top].any()
    assert not changed[:, :left].any()
    assert not changed[top + box.height :].any()
    assert not changed[:, left + box.width :].any()
    return changed[top : top + box.height, left : left + box.width], page


def test_outlines_lie_where_the_zones_do() -> None:
    changed, page = outlined(Zone("door", ((192, 144), (576, 144), (576, 432), (192, 432))))
    height, width = changed.shape
    for line in (changed[height // 4], changed[3 * height // 4 - 1]):
        columns = np.flatnonzero(line)
        assert abs(columns.min() - width / 4) <= 3
        assert abs(columns.max() - 3 * width / 4) <= 3
    inner = changed[height // 4 + 60 : 3 * height // 4 - 5, width // 4 + 5 : 3 * width // 4 - 5]
    assert not inner.any()  # the name is above, and nothing is filled
    assert (page == 255).all(axis=2).sum() > 1000


def test_zones_beyond_the_picture_are_cut_off_at_its_border() -> None:
    around = Zone("around", ((-500, -500), (1500, -500), (1500, 1500), (-500, 1500)), "include")
    changed, _ = outlined(around, Zone("left out", ((600, -90), (900, 300), (700, 700)), "exclude"))
    assert changed.any()


@pytest.mark.parametrize("kind", ["zone", "include"])
def test_names_lie_in_their_zones_and_cover_no_other(kind: Any) -> None:
    picture = Box(60, 170, 768, 576)
    diamond = Zone("diamond", ((300, 0), (600, 300), (300, 576), (0, 300)), kind)
    areas = Zones((diamond, *(replace(diamond, name=f"{number}") for number in range(20)))).placed(768, 576)
    taken: list[Box] = []
    for area in areas:
        box = place_name(taken, picture, area, 120, 27)
        for x in (box.left, box.right):
            for y in (box.top, box.bottom):
                assert area.polygon.contains([x - picture.left], [y - picture.top])[0]
        assert not any(
            box.left < other.right and other.left < box.right and box.top < other.bottom and other.top < box.bottom
            for other in taken
        )
        taken.append(box)
    (small,) = Zones((Zone("small", ((760, 570), (768, 570), (768, 576), (760, 576)), kind),)).placed(768, 576)
    box = place_name([], picture, small, 120, 27)
    assert (box.right, box.bottom) == (picture.right, picture.bottom)
