"""Videos cut at key frames: what comes out of the parts is what one pass shows."""

from __future__ import annotations

import itertools
import random
from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import encode, scene

from gpuheat.inputs import keyframes
from gpuheat.inputs.frames import Frame
from gpuheat.inputs.keyframes import Cut, Part, cut_into_parts
from gpuheat.inputs.video import VideoReader
from gpuheat.inputs.video_part import NotAsPromisedError, PartReader


@dataclass
class FakePacket:
    """What is looked at of a packet."""

    pts: int | None
    is_keyframe: bool = False
    is_discard: bool = False
    is_corrupt: bool = False
    pos: int | None = 0
    size: int = 1
    dts: int | None = None


def parts_of(packets: list[FakePacket], codec: str = "vp9") -> list[tuple[int, list[int] | None]]:
    """The first frame and the time stamps of each part."""
    fakes: Any = packets
    found = list(cut_into_parts(fakes, codec, None))
    for before, after in itertools.pairwise(found):
        assert before.end == after.begin
        assert before.stamps is None or after.first == before.first + len(before.stamps)
    return [(part.first, None if part.stamps is None else part.stamps.tolist()) for part in found]


def packets(stamps: list[int | None], keys: set[int]) -> list[FakePacket]:
    """Packets in this order, key frames where their time stamp says so."""
    return [FakePacket(stamp, stamp in keys) for stamp in stamps]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts may have two frames."""
    monkeypatch.setattr(keyframes, "SHORTEST", 2)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("order", "keys", "expected"),
    [
        ([0, 1, 2, 3, 4], {0, 3}, [(0, [0, 1, 2]), (3, [3, 4])]),
        ([0, 2, 1, 6, 4, 5, 7], {0, 6}, [(0, [0, 1, 2, 4, 5]), (5, [6, 7])]),  # 4 and 5 are shown before the key frame
        ([0, 1, 2, 3, 4], {0}, [(0, [0, 1, 2, 3, 4])]),
        ([0, 1, 2, 3], {0, 1, 2, 3}, [(0, [0, 1]), (2, [2, 3])]),
        ([0, 1, 2, 3, 4, 5, 6], {0, 2, 4, 6}, [(0, [0, 1]), (2, [2, 3]), (4, [4, 5]), (6, [6])]),
        ([0, 1, 5, 6, 3, 7, 8], {0, 5}, [(0, None)]),  # 3 comes long after what is shown behind it
        ([0, 1, 5, 6, 7, 8, 9, 3, 10], {0, 5, 8}, [(0, [0, 1]), (2, None)]),
        ([0, 1, 5, 5, 6], {0, 5}, [(0, None)]),
        ([0, 3, 2, 2, 4, 5], {0, 2}, [(0, [0, 2, 2, 3, 4, 5])]),  # a key frame that is shown before others
        ([0, 1, None, 3], {0}, [(0, None)]),
        ([0, 1, 2, 3, 4, 5, None], {0, 2, 4}, [(0, [0, 1]), (2, None)]),
        ([], set(), [(0, [])]),
    ],
)
def test_where_it_is_cut(order: list[int | None], keys: set[int], expected: list[tuple[int, list[int] | None]]) -> None:
    assert parts_of(packets(order, keys)) == expected


@pytest.mark.usefixtures("short")
def test_what_is_not_trusted() -> None:
    whole = [(0, [0, 1, 2, 3])]
    for codec in ("cinepak", "msmpeg4v3"):
        assert parts_of(packets([0, 1, 2, 3], {0, 2}), codec=codec) == whole
    unplaced, discarded, damaged, empty = (packets([0, 1, 2, 3], {0, 2}) for _ in range(4))
    unplaced[2].pos = None
    assert parts_of(unplaced) == whole
    discarded[2].is_discard = True
    assert parts_of(discarded) == [(0, [0, 1, 3])]
    damaged[3].is_corrupt = True
    assert parts_of(damaged) == [(0, None)]
    empty[2].size = 0
    assert parts_of(empty) == [(0, [0, 1, 3])]


def test_parts_are_not_too_short() -> None:
    stamps = list(range(1000))
    lengths = [len(part or ()) for _, part in parts_of(packets([*stamps], set(stamps[::50])))]
    assert lengths == [200] * 5


# --- decoded --------------------------------------------------------------------------------------------------------

Seen = tuple[int, Fraction | None, bytes]


def seen(frame: Frame) -> Seen:
    return frame.number, frame.time, frame.bgr().tobytes()


def check(path: Path) -> int:
    """Whether every part, and what lies behind every cut, is what one pass shows; the number of parts."""
    with VideoReader(path) as reader:
        once = [seen(frame) for frame in reader]
        facts = reader.facts
    with VideoReader(path) as reader:
        parts = list(reader.parts(reader.watch))
    assert parts[-1].end is None
    order = random.Random(0).sample([(part, threads) for part in parts for threads in (1, 3)], 2 * len(parts))
    with PartReader(path) as one_by_one:
        for part, threads in order:
            assert part.stamps is not None
            behind = part.first + len(part.stamps)
            got = [seen(frame) for frame in one_by_one.frames(part, threads)]
            assert got == once[part.first : behind]
            following = one_by_one.next_frame
            assert (None if following is None else seen(following)) == (None if part.end is None else once[behind])
    with VideoReader(path) as reader:
        for part in parts[: len(parts) // 2]:
            reader.passed(part, None)
        rest = [seen(frame) for frame in reader]
        assert rest == once[len(once) - len(rest) :]
        assert reader.facts["frames_skipped"] == len(once) - len(rest)
        assert reader.facts["frames_decoded"] == len(rest)
        assert reader.warnings == []
    assert facts["frames_decoded"] == sum(len(part.stamps or ()) for part in parts)
    return len(parts)


X264 = "keyint=20:min-keyint=20:scenecut=0"
OPEN = f"{X264}:open-gop=1:bframes=4:ref=5"
CLIPS: dict[str, tuple[str, str, dict[str, str]]] = {
    "H.264 in MP4": ("mp4", "libx264", {"x264-params": X264}),
    "H.264 in Matroska": ("mkv", "libx264", {"x264-params": X264}),
    "H.264 in a transport stream": ("ts", "libx264", {"x264-params": X264}),
    "H.264 with open groups, MP4": ("mp4", "libx264", {"x264-params": OPEN}),
    "H.264 with open groups, Matroska": ("mkv", "libx264", {"x264-params": f"{OPEN}:b-pyramid=strict:b-adapt=0"}),
    "H.264 with open groups, transport stream": ("ts", "libx264", {"x264-params": f"{OPEN}:b-pyramid=none:weightp=2"}),
    "interlaced H.264": ("ts", "libx264", {"x264-params": f"{OPEN}:tff=1"}),
    "HEVC": ("mp4", "libx265", {"x265-params": "keyint=20:open-gop=0:bframes=4:log-level=none"}),
    "HEVC with open groups": ("mp4", "libx265", {"x265-params": "keyint=20:open-gop=1:bframes=4:log-level=none"}),
    "HEVC with open groups, transport stream": ("ts", "libx265", {"x265-params": "keyint=20:bframes=4:log-level=none"}),
    "MPEG-4": ("avi", "mpeg4", {"g": "15", "bf": "2"}),
    "MPEG-2": ("ts", "mpeg2video", {"g": "15", "bf": "2"}),
    "VP8": ("webm", "libvpx", {"g": "20", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    "VP9": ("webm", "libvpx-vp9", {"g": "20", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    "AV1": ("mkv", "libsvtav1", {"g": "20", "preset": "12"}),
    "MJPEG": ("avi", "mjpeg", {}),
    "FFV1": ("mkv", "ffv1", {"g": "12"}),
    "MS-MPEG4": ("avi", "msmpeg4v2", {"g": "20"}),
    "WMV": ("asf", "wmv2", {"g": "20"}),
}


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("suffix", "codec", "options"), CLIPS.values(), ids=CLIPS)
def test_parts_are_what_one_pass_shows(tmp_path: Path, suffix: str, codec: str, options: dict[str, str]) -> None:
    frames = scene(110, 64, 96) + np.random.default_rng(0).integers(0, 5, (110, 64, 96, 3), np.uint8)
    pix_fmt = {"mjpeg": "yuvj420p"}.get(codec, "yuv420p")
    path = encode(tmp_path / f"clip.{suffix}", frames, codec=codec, pix_fmt=pix_fmt, options=options)
    assert check(path) >= 5


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("clip", "closed"),
    [
        ("H.264 in MP4", True),
        ("H.264 in a transport stream", True),
        ("H.264 with open groups, MP4", False),
        ("H.264 with open groups, transport stream", False),
        ("HEVC with open groups", False),
        ("VP9", True),
    ],
)
def test_what_needs_the_frames_before_a_cut(tmp_path: Path, clip: str, closed: bool) -> None:
    suffix, codec, options = CLIPS[clip]
    first, *others = promised(encode(tmp_path / f"clip.{suffix}", scene(90), codec=codec, options=options))
    assert first.is_closed
    assert [part.is_closed for part in others] == [closed] * len(others)
    assert len(others) >= 3


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_frame_rate(tmp_path: Path, suffix: str) -> None:
    steps = np.random.default_rng(0).integers(1, 5, 90).cumsum()
    times = [Fraction(int(step), 100) for step in steps]
    path = encode(
        tmp_path / f"clip.{suffix}", scene(90), times=times, time_base=Fraction(1, 100), options={"x264-params": OPEN}
    )
    assert check(path) >= 4


@pytest.mark.usefixtures("short")
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("bgslibrary/video.avi", 32),
        ("decord/flipping_a_pancake.mkv", 3),
        ("intel/car-detection.mp4", 7),
        ("opencv/vtest.avi", 1),  # MS-MPEG4 of version 3, which is not cut
        ("pyscenedetect/fades.mp4", 123),
        ("torchcodec/discard_first_keyframe.mp4", 3),
        ("torchcodec/nasa_13013.mp4", 2),
        ("torchcodec/test_non_zero_start.mp4", 1),
        ("torchcodec/testsrc2_hdr.mp4", 1),
    ],
)
def test_parts_of_real_clips(real_data: Path, name: str, parts: int) -> None:
    assert check(real_data / "video" / name) == parts


# --- not as promised ------------------------------------------------------------------------------------------------


def promised(path: Path) -> list[Part]:
    with VideoReader(path) as reader:
        return list(reader.parts(reader.watch))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return encode(tmp_path / "clip.mkv", scene(60), options={"x264-params": X264})


@pytest.mark.usefixtures("short")
def test_what_is_not_as_promised_is_told(clip: Path) -> None:
    _, second, third = promised(clip)
    assert second.stamps is not None
    stamps = second.stamps
    for wrong, told in (
        (array("q", [*stamps, stamps[-1] + 1]), "frame 40 is not shown when its packet says"),
        (array("q", [*stamps[:5], *stamps[6:]]), "frame 25 is not shown when its packet says"),
        (None, "frame 20 and those behind it have no reliable time stamps"),
    ):
        part = Part(second.begin, second.end, wrong, second.packets)
        with PartReader(clip) as reader, pytest.raises(NotAsPromisedError, match=told):
            list(reader.frames(part))
    assert third.stamps is not None
    longer = Part(third.begin, None, array("q", [*third.stamps, third.stamps[-1] + 1]), third.packets)
    with PartReader(clip) as reader, pytest.raises(NotAsPromisedError, match="frame 60 is missing"):
        list(reader.frames(longer))


@pytest.mark.usefixtures("short")
def test_damage_is_told(clip: Path) -> None:
    _, second, _ = promised(clip)
    assert second.begin is not None
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size > 0][25]
    assert packet.pos is not None
    data[packet.pos + 9 : packet.pos + packet.size] = bytes(packet.size - 9)
    clip.write_bytes(data)
    with PartReader(clip) as reader, pytest.raises(NotAsPromisedError, match=r"frame 2\d is (damaged|not shown)"):
        list(reader.frames(second))


def test_a_packet_that_is_not_there_is_told(clip: Path) -> None:
    lost = Part(Cut(20, 20, 800, 800, 10**9, 5, True), None, array("q", [800]), 60)
    with (
        PartReader(clip) as reader,
        pytest.raises(Exception, match="the key frame at byte 1,000,000,000 was not found"),
    ):
        list(reader.frames(lost))


@pytest.mark.usefixtures("short")
def test_pictures_of_another_size_are_told(clip: Path, tmp_path: Path) -> None:
    first, second, _ = promised(clip)
    larger = encode(tmp_path / "larger.mkv", scene(60, 64, 96), options={"x264-params": X264})
    with VideoReader(clip) as reader, PartReader(clip) as small, PartReader(larger) as large:
        *_, last = small.frames(first)
        reader.passed(first, last)
        *_, other = large.frames(promised(larger)[1])
        with pytest.raises(NotAsPromisedError, match="frame 20 has another size"):
            reader.passed(second, other)
