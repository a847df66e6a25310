"""Frames by their numbers, held against all frames decoded with one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from clips import decoded, encode, noisy_scene, scene, turn_mp4, upright

from gpuheat.errors import VideoError
from gpuheat.inputs import video_part
from gpuheat.inputs.picked_frames import picked_frames

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from gpuheat.inputs.keyframes import Part
    from gpuheat.inputs.video_frame import VideoFrame

KEY_FRAMES = {"x264-params": "keyint=50:min-keyint=50:scenecut=0:bframes=2"}


def check(path: Path, numbers: Collection[int]) -> None:
    every = decoded(path)
    got = list(picked_frames(path, numbers))
    assert [number for number, _ in got] == sorted(set(numbers))
    for number, picture in got:
        assert np.array_equal(picture, upright(every[number].bgr, every[number].rotation))


@pytest.fixture
def parts_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first frames of the parts that were decoded by themselves, and then how many frames of each."""
    read: list[int] = []
    frames = video_part.PartReader.frames

    def noted(self: video_part.PartReader, part: Part, threads: int = 1) -> Iterator[VideoFrame]:
        read.append(part.first)
        return frames(self, part, threads)

    monkeypatch.setattr(video_part.PartReader, "frames", noted)
    return read


def test_only_the_parts_that_hold_them_are_decoded(tmp_path: Path, parts_read: list[int]) -> None:
    path = encode(tmp_path / "clip.mp4", noisy_scene(1000), options=KEY_FRAMES)
    check(path, [999, 3, 410, 410, 401])
    assert parts_read == [0, 400, 800]


def test_a_turned_video_is_shown_upright(tmp_path: Path) -> None:
    path = turn_mp4(encode(tmp_path / "clip.mp4", noisy_scene(5)), 90)
    check(path, [0, 4])
    ((_, picture),) = picked_frames(path, [1])
    assert picture.shape == (64, 48, 3)


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_files_without_reliable_time_stamps(tmp_path: Path, codec: str) -> None:
    check(encode(tmp_path / "clip.avi", noisy_scene(30), codec=codec), [0, 17, 29])


def test_damage_is_read_from_the_beginning(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", noisy_scene(600), options=KEY_FRAMES)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    count = len(decoded(path))
    check(path, [10, count // 2, count - 1])


def test_none_wanted_none_read(tmp_path: Path) -> None:
    assert list(picked_frames(encode(tmp_path / "clip.mp4", scene(3)), [])) == []


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="gone"):
        list(picked_frames(tmp_path / "gone.mp4", [1]))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("opencv/tree.avi", [5, 60]),
        ("decord/corrupted.mp4", [0, 30, 45]),
        ("decord/video_90.mov", [1]),
        ("torchcodec/testsrc2_odd_height_and_width_vp9.mp4", [3]),
        ("torchcodec/discard_first_keyframe.mp4", [0, 20]),
    ],
)
def test_real_clips(real_data: Path, name: str, numbers: list[int]) -> None:
    check(real_data / "video" / name, numbers)
