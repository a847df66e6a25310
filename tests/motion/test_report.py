"""The page of a motion heat map, in a real browser: what it shows is what Python gives for the same choice."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import recipe, scene
from numpy.typing import NDArray
from report_reader import Report

from gpuheat import MotionHeatmap, motion_heatmap
from gpuheat.inputs.zones import read_zones
from gpuheat.motion.report import fitted, motion_report
from gpuheat.motion.timeline import Timeline, TimelineSlice, block_size
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.picture import colorize, resize_heat
from gpuheat.outputs.style import PictureStyle
from gpuheat.zones import Zone, Zones

pytestmark = pytest.mark.once
Open = Callable[..., Report]
HEIGHT, WIDTH, STEP = 480, 640, 0.5


def moving(slices: int = 40, pairs: int = 5, height: int = HEIGHT, width: int = WIDTH) -> tuple[NDArray[Any], ...]:
    """The counts (slices, h, w) of a spot that wanders to the right over noise, and the moved pixels of each pair."""
    random = np.random.default_rng(3)
    counts = np.zeros((slices, height, width), np.uint32)
    for number in range(slices):
        counts[number] = random.random((height, width)) < 0.002
        left, top = number * (width - 60) // slices, random.integers(0, height // 2)
        counts[number, top : top + height // 3, left : left + 60] += random.integers(1, pairs + 1, dtype=np.uint32)
    counts[slices // 2] = 0
    moved = np.repeat(counts.sum(axis=(1, 2)) // pairs, pairs).astype(np.uint32)
    moved[min(6, len(moved) - 1)] = moved.max() * 2  # the highest pair
    return counts, moved


def timeline_of(counts: NDArray[Any], step: float) -> Timeline:
    """The sums of the blocks of each slice in which anything moved."""
    shape = (counts.shape[1], counts.shape[2])
    block = block_size(*shape)
    slices = []
    for number, one in enumerate(counts):
        edged = np.pad(one, [(0, -side % block) for side in shape])
        blocks = edged.reshape(edged.shape[0] // block, block, -1, block).sum(axis=(1, 3), dtype=np.uint64).ravel()
        if blocks.any():
            slices.append(TimelineSlice(number, np.flatnonzero(blocks).astype(np.uint32), blocks[blocks > 0]))
    return Timeline(shape, block, step, tuple(slices))


def heatmap_of(counts: NDArray[Any], moved: NDArray[Any], **changes: Any) -> MotionHeatmap:
    total = counts.sum(axis=0, dtype=np.uint32)
    number = len(moved)
    fields: dict[str, Any] = {
        "counts": total,
        "peak": float(total.max()),
        "moved": moved,
        "counted": np.ones(number, np.bool_),
        "frames": np.arange(1, number + 1),
        "times": (np.arange(number) + 0.5) * STEP * len(counts) / max(1, number),
        "decayed": None,
        "pixels_watched": total.size,
        "settings": {"threshold": 25, "blur": 0.0},
        "facts": {"input": {"name": "street.mp4"}},
        "timeline": timeline_of(counts, STEP),
    }
    return MotionHeatmap(**fields | changes)


@pytest.fixture(scope="module")
def heatmap() -> MotionHeatmap:
    return heatmap_of(*moving())


def page_of(heatmap: MotionHeatmap, style: PictureStyle | None = None) -> str:
    return motion_report(heatmap, style or PictureStyle("gray", alpha=1.0))


def shown(heatmap: MotionHeatmap, first: int, last: int, tone: str = "linear") -> NDArray[np.uint8]:
    """What the page has to draw of some slices, in grey."""
    assert heatmap.timeline is not None
    heat = resize_heat(heatmap.timeline.heat(first, last), HEIGHT, WIDTH)
    return colorize(heat, PictureStyle("gray", tone))[..., 0]


def differs(drawn: NDArray[np.uint8], expected: NDArray[np.uint8]) -> int:
    return int(np.abs(drawn.astype(int) - expected).max())


def test_the_heat_of_a_stretch_is_its_counts_over_the_pixels_of_each_block() -> None:
    counts, _ = moving(4, height=47, width=641)
    timeline = timeline_of(counts, STEP)
    assert timeline.block == 3
    for first, last in ((0, 4), (1, 3), (2, 3)):
        summed = counts[first:last].sum(axis=0)
        mean = [[summed[top : top + 3, left : left + 3].mean() for left in range(0, 641, 3)] for top in range(0, 47, 3)]
        expected = np.array(mean) / max(np.max(mean), 1e-9)
        np.testing.assert_allclose(timeline.heat(first, last), expected, atol=1e-7)


def test_dragging_over_the_chart_shows_that_stretch(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap))
    assert report.text("title") == "street.mp4"
    assert report.text("selection").startswith("Whole time, 40 slices of 0.5 s, 200 frame pairs")
    assert differs(report.grey(), shown(heatmap, 0, 40)) <= 1
    whole = report.grey()

    report.drag("chart", 0.205, 0.37)  # 4.1 s to 7.4 s
    assert report.text("selection") == "0:04.0\u20130:07.5, slices 9\u201315 of 40, 35 frame pairs"
    assert differs(report.grey(), shown(heatmap, 8, 15)) <= 1
    assert differs(report.grey(), whole) > 50

    report.drag("chart", 0.375, 0.6)  # its right edge
    assert "slices 9\u201324" in report.text("selection")
    report.drag("chart", 0.2, 0.3)  # its left edge
    assert "slices 13\u201324" in report.text("selection")
    report.drag("chart", 0.45, 0.55)  # all of it
    assert "slices 17\u201328" in report.text("selection")
    assert differs(report.grey(), shown(heatmap, 16, 28)) <= 1
    report.drag("chart", 0.45, 0.99)  # not beyond the end
    assert "slices 29\u201340" in report.text("selection")
    report.at("clear").click()
    np.testing.assert_array_equal(report.grey(), whole)


def test_from_frames_to_the_page(open_report: Open) -> None:
    frames = scene(40, 96, 128)
    heatmap = motion_heatmap(frames, times=[number / 10 for number in range(40)], backend="numpy")
    report = open_report(page_of(heatmap))
    report.drag("chart", 0.3, 0.6)
    assert report.text("selection") == "0:01.0\u20130:02.5, slices 3\u20135 of 8, 15 frame pairs"
    accumulator = recipe(frames[9:25])[0]  # the first pair is shown at 1.0 s, the last at 2.4 s
    heat = cv2.resize(accumulator / accumulator.max(), (640, 480), interpolation=cv2.INTER_LINEAR)
    assert differs(report.grey(), (255 * heat).astype(np.uint8)) <= 1


def test_zones_that_were_measured_are_drawn(open_report: Open, tmp_path: Path) -> None:
    corners = [(10, 10), (70, 10), (70, 80), (10, 80)]
    zones = Zones((Zone("the door", corners),))
    heatmap = motion_heatmap(scene(20, 96, 128), times=[number / 10 for number in range(20)], zones=zones)
    report = open_report(page_of(heatmap))
    assert report.at("zones").locator("input").input_value() == "the door"
    assert report.page.locator("polygon").first.get_attribute("points") == "10,10 70,10 70,80 10,80"
    assert heatmap.zones is not None
    share = float(heatmap.zones.table[0]["share_of_motion"])
    said = report.at("zones").locator("output").inner_text()
    assert abs(float(said.split(" %")[0]) - 100 * share) < 0.1
    with report.page.expect_download() as downloaded:
        report.at("download").click()
    downloaded.value.save_as(tmp_path / "zones.json")
    assert read_zones(tmp_path / "zones.json") == zones


def test_zones_that_say_what_is_watched_are_drawn_and_not_measured(open_report: Open, tmp_path: Path) -> None:
    zones = Zones(
        (
            Zone("road", [(0, 0), (128, 0), (128, 80), (0, 80)], "include"),
            Zone("door", [(10, 10), (70, 10), (70, 50), (10, 50)]),
            Zone("tree", [(90, 0), (128, 0), (128, 96), (90, 96)], "exclude"),
        )
    )
    heatmap = motion_heatmap(scene(20, 96, 128), times=[number / 10 for number in range(20)], zones=zones)
    report = open_report(page_of(heatmap))
    road, door, tree = report.at("zones").locator("output").all_inner_texts()
    assert (road, tree) == ("watched, not measured", "left out, not measured")
    assert "of the motion" in door
    assert report.page.locator(".zone-name").all_inner_texts() == ["road (watched)", "door", "tree (left out)"]
    assert report.page.locator("polygon.dashed").count() == 2
    assert report.at("zone-lines").locator("b").all_inner_texts() == ["door"]
    assert report.open_table().locator("th").last.inner_text() == "door, mean"
    with report.page.expect_download() as downloaded:
        report.at("download").click()
    downloaded.value.save_as(tmp_path / "zones.json")
    assert read_zones(tmp_path / "zones.json") == zones


def test_the_stretch_by_keys_and_said_aloud(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap))
    report.at("from").focus()
    report.keys("PageUp", "ArrowRight")
    report.at("to").focus()
    report.keys("PageDown", "PageDown", "ArrowLeft")
    assert "slices 6\u201331 of 40" in report.text("selection")
    report.at("window").focus()
    report.keys("ArrowRight", "ArrowRight", "ArrowLeft")
    assert "slices 7\u201332 of 40" in report.text("selection")
    assert report.at("from").get_attribute("aria-valuenow") == "6"
    assert report.at("window").get_attribute("aria-valuetext") == "0:03.0 to 0:16.0"
    assert differs(report.grey(), shown(heatmap, 6, 32)) <= 1
    report.wait_for("document.getElementById('live').textContent.includes('slices 7')")
    report.at("window").focus()
    report.keys("End")
    assert "slices 15\u201340" in report.text("selection")
    report.keys("Escape")
    assert report.text("selection").startswith("Whole time")


def test_tones(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap, PictureStyle("inferno")))
    report.at("colormap").select_option("gray")
    report.at("opacity").fill("100")
    for tone in ("sqrt", "log", "percentile:90", "linear"):
        report.at("tone").select_option(tone.split(":")[0])
        if ":" in tone:
            report.at("percentile").fill("90")
        assert differs(report.grey(), shown(heatmap, 0, 40, tone)) <= 1


def test_the_page_opens_as_the_pictures_were_drawn(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap, PictureStyle("coolwarm", "percentile:90", "value")))
    drawn = report.canvas()
    place = shown(heatmap, 0, 40, "percentile:90").astype(int)
    near = [lookup_table("coolwarm")[np.clip(place + off, 0, 255)][..., ::-1].astype(int) for off in (-1, 0, 1)]
    solid = drawn[..., 3] > 128  # where the canvas has not rounded the colours of what is nearly clear
    assert np.count_nonzero(solid) > 1000
    off = np.min([np.abs(drawn[..., :3] - colors).max(axis=2) for colors in near], axis=0)
    assert off[solid].max() <= 2
    opacity = 255 * 0.7 * (1 - (1 - place / 255) ** 4)
    assert np.abs(drawn[..., 3] - opacity).max() <= 4
    report.at("colormap").select_option("inferno")
    report.at("reset").click()
    np.testing.assert_array_equal(report.canvas(), drawn)


def test_a_click_on_a_peak_says_when_it_was(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap))
    assert heatmap.times is not None
    time, share = heatmap.times[6], heatmap.activity[6]
    assert f"highest {100 * share:.3g} % at 0:00.7" in report.text("time-facts")
    assert time == 0.65
    report.click("chart", time / 20 + 0.01, 0.4)
    assert report.text("moment") == f"0:00.7: {100 * share:.3g} % in motion"
    assert report.text("selection").startswith("Whole time")
    report.at("marker").focus()
    report.keys("End", "PageUp", "PageUp")
    assert report.at("marker").get_attribute("aria-valuetext") == report.text("moment")
    assert report.text("moment") != ""


def test_the_value_under_the_mouse_and_the_cursor(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap))
    assert heatmap.timeline is not None
    block = heatmap.timeline.block
    mean = heatmap.timeline.between(0, 40) / block**2 / 200

    def words(x: int, y: int) -> str:
        return f"x {x}, y {y}: in motion in {float(f'{100 * mean[y // block, x // block]:.3g}'):g} % of the frame pairs"

    box = report.box("stage")
    for x, y in ((100, 100), (301, 77), (630, 470)):
        report.page.mouse.move(
            box["x"] + (x + 0.5) * box["width"] / WIDTH, box["y"] + (y + 0.5) * box["height"] / HEIGHT
        )
        assert report.text("reading") == words(x, y)
    report.at("stage").focus()
    report.keys("ArrowLeft", "Shift+ArrowUp")
    assert report.text("reading") == report.text("live") == words(624, 469)


def drawn_zone(report: Report, corners: list[tuple[int, int]]) -> None:
    report.at("draw").click()
    for x, y in [*corners, corners[0]]:
        report.click("stage", x / WIDTH, y / HEIGHT)


def test_zones_are_drawn_measured_named_saved_and_deleted(
    heatmap: MotionHeatmap, open_report: Open, tmp_path: Path
) -> None:
    report = open_report(page_of(heatmap))
    corners = [(64, 48), (320, 96), (300, 400), (80, 300)]
    drawn_zone(report, corners)
    report.page.keyboard.type("the \u201cdoor\u201d <b>")  # the name is selected
    inside = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(inside, [np.array(corners)], (1,))
    expected = 100 * heatmap.counts[inside > 0].sum() / heatmap.counts.sum()
    mean = 100 * heatmap.counts[inside > 0].mean() / 200
    said = report.at("zones").locator("output").inner_text()
    share, average = (float(part.split(" %")[0]) for part in said.split("; "))
    assert abs(share - expected) < 0.02 * expected
    assert abs(average - mean) < 0.02 * mean
    report.drag("chart", 0.5, 0.99)
    assert report.at("zones").locator("output").inner_text() != said
    assert report.at("zone-lines").locator("b").inner_text() == "the \u201cdoor\u201d <b>"

    report.at("stage").focus()
    report.at("draw").click()
    report.keys(*["ArrowLeft", " ", "ArrowDown", "ArrowDown", " ", "ArrowRight", "ArrowRight", " ", " ", "Backspace"])
    report.keys("Enter")
    assert report.at("zones").locator("input").nth(1).input_value() == "zone 1"
    with report.page.expect_download() as downloaded:
        report.at("download").click()
    downloaded.value.save_as(tmp_path / "zones.json")
    saved = json.loads((tmp_path / "zones.json").read_text("utf-8"))
    assert saved["units"] == "px"
    assert [zone["name"] for zone in saved["zones"]] == ["the \u201cdoor\u201d <b>", "zone 1"]
    assert np.abs(np.array(saved["zones"][0]["polygon"]) - corners).max() <= 1
    assert len(saved["zones"][1]["polygon"]) == 3

    report.at("zones").get_by_role("button").first.click()
    assert report.at("zones").locator("input").input_value() == "zone 1"
    report.at("draw").click()
    report.click("stage", 0.5, 0.5)
    report.keys("Escape")
    assert report.at("draw").inner_text() == "Draw a zone"
    assert report.at("zones").locator("li").count() == 1


def test_what_was_chosen_is_there_when_the_file_was_written_anew(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap))
    report.drag("chart", 0.205, 0.37)
    drawn_zone(report, [(64, 48), (320, 96), (300, 400)])
    report.at("tone").select_option("log")
    report.wait_for("history.state?.look.tone === 'log'")
    assert report.text("selection") == "0:04.0\u20130:07.5, slices 9\u201315 of 40, 35 frame pairs"
    report.path.write_text(page_of(heatmap_of(*moving(48))), "utf-8")
    report.reload()
    assert report.text("selection") == "0:04.0\u20130:07.5, slices 9\u201315 of 48, 35 frame pairs"
    assert report.at("zones").locator("li").count() == 1
    assert report.at("tone").input_value() == "log"


def test_playing_moves_the_stretch_and_keeps_one_scale(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap), reduced_motion="reduce")
    report.drag("chart", 0.02, 0.099)
    assert "slices 1\u20134 " in report.text("selection")
    report.at("play").click()
    assert heatmap.timeline is not None
    highest = max(heatmap.timeline.between(first, first + 4).max() for first in range(37)) / 4 / 20
    assert abs(float(report.at("bar-ticks").locator(".last").inner_text()[:-2]) - 100 * highest) <= 0.05
    report.wait_for("document.getElementById('selection').textContent.includes('slices 5\u20138')")
    expected = heatmap.timeline.between(4, 8) / 4 / 20 / highest
    assert differs(report.grey(), (255 * resize_heat(expected.astype(np.float32), HEIGHT, WIDTH)).astype(np.uint8)) <= 1
    report.at("play").click()
    assert differs(report.grey(), shown(heatmap, 4, 8)) <= 1


def test_the_saved_picture_is_what_is_seen(heatmap: MotionHeatmap, open_report: Open, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    background = cv2.resize(random.integers(0, 255, (6, 8, 3), np.uint8), (WIDTH, HEIGHT)).astype(np.uint8)
    report = open_report(page_of(dataclasses.replace(heatmap, background=background), PictureStyle()))
    shown_behind = report.canvas("background")[..., 2::-1].astype(int)
    assert np.abs(shown_behind - background).mean() < 3
    with report.page.expect_download() as downloaded:
        report.at("save").click()
    assert downloaded.value.suggested_filename == "street.mp4.png"
    downloaded.value.save_as(tmp_path / "saved.png")
    saved = cv2.imread(str(tmp_path / "saved.png"))
    heat = report.canvas()
    opacity = heat[..., 3:].astype(float) / 255
    expected = shown_behind * (1 - opacity) + heat[..., 2::-1] * opacity
    assert saved is not None
    assert np.abs(saved - expected).max() <= 3


def test_the_table_has_every_slice(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap))
    rows = report.open_table().locator("tr")
    assert rows.count() == 41
    mean = 100 * float(np.mean(heatmap.activity[50:55]))
    assert rows.nth(11).locator("td").all_inner_texts() == [
        "0:05.0", "0:05.5", "5", f"{float(f'{mean:.3g}'):g} %"
    ]  # fmt: skip


def test_pairs_that_were_not_counted_are_marked(heatmap: MotionHeatmap, open_report: Open) -> None:
    counted = np.ones(200, np.bool_)
    counted[20:30] = False
    report = open_report(page_of(dataclasses.replace(heatmap, counted=counted)))
    assert report.text("legend") == "10 of 200 pairs not counted"
    assert report.at("skipped").get_attribute("d") is not None
    report.click("chart", 25.5 / 200, 0.4)
    assert report.text("moment").endswith("not counted")


def test_maps_without_motion_without_times_of_one_pair_and_of_none(open_report: Open) -> None:
    counts, moved = moving(2, 1, 30, 40)
    nothing = open_report(page_of(heatmap_of(0 * counts, 0 * moved)))
    assert nothing.text("scale-title") == "Nothing moved"
    assert nothing.text("time-facts") == "no motion"
    assert nothing.grey().max() == 0
    nothing.drag("chart", 0.1, 0.3)
    assert "slice 1 of 2" in nothing.text("selection")
    one = open_report(page_of(heatmap_of(counts[:1], moved[:1])))
    assert one.text("selection") == "Whole time, 1 frame pair"
    assert one.grey().max() == 255
    timeless = open_report(page_of(heatmap_of(counts, moved, times=None, timeline=None)))
    assert "at pair 2, mean" in timeless.text("time-facts")
    empty = {"frames": np.zeros(0, np.int64), "counted": np.zeros(0, np.bool_), "times": np.zeros(0)}
    none = open_report(page_of(heatmap_of(0 * counts, moved[:0], **empty)))
    assert none.at("time").is_hidden()


def test_half_life_and_blur_are_named_as_what_is_not_shown(heatmap: MotionHeatmap, open_report: Open) -> None:
    decayed = dataclasses.replace(
        heatmap, decayed=heatmap.counts / 2, settings=heatmap.settings | {"half_life": 9.0, "blur": 2.0}
    )
    report = open_report(page_of(decayed))
    assert report.at("notes").is_visible()
    assert report.at("notes").locator("li").all_inner_texts() == [
        "The plain counts, without the half-life and the blur of the pictures beside this page.",
        "The map and the shares of zones are made of blocks of 2 x 2 px.",
    ]


def test_touch(heatmap: MotionHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap), has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740})
    box = report.box("chart")
    touch = report.page.context.new_cdp_session(report.page)
    y = box["y"] + 50
    for kind, share in (("touchStart", 0.21), ("touchMove", 0.3), ("touchMove", 0.4), ("touchEnd", None)):
        points = [] if share is None else [{"x": box["x"] + share * box["width"], "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert "slices 9\u2013" in report.text("selection")


# --- what is too big ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "longer", "larger"), [(6000, 1, 1), (600, 2, 1), (400, 2, 2), (92, 2, 4), (91, 4, 4)])
def test_what_is_too_big_is_merged_and_adds_up_to_the_same(most: int, longer: int, larger: int) -> None:
    random = np.random.default_rng(9)
    numbers = np.flatnonzero(random.random(130) < 0.9)
    dense = random.integers(0, 3, (len(numbers), 12), np.uint64)
    slices = tuple(
        TimelineSlice(int(number), np.flatnonzero(one).astype(np.uint32), one[one > 0])
        for number, one in zip(numbers, dense, strict=True)
    )
    timeline = Timeline((3, 4), 1, STEP, slices)
    smaller, packed = fitted(timeline, most)
    assert sum(len(array["data"]) for array in packed.values()) <= most
    assert smaller.between(0, 200).sum() == dense.sum()
    assert (smaller.step, smaller.block) == (longer * STEP, larger)
    for first in range(0, 130, longer):
        parts = timeline.between(first, first + longer)
        blocks = smaller.between(first // longer, first // longer + 1)
        for (row, column), total in np.ndenumerate(blocks):
            rows, columns = (slice(place * smaller.block, (place + 1) * smaller.block) for place in (row, column))
            assert parts[rows, columns].sum() == total


def test_a_page_of_1080p_stays_under_3_mb_whatever_moves() -> None:
    random = np.random.default_rng(5)
    shape = (1080, 1920)
    noise = random.integers(0, 255, (*shape, 3), np.uint8)
    cells = np.arange(180 * 320, dtype=np.uint32)
    slices = tuple(
        TimelineSlice(number, cells, random.integers(1, 5000, cells.size, np.uint64)) for number in range(60)
    )
    counts, moved = np.ones((1, *shape), np.uint32), np.full(300, 9, np.uint32)
    heatmap = heatmap_of(counts, moved, timeline=Timeline(shape, 6, STEP, slices), background=noise)
    assert len(page_of(heatmap).encode()) < 3_000_000
