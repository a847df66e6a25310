"""Video files of every awkward kind, made here, against PyAV with a single thread."""

from __future__ import annotations

import os
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from clips import Shown, decoded, encode, noise, scene, turn_mp4
from numpy.typing import NDArray

from gpuheat.errors import VideoError
from gpuheat.inputs.video import VideoReader


def read(path: Path) -> tuple[list[Shown], dict[str, Any]]:
    """What the reader gives, and its facts."""
    with VideoReader(path) as reader:
        shown = [Shown(frame.time, frame.bgr().copy(), reader.rotation) for frame in reader]
        assert reader.frames_decoded == len(shown)
        return shown, reader.facts


def assert_as_decoded(path: Path) -> tuple[list[Shown], dict[str, Any]]:
    """Every picture and time is PyAV's own; returns them."""
    shown, facts = read(path)
    expected = decoded(path)
    assert [frame.time for frame in shown] == [frame.time for frame in expected]
    for got, want in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(got.bgr, want.bgr)
        assert isinstance(got.time, Fraction)
    return shown, facts


def refusal(path: Path) -> str:
    """The one line with which a file is refused; it names the file."""
    with pytest.raises(VideoError) as caught, VideoReader(path) as reader:
        for _ in reader:
            pass
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# --- formats ----------------------------------------------------------------------------------------------------

FORMATS: dict[str, dict[str, Any]] = {
    "h264.mp4": {},
    "b-frames.mkv": {"options": {"bf": "3"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "stream.ts": {"codec": "mpeg2video"},
    "10-bit.mp4": {"pix_fmt": "yuv420p10le"},
    "444.mkv": {"pix_fmt": "yuv444p"},
    "grey.mkv": {"codec": "ffv1", "pix_fmt": "gray"},
    "raw.avi": {"codec": "rawvideo", "pix_fmt": "bgr24"},
    "rgb.avi": {"codec": "png", "pix_fmt": "rgb24"},
    "full-range.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("height", "width"), [(48, 64), (31, 45)])
def test_formats_and_sizes(tmp_path: Path, name: str, height: int, width: int) -> None:
    if name in ("h264.mp4", "b-frames.mkv", "10-bit.mp4") and height % 2:
        name = "vp9.webm"  # those encoders take even sizes only
    path = encode(tmp_path / name, scene(8, height, width), **FORMATS.get(name, {"codec": "libvpx-vp9"}))
    shown, facts = assert_as_decoded(path)
    assert len(shown) == facts["frames_decoded"] == 8
    assert (facts["width"], facts["height"]) == (width, height)
    assert shown[0].bgr.shape == (height, width, 3)
    assert [frame.time for frame in shown] == [Fraction(round(1000 * i / 25), 1000) for i in range(8)]
    assert (facts["broken_packets"], facts["corrupt_frames"], facts["damaged_from_frame"]) == (0, 0, None)
    assert facts["name"] == name
    assert facts["bytes"] == path.stat().st_size


@pytest.mark.parametrize("name", ["raw.avi", "grey.mkv"])
def test_lossless_pictures_come_as_they_were(tmp_path: Path, name: str) -> None:
    frames = noise((4, 30, 44, 3) if name == "raw.avi" else (4, 30, 44))
    shown, _ = read(encode(tmp_path / name, frames, **FORMATS[name]))
    for got, want in zip(shown, frames, strict=True):
        np.testing.assert_array_equal(got.bgr, want if want.ndim == 3 else np.repeat(want[..., None], 3, axis=2))


def test_uncompressed_pictures_that_lie_bottom_up_stand_upright(tmp_path: Path) -> None:
    frames = noise((3, 30, 44, 3))
    path = encode(tmp_path / "a.avi", frames, **FORMATS["raw.avi"])
    data = bytearray(path.read_bytes())
    height = data.index(b"strf") + 16
    assert int.from_bytes(data[height : height + 4], "little", signed=True) == -30
    data[height : height + 4] = (30).to_bytes(4, "little")  # a positive height: the last row comes first
    path.write_bytes(data)
    shown, _ = read(path)
    for got, grey, want in zip(shown, luma(path), frames[:, ::-1], strict=True):
        np.testing.assert_array_equal(got.bgr, want)
        np.testing.assert_array_equal(grey, cv2.cvtColor(np.ascontiguousarray(want), cv2.COLOR_BGR2GRAY))


def luma(path: Path) -> list[NDArray[np.uint8]]:
    with VideoReader(path) as reader:
        return [frame.luma().copy() for frame in reader]


def luma_planes(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [
            np.asarray(frame.to_ndarray(), np.uint8)[: frame.height, : frame.width]
            for frame in container.decode(video=0)
        ]


def test_luma_is_the_plane_spread_over_the_full_range(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", scene(5, 48, 50))
    planes = luma_planes(path)
    for got, plane in zip(luma(path), planes, strict=True):
        expected = np.array([min(255, max(0, ((y - 16) * 8 * 9539) >> 16)) for y in range(256)])[plane]
        np.testing.assert_array_equal(got, expected)
    full = encode(tmp_path / "b.avi", scene(5, 48, 50), **FORMATS["full-range.avi"])
    for got, plane in zip(luma(full), luma_planes(full), strict=True):
        np.testing.assert_array_equal(got, plane)


@pytest.mark.parametrize("name", ["10-bit.mp4", "raw.avi", "rgb.avi", "grey.mkv"])
def test_luma_without_a_plane_of_its_own_is_opencvs_grey(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path / name, scene(4), **FORMATS[name])
    for got, shown in zip(luma(path), decoded(path), strict=True):
        np.testing.assert_array_equal(got, cv2.cvtColor(shown.bgr, cv2.COLOR_BGR2GRAY))


def test_frames_stay_as_they_are_while_reading_goes_on(tmp_path: Path) -> None:
    for name in ("h264.mp4", "raw.avi"):
        path = encode(tmp_path / name, scene(12), **FORMATS[name])
        with VideoReader(path) as reader:
            kept = [(frame.number, frame.bgr()) for frame in reader]
        for (number, got), (index, want) in zip(kept, enumerate(decoded(path)), strict=True):
            assert number == index
            np.testing.assert_array_equal(got, want.bgr)


# --- times and rotation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [Fraction(0), Fraction(8333, 1000)])
def test_variable_frame_rate_keeps_exact_times(tmp_path: Path, offset: Fraction) -> None:
    ntsc = Fraction(1001, 30000)
    steps = [0, 1, 1, 5, 1, 90, 1, 2, 1]
    times = [ntsc * sum(steps[: i + 1]) for i in range(len(steps))]
    path = encode(tmp_path / "a.mp4", scene(9), times=[offset + time for time in times], time_base=Fraction(1, 30000))
    shown, facts = assert_as_decoded(path)
    assert [frame.time for frame in shown] == times
    assert facts["time_base"] == "1/30000"
    assert Fraction(facts["start_time_s"]["exact"]) == offset
    assert facts["start_time_s"]["seconds"] == float(offset)
    assert facts["frames_without_time"] == 0
    assert facts["frames_in_header"] == 9


def test_a_stream_without_time_stamps_is_placed_by_its_frame_rate(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.h264", scene(6), container_format="h264")
    shown, facts = read(path)
    assert facts["frames_without_time"] == 6
    assert [frame.time for frame in shown] == [i / Fraction(facts["frame_rate"]) for i in range(6)]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation_is_reported_and_frames_stay_as_they_lie(tmp_path: Path, degrees: int) -> None:
    path = turn_mp4(encode(tmp_path / "a.mp4", scene(3)), degrees)
    shown, facts = assert_as_decoded(path)
    assert facts["rotation"] == -degrees % 360  # written clockwise, reported counter-clockwise
    assert shown[0].bgr.shape == (48, 64, 3)


# --- streams ----------------------------------------------------------------------------------------------------


def test_of_several_streams_the_best_picture_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "several.mov"
    small, large = scene(6, 32, 40), noise((6, 96, 128, 3))
    with av.open(str(path), "w") as container:
        audio: Any = container.add_stream("pcm_s16le", rate=32000)
        streams: list[Any] = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, frames in zip(streams, (small, large), strict=True):
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
        for pictures in zip(small, large, strict=True):
            for stream, picture in zip(streams, pictures, strict=True):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 2560), np.int16), format="s16", layout="stereo")
            sound.sample_rate = 32000
            container.mux(audio.encode(sound))
        for stream in (*streams, audio):
            container.mux(stream.encode(None))
    assert read(path)[1]["stream"] == 1  # the first is marked as the one to show
    data = bytearray(path.read_bytes())
    for track in data.split(b"tkhd")[1:]:  # mark none: the one with more bits a second is the best
        data[data.index(track) + 3] &= 0xFE
    path.write_bytes(data)
    shown, facts = assert_as_decoded(path)
    assert facts["stream"] == 2
    assert (facts["width"], facts["height"], len(shown)) == (128, 96, 6)


def audio_file(path: Path, codec: str) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="stereo")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path


def test_a_file_with_sound_only_is_refused(tmp_path: Path) -> None:
    assert refusal(audio_file(tmp_path / "sound.wav", "pcm_s16le")) == "holds no video"


def test_the_cover_of_a_record_is_no_video(tmp_path: Path) -> None:
    path = audio_file(tmp_path / "song.flac", "flac")
    data = path.read_bytes()
    _, png = cv2.imencode(".png", scene(1)[0])
    cover = b"".join(
        [*(n.to_bytes(4, "big") for n in (3, 9)), b"image/png"]
        + [n.to_bytes(4, "big") for n in (0, 64, 48, 24, 0, len(png))]
        + [png.tobytes()]
    )
    first_block = 4 + 4 + 34
    assert data[4] & 0x7F == 0
    assert not data[4] & 0x80
    path.write_bytes(data[:first_block] + b"\x06" + len(cover).to_bytes(3, "big") + cover + data[first_block:])
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["audio", "video"]
    assert refusal(path) == "holds no video"


# --- what is refused ----------------------------------------------------------------------------------------------


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "garbage.mp4").write_bytes(random.Random(1).randbytes(10_000))
    (tmp_path / "text.avi").write_text("frame,time_s\n1,0.5\n")
    whole = encode(tmp_path / "whole.mp4", scene(20))
    (tmp_path / "headless.mp4").write_bytes(whole.read_bytes()[:2000])  # its index would come at the end
    assert refusal(tmp_path) == "this is a folder, not a video"
    assert refusal(tmp_path / "missing.mp4") == "cannot be opened as a video: No such file or directory"
    for name in ("empty.mp4", "garbage.mp4", "text.avi", "headless.mp4"):
        assert refusal(tmp_path / name).startswith("cannot be opened as a video: Invalid data found")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", scene(2))
    path.chmod(0)
    assert refusal(path) == "cannot be opened as a video: Permission denied"


@pytest.mark.parametrize("name", ["a.h264", "a.ts"])
def test_a_size_that_changes_half_way(tmp_path: Path, name: str) -> None:
    kind: dict[str, Any] = {"container_format": "h264" if name == "a.h264" else "mpegts"}
    small = encode(tmp_path / f"small-{name}", scene(10), **kind).read_bytes()
    large = encode(tmp_path / f"large-{name}", scene(10, 96, 128), **kind).read_bytes()
    (tmp_path / name).write_bytes(small + large)
    message = refusal(tmp_path / name)
    assert "the picture changes from 64 x 48 to 128 x 96 px at frame " in message
    with VideoReader(tmp_path / name) as reader, pytest.raises(VideoError):
        for _ in reader:
            pass
    assert 1 <= reader.frames_decoded <= 10


def test_a_file_that_ffmpeg_has_no_decoder_for(tmp_path: Path) -> None:
    encode(tmp_path / "raw.mov", scene(32, 48, 3), codec="rawvideo", pix_fmt="yuv420p")  # MOV has no name for it
    with (
        pytest.raises(VideoError, match=r"not one frame can be decoded|cannot decode"),
        VideoReader(tmp_path / "raw.mov") as reader,
    ):
        list(reader)


def test_a_file_of_which_not_one_frame_can_be_decoded(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", scene(5), options={"g": "1"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    for packet in packets:
        where = data.index(packet)
        data[where : where + len(packet)] = bytes(len(packet))
    path.write_bytes(data)
    assert refusal(path) == "not one frame can be decoded (5 broken packets)"


# --- damage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_a_truncated_file_is_used_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    whole = encode(tmp_path / f"whole-{name}", scene(60, 96, 128))
    data = whole.read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: len(data) * 6 // 10])
    shown, facts = assert_as_decoded(path)
    assert 10 <= len(shown) < 60
    assert facts["frames_decoded"] == len(shown)


def test_broken_packets_are_skipped_and_counted(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", scene(12), options={"g": "1"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    for number in (4, 9):
        where = data.index(packets[number])
        data[where : where + len(packets[number])] = bytes(len(packets[number]))
    path.write_bytes(data)
    shown, facts = assert_as_decoded(path)
    assert [frame.time for frame in shown] == [Fraction(i, 25) for i in range(12) if i not in (4, 9)]
    assert facts["broken_packets"] == 2
    assert facts["frames_decoded"] == 10
    assert facts["damaged_from_frame"] == 4


def decode_with(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make PyAV decode with so many threads, as on a machine with as many processors."""
    open_file = av.open

    def opened(*arguments: Any, **options: Any) -> Any:
        container: Any = open_file(*arguments, **options)
        for stream in container.streams.video:
            stream.codec_context.thread_count = threads
        return container

    monkeypatch.setattr(av, "open", opened)


def scratched(path: Path, seed: int, scratches: int) -> Path:
    """The file with some bytes in its middle changed."""
    data, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(scratches):
        data[chance.randrange(len(data) * 3 // 10, len(data) * 9 // 10)] ^= chance.randrange(1, 256)
    scratch = path.with_stem(f"scratched-{seed}-{scratches}")
    scratch.write_bytes(data)
    return scratch


@pytest.mark.parametrize("threads", [1, 2, 4, 16])
@pytest.mark.parametrize("name", ["h264.mkv", "h264.ts", "mpeg4.avi"])
def test_a_damaged_file_is_decoded_alike_with_any_number_of_threads(
    tmp_path: Path, name: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = {"codec": "mpeg4"} if name == "mpeg4.avi" else {"options": {"g": "12"}}
    clip = encode(tmp_path / name, scene(60, 96, 128), **codec)
    damaged = [scratched(clip, seed, scratches) for seed in range(8) for scratches in (1, 4)]
    expected = [decoded(path) for path in damaged]
    decode_with(threads, monkeypatch)
    differing = []
    for path, frames in zip(damaged, expected, strict=True):
        shown, _ = read(path)
        same = len(shown) == len(frames) and all(
            np.array_equal(got.bgr, want.bgr) for got, want in zip(shown, frames, strict=True)
        )
        if not same:
            differing.append(path.name)
    assert not differing
