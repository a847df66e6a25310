"""What ``gpuheat motion`` writes on request, as people meet it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from clips import decoded, encode, scene
from result_files import MOTION_FILES

from gpuheat import motion_heatmap
from gpuheat.cli import main

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = [sys.executable, "-c", "from gpuheat.cli import main; main()"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """25 still frames, 25 moving ones, 25 still ones; 25 a second."""
    still = np.repeat(scene(1), 25, axis=0)
    frames = np.concatenate([still, scene(25), still])
    return encode(tmp_path_factory.mktemp("clips") / "a & <b>.mp4", frames, options={"qp": "0"})


def gpuheat(*arguments: object) -> int:
    """Run the command line in this process; the exit code."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code if isinstance(caught.value.code, int) else 0


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def summary(folder: Path) -> Any:
    return json.loads((folder / "summary.json").read_text("utf-8"))


def events(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "events.csv").read_text().splitlines()))


def test_events(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpuheat("motion", clip, "-o", tmp_path, "--events") == 0
    assert "74 frame pairs, 1 event, " in capsys.readouterr().out
    assert files(tmp_path) == sorted([*MOTION_FILES, "events.csv", "events.png"])
    (event,) = motion_heatmap(clip).events()
    (row,) = events(tmp_path)
    assert (float(row["start_s"]), float(row["end_s"])) == (event.start, event.end) == (1.04, 2.0)
    written = summary(tmp_path)["events"]
    assert written["number"] == 1
    assert written["rule"] == {"enter": 2e-4, "leave": 5e-5, "gap": 2.0, "shortest": 0.5, "pad": 0.0}


def test_what_is_left_of_an_earlier_run_is_named(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert gpuheat("motion", clip, "-o", tmp_path, "--events", "--slices", 2, "-q") == 0
        assert capsys.readouterr().err == ""
    assert gpuheat("motion", clip, "-o", tmp_path, "--slices", 3, "-q") == 0
    assert capsys.readouterr().err == f"gpuheat: warning: events.csv, events.png in {tmp_path} are of an earlier run\n"


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["--event-pad", "0.2"], [("0.84", "2.2")]),
        (["--event-min", "3"], []),
        (["--event-enter", "0.9"], []),
        (["--event-leave", "0.9", "--event-enter", "1"], []),
        (["--event-gap", "0"], [("1.04", "2.0")]),
    ],
)
def test_every_option_of_an_event_has_its_effect(
    clip: Path, tmp_path: Path, arguments: Sequence[str], rows: list[tuple[str, str]]
) -> None:
    assert gpuheat("motion", clip, "-o", tmp_path, "-q", *arguments) == 0
    assert [(row["start_s"], row["end_s"]) for row in events(tmp_path)] == rows


def test_of_a_pipe_there_is_a_table_of_events(clip: Path, tmp_path: Path) -> None:
    stream = encode(tmp_path / "clip.mkv", [shown.bgr for shown in decoded(clip)]).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = Thread(target=pipe.write_bytes, args=(stream,))
    writing.start()
    assert gpuheat("motion", pipe, "-o", tmp_path / "out", "-q", "--events") == 0
    writing.join()
    assert files(tmp_path / "out") == sorted([*MOTION_FILES, "events.csv"])
    assert len(events(tmp_path / "out")) == 1


def test_video(clip: Path, tmp_path: Path) -> None:
    assert gpuheat("motion", clip, "-o", tmp_path, "-q", "--video", "heat.mp4", "--tone", "percentile:99") == 0
    assert files(tmp_path) == sorted([*MOTION_FILES, "heat.mp4"])
    assert len(decoded(tmp_path / "heat.mp4")) == 75
    assert summary(tmp_path)["settings"]["half_life"] is None  # the counts are not decayed
    assert summary(tmp_path)["video"] == {
        "name": "heat.mp4",
        "frames": 75,
        "begins_s": 0.0,
        "half_life": 1.0,
        "full_scale": "in motion in 50 % of the recent frames",
        "tone": "linear",
        "alpha": "value",
    }


def test_the_video_has_the_options_of_the_counting_and_of_the_pictures(clip: Path, tmp_path: Path) -> None:
    both = encode(tmp_path / "b.mp4", scene(25))
    arguments = ["--video", "heat.mp4", "--half-life", "0.3", "--alpha", "0.5", "--tone", "sqrt", "--every", "2"]
    assert gpuheat("motion", clip, both, "-o", tmp_path / "out", "-q", "--start", "0.2", *arguments) == 0
    video = summary(tmp_path / "out")["video"]
    assert (video["half_life"], video["alpha"], video["tone"], video["begins_s"]) == (0.3, 0.5, "sqrt", 0.2)
    assert video["frames"] == 35 + 13 == summary(tmp_path / "out")["input"]["frames_compared"]


def test_where_reading_has_to_stop_the_video_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = encode(tmp_path / "1.mp4", scene(8)), encode(tmp_path / "2.mp4", scene(8, 64, 64))
    assert gpuheat("motion", one, other, "-o", tmp_path / "out", "-q", "--video", "v.mp4", "--events") == 3
    assert files(tmp_path / "out") == sorted([*MOTION_FILES, "events.csv", "events.png", "v.mp4"])
    assert len(decoded(tmp_path / "out" / "v.mp4")) == 8
    left_out = [line for line in capsys.readouterr().err.splitlines() if "left out: " in line]
    assert len(left_out) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--video", "out.avi"], "ends with .mp4"),
        (["--video", "a/b.mp4"], "plain file name"),
        (["--video", "v.mp4", "--keyframes"], "--video needs all frames"),
        (["--event-enter", "2"], "enter must be a share above 0 and up to 1"),
        (["--event-enter", "0.1", "--event-leave", "0.2"], "leave must be at most enter"),
        (["--event-gap", "-1"], "gap must be a number of seconds"),
    ],
)
def test_wrong_options_are_told_before_anything_is_counted(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], words: str
) -> None:
    assert gpuheat("motion", clip, "-o", tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_video_of_what_is_read_once_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpuheat("motion", "rtsp://127.0.0.1:1/x", "-o", tmp_path / "out", "--video", "v.mp4") == 2
    assert "for files, not for live video, addresses or a pipe" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="a signal is sent")
def test_ctrl_c_leaves_the_heat_map_and_no_half_video(tmp_path: Path) -> None:
    long = encode(tmp_path / "long.mp4", np.tile(scene(50, 240, 320), (5, 1, 1, 1)), options={"preset": "ultrafast"})
    out = tmp_path / "out"
    command = [*COMMAND, "motion", str(long), "-o", str(out), "--video", "v.mp4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while not any(out.glob(".gpuheat-*/v.mp4")):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "gpuheat: error: interrupted; the heat map is written, video not"
    assert files(out) == MOTION_FILES
