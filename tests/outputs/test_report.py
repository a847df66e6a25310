"""The page of both kinds of heat map: what it is made of, whom it can be used by, and what it never does."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import zlib
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from report_reader import Report

from gpuheat import MotionCounter
from gpuheat.motion.report import motion_report
from gpuheat.motion.timeline import Timeline, TimelineSlice
from gpuheat.outputs.report.pack import JPEG_BYTES, jpeg, pack
from gpuheat.outputs.report.page import MODULES
from gpuheat.outputs.style import PictureStyle

Open = Callable[..., Report]
NAMES = (
    '</script><img src=x onerror="document.title=1"><script>alert(1)</script>',
    "a\n'b' \"c\" & &lt; {{script}} {{data}}",
    "\u202egnp.\u05d0\u05d1\u05d2\u05d3",
    "bytes \udcff that are no text",
    "x" * 300,
)


def page_of(name: str = "clip.mp4", warnings: tuple[str, ...] = ()) -> str:
    frames = np.random.default_rng(2).integers(0, 255, (30, 24, 32, 3), np.uint8)
    counter = MotionCounter(24, 32, backend="numpy")
    counter.push(frames, times=[number / 10 for number in range(30)])
    cells = np.arange(24 * 32, dtype=np.uint32)
    slices = tuple(TimelineSlice(number, cells, cells.astype(np.uint64)) for number in range(6))
    facts = {"input": {"name": name}, "warnings": list(warnings)}
    timeline = Timeline((24, 32), 1, 0.5, slices)
    return motion_report(dataclasses.replace(counter.result(), facts=facts, timeline=timeline), PictureStyle())


@given(arrays.arrays(st.sampled_from(["u1", "u2", "u4", "?", "f4", "f8", ">f8"]), st.integers(0, 40)))
def test_packed_arrays_come_back(array: NDArray[Any]) -> None:
    packed = pack(array)
    planes = zlib.decompress(base64.b64decode(packed["data"]), -15)
    kind = np.dtype("<" + packed["type"])
    whole = b"".join(planes[place :: max(1, array.size)] for place in range(array.size))
    np.testing.assert_array_equal(np.frombuffer(whole, kind), array)
    if array.dtype.kind in "iu" and array.size:
        assert kind.itemsize == (1 if array.max() < 2**8 else 2 if array.max() < 2**16 else 4)


def test_whole_numbers_beyond_32_bits_stay_exact() -> None:
    packed = pack(np.array([2**53 - 1, 1], np.uint64))
    assert packed["type"] == "f8"
    planes = zlib.decompress(base64.b64decode(packed["data"]), -15)
    assert np.frombuffer(bytes(planes[0::2]), "<f8")[0] == 2**53 - 1


def test_modules_import_what_they_use_from_modules_before_them() -> None:
    """They are put one behind the other into one script: what is missing here would work there by chance."""
    folder = files("gpuheat.outputs.report")
    assert {path.name for path in folder.iterdir() if path.name.endswith(".js")} == set(MODULES)
    exported: dict[str, str] = {}
    declared: list[str] = []
    wanted: set[str] = set()
    for name in MODULES:
        text = folder.joinpath(name).read_text("utf-8")
        code = re.sub(r"(?<!:)//.*", "", text)
        imported = {
            each.strip(): module
            for names, module in re.findall(r'^import \{([^}]*)\} from "\./(\w+\.js)";$', code, re.M)
            for each in names.split(",")
        }
        assert all(exported[each] == module for each, module in imported.items()), name
        rest = re.sub(r'^import .*|"[^"\n]*"', "", code, flags=re.M)
        used = {each for each in exported if re.search(rf"(?<![.\w$]){each}\b(?!:)", rest)}
        assert used == imported.keys(), name
        wanted |= used
        own = re.findall(r"^(export )?(?:async )?(?:const|let|class|function) (\w+)", code, re.M)
        declared += [each for _, each in own]
        exported |= {each: name for public, each in own if public}
    assert len(declared) == len(set(declared))
    assert wanted == exported.keys()


def test_pictures_are_as_good_as_there_is_room() -> None:
    smooth = cv2.resize(np.random.default_rng(0).integers(0, 255, (9, 16, 3), np.uint8), (1920, 1080))
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(jpeg(smooth.astype(np.uint8))), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (900, 1600, 3)
    assert np.abs(decoded.astype(int) - cv2.resize(smooth, (1600, 900))).mean() < 2
    noise = np.random.default_rng(0).integers(0, 255, (2160, 3840, 3), np.uint8)
    assert len(base64.b64decode(jpeg(noise))) <= JPEG_BYTES


@pytest.mark.parametrize("name", NAMES[:2])
def test_names_are_text(open_report: Open, name: str) -> None:
    html = page_of(name, NAMES)
    assert html.count("<script") == html.count("</script>") == 2
    report = open_report(html.encode("utf-8", "backslashreplace").decode())
    texts = report.page.evaluate(  # as JSON, for half a character cannot travel
        "JSON.stringify([...document.querySelectorAll('h1, #warnings li')].map((node) => node.textContent))"
    )
    assert json.loads(texts) == [name, *NAMES]
    assert report.page.locator("img").count() == 0
    assert report.page.title() != "1"
    assert report.page.evaluate("document.documentElement.scrollWidth") <= 1200


def test_the_title_of_a_window_obeys_no_name(open_report: Open) -> None:
    assert open_report(page_of("a\x1b[2J\u202eb\n.mp4")).page.title() == "a [2J b .mp4"


def test_only_the_page_s_own_script_runs_and_nothing_is_fetched(open_report: Open) -> None:
    report = open_report(page_of())
    policy = report.page.locator("meta[http-equiv]").get_attribute("content")
    assert policy is not None
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/]+='; style-src 'sha256-[\w+/]+='; base-uri 'none'; "
        r"form-action 'none'",
        policy,
    )
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page_of())
    tried = report.page.evaluate(
        """async () => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            const fetched = await fetch("https://example.org/").then(() => true, () => false);
            return [window.ran ?? false, fetched];
        }"""
    )
    assert tried == [False, False]
    assert len(report.faults) > 0
    report.faults.clear()


def test_every_control_has_a_name_and_can_be_reached(open_report: Open) -> None:
    report = open_report(page_of())
    tree = report.page.context.new_cdp_session(report.page).send("Accessibility.getFullAXTree")
    controls = {
        "button",
        "slider",
        "checkbox",
        "combobox",
        "textbox",
        "application",
        "DisclosureTriangle",
        "spinbutton",
    }
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree["nodes"]
        if not node.get("ignored") and node["role"]["value"] in controls
    ]
    assert [role for role, name in found if not name.strip()] == []
    assert {name for _, name in found} >= {"Play", "Beginning of the stretch", "Colour map", "Opacity", "Heat map"}
    reached = set()
    for _ in range(40):
        report.keys("Tab")
        reached.add(report.page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    expected = {
        "stage",
        "play",
        "from",
        "to",
        "marker",
        "colormap",
        "tone",
        "opacity",
        "fades",
        "draw",
        "save",
        "reset",
    }
    assert reached >= {*expected, "reset", "SUMMARY"}
    report.at("from").focus()
    report.keys("ArrowRight")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert report.page.evaluate(outline) == "solid"


def test_a_phone_in_the_dark_without_sideways_scrolling(open_report: Open) -> None:
    html = page_of("a-rather-long-name-of-a-file-" * 5)
    dark = open_report(html, viewport={"width": 360, "height": 740}, color_scheme="dark")
    assert dark.page.evaluate("document.documentElement.scrollWidth") <= 360
    luminance = "getComputedStyle(document.body).{}.match(/\\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b) / 3"
    assert dark.page.evaluate(luminance.format("backgroundColor")) < 60
    assert dark.page.evaluate(luminance.format("color")) > 180
    light = open_report(html, color_scheme="light")
    assert light.page.evaluate(luminance.format("backgroundColor")) > 240
    light.page.emulate_media(media="print")
    assert light.at("save").is_hidden()
    assert light.at("stage").is_visible()
