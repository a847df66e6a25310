"""Live video from servers on this machine: its time line, its interruptions, and what ends it."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import decoded, encode, scene
from servers import http, rtsp, serve, silence, unavailable

from gpuheat.errors import VideoError
from gpuheat.inputs import live
from gpuheat.inputs.address import Origin, origin_of
from gpuheat.inputs.frames import Frame
from gpuheat.inputs.live import LiveReader
from gpuheat.inputs.video import VideoReader

FRAMES = 24
RATE = 25


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_PAUSE", 0.02)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("clips") / "clip.ts", scene(FRAMES), rate=RATE)


@pytest.fixture(scope="module")
def stream(clip: Path) -> bytes:
    return clip.read_bytes()


def origin(port: int, kind: str = "http") -> Origin:
    found = origin_of(f"{kind}://user:s3cr3t@127.0.0.1:{port}/live?token=t0ken")
    assert found is not None
    return found


def read(reader: LiveReader, frames: int | None = None) -> list[Frame]:
    """So many of its frames, None: all."""
    found = []
    for frame in reader:
        found.append(frame)
        if len(found) == frames:
            break
    return found


def times(frames: list[Frame]) -> list[Fraction]:
    return [frame.time for frame in frames if frame.time is not None]


def test_a_stream_that_announces_its_end_is_read_like_a_file(clip: Path, stream: bytes) -> None:
    with serve(http(stream, announced=len(stream))) as (port, _), LiveReader(origin(port)) as reader:
        frames = read(reader)
        assert not reader.live
        assert reader.warnings == []
    with VideoReader(clip) as file:
        for mine, theirs in zip(frames, file, strict=True):
            assert (mine.number, mine.time) == (theirs.number, theirs.time)
            np.testing.assert_array_equal(mine.bgr(), theirs.bgr())


def test_a_connection_that_is_lost_is_made_again(clip: Path, stream: bytes) -> None:
    answers = (http(stream), unavailable, lambda _: None, http(stream))
    with serve(*answers) as (port, asked), LiveReader(origin(port)) as reader:
        frames = read(reader, 2 * FRAMES - 5)
        assert reader.live
        facts, warnings = reader.facts, reader.warnings
    assert len(asked) == 4
    pictures = [shown.bgr for shown in decoded(clip)]
    for frame in frames:
        np.testing.assert_array_equal(frame.bgr(), pictures[frame.number % FRAMES])
    assert reader.first_frames == [FRAMES]
    stamps = times(frames)
    tick = Fraction(1, RATE)
    assert stamps[:FRAMES] == [number * tick for number in range(FRAMES)]
    again = stamps[FRAMES]
    assert stamps[FRAMES:] == [again + number * tick for number in range(len(stamps) - FRAMES)]
    assert again >= stamps[FRAMES - 1]
    (interruption,) = facts["interruptions"]
    assert interruption["time_s"] == float(stamps[FRAMES - 1])
    assert 0.02 <= interruption["seconds"] < 30
    assert interruption["because"] in ("it ended", "Input/output error")
    (warning,) = warnings
    assert warning.startswith(f"{reader.name}: interrupted once, for ")


def test_the_time_line_goes_on_by_the_clock_while_there_is_no_connection(
    stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FIRST_PAUSE", 1.2)  # longer than the clip
    with serve(http(stream)) as (port, _), LiveReader(origin(port)) as reader:
        stamps = times(read(reader, FRAMES + 1))
        length = reader.facts["interruptions"][0]["seconds"]
    assert length >= 1.2
    assert float(stamps[-1]) >= 1.2


def test_pauses_double_up_to_the_longest(
    stream: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live, "LONGEST_PAUSE", 0.05)
    caplog.set_level("INFO", "gpuheat")
    with serve(http(stream), *[unavailable] * 3, http(stream)) as (port, _), LiveReader(origin(port)) as reader:
        read(reader, FRAMES + 1)
    said = [record.getMessage() for record in caplog.records]
    assert [line.rpartition("trying again in ")[2] for line in said[:-1]] == ["0.02 s", "0.04 s", "0.05 s", "0.05 s"]
    assert "back after" in said[-1]
    assert all(line.startswith(f"{reader.name}: ") for line in said)
    assert not [line for line in said if "s3cr3t" in line or "t0ken" in line or "user" in line]


def test_a_connection_that_falls_silent_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TIMEOUT", 1.0)
    long = encode(tmp_path / "long.ts", scene(12 * FRAMES), rate=RATE).read_bytes()
    with serve(http(long, then=silence), http(long)) as (port, _), LiveReader(origin(port)) as reader:
        for _frame in reader:
            if reader.first_frames:
                break
        (interruption,) = reader.facts["interruptions"]
    assert interruption["because"] == "nothing came for 1 s"
    assert interruption["seconds"] >= 1


def test_what_cannot_be_opened_at_first_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(unavailable) as (port, _), pytest.raises(VideoError) as refused:
        LiveReader(origin(port))
    with pytest.raises(VideoError, match="Connection refused") as gone:
        LiveReader(origin(port))
    monkeypatch.setattr(live, "TIMEOUT", 0.2)
    with serve(silence) as (port, _), pytest.raises(VideoError, match=r"nothing came for 0\.2 s") as silent:
        LiveReader(origin(port))
    with (
        serve(http(b"no video at all" * 100)) as (port, _),
        pytest.raises(VideoError, match="cannot be opened") as text,
    ):
        LiveReader(origin(port))
    for caught in (refused, gone, silent, text):
        error: BaseException | None = caught.value
        assert str(error).startswith("http://***@127.0.0.1:")
        assert error is not None
        assert error.__cause__ is None
        assert error.__context__ is None


@pytest.mark.parametrize("jump", [-1000, 1000])
def test_time_stamps_that_jump_do_not_move_the_time_line(tmp_path: Path, jump: int) -> None:
    tick = Fraction(1, RATE)
    parts = []
    for number, begin in enumerate((2000, 2000 + jump)):
        stamps = [begin + frame * tick for frame in range(FRAMES)]
        parts.append(encode(tmp_path / f"{number}.ts", scene(FRAMES), times=stamps).read_bytes())
    with serve(http(b"".join(parts))) as (port, _), LiveReader(origin(port)) as reader:
        stamps = times(read(reader, 2 * FRAMES - 4))
        assert reader.leaps == 1
        assert reader.first_frames == []
    steps = np.diff(np.array(stamps, np.float64))
    assert (steps >= 0).all()
    assert stamps[-1] < 30
    assert np.count_nonzero(np.abs(steps - float(tick)) < 1e-9) == len(steps) - 1


def test_frames_without_time_stamps_are_placed_by_their_arrival() -> None:
    pictures = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in scene(FRAMES)]
    data = b"".join(
        b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(picture), picture)
        for picture in pictures
    )
    began = time.monotonic()
    with serve(http(data, seconds=0.5, then=silence)) as (port, _), LiveReader(origin(port)) as reader:
        stamps = times(read(reader, FRAMES - 2))
        assert reader.facts["container"] == "mpjpeg"
        assert reader.warnings == [
            f"{reader.name}: {len(stamps)} frames have no time stamp and were placed by their arrival"
        ]
    assert 0 == stamps[0] < stamps[-1] <= time.monotonic() - began
    assert sorted(stamps) == stamps


def test_a_picture_of_another_size_ends_it(tmp_path: Path, stream: bytes) -> None:
    other = encode(tmp_path / "other.ts", scene(FRAMES, 64, 80), rate=RATE).read_bytes()
    changes = pytest.raises(VideoError, match="the picture changes from 64 x 48 to 80 x 64 px at frame 24")
    with serve(http(stream), http(other)) as (port, _), LiveReader(origin(port)) as reader, changes:
        read(reader)
    with serve(http(stream)) as (port, _), pytest.raises(VideoError, match="64 x 48 px have more than the 3,071"):
        LiveReader(origin(port), max_pixels=64 * 48 - 1)


def test_it_is_not_opened_again_when_its_time_is_over(stream: bytes) -> None:
    with serve(http(stream), unavailable) as (port, _):
        began = time.monotonic()
        with LiveReader(origin(port), until=Fraction(1)) as reader:
            assert len(read(reader)) == FRAMES
            assert reader.frames_expected == RATE
            assert len(reader.facts["interruptions"]) == 1
        assert time.monotonic() - began > 0.9


def test_a_stream_of_the_web_that_breaks_off_before_its_end_is_an_error(stream: bytes) -> None:
    cut = http(stream[: len(stream) // 2], announced=len(stream))
    with serve(cut) as (port, _), LiveReader(origin(port)) as reader:
        with pytest.raises(VideoError, match="cannot be read on"):
            read(reader)
        assert 0 < reader.frames_decoded < FRAMES


def test_cameras_are_read_by_video4linux() -> None:
    """There is none to test with; but PyAV's FFmpeg has what reads them."""
    with pytest.raises(VideoError, match=r"^camera: cannot be opened as a video: Inappropriate ioctl for device$"):
        LiveReader(Origin("camera", comes_back=True, url="/dev/null", format="v4l2"))


def test_a_camera_is_read_over_rtsp_by_who_may(clip: Path, stream: bytes) -> None:
    pictures = [shown.bgr for shown in decoded(clip)]
    with serve(rtsp(stream, user="user:s3cr3t")) as (port, asked):
        with LiveReader(origin(port, "rtsp")) as reader:
            frames = read(reader, FRAMES - 2)
            assert reader.name == f"rtsp://***@127.0.0.1:{port}/live"
        for frame in frames:
            np.testing.assert_array_equal(frame.bgr(), pictures[frame.number])
        assert "token=t0ken" in asked[0]
        stranger = origin_of(f"rtsp://user:wrong@127.0.0.1:{port}/live")
        assert stranger is not None
        with pytest.raises(VideoError, match="401 Unauthorized"):
            LiveReader(stranger)
