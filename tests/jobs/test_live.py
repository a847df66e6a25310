"""From live video to heat maps: counted over interruptions, ended at a word, and no secret is told."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, encode, noise, recipe, scene
from numpy.typing import NDArray
from PIL import Image
from result_files import MOTION_FILES
from servers import http, rtsp, serve, silence

from gpuheat import InputError, MotionHeatmap, OptionError, motion_heatmap
from gpuheat.cli import main
from gpuheat.errors import IncompleteError
from gpuheat.inputs import live

COMMAND = [sys.executable, "-c", "from gpuheat.cli import main; main()"]
SECRETS = ["us3r", "s3cr3t", "p@ss", "p%40ss", "t0ken", "s3ssion"]
FRAMES, RATE = 24, 25


def secret_address(port: int, kind: str = "http") -> str:
    return f"{kind}://us3r:p%40ss-s3cr3t@127.0.0.1:{port}/live?token=t0ken&x=s3ssion"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_PAUSE", 0.02)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return tuple(encode(folder / f"{seed}.ts", scene(FRAMES, seed=seed), rate=RATE) for seed in (0, 1))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def pictures(clips: tuple[Path, Path]) -> list[list[NDArray[np.uint8]]]:
    return [[shown.bgr for shown in decoded(clip)] for clip in clips]


@pytest.mark.parametrize(("every", "pixels"), [(1, "bgr"), (5, "bgr"), (1, "luma")])
def test_no_pair_is_made_across_an_interruption(
    clips: tuple[Path, Path], pictures: list[list[NDArray[np.uint8]]], every: int, pixels: Any
) -> None:
    first, second = (clip.read_bytes() for clip in clips)
    with serve(http(first), http(second), http(b"")) as (port, _):
        result = motion_heatmap(f"http://127.0.0.1:{port}/", duration=3, every=every, pixels=pixels, backend="numpy")
    assert result.times is not None
    assert (np.diff(result.times) >= 0).all()
    assert result.times[-1] < 3
    numbers = range(0, 2 * FRAMES, every)
    runs = [[n for n in numbers if n < FRAMES], [n for n in numbers if n >= FRAMES]]
    read = result.facts["input"]["frames_compared"] - len(runs[0])
    assert 2 <= read <= len(runs[1])
    runs[1] = runs[1][:read]
    assert result.frames.tolist() == runs[0][1:] + runs[1][1:]
    assert len(result.moved) == len(result.frames) == len(result.times)
    if pixels == "bgr":
        both = [recipe([pictures[n // FRAMES][n % FRAMES] for n in run]) for run in runs]
        np.testing.assert_array_equal(result.accumulator, both[0][0] + both[1][0])
        assert result.moved.tolist() == both[0][1] + both[1][1]


def test_it_ends_when_the_duration_is_over(clips: tuple[Path, Path]) -> None:
    data = clips[0].read_bytes()
    with serve(http(data, then=silence)) as (port, _):
        result = motion_heatmap(f"http://127.0.0.1:{port}/", start=0.2, duration="0.4", backend="numpy")
    expected = motion_heatmap(clips[0], start=0.2, end=0.6, backend="numpy")
    np.testing.assert_array_equal(result.counts, expected.counts)
    assert result.frames.tolist() == expected.frames.tolist()
    assert result.settings["end"] == 0.6
    with serve(http(data), http(b"")) as (port, _):
        result = motion_heatmap(f"http://127.0.0.1:{port}/", duration=1.3, backend="numpy")
    np.testing.assert_array_equal(result.counts, motion_heatmap(clips[0], backend="numpy").counts)
    assert len(result.facts["input"]["interruptions"]) == 1


def test_a_camera_over_rtsp(clips: tuple[Path, Path]) -> None:
    with serve(rtsp(clips[0].read_bytes(), user="us3r:p@ss-s3cr3t")) as (port, _):
        result = motion_heatmap(secret_address(port, "rtsp"), duration=0.8, backend="numpy")
    np.testing.assert_array_equal(result.counts, motion_heatmap(clips[0], end=0.8, backend="numpy").counts)
    assert not [secret for secret in SECRETS if secret in json.dumps(result.facts) + repr(result)]


def test_a_picture_of_another_size_keeps_what_was_counted(clips: tuple[Path, Path], tmp_path: Path) -> None:
    other = encode(tmp_path / "other.ts", scene(FRAMES, 64, 80), rate=RATE).read_bytes()
    changes = pytest.raises(IncompleteError, match="the picture changes")
    with serve(http(clips[0].read_bytes()), http(other)) as (port, _), changes as caught:
        motion_heatmap(f"http://127.0.0.1:{port}/", backend="numpy")
    np.testing.assert_array_equal(caught.value.heatmap.counts, motion_heatmap(clips[0], backend="numpy").counts)


def test_options_of_live_video(clips: tuple[Path, Path], tmp_path: Path) -> None:
    clip = clips[0]
    for options, message in [
        ({"end": 1, "duration": 1}, "end and duration exclude each other"),
        ({"duration": 0}, "duration must be above 0 s, got 0"),
        ({"duration": "soon"}, "a time must be a finite number"),
        ({"on_refresh": print, "refresh": 0}, "refresh must be a number of seconds above 0, got 0"),
    ]:
        with pytest.raises(OptionError, match=message):
            motion_heatmap(clip, **options)  # type: ignore[arg-type]
    with serve(http(clip.read_bytes())) as (port, _):
        with pytest.raises(OptionError, match="live video is decoded by the CPU"):
            motion_heatmap(f"http://127.0.0.1:{port}/", decode="gpu")
        with pytest.raises(OptionError, match="not for frames in memory or live video"):
            motion_heatmap(f"http://127.0.0.1:{port}/", checkpoint=tmp_path / "checkpoint")
    with pytest.raises(InputError, match=r"/dev/none: cannot be opened"):
        motion_heatmap("/dev/none")


def test_results_in_between(clips: tuple[Path, Path]) -> None:
    found: list[MotionHeatmap] = []
    result = motion_heatmap(clips[0], refresh=1e-9, on_refresh=found.append, jobs=1, backend="numpy")
    assert [len(heatmap.moved) for heatmap in found] == [*range(1, FRAMES)]
    np.testing.assert_array_equal(found[-1].counts, result.counts)
    part = found[9]
    np.testing.assert_array_equal(part.counts, motion_heatmap(clips[0], end=0.44, backend="numpy").counts)
    assert part.frames.tolist() == [*range(1, 11)]
    found.clear()
    motion_heatmap(clips[0], refresh=3600, on_refresh=found.append, backend="numpy")
    assert found == []


# --- the command line ---------------------------------------------------------------------------------------------


@contextmanager
def process(*arguments: object, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The command line in a process of its own, which is gone at the end."""
    command = [*COMMAND, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as running:
        try:
            yield running
        finally:
            running.kill()


def until(there: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    """Wait for something that the process brings about."""
    limit = time.monotonic() + 60
    while not there():
        assert running.poll() is None, running.communicate()[1].decode()
        assert time.monotonic() < limit
        time.sleep(0.02)


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return read


def in_sight(folder: Path, *printed: bytes) -> list[str]:
    """The secrets that are to be found anywhere in what was written or printed, or in names."""
    seen = [*printed, *(os.fsencode(path.name) for path in folder.rglob("*"))]
    for path in folder.rglob("*"):
        seen.append(path.read_bytes())
        if path.suffix == ".png":
            with Image.open(path) as image:
                seen.append(repr(image.info).encode())
    return [secret for secret in SECRETS if any(secret.encode() in data for data in seen)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_live_video_is_counted_until_it_is_ended(clips: tuple[Path, Path], tmp_path: Path, number: int) -> None:
    """With results in between; and nothing that is written or printed tells a secret."""
    first, second = (clip.read_bytes() for clip in clips)
    out = tmp_path / "out"
    with serve(http(first), http(second * 50, seconds=60)) as (port, asked):
        arguments = ("motion", secret_address(port), "-o", out, "--backend", "numpy", "--refresh", "0.2", "--debug")
        with process(*arguments) as running:
            until(lambda: (out / "summary.json").exists() and bool(summary(out)["input"]["interruptions"]), running)
            assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == MOTION_FILES
            so_far = summary(out)["result"]["pairs"]
            running.send_signal(number)
            printed, said = running.communicate(timeout=30)
    assert running.returncode == 0, said
    assert sorted(path.name for path in out.iterdir()) == MOTION_FILES
    found = summary(out)
    assert found["result"]["pairs"] >= so_far > 0
    assert found["input"]["path"] == f"http://***@127.0.0.1:{port}/live"
    assert np.load(out / "counts.npy").max() == found["result"]["highest_count"]
    assert f"http://***@127.0.0.1:{port}/live: interrupted (".encode() in said
    assert b"t0ken" in asked[0].encode()
    assert in_sight(out, printed, said) == []


def test_standard_input(clips: tuple[Path, Path], tmp_path: Path) -> None:
    out, data = tmp_path / "out", clips[0].read_bytes()
    with process("motion", "-", "-o", out, "--backend", "numpy", stdin=subprocess.PIPE) as running:
        printed, said = running.communicate(data, timeout=60)
    assert (running.returncode, said) == (0, b"")
    assert printed.startswith(b"standard input: motion in ")
    expected = motion_heatmap(clips[0], backend="numpy")
    np.testing.assert_array_equal(np.load(out / "counts.npy"), expected.counts)
    assert summary(out)["input"]["name"] == "standard input"
    assert summary(out)["input"]["decoded_on"] == "cpu"


def test_standard_input_that_would_have_to_be_read_backwards(tmp_path: Path) -> None:
    pictures = noise((5, 240, 320, 3))
    data = encode(tmp_path / "index_at_the_end.mp4", pictures).read_bytes()
    assert len(data) > 2**17
    with process("motion", "-", "-o", tmp_path / "out", stdin=subprocess.PIPE) as running:
        _, said = running.communicate(data, timeout=60)
    assert running.returncode == 2
    assert said.strip().endswith(b"an MP4 whose index is at its end can be read only as a file")


def test_standard_input_that_is_a_terminal(tmp_path: Path) -> None:
    leader, terminal = pty.openpty()
    try:
        with process("motion", "-", "-o", tmp_path / "out", stdin=terminal) as running:
            _, said = running.communicate(timeout=30)
    finally:
        os.close(terminal)
        os.close(leader)
    assert running.returncode == 2
    assert said.startswith(b"gpuheat: error: standard input is a terminal")
    assert not (tmp_path / "out").exists()


def test_a_pipe_that_is_not_over_is_ended_at_a_word(tmp_path: Path) -> None:
    out, pipe, long = tmp_path / "out", tmp_path / "pipe", encode(tmp_path / "long.ts", scene(12 * FRAMES))
    os.mkfifo(pipe)
    arguments = ("motion", pipe, "-o", out, "--backend", "numpy", "--refresh", "0.01")
    with process(*arguments) as running, pipe.open("wb", buffering=0) as writer:
        writer.write(long.read_bytes())
        until((out / "summary.json").exists, running)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    assert running.returncode == 0
    assert summary(out)["result"]["pairs"] > 0


def test_before_anything_came_there_is_no_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("motion", "-o", out, "--backend", "numpy")
    with serve(silence) as (port, asked), process(*arguments, secret_address(port)) as running:
        until(lambda: bool(asked), running)
        running.send_signal(signal.SIGINT)
        printed, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert said.strip() == b"gpuheat: error: interrupted"
    assert not out.exists()
    assert in_sight(tmp_path, printed, said) == []


def test_errors_tell_no_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(silence) as (port, _):
        pass  # nobody listens there any more
    address = secret_address(port)
    for arguments in (
        ["motion", address, "-o", "OUT"],
        ["motion", "clip.mp4", address, "-o", "OUT"],
        ["motion", address.replace("http", "htpt"), "-o", "OUT"],
        ["motion", address.replace("http://", "http:/"), "-o", "OUT"],
        ["motion", address, "-o", "OUT", "--mask", address],
        ["motion", address, "-o", "OUT", "--end", address],
        ["motion", f"--url={address}", "-o", "OUT"],
        ["motion", address, "-o", "OUT", "--resume"],
        [address],
        ["fixations", address, "-o", "OUT"],
    ):
        given = [str(tmp_path / "out") if argument == "OUT" else argument for argument in arguments]
        for debug in ([], ["--debug"]):
            with pytest.raises(SystemExit) as caught:
                main([*debug, *given])
            assert caught.value.code == 2, given
            printed = capsys.readouterr()
            assert "gpuheat: error: " in printed.err
            assert in_sight(tmp_path, printed.out.encode(), printed.err.encode()) == [], (given, printed)
