"""The page of a fixation heat map, in a real browser: what it shows is what Python gives for the same choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from report_reader import Report

from gpuheat import FixationHeatmap, fixation_heatmap
from gpuheat.backends import get_backend
from gpuheat.fixation.recording import RecordingHistograms
from gpuheat.fixation.report import fitted, fixation_report
from gpuheat.grid import BinGrid
from gpuheat.outputs.colormap import lookup_table
from gpuheat.outputs.style import PictureStyle
from gpuheat.zones import Zone, Zones

pytestmark = pytest.mark.once
Open = Callable[..., Report]
HEIGHT, WIDTH = 480, 640
BACKEND = get_backend("numpy")


def recordings_of(number: int, points: int, grid: BinGrid, names: tuple[str, ...] = ()) -> list[RecordingHistograms]:
    """Recordings of different lengths, looking at places of their own, some durations unknown."""
    random = np.random.default_rng(4)
    found = []
    for one in range(number):
        amount = points * (one + 1)
        x, y = random.normal(grid.width * random.random(), 40, amount), random.normal(grid.height / 2, 90, amount)
        duration = (random.integers(80, 600, amount) * 1000).astype(np.uint32)
        timed = random.random(amount) < 0.9
        name = names[one] if one < len(names) else None
        found.append(
            RecordingHistograms.counted(BACKEND, grid, x, y, duration, timed, recording=f"id-{one:04}", name=name)
        )
    return found


def heatmap_of(
    names: tuple[str, ...] = ("Anna", "Ben", "Cleo"), size: tuple[int, int] = (WIDTH, HEIGHT), **options: Any
) -> FixationHeatmap:
    grid = BinGrid.for_image(*size, options.pop("bins", 300))
    given: dict[str, Any] = {"unit": "duration", "scale": 3.0, "equal_recordings": False} | options
    return FixationHeatmap.from_recordings(tuple(recordings_of(3, 40, grid, names)), grid, backend=BACKEND, **given)


@pytest.fixture(scope="module")
def heatmap() -> FixationHeatmap:
    return heatmap_of()


def page_of(heatmap: FixationHeatmap) -> str:
    return fixation_report(heatmap, PictureStyle("gray", alpha=1.0), title="Fixations", facts="640 x 480 px")


def differs(report: Report, heat: NDArray[Any]) -> int:
    """By how many of the 256 places on the colour map what is drawn is off the heat; 2 where it is more than one."""
    place = (np.clip(heat, 0, 1) * 255).astype(int)
    table, drawn = lookup_table("gray")[:, 0], report.grey()
    off = np.full(place.shape, 2)
    for way in (-1, 1, 0):
        off[table[np.clip(place + way, 0, 255)] == drawn] = abs(way)
    return int(off.max())


def peak_of(report: Report) -> str:
    return report.at("bar-ticks").locator(".last").inner_text()


def digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):g}"


def test_recordings_weight_blur_and_balance(heatmap: FixationHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap))
    assert differs(report, heatmap.heat) <= 1
    assert peak_of(report) == f"{digits(heatmap.peak / 1e6)} s"
    assert report.text("recordings-on") == "3 of 3 recordings"
    titles = [span.get_attribute("title") for span in report.at("recordings").locator("span").all()]
    assert titles == ["Anna, recording id id-0000", "Ben, recording id id-0001", "Cleo, recording id id-0002"]

    report.at("recordings").get_by_text("Ben").click()
    expected = heatmap.chosen(recordings=["id-0000", "id-0002"])
    assert report.text("recordings-on") == "2 of 3 recordings"
    assert differs(report, expected.heat) <= 1
    assert peak_of(report) == f"{digits(expected.peak / 1e6)} s"

    report.page.get_by_label("Count").check()
    expected = expected.chosen(weight="count")
    assert differs(report, expected.heat) <= 1
    assert peak_of(report) == digits(expected.peak)
    amounts = [f"{each.points} fixations" for each in heatmap.by_recording or ()]
    assert report.at("recordings").locator("small").all_inner_texts() == amounts

    report.at("equal").check()
    expected = expected.chosen(equal_recordings=True)
    assert differs(report, expected.heat) <= 1
    assert peak_of(report) == f"{digits(100 * expected.peak / 2)} %"

    report.at("sigma").focus()
    report.keys("ArrowLeft", "ArrowLeft", "ArrowLeft")
    assert report.text("sigma-value") == "sigma 2.7 % of the width"
    assert differs(report, expected.chosen(scale=2.7).heat) <= 1
    report.keys("Home")
    report.at("sigma").focus()
    report.keys("Home")
    assert differs(report, expected.chosen(scale=0).heat) <= 1
    report.at("sigma").fill("10")
    assert differs(report, expected.chosen(scale=10).heat) <= 1

    report.at("none").click()
    assert report.text("scale-title") == "No recording is ticked"
    assert report.grey().max() == 0
    report.at("reset").click()
    assert report.text("recordings-on") == "3 of 3 recordings"
    assert differs(report, heatmap.heat) <= 1


def test_the_page_opens_as_the_map_was_made(open_report: Open) -> None:
    heatmap = heatmap_of(unit="count", scale=1.25, equal_recordings=True)
    report = open_report(page_of(heatmap))
    assert report.at("equal").is_checked()
    assert report.page.get_by_label("Count").is_checked()
    assert differs(report, heatmap.heat) <= 1


@pytest.mark.parametrize(("size", "bins"), [((640, 90), 7), ((3, 700), 300), ((50, 40), 200)])
def test_other_shapes(open_report: Open, size: tuple[int, int], bins: int) -> None:
    heatmap = heatmap_of(size=size, bins=bins, scale=5.0)
    report = open_report(page_of(heatmap))
    drawn = report.grey()
    blurred = cv2.GaussianBlur(
        heatmap.histogram.astype(np.float32),
        (0, 0),
        0.05 * max(heatmap.grid.shape),
        borderType=cv2.BORDER_REFLECT_101,
    )
    enlarged = cv2.resize(blurred / blurred.max(), drawn.shape[::-1], interpolation=cv2.INTER_LANCZOS4)
    assert differs(report, enlarged) <= 1


def test_the_value_under_the_cursor_and_zones(heatmap: FixationHeatmap, open_report: Open) -> None:
    report = open_report(page_of(heatmap))
    report.at("stage").focus()
    report.keys("Shift+ArrowLeft")
    share = float(heatmap.heat[240, 319])
    said = report.text("reading")
    assert said.startswith("x 319, y 240: ")
    value, percent = (float(part) for part in said.split(": ")[1].replace(" s per bin,", "").split(" %")[0].split())
    assert abs(percent - 100 * share) < 0.1
    assert abs(value - share * heatmap.peak / 1e6) < 0.001 * heatmap.peak / 1e6 + 1e-6
    report.at("draw").click()
    for x, y in ((0.05, 0.25), (0.95, 0.25), (0.95, 0.75), (0.05, 0.75)):
        report.click("stage", x, y)
    report.keys("Enter")
    inside = heatmap.histogram[56:169, 15:285].sum() / 1e6
    seconds, of_all = report.at("zones").locator("output").inner_text().split(", ")
    assert abs(float(seconds.split()[0]) - inside) < 0.02 * inside
    assert abs(float(of_all.split()[0]) / 100 - inside / (heatmap.total / 1e6)) < 0.01


def test_zones_that_were_measured_are_drawn(heatmap: FixationHeatmap, open_report: Open) -> None:
    left, right = ((0, 0), (0.5, 0), (0.5, 1), (0, 1)), ((1, 0), (1, 1), (0.5, 0.5))
    zones = Zones((Zone("left", left), Zone("right", right)), "normalized")
    report = open_report(page_of(dataclasses.replace(heatmap, areas=zones.placed(WIDTH, HEIGHT))))
    assert report.page.locator("polygon").nth(1).get_attribute("points") == "0,0 320,0 320,480 0,480"
    inside = heatmap.histogram[:, :150].sum() / 1e6
    assert report.at("zones").locator("output").first.inner_text().startswith(f"{digits(inside)} s, ")


def test_maps_that_know_no_recordings_or_no_durations(heatmap: FixationHeatmap, open_report: Open) -> None:
    unknown = dataclasses.replace(heatmap, by_recording=None)
    report = open_report(page_of(unknown))
    assert differs(report, heatmap.heat) <= 1
    for hidden in ("recordings-box", "weights", "equal"):
        assert report.at(hidden).is_hidden()
    grid = BinGrid.for_image(WIDTH, HEIGHT)
    gaze = RecordingHistograms.counted(BACKEND, grid, np.arange(99.0), np.arange(99.0), None, recording="one")
    heatmap = FixationHeatmap.from_recordings((gaze,), grid, unit="gaze", scale=3.0, backend=BACKEND)
    report = open_report(page_of(heatmap))
    assert differs(report, heatmap.heat) <= 1
    assert report.text("scale-title").startswith("Gaze samples per bin of 2.13 \u00d7 2.13 px, blurred")
    nobody = FixationHeatmap.from_recordings((), grid, unit="duration", scale=3.0, backend=BACKEND)
    assert open_report(page_of(nobody)).text("scale-title") == "Nobody looked"


def test_thousands_of_recordings(open_report: Open) -> None:
    grid = BinGrid.for_image(WIDTH, HEIGHT)
    one = recordings_of(1, 30, grid)[0]
    many = tuple(dataclasses.replace(one, id=f"{number:05}", name=f"person {number}") for number in range(3000))
    heatmap = FixationHeatmap.from_recordings(many, grid, unit="duration", scale=3.0, backend=BACKEND)
    report = open_report(page_of(heatmap))
    assert report.text("recordings-on") == "3,000 of 3,000 recordings"
    report.at("none").click()
    report.at("recordings").get_by_text("person 2999").click()
    assert report.text("recordings-on") == "1 of 3,000 recordings"
    assert differs(report, heatmap.heat) <= 1


def test_where_there_is_too_much_neighbours_are_added_up() -> None:
    grid = BinGrid.for_image(60, 40, 60)
    recordings = recordings_of(9, 3, grid, ("a", "b", "c", "d", "e", "f", "g", "h", "i"))
    whole = sum(recordings[1:], start=recordings[0])
    together, packed = fitted(recordings, 140)
    assert packed["names"] == ["a \u2026 d", "e \u2026 h", "i"]
    again = sum(together[1:], start=together[0])
    np.testing.assert_array_equal(again.count.dense, whole.count.dense)
    assert again.duration is not None
    assert whole.duration is not None
    np.testing.assert_array_equal(again.duration.dense, whole.duration.dense)
    assert len(fitted(recordings, 1)[0]) == 1


def test_names_are_text(open_report: Open) -> None:
    names = ('</script><img src=x onerror="alert(1)">', "\u202egnp.\u05d0\u05d1\u05d2", 'a\n"b"\' <b>&amp;')
    report = open_report(page_of(heatmap_of(names)))
    assert report.at("recordings").locator("span").all_text_contents() == list(names)
    assert report.page.locator("img").count() == 0
    cells = report.open_table().locator("td:first-child")
    assert cells.all_text_contents() == list(names)


def noise(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(8).integers(0, 255, shape, np.uint8)


def test_a_large_reference_image_is_shrunk_and_places_stay_its_own(open_report: Open) -> None:
    heatmap = dataclasses.replace(heatmap_of(size=(2400, 1800)), background=noise((1800, 2400, 3)))
    page = page_of(heatmap)
    assert len(page) < 1_500_000
    report = open_report(page)
    shrunk = cv2.resize(heatmap.heat, (1600, 1200), interpolation=cv2.INTER_AREA)
    assert differs(report, shrunk) <= 1
    report.at("stage").focus()
    report.keys("ArrowRight")
    assert report.text("reading").startswith("x 1224, y 900: ")


@pytest.mark.real_data
def test_the_real_export(real_data: Path, open_report: Open) -> None:
    heatmap = fixation_heatmap(real_data / "gaze" / "pupil-cloud-reference-image-mapper")
    report = open_report(page_of(heatmap))
    assert report.text("recordings-on") == "5 of 5 recordings"
    report.at("recordings").get_by_text("Jack").click()
    report.page.get_by_label("Count").check()
    others = [each.id for each in heatmap.by_recording or () if "Jack" not in (each.name or "")]
    expected = heatmap.chosen(recordings=others, weight="count")
    shrunk = cv2.resize(expected.heat, (1600, 1200), interpolation=cv2.INTER_AREA)
    assert differs(report, shrunk) <= 1
