"""Results in a notebook: well-formed, escaped, with the picture they promise."""

from __future__ import annotations

import base64
import dataclasses
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from clips import scene

from gpuheat import FixationCounter, MotionCounter, compare, motion_heatmap
from gpuheat.outputs.activity import Activity
from gpuheat.outputs.card import HEIGHT, PREVIEW, sparkline
from gpuheat.outputs.drawable import Drawable

EVIL = """<script>alert("1 & 2")</script>'x'"""
VOID = {"img"}


class Reader(HTMLParser):
    """Tags in balance, the texts, and the attributes of every tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(result: Drawable) -> Reader:
    return Reader(result._repr_html_())


def embedded(reader: Reader) -> np.ndarray:
    (image,) = (attributes for tag, attributes in reader.tags if tag == "img")
    head, _, data = str(image["src"]).partition(",")
    assert head == "data:image/jpeg;base64"
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert (str(picture.shape[1]), str(picture.shape[0])) == (image["width"], image["height"])
    return np.asarray(picture)


def test_a_motion_heat_map_shows_its_overlay_its_numbers_and_its_activity() -> None:
    result = motion_heatmap(scene(12, 90, 120), times=[n / 10 for n in range(12)], threshold=30)
    reader = read(result)
    assert np.abs(embedded(reader).astype(int) - result.render()).mean() < 4
    texts = " ".join(reader.texts)
    share = f"{100 * result.counts.max() / 11:.3g}"
    for text in ("120 x 90 px", "11 frame pairs", f"in motion in {share} % of the frames", "threshold 30", "0:01"):
        assert text in texts
    assert any(tag == "path" for tag, _ in reader.tags)


def test_a_fixation_heat_map_and_a_comparison() -> None:
    counter = FixationCounter(200, 100, bins=20)
    counter.push(np.array([50.0, 60, 190]), np.array([50.0, 50, 90]), np.array([100_000, 50_000, 20_000], np.uint32))
    one = counter.result(unit="duration")
    reader = read(one)
    assert "3 fixations, 0.170 s in all" in reader.texts
    counter.push(np.array([150.0]), np.array([20.0]), np.array([90_000], np.uint32))
    other = counter.result(unit="duration")
    reader = read(compare(one, other, names=("before", EVIL)))
    assert f"{EVIL} against before" in reader.texts
    assert any(text.endswith("% of the fixation time") for text in reader.texts)


def test_text_from_outside_stays_text() -> None:
    result = motion_heatmap(scene(4))
    facts = result.facts | {"input": {"name": EVIL}, "warnings": [EVIL]}
    reader = read(dataclasses.replace(result, facts=facts))
    assert not [tag for tag, _ in reader.tags if tag == "script"]
    assert reader.texts.count(EVIL) == 1  # the title; a warning stands behind its name
    assert any(EVIL in text for text in reader.texts if text != EVIL)


def test_large_pictures_are_embedded_smaller() -> None:
    result = motion_heatmap(scene(3, 700, 1400))
    assert embedded(read(result)).shape == (PREVIEW // 2, PREVIEW, 3)
    assert cv2.imdecode(np.frombuffer(result._repr_png_(), np.uint8), cv2.IMREAD_COLOR) is not None
    assert len(result._repr_html_()) < 500_000


@pytest.mark.parametrize("result", [MotionCounter(4, 6).result(), FixationCounter(6, 4).result()])
def test_results_of_nothing_are_shown_too(result: Drawable) -> None:
    assert {"nothing moved", "nobody looked"} & set(read(result).texts)


def test_the_little_chart_is_as_high_as_its_peak_and_leaves_out_what_did_not_count() -> None:
    share, counted = np.array([0.0, 0.2, 0.4, 1.0]), np.array([True, True, True, False])
    chart = Reader(sparkline(Activity(np.arange(4.0), share, counted)))
    (path,) = (attributes["d"] for tag, attributes in chart.tags if tag == "path")
    tops = [float(step.partition("H")[0]) for step in str(path).split("V")[1:-1]]
    assert tops == [HEIGHT, HEIGHT - (HEIGHT - 2) / 2, 2.0, HEIGHT, HEIGHT][: len(tops)]
    assert sparkline(Activity(np.arange(0.0), share[:0], counted[:0])) == ""
    assert sparkline(Activity(np.zeros(1), share[:1], counted[:1])) != ""
