"""Key frames read by themselves are those that a pass over all frames shows."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from clips import encode, scene

from gpuheat.errors import VideoError
from gpuheat.inputs.frames import Frame
from gpuheat.inputs.key_frame_reader import KeyFrameReader
from gpuheat.inputs.video import VideoReader

X264 = "keyint=10:min-keyint=10:scenecut=0:bframes=3"
CLIPS: dict[str, tuple[str, str, dict[str, str]]] = {
    "H.264 in MP4": ("mp4", "libx264", {"x264-params": X264}),
    "H.264 with open groups": ("mkv", "libx264", {"x264-params": f"{X264}:open-gop=1:b-pyramid=normal:ref=5"}),
    "H.264 with open groups, transport stream": ("ts", "libx264", {"x264-params": f"{X264}:open-gop=1"}),
    "HEVC with open groups": ("mp4", "libx265", {"x265-params": "keyint=10:open-gop=1:bframes=4:log-level=none"}),
    "MPEG-2": ("mpg", "mpeg2video", {"g": "10", "bf": "2"}),
    "VP9": ("webm", "libvpx-vp9", {"g": "10", "lag-in-frames": "16"}),
    "MJPEG": ("avi", "mjpeg", {}),
}


def seen(frame: Frame) -> tuple[int, object, bytes]:
    return frame.number, frame.time, frame.bgr().tobytes()


@pytest.mark.parametrize(("suffix", "codec", "options"), CLIPS.values(), ids=CLIPS)
def test_they_are_those_of_all_frames(tmp_path: Path, suffix: str, codec: str, options: dict[str, str]) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = encode(tmp_path / f"clip.{suffix}", scene(45), codec=codec, pix_fmt=pix_fmt, options=options)
    with VideoReader(path) as every, KeyFrameReader(path) as some:
        frames = [seen(frame) for frame in every]
        keys = [seen(frame) for frame in some]
        assert keys == [frames[number] for number, _, _ in keys]
        assert len(keys) == (45 if codec == "mjpeg" else 5)
        assert some.frames_decoded == len(keys)
        assert some.frames_decoded + some.frames_skipped == 45
        assert some.warnings == every.warnings == []


def test_h264_with_intra_refresh_has_one(tmp_path: Path) -> None:
    """The others are marked as key frames, but their pictures are not whole."""
    path = encode(tmp_path / "clip.ts", scene(45), options={"x264-params": "keyint=10:scenecut=0:intra-refresh=1"})
    with KeyFrameReader(path) as reader:
        assert [frame.number for frame in reader] == [0]


def test_a_damaged_one_is_left_out_and_told(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", scene(45), options={"x264-params": X264})
    with av.open(str(path)) as container:
        keys = [packet for packet in container.demux(video=0) if packet.size > 0 and packet.is_keyframe]
    damaged = keys[2]
    assert damaged.pos is not None
    data = bytearray(path.read_bytes())
    data[damaged.pos + damaged.size // 2 : damaged.pos + damaged.size] = bytes(damaged.size - damaged.size // 2)
    path.write_bytes(data)
    with KeyFrameReader(path) as reader:
        assert [frame.number for frame in reader] == [0, 10, 30, 40]
        (warning,) = reader.warnings
        assert "damaged from frame 20 on (1 broken packet" in warning


def test_a_file_without_any_is_an_error(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", scene(12), options={"x264-params": X264})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size > 0 and packet.is_keyframe and packet.pos is not None:
                data[packet.pos + 20 : packet.pos + packet.size] = b"\xff" * (packet.size - 20)
    path.write_bytes(data)
    with KeyFrameReader(path) as reader, pytest.raises(VideoError, match="not one key frame can be decoded"):
        list(reader)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "keys"), [("opencv/vtest.avi", 4), ("intel/car-detection.mp4", 7), ("decord/flipping_a_pancake.mkv", 3)]
)
def test_real_clips(real_data: Path, name: str, keys: int) -> None:
    path = real_data / "video" / name
    with VideoReader(path) as every, KeyFrameReader(path) as some:
        wanted = {seen(frame)[0]: seen(frame) for frame in every}
        found = [seen(frame) for frame in some]
        assert found == [wanted[number] for number, _, _ in found]
        assert len(found) == keys
