"""The benchmarks of whole videos: that every way gives its result, and that the rows say what happened."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are not installed

from clips import decoded, encode, recipe, scene, turn_mp4

from benchmarks.case import SIZES, NotMeasuredError
from benchmarks.checking import WrongResultError
from benchmarks.report import Report
from benchmarks.results import Measured, Row
from benchmarks.video import contenders as ways
from benchmarks.video import peers as others
from benchmarks.video import suite
from benchmarks.video.clips import CAMERA, X264, Plan, make, plans
from benchmarks.video.contenders import DECODING, PLAIN, Contender, Counted, contenders, expected_luma, plain_recipe
from benchmarks.video.measure import InTurn, peak_memory
from benchmarks.video.scene import street
from gpuheat import get_backend, motion_heatmap

pytestmark = pytest.mark.once

PEERS = (others.GREY_FIRST, others.MOG2, others.TBLEND, others.DVR_SCAN)
OURS = tuple(f"gpuheat numpy, {way}" for way in ("bgr, by default", "bgr, background first"))
LUMA = tuple(f"gpuheat numpy, {way}" for way in ("luma, by default", "luma, background first"))


def test_the_street_has_noise_motion_and_a_slow_change_of_light() -> None:
    frames = [frame[:180].astype(int) for frame in street(180, 320, 301)]
    assert len(frames) == 301
    changes = [np.abs(after - before) for before, after in itertools.pairwise(frames[:20])]
    for change in changes:
        assert 0.5 < np.mean(change > 0) < 1
        assert 0.001 < np.mean(change > 25) < 0.1
    assert 1 < np.median(np.std(frames[:20], axis=0)) < 3
    light = [float(np.median(frame)) for frame in frames]
    assert light[0] > light[150] > light[300] > 0.85 * light[0]


def test_frames_of_the_street_are_planes_and_the_same_each_time() -> None:
    first, again = ([frame.copy() for frame in street(90, 160, 3)] for _ in range(2))
    assert [frame.shape for frame in first] == [(135, 160)] * 3
    assert {str(frame.dtype) for frame in first} == {"uint8"}
    np.testing.assert_array_equal(first, again)


def test_made_clips_are_what_x264_writes_unless_told_otherwise(tmp_path: Path) -> None:
    clip = make(Plan("small", 90, 160, 260), tmp_path)
    with av.open(clip.path) as container:
        pictures = [(picture.key_frame, picture.pict_type) for picture in container.decode(video=0)]
    assert [number for number, (key, _) in enumerate(pictures) if key] == [0, 250]
    assert sum(kind == PictureType.B for _, kind in pictures) > 130
    assert clip.seconds_to_make is not None
    options = clip.path.read_bytes()
    for words in (b"crf=23.0", b"subme=7", b"keyint=250", b"sliced_threads=0"):
        assert words in options


def test_made_clips_are_what_a_camera_writes(tmp_path: Path) -> None:
    clip = make(Plan("small", 90, 160, 130, CAMERA), tmp_path)
    with av.open(clip.path) as container:
        pictures = [(picture.key_frame, picture.pict_type) for picture in container.decode(video=0)]
    assert [number for number, (key, _) in enumerate(pictures) if key] == [0, 60, 120]
    assert {kind for key, kind in pictures if not key} == {PictureType.P}
    assert b"ref=1" in clip.path.read_bytes()


def test_every_way_gives_the_plain_recipes_result(tmp_path: Path) -> None:
    clip = turn_mp4(encode(tmp_path / "clip.mp4", scene(12)), 90)
    frames = decoded(clip)
    expected, _ = recipe(np.rot90(frame.bgr, frame.rotation // 90) for frame in frames)
    plain = plain_recipe(clip)
    assert plain.frames == len(frames) == 12
    np.testing.assert_array_equal(plain.accumulator, expected)
    every = contenders(clip, [get_backend("numpy"), get_backend("numba")])
    assert [each.name for each in every if each.ours][:4] == [*OURS, *LUMA]
    assert len({each.name for each in every}) == len(every) == 4 + 2 * 4
    for each in every:
        assert each.difference() == 0 or (np.isnan(each.difference()) and "alone" in each.name)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p"])
def test_brightness_is_ffmpegs_of_grey_pictures(tmp_path: Path, pix_fmt: str) -> None:
    clip = encode(tmp_path / "grey.mp4", scene(5)[..., 0], pix_fmt=pix_fmt)
    expected, moved = recipe(frame.bgr[..., 0] for frame in decoded(clip))
    assert min(moved) > 0
    luma = expected_luma(clip)
    assert luma is not None
    np.testing.assert_array_equal(luma.accumulator, expected)


def test_brightness_is_not_compared_where_it_is_not_in_the_file(tmp_path: Path) -> None:
    clip = encode(tmp_path / "clip.mkv", scene(3), codec="ffv1", pix_fmt="yuv444p")
    assert expected_luma(clip) is None
    assert [each.name for each in contenders(clip, [get_backend("numpy")]) if each.ours] == [*OURS]


@pytest.mark.parametrize(("ones", "off"), [(1, 1.0), (0, 0.0)])
def test_a_difference_is_that_from_the_expected(ones: int, off: float) -> None:
    expected = Counted(3, np.zeros((2, 2), np.float32))
    assert Contender("it", lambda: Counted(3, np.full((2, 2), ones, np.float32)), expected).difference() == off


def test_a_run_of_too_few_frames_is_wrong() -> None:
    contender = Contender("it", lambda: Counted(2), Counted(3))
    for run in (contender.difference, partial(contender.work().run, 0)):
        with pytest.raises(WrongResultError, match="it has 2 frames instead of 3"):
            run()


@pytest.mark.parametrize(
    ("sizes", "quick", "expected"),
    [
        ((), False, [(1080, 600, CAMERA), (1080, 600, X264), (2160, 600, CAMERA), (2160, 600, X264)]),
        (("720p",), False, [(720, 600, CAMERA), (720, 600, X264)]),
        (("8k",), False, [(4320, 150, CAMERA), (4320, 150, X264)]),
        ((), True, [(180, 40, X264)]),
        (("360p", "720p"), True, [(360, 40, X264), (720, 40, X264)]),
    ],
)
def test_clips_are_of_the_sizes_asked_for(sizes: tuple[str, ...], quick: bool, expected: list[Any]) -> None:
    found = plans(sizes, quick=quick)
    assert [(plan.height, plan.frames, plan.encoding) for plan in found] == expected
    assert all(9 * plan.width == 16 * plan.height for plan in found)
    assert len({plan.name for plan in found}) == len(found)


@pytest.mark.parametrize("size", ["360p", "720p"])
def test_a_clip_of_any_size_can_be_made(size: str, tmp_path: Path) -> None:
    clip = make(Plan("small", *SIZES[size], 2), tmp_path)
    with av.open(clip.path) as container:
        assert [(picture.height, picture.width) for picture in container.decode(video=0)] == [SIZES[size]] * 2
    assert clip.name.startswith("2 frames H.264 of ")


def test_videos_are_run_in_turn_and_one_that_fails_not_again() -> None:
    ran = []

    def run(name: str, turn: int) -> None:
        ran.append(name)
        if name == "b" and turn == 1:
            raise ValueError("no")

    machine = InTurn()
    found = machine.measure({name: partial(run, name) for name in "abc"}, "host", 1, 3)
    assert ran == list("abcabcac")
    assert isinstance(found["b"], ValueError)
    for each in (found["a"], found["c"]):
        assert isinstance(each, Measured)
        assert len(each.timing.runs) == 3
    assert list(machine.processor_seconds) == ["a", "c"]


def test_processor_time_is_that_of_all_threads_and_programs() -> None:
    spent: dict[str, list[float]] = {"threads": [], "program": []}

    def thread() -> None:
        hashlib.sha256(bytes(20_000_000))
        spent["threads"].append(time.thread_time())

    def threads(_: int) -> None:
        busy = [threading.Thread(target=thread) for _ in range(2)]
        for each in busy:
            each.start()
        for each in busy:
            each.join()

    def program(_: int) -> None:
        code = "import hashlib, time; hashlib.sha256(bytes(20_000_000)); print(time.process_time())"
        spent["program"].append(float(others.said(sys.executable, "-c", code)))

    machine = InTurn()
    machine.measure({"threads": threads, "program": program}, "host", 1, 1)
    for name, rounds in (("threads", 2), ("program", 1)):
        last = spent[name][-rounds:]  # what came before is the warm-up
        assert min(last) > 0
        assert machine.processor_seconds[name] >= 0.99 * sum(last)


def test_peak_memory_is_not_that_of_whoever_asks(tmp_path: Path) -> None:
    clip = encode(tmp_path / "clip.mp4", scene(3))
    held = np.ones(1 << 30, np.uint8)
    assert 30e6 < peak_memory(clip, "numpy") < held.nbytes / 2


def found_by(name: str, clip: Path) -> Contender:
    return next(each for each in others.peers(clip, plain_recipe(clip)) if each.name == name)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return encode(tmp_path / "small.mp4", scene(30))


@pytest.mark.parametrize("name", [others.GREY_FIRST, others.MOG2])
def test_what_opencv_finds(name: str, small: Path) -> None:
    peer = found_by(name, small)
    assert np.isnan(peer.difference())
    blind = Counted(30, np.zeros_like(peer.expected.accumulator))
    everywhere = Counted(30, np.ones_like(peer.expected.accumulator))
    for got in (blind, everywhere):
        with pytest.raises(WrongResultError, match="has not seen what moves"):
            replace(peer, run=partial(replace, got)).difference()


def test_where_nothing_moves_there_is_nothing_to_see(tmp_path: Path) -> None:
    clip = encode(tmp_path / "still.mp4", np.full((12, 48, 64, 3), 90, np.uint8))
    for name in (others.GREY_FIRST, others.MOG2):
        assert np.isnan(found_by(name, clip).difference())
    nothing = Counted(12, np.zeros((48, 64), np.float32))
    assert others.saw_events(Counted(12, events=0), nothing)


@pytest.fixture
def with_ffmpeg() -> None:
    try:
        others.ffmpeg_program()
    except NotMeasuredError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("with_ffmpeg")
@pytest.mark.parametrize("degrees", [0, 90])
def test_ffmpeg_takes_the_differences(degrees: int, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = found_by(others.TBLEND, turn_mp4(small, degrees))
    assert peer.run() == Counted(30)
    assert np.isnan(peer.difference())
    ffmpeg = others.ffmpeg
    monkeypatch.setattr(others, "ffmpeg", lambda path, filters: ffmpeg(path, filters.replace("difference", "average")))
    with pytest.raises(WrongResultError, match="has not seen what moves"):
        peer.difference()


@pytest.mark.usefixtures("with_ffmpeg")
def test_ffmpeg_says_what_it_cannot_do(tmp_path: Path, small: Path) -> None:
    clip = encode(tmp_path / "clip.mkv", scene(3), codec="ffv1", pix_fmt="yuv444p")
    with pytest.raises(NotMeasuredError, match="yuv444p is not 8-bit 4:2:0"):
        found_by(others.TBLEND, clip).run()
    with pytest.raises(ChildProcessError, match="exit code "):
        others.ffmpeg(small, "no_such_filter")


@pytest.mark.skipif(shutil.which("dvr-scan") is None, reason="dvr-scan is not on the PATH")
def test_dvr_scan_finds_events(small: Path) -> None:
    peer = found_by(others.DVR_SCAN, small)
    assert peer.run() == Counted(30, events=1)
    assert np.isnan(peer.difference())


def programs(clip: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Put shell scripts beside the clip and first on the PATH."""
    for name, script in scripts.items():
        path = clip.parent / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{clip.parent}{os.pathsep}{os.environ['PATH']}")


def measured(clip: Path, **options: Any) -> tuple[dict[str, Row], Report, str]:
    """The rows by contender, the report, and what is shown."""
    report, shown = Report({}), StringIO()
    wanted: dict[str, Any] = {"peers": False, "quick": True, "runs": 2, "clips": [clip], **options}
    suite.measure(Console(file=shown, width=110), report, ["numpy"], [], **wanted)
    return {row.contender: row for row in report.rows}, report, shown.getvalue()


def test_peers_that_are_absent_are_told(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    rows, report, shown = measured(small, peers=True)
    absent = {
        others.TBLEND: "not run: ffmpeg is not on the PATH, and imageio-ffmpeg is not installed",
        others.DVR_SCAN: "not run: dvr-scan is not on the PATH (it brings an OpenCV of its own: pipx install dvr-scan)",
    }
    assert set(rows) == {*OURS, *LUMA, PLAIN, "cv2.VideoCapture.read alone", *DECODING, *PEERS}
    for name, row in rows.items():
        assert row.outcome == absent.get(name, "ok")
        assert (row.median_s is None) == (name in absent)
        assert set(row.times_as_fast_as) == (set() if name in absent else set(rows) - {*OURS, *LUMA, *absent, name})
    assert report.failures == []
    for name, words in absent.items():
        assert f"{name}: {words}" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("name", "script", "words"),
    [
        (others.TBLEND, "echo cannot >&2; exit 3", "exit code 3: cannot"),
        (others.TBLEND, "exit 3", "exit code 3: nothing"),
        (others.TBLEND, "echo frame=7", "has 8 frames instead of 30"),
        (others.TBLEND, "echo frame=29", "has not seen what moves"),
        (others.DVR_SCAN, "echo cannot >&2; exit 3", "exit code 3: cannot"),
        (others.DVR_SCAN, "echo nothing", "has 0 frames instead of 30"),
        (others.DVR_SCAN, "echo Processed 30 frames; echo Detected 0 motion events", "has not seen what moves"),
    ],
)
def test_a_program_that_has_not_done_its_work(
    name: str, script: str, words: str, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(small, monkeypatch, **{"ffmpeg" if name == others.TBLEND else "dvr-scan": script})
    with pytest.raises((ChildProcessError, WrongResultError), match=words):
        found_by(name, small).difference()


def test_a_peer_that_fails_is_left_out(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = '[ -e "$0.ran" ] && exit 5; touch "$0.ran"; echo Processed 30 frames; echo Detected 1 motion events'
    programs(small, monkeypatch, **{"ffmpeg": "exit 3", "dvr-scan": again})
    rows, report, shown = measured(small, peers=True)
    assert rows[others.TBLEND].outcome == "left out: ChildProcessError: exit code 3: nothing"
    assert rows[others.DVR_SCAN].outcome == "left out: ChildProcessError: exit code 5: nothing"
    assert {row.outcome for name, row in rows.items() if name not in (others.TBLEND, others.DVR_SCAN)} == {"ok"}
    assert report.failures == []
    assert f"{others.TBLEND}: left out: " in shown


def test_a_wrong_result_is_refused_and_no_video_costs_nothing_but_itself(
    monkeypatch: pytest.MonkeyPatch, small: Path
) -> None:
    def wrong(*arguments: Any, **options: Any) -> Any:
        heatmap = motion_heatmap(*arguments, **options)
        heatmap.counts[-1, -1] += options["pixels"] == "luma"
        return heatmap

    monkeypatch.setattr(ways, "motion_heatmap", wrong)
    text = small.parent / "text.mp4"
    text.write_text("no video")
    rows, report, shown = measured(small, clips=[text, small])
    for name in LUMA:
        assert rows[name].median_s is None
        assert f"small.mp4, heat map: {name} is off by up to 255.0 (allowed: 0.0)" in rows[name].outcome
        assert f"{name}: failed: WrongResultError" in shown
    assert rows["all"].outcome.endswith("cv2.VideoCapture reads no frame of it")
    assert report.failures[0] == f"video: text.mp4, heat map, all: {rows['all'].outcome}"
    assert len(report.failures) == 1 + len(LUMA)
    assert {rows[name].outcome for name in (*OURS, PLAIN)} == {"ok"}
    assert len(report.notes) == 1


@pytest.mark.parametrize("own", [False, True])
def test_rows_say_what_was_measured(own: bool, tmp_path: Path) -> None:
    clip = encode(tmp_path / "own [1].mkv", scene(6), codec="ffv1", pix_fmt="yuv444p")
    rows, report, shown = measured(clip, **({} if own else {"clips": [], "runs": 1}))
    (note,) = report.notes
    case = "video: own [1].mkv" if own else "video: 40 frames H.264 of 320 x 180, as x264 writes it"
    assert {(row.suite, row.case, row.unit) for row in rows.values()} == {("video", f"{case}, heat map", "frames")}
    assert note.startswith(f"{case}: 6 frames ffv1 of 64 x 48; 25 frames/s" if own else f"{case}: 30 frames/s")
    assert ("brightness alone is not compared: yuv444p" in note) == own
    assert ("made in" in note) == (not own)
    assert "makes the heat map with numpy and nothing else: " in note
    assert set(rows) == {*OURS, *(() if own else LUMA), PLAIN, "cv2.VideoCapture.read alone", *DECODING}
    assert {len(row.runs_s) for row in rows.values()} == {2 if own else 1}
    assert {row.spread is None for row in rows.values()} == {not own}
    assert ("one run" in shown) == (not own)
    assert max(map(len, shown.splitlines())) <= 110
    fastest = max(DECODING, key=lambda name: rows[name].items_per_s or 0)
    assert f"'of decoding' is of {fastest}" in shown
    for name, row in rows.items():
        assert row.ours == name.startswith("gpuheat")
        assert row.median_s is not None
        assert row.items_per_s == pytest.approx((6 if own else 40) / row.median_s)
        assert row.processor_s is not None
        assert row.processor_s > 0
        assert row.difference == (None if "alone" in name else 0)
        (line,) = (line for line in shown.splitlines() if line.startswith(name))
        assert f" {row.items_per_s:,.1f} " in line
        assert f" {row.times_as_fast_as.get(PLAIN, 1.0):.2f} x " in line
        assert line.rstrip().endswith(f" {100 * row.times_as_fast_as.get(fastest, 1.0):.0f} %")
