"""Results read back from their folders: to the last bit, or refused with a line that says why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import encode, scene

from gpuheat import FixationHeatmap, InputError, MotionHeatmap, fixation_heatmap, get_backend, motion_heatmap
from gpuheat.jobs.results import read_result

BACKEND = get_backend("numpy")
FIXATIONS = ("a,0,200,10,10", "a,1,100,12,11", "b,2,450,60,30", "b,3,50,80,40")


def fixations(tmp_path: Path, **options: Any) -> FixationHeatmap:
    (tmp_path / "export").mkdir()
    head = "section id,start timestamp [ns],end timestamp [ns],fixation detected in reference image,"
    head += "recording id,fixation id,duration [ms],fixation x [px],fixation y [px]"
    lines = [head, *(f"s,0,0,true,{line}" for line in FIXATIONS)]
    (tmp_path / "export" / "fixations.csv").write_text("\n".join(lines))
    return fixation_heatmap(tmp_path / "export", size=(96, 64), bins=24, backend=BACKEND, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    motion_heatmap(scene(8), times=[n / 4 for n in range(8)], backend=BACKEND).save(folder)
    return folder


@pytest.fixture
def saved(whole: Path, tmp_path: Path) -> Path:
    """A result of a test's own."""
    return Path(shutil.copytree(whole, tmp_path / "out"))


@pytest.mark.parametrize(
    "options",
    [{}, {"half_life": 0.5, "blur": 1.5}, {"downscale": 3, "max_changed": 0.1}, {"times": None, "pixels": "luma"}],
    ids=str,
)
def test_motion_is_read_back_to_the_last_bit(tmp_path: Path, options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"times": [n / 7 for n in range(12)], "backend": BACKEND} | options
    written = motion_heatmap(scene(12, 40, 57), **given)
    written.save(tmp_path)
    read = read_result(tmp_path, BACKEND)
    assert isinstance(read, MotionHeatmap)
    for name in ("counts", "heat", "moved", "counted", "frames", "times", "decayed"):
        one, other = getattr(written, name), getattr(read, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, err_msg=name)
    assert (read.settings, read.facts, read.peak) == (written.settings, written.facts, written.peak)
    assert read.summary == written.summary
    assert written.background is not None
    assert read.background is not None
    assert np.abs(read.background.astype(int) - written.background).mean() < 6


def test_several_videos_are_read_back(tmp_path: Path) -> None:
    clips = [encode(tmp_path / f"{n}.mp4", scene(5, seed=n), rate=10) for n in range(2)]
    written = motion_heatmap(clips, backend=BACKEND)
    written.save(tmp_path / "out")
    read = read_result(tmp_path / "out", BACKEND)
    assert read.summary == written.summary
    assert np.array_equal(np.load(tmp_path / "out" / "counts.npy"), written.counts)


@pytest.mark.parametrize(
    "options", [{}, {"weight": "count"}, {"equal_recordings": True}, {"recordings": ["b"]}], ids=str
)
def test_fixations_are_read_back_to_the_last_bit(tmp_path: Path, options: dict[str, Any]) -> None:
    written = fixations(tmp_path, **options)
    written.save(tmp_path / "out")
    read = read_result(tmp_path / "out", BACKEND)
    assert isinstance(read, FixationHeatmap)
    np.testing.assert_array_equal(read.histogram, written.histogram)
    np.testing.assert_array_equal(read.heat, written.heat)
    assert (read.balanced is None) == (written.balanced is None)
    assert read.unit == written.unit
    assert read.summary == written.summary
    assert read.full_scale == written.full_scale


def test_results_of_version_0_3_0_are_read(tmp_path: Path) -> None:
    written = fixations(tmp_path, weight="count")
    written.save(tmp_path / "out")
    (tmp_path / "out" / "background.jpg").unlink()
    change(lambda summary: summary["result"].pop("unit"))(tmp_path / "out")
    read = read_result(tmp_path / "out", BACKEND)
    assert isinstance(read, FixationHeatmap)
    assert (read.unit, read.background) == ("count", None)


def change(how: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Changes a ``summary.json``."""

    def write(folder: Path) -> None:
        summary = json.loads((folder / "summary.json").read_text())
        how(summary)
        (folder / "summary.json").write_text(json.dumps(summary))

    return write


def replace(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def other_array(array: Any) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / "counts.npy", array)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (replace("summary.json", b'{"settings": {'), r"summary\.json is damaged .*run gpuheat again"),
        (replace("summary.json", b"\xff\xfe"), r"summary\.json is damaged"),
        (replace("summary.json", b"[1, 2]"), "is not of a heat map"),
        (replace("summary.json", b'{"name": "a package", "settings": {}}'), "is not of a heat map"),
        (change(lambda summary: summary.update(result={"size": 1})), "neither a motion nor a fixation heat map"),
        (change(lambda summary: summary["result"].pop("pixels_watched")), "has no 'pixels_watched'.*another version"),
        (change(lambda summary: summary["settings"].pop("half_life")), "has no 'half_life'.*another version"),
        (change(lambda summary: summary["result"].update(size=[1])), "is not as expected.*another version"),
        (change(lambda summary: summary["settings"].update(half_life=2.0)), r"decayed\.npy is missing"),
        (change(lambda summary: summary["result"].update(pairs=3)), r"activity\.csv has other pairs"),
        (change(lambda summary: summary["result"].update(highest_count=1)), r"counts\.npy does not belong"),
        (lambda folder: (folder / "counts.npy").unlink(), r"counts\.npy is missing"),
        (lambda folder: (folder / "activity.csv").unlink(), r"activity\.csv is missing"),
        (replace("counts.npy", b""), r"counts\.npy is damaged"),
        (replace("counts.npy", b"\x93NUMPY\x01\x00v\x00{'descr'"), r"counts\.npy is damaged"),
        (replace("activity.csv", b"frame,time_s\n1,x\n"), r"activity\.csv is damaged"),
        (replace("activity.csv", b""), r"activity\.csv is damaged"),
        (replace("background.jpg", b"no picture"), r"background\.jpg: it is damaged"),
        (other_array(np.zeros((48, 64), np.int64)), r"uint32 of shape \(48, 64\) is expected, it holds int64"),
        (other_array(np.zeros((4, 6), np.uint32)), r"it holds uint32 of shape \(4, 6\)"),
        (other_array(np.array([None])), r"counts\.npy is damaged"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_the_file(
    saved: Path, harm: Callable[[Path], None], message: str
) -> None:
    harm(saved)
    with pytest.raises(InputError, match=message) as caught:
        read_result(saved, BACKEND)
    assert "\n" not in str(caught.value)
    assert str(saved) in str(caught.value)


def test_what_is_no_folder_of_results(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, message in (
        (tmp_path / "nowhere", "does not exist: name a folder"),
        (tmp_path / "file", "is a file: name a folder"),
        (tmp_path, r"holds no result, summary\.json is missing: name a folder"),
    ):
        with pytest.raises(InputError, match=message):
            read_result(path, BACKEND)


def test_a_histogram_of_another_run_is_noticed(tmp_path: Path) -> None:
    fixations(tmp_path).save(tmp_path / "out")
    np.save(tmp_path / "out" / "histogram.npy", np.ones((16, 24), np.uint64))
    with pytest.raises(InputError, match=r"histogram\.npy does not belong"):
        read_result(tmp_path / "out", BACKEND)
