"""The table and the page of events: from the right videos, and nothing but what is asked for."""

from __future__ import annotations

import csv
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from clips import encode, scene

import gpuheat
from gpuheat.jobs import events as events_job
from gpuheat.jobs.events import write_events
from gpuheat.outputs.events_page import CELL, COLUMNS, GAP
from gpuheat.outputs.figure import MARGIN
from gpuheat.outputs.files import OutputFolder

if TYPE_CHECKING:
    from pathlib import Path

STILL = np.repeat(scene(1), 75, axis=0)  # 3 s
MOVING = scene(25)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two clips with one event and with two."""
    folder = tmp_path_factory.mktemp("clips")
    options = {"qp": "0"}
    one = encode(folder / "one.mp4", np.concatenate([STILL, MOVING, STILL]), options=options)
    two = encode(folder / "two.mp4", np.concatenate([STILL, MOVING, STILL, MOVING, STILL]), options=options)
    return [one, two]


def written(folder: Path, source: Any, videos: list[Path], **rule: float) -> tuple[list[dict[str, str]], list[str]]:
    heatmap = gpuheat.motion_heatmap(source)
    with OutputFolder(folder) as out:
        progress: list[int] = []
        problems = write_events(
            out,
            heatmap,
            heatmap.events(**rule),
            heatmap.event_rule(**rule),
            list(map(str, videos)),
            lambda done, _total: progress.append(done),
            2**28,
        )
        assert all(before <= after for before, after in pairwise(progress))
    return list(csv.DictReader((folder / "events.csv").read_text().splitlines())), problems


def test_the_table_of_one_video(tmp_path: Path, clips: list[Path]) -> None:
    rows, problems = written(tmp_path, clips[0], clips[:1])
    assert problems == []
    assert list(rows[0]) == [
        *("event", "start_s", "end_s", "duration_s", "peak_s", "peak_frame", "peak_share", "mean_share")
    ]
    assert (rows[0]["event"], rows[0]["start_s"], rows[0]["end_s"]) == ("1", "3.04", "4.0")
    assert float(rows[0]["peak_s"]) == int(rows[0]["peak_frame"]) / 25


def test_several_videos_on_one_time_line(tmp_path: Path, clips: list[Path]) -> None:
    rows, _ = written(tmp_path, [*map(str, clips)], clips)
    assert next(iter(rows[0])) == "video"
    assert [(row["video"], row["event"], row["start_s"]) for row in rows] == [
        *(("0", "1", "3.04"), ("1", "2", "10.04"), ("1", "3", "14.04"))
    ]
    assert [int(row["peak_frame"]) < 25 * 11 for row in rows] == [True, True, True]  # numbers of their own video
    fetched = thumbnails(tmp_path, 3)
    for picture, row in zip(fetched, rows, strict=True):
        source = STILL if int(row["peak_frame"]) < 75 else MOVING[(int(row["peak_frame"]) - 75) % 100]
        # the picture of the clip, 48 x 64 px, enlarged
        small = cv2.resize(picture, (64, 48), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - source.astype(int)).mean() < 6


def thumbnails(folder: Path, number: int) -> list[Any]:
    """Those of the first row of the page, cut out where the layout has them."""
    page = cv2.imread(str(folder / "events.png"))
    assert page is not None
    height = round(CELL * 48 / 64)
    top = page.shape[0] - MARGIN // 2 - 90 - height
    return [page[top : top + height, left : left + CELL] for left in (MARGIN + k * (CELL + GAP) for k in range(number))]


def test_beyond_the_most_events_have_no_picture(
    tmp_path: Path, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_job, "MOST_THUMBNAILS", 1)
    drawn: dict[str, Any] = {}

    def draw(events: Any, _activity: Any, **texts: str) -> bytes:
        drawn.update(texts, pictures=[event.picture is not None for event in events])
        return b"page"

    monkeypatch.setattr(events_job, "draw_events_page", draw)
    rows, _ = written(tmp_path, clips[1], clips[1:])
    assert len(rows) == 2
    assert drawn["pictures"] == [True, False]
    facts, rule = drawn["subtitle"].splitlines()
    assert facts == "2 events, 1.9 s in all  ·  the first 1 are shown, all are in events.csv"
    assert rule.startswith("an event comes to ")
    assert drawn["title"] == "Events in two.mp4"


def test_a_page_without_events_says_so(tmp_path: Path, clips: list[Path]) -> None:
    rows, _ = written(tmp_path, clips[0], clips[:1], shortest=10)
    assert rows == []
    assert cv2.imread(str(tmp_path / "events.png")) is not None


def test_what_cannot_be_read_again_has_a_table_alone(tmp_path: Path, clips: list[Path]) -> None:
    rows, _ = written(tmp_path, clips[0], [])
    assert len(rows) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["events.csv"]


def test_a_video_that_is_gone_leaves_out_its_pictures(tmp_path: Path, clips: list[Path]) -> None:
    rows, problems = written(tmp_path, clips[0], [tmp_path / "gone.mp4"])
    assert len(rows) == 1
    assert len(problems) == 1
    assert problems[0].startswith("events.png lacks frames: ")
    assert (tmp_path / "events.png").exists()


def test_thumbnails_stand_in_columns() -> None:
    assert COLUMNS * CELL + (COLUMNS - 1) * GAP <= 1680
