"""Pictures are held back until nothing they may have been predicted from can turn out damaged, and no longer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import decoded, encode, noisy_scene, recipe, scene

from gpuheat import motion_heatmap
from gpuheat.inputs import one_pass
from gpuheat.inputs.container import decoded as decoded_by_ffmpeg
from gpuheat.inputs.held_back import FRAMES_AHEAD, HeldBack
from gpuheat.inputs.video import VideoReader

X264 = "keyint=20:min-keyint=20:scenecut=0"
PYRAMID = f"{X264}:open-gop=1:b-pyramid=normal:b-adapt=0:bframes=8:ref=16"
CLIPS: dict[str, tuple[str, dict[str, Any], int]] = {
    "no B-frames": ("mp4", {"options": {"x264-params": f"{X264}:bframes=0"}}, 0),
    "as x264 does by itself": ("mp4", {}, 3),
    "3 B-frames": ("mkv", {"options": {"x264-params": f"{X264}:bframes=3:b-adapt=0:b-pyramid=none"}}, 3),
    "open groups": ("mkv", {"options": {"x264-params": PYRAMID}}, 8),
    "open groups, transport stream": ("ts", {"options": {"x264-params": PYRAMID}}, 8),
    "16 B-frames": ("mp4", {"options": {"x264-params": f"{X264}:bframes=16:b-adapt=0"}}, 16),
    "HEVC": ("mp4", {"codec": "libx265", "options": {"x265-params": f"{X264}:bframes=4:log-level=none"}}, 4),
    "MPEG-2": ("ts", {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}}, 2),
}


def ahead(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures had come out of the decoder behind each, when it was given."""
    out = 0

    def counted(*arguments: Any, **options: Any) -> Iterator[av.VideoFrame | None]:
        nonlocal out
        for picture in decoded_by_ffmpeg(*arguments, **options):
            out += 1
            yield picture

    monkeypatch.setattr(one_pass, decoded_by_ffmpeg.__name__, counted)
    with VideoReader(path) as reader:
        found = [out - 1 - frame.number for frame in reader]
        assert not reader.is_damaged
    return found


def stamps(path: Path) -> list[int | None]:
    """Of all packets, in the order of reading."""
    with av.open(str(path)) as container:
        return [packet.pts for packet in container.demux(video=0) if packet.size > 0]


@pytest.mark.parametrize(("suffix", "options", "most"), CLIPS.values(), ids=CLIPS)
def test_a_picture_waits_for_those_read_before_it(
    tmp_path: Path, suffix: str, options: dict[str, Any], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / f"a.{suffix}", scene(70), **options)
    read = [stamp for stamp in stamps(path) if stamp is not None]
    shown = sorted(read)
    assert len(set(read)) == 70
    latest = [max(shown.index(other) for other in read[: read.index(stamp) + 1]) for stamp in shown]
    expected = [behind - number for number, behind in enumerate(itertools.accumulate(latest, max))]
    assert ahead(path, monkeypatch) == expected
    assert max(expected) == most


def test_without_time_stamps_it_waits_for_as_many_as_it_may_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "a.h264", scene(60), container_format="h264", options={"x264-params": f"{X264}:bframes=3"})
    assert set(stamps(path)) == {None}
    assert ahead(path, monkeypatch) == [FRAMES_AHEAD] * (60 - FRAMES_AHEAD) + [*range(FRAMES_AHEAD)][::-1]


def through(held: HeldBack, *shown: int | None) -> list[list[int | None]]:
    """The time stamps of what is given for each picture that comes out."""
    given = []
    for stamp in shown:
        picture = av.VideoFrame(16, 16, "gray")
        picture.pts = stamp
        given.append([each.pts for each in held.through(picture)])
    return given


def read(most: int, *of_packets: int | None) -> HeldBack:
    held = HeldBack(most)
    for stamp in of_packets:
        held.read(stamp)
    return held


def test_what_does_not_come_out_is_waited_for_only_so_long() -> None:
    held = read(3, 0, 40, *range(10, 40, 10), *range(41, 200, 10))
    assert through(held, 0, *range(10, 40, 10), 41) == [[0], [], [], [], [10, 20, 30, 41]]
    assert through(held, *range(51, 200, 10)) == [[stamp] for stamp in range(51, 200, 10)]


def test_behind_a_hole_all_wait() -> None:
    held = read(3, *range(0, 50, 10), *range(60, 200, 10))
    assert through(held, *range(0, 50, 10), 60, 70, 80) == [[0], [10], [20], [30], [40], [], [], []]
    assert through(held, *range(90, 200, 10)) == [[stamp] for stamp in range(60, 170, 10)]
    regular = read(3, 0, 33, 67, 100, 133)
    assert through(regular, 0, 33, 67, 100, 133) == [[0], [33], [67], [100], [133]]


@pytest.mark.parametrize("stamp", [None, 10])
def test_packets_that_cannot_be_told_apart(stamp: int | None) -> None:
    held = read(2, 0, 10, stamp, 30, 40, 50)
    assert through(held, 0, 10, 10, 30, 40, 50) == [[], [], [0], [10], [10], [30]]
    assert [picture.pts for picture in held.rest()] == [40, 50]
    assert len(held) == 0


def test_a_picture_of_no_packet_may_be_of_any() -> None:
    held = read(5, 0, 30, 10, 20)
    assert through(held, 0, None, 10, 20, 30) == [[0], [], [], [], [None, 10, 20, 30]]
    held.read(40)
    assert through(held, 40) == [[40]]


# --- damage ---------------------------------------------------------------------------------------------------------


def without_a_slice(data: bytes, packet: Any) -> bytes:
    """A file in which the last slice of a picture is not one any more: it is concealed, and what needs it is spoilt."""
    damaged, at = bytearray(data), packet.pos
    while (behind := at + 4 + int.from_bytes(damaged[at : at + 4], "big")) < packet.pos + packet.size:
        at = behind
    assert behind == packet.pos + packet.size
    assert damaged[at + 4] & 31 in (1, 5)
    damaged[at + 4] |= 31  # a type that means nothing
    return bytes(damaged)


@pytest.mark.parametrize("clip", ["3 B-frames", "open groups", "16 B-frames"])
def test_nothing_that_was_predicted_from_a_damaged_picture_is_given(tmp_path: Path, clip: str) -> None:
    x264 = CLIPS[clip][1]["options"]["x264-params"]
    path = encode(tmp_path / "a.mp4", noisy_scene(45), options={"x264-params": f"{x264}:slices=3"})
    data = path.read_bytes()
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size > 0]
    others_need = [
        packet for packet, behind in itertools.pairwise(packets) if (packet.pts or 0) > (behind.pts or 0)
    ]  # which is shown before it
    assert len(others_need) >= 4
    for packet in others_need:
        bad = tmp_path / "bad.mp4"
        bad.write_bytes(without_a_slice(data, packet))
        # FFmpeg reads the mark of a picture in the thread that gives it out, and where that overtakes the thread which
        # sets the mark, as once in some thousand times on a busy machine, the mark is lost: then nobody can know
        for _ in range(3):
            heatmap = motion_heatmap(bad, jobs=1, backend="numpy")
            if heatmap.facts["input"]["damaged_from_frame"] is not None:
                break
        assert heatmap.facts["input"]["damaged_from_frame"] is not None
        accumulator, moved = recipe(frame.bgr for frame in decoded(bad))
        assert heatmap.moved.tolist() == moved
        np.testing.assert_array_equal(heatmap.accumulator, accumulator)
