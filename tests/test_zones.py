"""Zones: which pixels and points lie inside, against exact fractions, and what a file of them may hold."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuheat import InputError, Zone, Zones
from gpuheat.inputs.zones import read_zones
from gpuheat.polygon import Polygon

WIDTH, HEIGHT = 23, 17
SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
some = settings(max_examples=60)


def place(value: float) -> Fraction:
    """The nearest 256th of a px."""
    return Fraction(int(np.floor(np.float64(value) * 256 + 0.5)), 256)


def is_inside(corners: list[tuple[float, float]], x: Fraction, y: Fraction) -> bool:
    """Walk around the border once, and count where a ray from the point to the right crosses it."""
    crossed = 0
    places = [(place(a), place(b)) for a, b in corners]
    for (x0, y0), (x1, y1) in zip(places, [*places[1:], places[0]], strict=True):
        if (y0 <= y) != (y1 <= y):
            crossed += x < x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    return crossed % 2 == 1


coordinate = st.one_of(
    st.integers(-4, 27).map(float), st.integers(-8, 54).map(lambda each: each / 2), st.floats(-40, 60, width=32)
)
polygons = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9)


@given(corners=polygons)
@some
def test_pixels_are_inside_by_their_centres(corners: list[tuple[float, float]]) -> None:
    half = Fraction(1, 2)
    expected = [[is_inside(corners, x + half, y + half) for x in range(WIDTH)] for y in range(HEIGHT)]
    np.testing.assert_array_equal(Polygon(corners, WIDTH, HEIGHT).mask(), expected)


@given(corners=polygons, points=st.lists(st.tuples(coordinate, coordinate), max_size=30))
@some
def test_points(corners: list[tuple[float, float]], points: list[tuple[float, float]]) -> None:
    points = [(x, y) for x, y in points + corners if 0 <= x <= WIDTH and 0 <= y <= HEIGHT]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    last = Fraction(1, 256)  # those on the right and lower border of the picture count as directly before it
    expected = [is_inside(corners, min(place(x), WIDTH - last), min(place(y), HEIGHT - last)) for x, y in points]
    assert Polygon(corners, WIDTH, HEIGHT).contains(xs, ys).tolist() == expected


def test_the_order_of_corners_does_not_matter() -> None:
    random = np.random.default_rng(3)
    corners = random.uniform(0, 20, (7, 2))
    mask = Polygon(corners, WIDTH, HEIGHT).mask()
    assert 0 < np.count_nonzero(mask) < mask.size
    for same in (corners[::-1], np.roll(corners, 3, axis=0)):
        np.testing.assert_array_equal(Polygon(same, WIDTH, HEIGHT).mask(), mask)


@given(
    inner=st.lists(st.tuples(st.floats(-0.24, 0.24), st.floats(-0.24, 0.24)), min_size=12, max_size=12),
    scale=st.sampled_from([1.0, 4.0, 5.75]),
)
@some
def test_tiles_cover_every_pixel_and_point_once(inner: list[tuple[float, float]], scale: float) -> None:
    """Triangles between 4 x 3 corners, moved so far that no triangle turns over, and a frame around the picture."""
    moved = iter(inner)
    grid = [[_corner(x, y, scale, next(moved)) for x in range(4)] for y in range(3)]
    frame = [
        [(-50.0, -50.0), *((x, -50.0) for x, _ in grid[0]), (80.0, -50.0)],
        *([(-50.0, row[0][1]), *row, (80.0, row[-1][1])] for row in grid),
        [(-50.0, 80.0), *((x, 80.0) for x, _ in grid[-1]), (80.0, 80.0)],
    ]
    tiles = []
    for upper, lower in itertools.pairwise(frame):
        for left in range(len(upper) - 1):
            a, b, c, d = upper[left], upper[left + 1], lower[left + 1], lower[left]
            tiles += [Polygon([a, b, c], WIDTH, HEIGHT), Polygon([a, c, d], WIDTH, HEIGHT)]
    covered = sum(tile.mask().astype(int) for tile in tiles)
    np.testing.assert_array_equal(covered, np.ones((HEIGHT, WIDTH)))
    corners = [corner for row in frame for corner in row]
    x, y = (np.clip([each[axis] for each in corners], 0, end) for axis, end in ((0, WIDTH), (1, HEIGHT)))
    within = np.sum([tile.contains(x, y) for tile in tiles], axis=0)
    assert within.tolist() == [1] * len(corners)


def _corner(x: int, y: int, scale: float, moved: tuple[float, float]) -> tuple[float, float]:
    return scale * (x + 0.5 + moved[0]), scale * (y + 0.5 + moved[1])


def test_far_corners_and_wide_pictures_are_exact() -> None:
    far = float(1 << 21)
    wide = Polygon([(-far, 0), (far, 0), (far, 1), (-far, 1)], 1 << 21, 2)
    assert wide.mask().sum(axis=1).tolist() == [1 << 21, 0]
    thin = Polygon([(0, 0), (far, 2), (0, 2)], 1 << 21, 2)  # below its diagonal
    mask = thin.mask()
    assert mask.sum(axis=1).tolist() == [int(far) // 4, 3 * int(far) // 4]


def test_a_border_that_crosses_itself() -> None:
    star = [(10 + 9 * np.sin(turn), 9 - 9 * np.cos(turn)) for turn in np.arange(5) * 4 * np.pi / 5]
    assert not Polygon(star, 20, 20).contains([10.0], [9.0])[0]  # gone around twice
    assert Polygon(star, 20, 20).contains([10.0], [2.0])[0]


# --- what is given ----------------------------------------------------------------------------------------------


def described(**changes: Any) -> dict[str, Any]:
    """One zone, as a file has it."""
    return {"zones": [{"name": "door", "polygon": SQUARE} | changes]}


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    closed = [*SQUARE, SQUARE[0]]
    value = {
        "zones": [
            {"name": "Tür 1", "polygon": SQUARE},
            {"name": "way", "polygon": closed, "kind": "include"},
            {"name": "tree", "polygon": [[0.5, 1e3], [2, 3], [-3, 4]], "kind": "exclude"},
        ],
        "units": "px",
    }
    path.write_text("\ufeff" + json.dumps(value, ensure_ascii=False), "utf-8")
    zones = read_zones(path)
    assert zones == read_zones(value) == read_zones(zones) == read_zones(str(path))
    assert [zone.name for zone in zones.zones] == ["Tür 1", "way", "tree"]
    assert [zone.kind for zone in zones.zones] == ["zone", "include", "exclude"]
    assert zones.zones[0].polygon == zones.zones[1].polygon == ((0, 0), (10, 0), (10, 10), (0, 10))
    assert zones.label.startswith("Tür 1, way, tree (")
    moved = read_zones(described(polygon=[[0, 0], [10, 0], [10, 9]]))
    assert moved.label != read_zones(described()).label


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "zones must be an object"),
        ({}, "zones: the key 'zones' is missing"),
        ({"zones": []}, "there are no zones"),
        ({"zones": {}}, "zones must be a list"),
        ({"zones": ["door"]}, "zone 1 of the list must be an object"),
        (described() | {"unit": "px"}, "zones: there is no key 'unit'"),
        (described() | {"units": "cm"}, "units of zones must be 'px' or 'normalized', got 'cm'"),
        (described(color="red"), "zone 'door': there is no key 'color'"),
        ({"zones": [{"name": "door"}]}, "zone 'door': the key 'polygon' is missing"),
        ({"zones": [{"polygon": SQUARE}]}, "zone 1 of the list: the key 'name' is missing"),
        (described(name=" "), "a zone needs a name"),
        (described(name=7), "a zone needs a name, got 7"),
        (described(name="a\nb"), "one line of text"),
        (described(name="a\u2028b"), "one line of text"),
        (described(name="half a letter: \ud83d"), "one line of text"),
        (described(kind="ignore"), "zone 'door': its kind must be one of zone, include, exclude, got 'ignore'"),
        (described(polygon="square"), "zone 'door': its polygon must be a list"),
        (described(polygon=None), "zone 'door': its polygon must be a list"),
        (described(polygon=SQUARE[:2]), "zone 'door': its polygon needs at least 3 corners, got 2"),
        (described(polygon=[*SQUARE[:2], [5, "7"]]), "zone 'door': a corner must be two numbers"),
        (described(polygon=[*SQUARE[:2], [5]]), "zone 'door': a corner must be two numbers"),
        (described(polygon=[*SQUARE[:2], [5, float("nan")]]), "zone 'door': a corner must be two numbers"),
        (described(polygon=[*SQUARE[:2], [5, 10**400]]), "zone 'door': a corner must be two numbers"),
        (described(polygon=[*SQUARE[:2], [True, 1]]), "zone 'door': a corner must be two numbers"),
        ({"zones": [*described()["zones"], *described(name="door ")["zones"]]}, "the name 'door' is that of 2 zones"),
        (described() | {"units": "normalized"}, "zone 'door'.*are they in px"),
        (described(polygon=[[0, 0], [0.5, 0], [0, 1]]), "zone 'door'.*are its corners shares"),
    ],
)
def test_what_is_no_zone(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_zones(value)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    with pytest.raises(InputError, match=r"cannot read the zones .*zones\.json: No such file"):
        read_zones(path)
    for text in (b'{"zones": [', b"\xff\xfe", b"[" * 100_000, b"9" * 5000):
        path.write_bytes(text)
        with pytest.raises(InputError, match=r"zones\.json: it is no JSON file"):
            read_zones(path)
    path.write_text(json.dumps(described(name="")))
    with pytest.raises(InputError, match=r"zones\.json: a zone needs a name"):
        read_zones(path)


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([[50, 0], [60, 0], [60, 10]], "zone 'door': no pixel of the picture of 23 x 17 px .* from 50 to 60 px across"),
        ([[0, 0], [5, 0], [9, 0]], "no pixel"),
        ([[0, 0.6], [23, 0.6], [23, 1.4], [0, 1.4]], "no pixel"),
        ([[0, 0], [5, 0], [9, 1e7]], "zone 'door': a corner lies more than"),
    ],
)
def test_zones_that_are_not_on_the_picture(polygon: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_zones(described(polygon=polygon)).measured(WIDTH, HEIGHT)


def test_what_is_watched() -> None:
    left, right = [[0, 0], [12, 0], [12, 17], [0, 17]], [[12, 0], [23, 0], [23, 17], [12, 17]]
    assert Zones((Zone("a", left),)).watched(WIDTH, HEIGHT) is None
    column = np.arange(WIDTH)[None, :] * np.ones((HEIGHT, 1))
    row = np.arange(HEIGHT)[:, None] * np.ones((1, WIDTH))
    top = [[0, 0], [23, 0], [23, 5], [0, 5]]
    for zones, expected in (
        ([Zone("a", left, "include")], column < 12),
        ([Zone("a", left, "include"), Zone("b", right, "include")], column >= 0),
        ([Zone("a", left, "exclude")], column >= 12),
        ([Zone("a", left, "include"), Zone("c", top, "exclude"), Zone("z", top)], (column < 12) & (row >= 5)),
    ):
        np.testing.assert_array_equal(Zones(tuple(zones)).watched(WIDTH, HEIGHT), expected)
    shares = [[x / WIDTH, y / HEIGHT] for x, y in left]
    np.testing.assert_array_equal(
        Zones((Zone("a", shares, "include"),), "normalized").watched(46, 17), column_of(46) < 24
    )
    with pytest.raises(InputError, match="leave nothing of the picture"):
        Zones((Zone("a", left, "include"), Zone("b", left, "exclude"))).watched(WIDTH, HEIGHT)


def column_of(width: int) -> Any:
    return np.arange(width)[None, :] * np.ones((HEIGHT, 1))
