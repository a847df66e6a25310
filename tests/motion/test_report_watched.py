"""The page where not all pixels are watched: its shares are of those that are, as in the files beside it."""

from __future__ import annotations

import base64
import csv
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from report_reader import Report

from gpuheat import motion_heatmap
from gpuheat.motion.report import packed_mask
from gpuheat.motion.timeline import block_size
from gpuheat.outputs.report.pack import pack
from gpuheat.zones import Zone, Zones

pytestmark = pytest.mark.once
Open = Callable[..., Report]
PAIRS, EVERY = 30, 0.1
"""Pairs of frames, and so many s between them: six slices of half a second."""


def flicker(height: int, width: int) -> NDArray[np.uint8]:
    """Grey frames that move everywhere: the more the further to the right, the lower, and the later."""
    random = np.random.default_rng(7)
    often = np.add.outer(np.linspace(0, 0.2, height), np.linspace(0, 0.3, width))
    frames = [np.zeros((height, width), np.uint8)]
    for pair in range(PAIRS):
        moved = random.random((height, width)) < often * (0.2 + pair / PAIRS)
        frames.append(np.where(moved, ~frames[-1], frames[-1]))
    return np.stack(frames)


def saved(folder: Path, height: int, width: int, zones: Zones, mask: NDArray[Any] | None = None) -> str:
    """The page of a heat map that was saved with its tables."""
    times = [EVERY / 2 + EVERY * frame for frame in range(-1, PAIRS)]
    motion_heatmap(flicker(height, width), times=times, zones=zones, mask=mask).save(folder)
    return (folder / "report.html").read_text("utf-8")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


def means(folder: Path, first: int = 0, last: int = 6) -> dict[str, float]:
    """The mean of each zone of which anything is watched, %, over some of the stretches of zones_activity.csv."""
    watched = {row["zone"]: int(row["pixels_watched"]) for row in table(folder / "zones.csv")}
    moved = dict.fromkeys((name for name, pixels in watched.items() if pixels), 0.0)
    for row in table(folder / "zones_activity.csv"):
        assert row["pairs"] == "5"
        if row["zone"] in moved and first * 0.5 <= float(row["begin_s"]) < last * 0.5:
            moved[row["zone"]] += int(row["moved_pixels"])
    return {name: 100 * total / watched[name] / (5 * (last - first)) for name, total in moved.items()}


def in_words(percent: float) -> str:
    return f"{float(f'{percent:.3g}'):g} %"


def said(report: Report) -> dict[str, str]:
    """What the page says of each zone."""
    report.settled()
    names = report.at("zones").locator("input").evaluate_all("(inputs) => inputs.map((input) => input.value)")
    return dict(zip(names, report.at("zones").locator("output").all_inner_texts(), strict=True))


def mean_of(text: str) -> str:
    match = re.fullmatch(r".* of the motion; (.*) of its watched pixels in motion on average", text)
    assert match is not None, text
    return match[1]


def unpacked(packed: dict[str, Any]) -> NDArray[Any]:
    """What the page makes of a packed array: its bytes lie in planes, the lowest first."""
    size = int(packed["type"][1])
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"]), -15), np.uint8)
    values: NDArray[Any] = np.ascontiguousarray(planes.reshape(size, -1).T).view(f"<{packed['type']}").ravel()
    assert values.size == packed["length"]
    return values


def data_of(html: str) -> Any:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert match is not None
    return json.loads(match[1])


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


TREE = [(150.3, -5), (200, 40.7), (170.9, 96.2), (120, 71), (140, 30)]
MIXED = Zones(
    (
        Zone("yard", [(11.4, 8), (240, 2), (251.7, 140.2), (130, 171), (3, 120.5)], "include"),
        Zone("tree", TREE, "exclude"),
        Zone("gate", [(60, 33.3), (190.2, 20), (210, 90), (100.5, 160)]),  # partly in the tree
        Zone("bow", [(20, 20), (220, 130), (220, 30), (20, 140)]),  # crosses itself
        Zone("same as the yard", [(11.4, 8), (240, 2), (251.7, 140.2), (130, 171), (3, 120.5)]),
        Zone("across the border", box(200, 100, 256, 176)),
        Zone("same as the tree", TREE),
        Zone("beside the yard", box(0, 172, 256, 176)),
    )
)


def test_the_means_of_zones_are_those_of_the_tables(open_report: Open, tmp_path: Path) -> None:
    """Where blocks are pixels they are so for zones of any shape, for any stretch, and to all digits shown."""
    report = open_report(saved(tmp_path, 176, 256, MIXED))
    assert report.text("notes") == ""
    rows = {row["zone"]: row for row in table(tmp_path / "zones.csv")}
    whole = means(tmp_path)
    assert [*whole] == ["gate", "bow", "same as the yard", "across the border"]
    for name, mean in whole.items():
        assert mean == pytest.approx(100 * float(rows[name]["mean_activity"]))
        share = in_words(100 * float(rows[name]["share_of_motion"]))
        text = f"{share} of the motion; {in_words(mean)} of its watched pixels in motion on average"
        assert said(report)[name] == text
    assert said(report)["same as the yard"].startswith("100 % of the motion")
    for name in ("same as the tree", "beside the yard"):
        assert rows[name]["mean_activity"] == ""
        assert said(report)[name] == "not watched"

    report.drag("chart", 0.4, 0.6)
    assert "slices 3\u20134 of 6" in report.text("selection")
    stretch = means(tmp_path, 2, 4)
    assert {name: mean_of(said(report)[name]) for name in stretch} == {
        name: in_words(mean) for name, mean in stretch.items()
    }
    assert in_words(stretch["gate"]) != in_words(whole["gate"])
    assert said(report)["same as the tree"] == "not watched"


def test_every_slice_in_the_table_and_the_lines_below_the_chart(open_report: Open, tmp_path: Path) -> None:
    report = open_report(saved(tmp_path, 176, 256, MIXED))
    assert report.text("time-title") == "Watched pixels in motion over time"
    slices = [means(tmp_path, number, number + 1) for number in range(6)]
    activity = [float(row["moved_share"]) for row in table(tmp_path / "activity.csv")]
    lines = (
        report.open_table()
        .locator("tr")
        .evaluate_all("(rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent))")
    )
    names = ["gate", "bow", "same as the yard", "across the border"]
    unwatched = ["same as the tree", "beside the yard"]
    assert lines[0][3:] == ["watched pixels in motion, mean", *(f"{name}, mean" for name in [*names, *unwatched])]
    for number, (line, mean) in enumerate(zip(lines[1:], slices, strict=True)):
        moved = 100 * float(np.mean(activity[5 * number : 5 * number + 5]))
        assert line[3:] == [in_words(moved), *(in_words(mean[name]) for name in names), *["not watched"] * 2]
    highest = [f"highest {in_words(max(mean[name] for mean in slices))} of its watched pixels" for name in names]
    assert report.at("zone-lines").locator("span").all_inner_texts() == [*highest, *["not watched"] * 2]


def test_zones_drawn_on_the_page(open_report: Open, tmp_path: Path) -> None:
    drawn = {"half": box(40, 90, 160, 170), "out": box(215, 160, 255, 174)}
    masks = [zone for zone in MIXED.zones if zone.kind != "zone"]
    folder, again = tmp_path / "folder", tmp_path / "again"
    report = open_report(saved(folder, 176, 256, Zones(tuple(masks))))
    for name, corners in drawn.items():
        report.at("draw").click()
        for x, y in [*corners, corners[0]]:
            report.click("stage", x / 256, y / 176)
        report.page.keyboard.type(name)
    saved(again, 176, 256, Zones((*masks, *(Zone(name, corners) for name, corners in drawn.items()))))
    assert mean_of(said(report)["half"]) == in_words(means(again)["half"])
    assert said(report)["out"] == "not watched"


def test_where_the_map_is_made_of_blocks(open_report: Open, tmp_path: Path) -> None:
    """Exact where each block's watched pixels are all inside a zone or all outside, wherever else borders run.

    Of a block that a zone cuts, with ``part`` of its watched pixels in the zone, the page takes that part of the
    block's counts: between 0 and all of them are really inside, so it is off by at most max(part, 1 - part) of them.
    """
    height, width, block = 240, 640, 2
    zones = Zones(
        (
            Zone("yard", [(21, 11), (601, 33), (555, 231), (33, 201)], "include"),
            Zone("tree", [(301, 1), (399, 1), (355, 137)], "exclude"),
            Zone("on blocks", box(200, 20, 500, 120)),
            Zone("same as the yard", [(21, 11), (601, 33), (555, 231), (33, 201)]),
            Zone("cuts blocks", [(101.3, 51), (333, 35), (350, 201), (77, 160)]),
            Zone("one pixel more", box(401, 51, 411, 61)),
        )
    )
    report = open_report(saved(tmp_path, height, width, zones))
    assert block_size(height, width) == block
    assert report.text("notes") == "The map and the shares of zones are made of blocks of 2 x 2 px."
    counts, watched = np.load(tmp_path / "counts.npy"), zones.watched(width, height)
    assert watched is not None

    def blocks(picture: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(picture.reshape(height // block, block, -1, block).sum(axis=(1, 3)), np.float64)

    exact = set()
    for area in zones.measured(width, height):
        inside = area.polygon.mask() & watched
        part = np.divide(blocks(inside), blocks(watched), where=blocks(watched) > 0, out=np.zeros((120, 320)))
        off = np.where((part > 0) & (part < 1), np.maximum(part, 1 - part) * blocks(counts), 0).sum()
        tolerance = 100 * off / np.count_nonzero(inside) / PAIRS
        mean = means(tmp_path)[area.zone.name]
        shown = mean_of(said(report)[area.zone.name])
        if off == 0:
            exact.add(area.zone.name)
            assert shown == in_words(mean)
        assert abs(float(shown[:-2]) - mean) <= tolerance + 0.005 * mean  # of three digits
        page = 100 * (part * blocks(counts)).sum() / np.count_nonzero(inside) / PAIRS
        assert shown == in_words(page)
    assert exact == {"on blocks", "same as the yard"}


def test_the_value_of_a_place_is_that_of_what_is_watched_of_its_block(open_report: Open, tmp_path: Path) -> None:
    zones = Zones((Zone("left", box(0, 0, 401, 240), "include"),))
    report = open_report(saved(tmp_path, 240, 640, zones))
    counts = np.load(tmp_path / "counts.npy")
    place = report.box("stage")

    def reading(x: int, y: int) -> str:
        report.page.mouse.move(
            place["x"] + (x + 0.5) * place["width"] / 640, place["y"] + (y + 0.5) * place["height"] / 240
        )
        return report.text("reading").removeprefix(f"x {x}, y {y}: ")

    inside = 100 * counts[100:102, 300:302].mean() / PAIRS
    assert reading(300, 100) == f"in motion in {in_words(inside)} of the frame pairs"
    border = 100 * counts[100:102, 400].mean() / PAIRS
    assert reading(400, 101) == f"in motion in {in_words(border)} of the frame pairs"
    assert reading(401, 101) == reading(600, 7) == "not watched"
    report.at("stage").focus()
    report.keys("ArrowRight")
    assert report.text("live").endswith(": not watched")
    shares = counts[:, :400].reshape(120, 2, 200, 2).mean(axis=(1, 3))
    highest = max(shares.max(), counts[:, 400].reshape(120, 2).mean(axis=1).max()) / PAIRS
    assert abs(float(report.at("bar-ticks").locator(".last").inner_text()[:-2]) - 100 * highest) <= 0.05


def test_a_mask_of_noise_is_given_in_blocks_and_the_page_stays_small(open_report: Open, tmp_path: Path) -> None:
    mask = np.random.default_rng(3).random((1080, 1920)) < 0.5
    zones = Zones((Zone("a", box(600, 300, 1200, 900)), Zone("b", box(0, 0, 12, 6))))
    html = saved(tmp_path, 1080, 1920, zones, mask)
    assert len(html.encode()) < 3_000_000
    data = data_of(html)["map"]
    assert data["watched"]["side"] == 6
    assert data["block"] % 6 == 0
    assert 600 % data["block"] == 300 % data["block"] == 0
    report = open_report(html)
    assert mean_of(said(report)["a"]) == in_words(means(tmp_path)["a"])


# --- what the page is given -----------------------------------------------------------------------------------------


def test_the_page_is_given_nothing_more_where_all_is_watched(tmp_path: Path) -> None:
    zones = Zones((Zone("gate", box(1, 2, 30, 40)),))
    for mask in (None, np.full((48, 64), 7)):
        assert data_of(saved(tmp_path, 48, 64, zones, mask))["map"]["watched"] is None
    zones = Zones((Zone("gate", box(1, 2, 30, 40), "include"),))
    packed = data_of(saved(tmp_path, 48, 64, zones))["map"]["watched"]
    watched = zones.watched(64, 48)
    assert watched is not None
    assert packed.pop("side") == 1
    np.testing.assert_array_equal(unpacked(packed), watched.ravel())


@pytest.mark.parametrize("shape", [(1, 1), (7, 641), (643, 5), (481, 967)])
def test_the_mask_is_given_pixel_by_pixel_or_else_in_blocks(shape: tuple[int, int]) -> None:
    mask = np.random.default_rng(1).random(shape) < 0.4
    packed = packed_mask(mask)
    assert packed.pop("side") == 1
    np.testing.assert_array_equal(unpacked(packed), mask.ravel())
    packed = packed_mask(mask, len(pack(mask.ravel())["data"]) - 1)
    side = packed.pop("side")
    assert side == block_size(*shape)
    want = [
        np.count_nonzero(mask[top : top + side, left : left + side])
        for top in range(0, shape[0], side)
        for left in range(0, shape[1], side)
    ]
    assert unpacked(packed).tolist() == want


def test_a_mask_of_polygons_takes_little_room() -> None:
    corners = [(301, 11.5), (1800, 101), (1500.25, 1000), (950, 600), (133, 1011)]
    zones = Zones((Zone("yard", corners, "include"), Zone("tree", [(900, 0), (1100, 0), (1001, 333)], "exclude")))
    for size in ((1920, 1080), (3840, 2160)):
        watched = zones.watched(*size)
        assert watched is not None
        packed = packed_mask(watched)
        assert packed["side"] == 1
        assert len(packed["data"]) < 30_000
