"""The video with the decaying heat over it: what it counts, what it shows, and when."""

from __future__ import annotations

import itertools
import json
import resource
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import pytest
from clips import decoded, encode, scene, turn_mp4, upright

import gpuheat
from gpuheat.cli import main
from gpuheat.errors import IncompleteError, InputError, OptionError, OutputError
from gpuheat.jobs.overlay_drawing import FULL_SHARE
from gpuheat.outputs.heat_over_video import HeatOverVideo
from gpuheat.outputs.style import PictureStyle
from gpuheat.outputs.video import VideoWriter
from gpuheat.outputs.yuv import YuvStandard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gpuheat.backends import Backend

LOSSLESS = {"qp": "0"}


def times_of(path: Path) -> list[Fraction]:
    return [shown.time for shown in decoded(path) if shown.time is not None]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", scene(40), options=LOSSLESS)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pixels": "luma", "threshold": 10},
        {"every": 3, "start": 0.2, "end": "1.4"},
        {"downscale": 5},
        {"max_changed": 0.075},
        {"mask": np.arange(48 * 64).reshape(48, 64) % 7 > 2},
        {"backend": "numpy", "start": 0.1, "duration": 1},
    ],
    ids=lambda options: ",".join(options) or "defaults",
)
def test_it_sees_what_the_counting_sees(tmp_path: Path, clip: Path, options: dict[str, Any]) -> None:
    seen = gpuheat.overlay_video(clip, tmp_path / "out.mp4", **options)
    counted = gpuheat.motion_heatmap(clip, **options)
    assert counted.counts.any()
    assert np.array_equal(seen.counts, counted.counts)
    assert np.array_equal(seen.moved, counted.moved)
    assert np.array_equal(seen.counted, counted.counted)
    assert counted.times is not None
    first = float(Fraction(int(seen.facts["video"]["begins_s"] * 25), 25))
    pairs_end = [float(time) + first for time in times_of(tmp_path / "out.mp4")][1:]
    assert pairs_end == pytest.approx(counted.times.tolist(), abs=1e-9)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def irregular(frames: int) -> list[Fraction]:
    """Times that a frame rate could not give."""
    gaps = itertools.cycle([Fraction(1, 30), Fraction(1, 10), Fraction(2, 3), Fraction(1, 90000)])
    return list(itertools.accumulate(itertools.islice(gaps, frames - 1), initial=Fraction(25, 3)))


@pytest.mark.parametrize(
    ("name", "encoding", "size"),
    [
        ("times.mp4", {"times": irregular(24)}, (48, 64)),
        ("clip.mkv", {"rate": 30}, (48, 64)),
        (
            "ten-bit.mp4",
            {"codec": "libx265", "pix_fmt": "yuv420p10le", "options": {"x265-params": "log-level=none"}},
            (48, 64),
        ),
        ("444.mp4", {"pix_fmt": "yuv444p"}, (48, 64)),
        ("odd.mkv", {"codec": "ffv1", "pix_fmt": "bgr0"}, (47, 63)),
        ("odd.mp4", {"pix_fmt": "yuv444p"}, (47, 64)),
    ],
)
def test_every_kind_of_video(tmp_path: Path, name: str, encoding: dict[str, Any], size: tuple[int, int]) -> None:
    source = encode(tmp_path / name, scene(24, *size), **encoding)
    seen = gpuheat.overlay_video(source, tmp_path / "out.mp4")
    assert np.array_equal(seen.counts, gpuheat.motion_heatmap(source).counts)
    assert times_of(tmp_path / "out.mp4") == times_of(source)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.height, stream.width) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        assert stream.start_time == 0
    data = (tmp_path / "out.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("size", [(48, 64), (47, 64)])
def test_it_is_upright(tmp_path: Path, degrees: int, size: tuple[int, int]) -> None:
    still = np.repeat(scene(1, *size), 5, axis=0)
    source = turn_mp4(encode(tmp_path / "clip.mp4", still, pix_fmt="yuv444p", options=LOSSLESS), degrees)
    seen = gpuheat.overlay_video(source, tmp_path / "out.mp4")
    first = decoded(source)[0]
    shown = decoded(tmp_path / "out.mp4")[0]
    expected = upright(first.bgr, first.rotation)
    assert shown.rotation == 0
    assert seen.counts.shape == expected.shape[:2]
    # the row that makes an odd height even is the last of the file's, wherever that is shown
    file_rows = np.pad(first.bgr, ((0, size[0] % 2), (0, 0), (0, 0)), mode="edge")
    assert np.abs(shown.bgr.astype(int) - upright(file_rows, first.rotation)).mean() < 6


class Pictures:
    """The planes that are handed to the encoder, which a lossy one would not give back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.planes: list[list[NDArray[np.uint8]]] = []
        self.times: list[Fraction] = []
        write = VideoWriter.write

        def noted(writer: VideoWriter, picture: av.VideoFrame, time: Fraction) -> None:
            self.planes.append(
                [
                    np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width].copy()
                    for plane in picture.planes
                ]
            )
            self.times.append(time)
            write(writer, picture, time)

        monkeypatch.setattr(VideoWriter, "write", noted)


def slow_heat(frames: Sequence[Any], times: Sequence[float], half_life: float) -> list[NDArray[np.float64]]:
    """As of each frame, the sum over the pairs so far, of which each begins at 1 and halves."""
    moved = []
    for before, after in itertools.pairwise(frames):
        grey = cv2.cvtColor(cv2.absdiff(after, before), cv2.COLOR_BGR2GRAY)
        moved.append(grey > 25)
    return [
        sum(
            (
                pair * 2.0 ** (-(now - then) / half_life)
                for pair, then in zip(moved, times[1:], strict=True)
                if then <= now
            ),
            np.zeros(frames[0].shape[:2]),
        )
        for now in times
    ]


def check_pictures(
    pictures: Pictures, shown: Sequence[NDArray[np.uint8]], heats: Sequence[NDArray[np.float64]], full: float
) -> None:
    standard = YuvStandard("bt601", "limited")
    over = HeatOverVideo(PictureStyle(alpha="value"), standard)
    assert len(pictures.planes) == len(shown)
    for got, frame, heat in zip(pictures.planes, shown, heats, strict=True):
        planes = standard.planes(frame)
        expected = tuple(map(np.empty_like, planes))
        over(planes, heat, 1, 1 / full, expected)  # type: ignore[arg-type]
        for ours, theirs in zip(got, expected, strict=True):
            assert np.abs(ours.astype(int) - theirs).max() <= 2  # a level more or less of 1024


@pytest.mark.parametrize("half_life", [0.1, 2.0])
def test_heat_is_the_decayed_sum(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, half_life: float) -> None:
    frames, times = scene(20), [k / 20 + 3 for k in range(20)]
    pictures = Pictures(monkeypatch)
    gpuheat.overlay_video(frames, tmp_path / "out.mp4", half_life=half_life, times=times)
    full = max(1.0, FULL_SHARE / (1 - 2 ** (-1 / 20 / half_life)))
    check_pictures(pictures, [*frames], slow_heat([*frames], times, half_life), full)
    assert pictures.times == [Fraction(k, 20) for k in range(20)]


def test_every_backend_draws_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clip: Path, backend: Backend
) -> None:
    seen = gpuheat.overlay_video(clip, tmp_path / "out.mp4", backend=backend, end=0.2, half_life=0.1)
    assert np.array_equal(seen.counts, gpuheat.motion_heatmap(clip, end=0.2, backend="numpy").counts)
    pictures, frames = Pictures(monkeypatch), [shown.bgr for shown in decoded(clip)[:5]]
    times = [k / 25 for k in range(5)]
    gpuheat.overlay_video(frames, tmp_path / "out.mp4", backend=backend, half_life=0.1, times=times)
    full = max(1.0, FULL_SHARE / (1 - 2 ** (-1 / 25 / 0.1)))
    check_pictures(pictures, frames, slow_heat(frames, times, 0.1), full)


@pytest.mark.parametrize("half_life", [0.002, 0.02, 0.1, 1.0])
@pytest.mark.parametrize("turned", [0, 90])
def test_it_is_the_same_where_a_backend_says_what_moved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, half_life: float, turned: int
) -> None:
    """Something moves here, then there, and rests in between for long enough to cool down; rows of three stretches."""
    frames = np.repeat(np.random.default_rng(0).integers(0, 60, (1, 40, 300, 3), np.uint8), 60, axis=0)
    for number, (top, left) in {3: (0, 0), 4: (0, 3), 20: (9, 120), 21: (9, 130), 40: (0, 1), 58: (37, 290)}.items():
        frames[number:, top : top + 3, left : left + 10] = 100 + 2 * number
    path = encode(tmp_path / "clip.mp4", frames, options=LOSSLESS)
    if turned:
        path = turn_mp4(path, turned)
    seen = []
    for backend in ("numba", "numpy"):
        pictures = Pictures(monkeypatch)
        gpuheat.overlay_video(path, tmp_path / "out.mp4", backend=backend, half_life=half_life)
        seen.append(pictures.planes)
        monkeypatch.undo()
    assert len(seen[0]) == 60
    for ours, theirs in zip(*seen, strict=True):
        for plane, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(plane, other)
    assert np.array_equal(seen[0][13][0], seen[0][18][0]) == (half_life < 0.1)  # it is cold by then


def test_heat_goes_on_from_one_video_to_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    frames = scene(30)
    bgr0: dict[str, Any] = {"codec": "ffv1", "pix_fmt": "bgr0"}
    videos = [encode(tmp_path / f"{k}.mkv", frames[10 * k : 10 * k + 10], **bgr0) for k in range(3)]
    pictures = Pictures(monkeypatch)
    seen = gpuheat.overlay_video([*map(str, videos)], tmp_path / "out.mp4", half_life=0.5)
    assert np.array_equal(seen.counts, gpuheat.motion_heatmap([*map(str, videos)]).counts)
    times = [float(time) for time in pictures.times]
    assert times == pytest.approx([k / 25 for k in range(30)], abs=2e-3)  # Matroska counts in ms
    heats = [np.zeros((48, 64))] * 30
    for k in range(3):  # no pair across
        part = slice(10 * k, 10 * k + 10)
        own = slow_heat([*frames[part]], times[part], 0.5)
        last, when = (heats[10 * k - 1], times[10 * k - 1]) if k else (heats[0], 0.0)
        heats[part] = [heat + last * 2 ** (-(now - when) / 0.5) for heat, now in zip(own, times[part], strict=True)]
    check_pictures(pictures, [*frames], heats, FULL_SHARE / (1 - 2 ** (-1 / 25 / 0.5)))


def test_time_stamps_that_jump_back_are_told(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 0.15, 0.3]
    seen = gpuheat.overlay_video(scene(5), tmp_path / "out.mp4", times=times)
    assert seen.facts["warnings"] == [
        "out.mp4: 1 frame with a time stamp not behind that of the frame before: shown right behind it"
    ]
    shown = times_of(tmp_path / "out.mp4")
    assert [float(time) for time in shown] == pytest.approx([0, 0.1, 0.2, 0.2, 0.3], abs=1e-4)
    assert shown == sorted(set(shown))


def test_a_jump_in_time_that_mp4_cannot_hold(tmp_path: Path) -> None:
    gpuheat.overlay_video(scene(3), tmp_path / "out.mp4", times=[0, 1, 10_000])
    assert float(times_of(tmp_path / "out.mp4")[-1]) == pytest.approx(10_000)
    with pytest.raises(OutputError, match="frames lie further apart in time than an MP4 file can tell"):
        gpuheat.overlay_video(scene(3), tmp_path / "none.mp4", times=[0, 1, 100_000])
    assert not (tmp_path / "none.mp4").exists()


def test_a_file_cut_short_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    source = encode(tmp_path / "clip.mkv", scene(60), options=LOSSLESS | {"g": "10"})
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    counted = gpuheat.motion_heatmap(source)
    seen = gpuheat.overlay_video(source, tmp_path / "out.mp4")
    assert np.array_equal(seen.counts, counted.counts)
    assert len(decoded(tmp_path / "out.mp4")) == counted.facts["input"]["frames_decoded"] < 60


def test_videos_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    good = encode(tmp_path / "good.mp4", scene(8))
    large = encode(tmp_path / "large.mp4", scene(8, 64, 96))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(IncompleteError, match="2 of 4 videos are left out") as error:
        gpuheat.overlay_video([*map(str, (good, large, broken, good))], tmp_path / "out.mp4")
    assert len(decoded(tmp_path / "out.mp4")) == 16
    assert error.value.heatmap.facts["video"]["frames"] == 16


class Stop(Exception):  # noqa: N818  it is none
    pass


def test_what_is_stopped_leaves_nothing(tmp_path: Path, clip: Path) -> None:
    target = tmp_path / "new" / "out.mp4"

    def stop(done: int, _expected: int | None) -> None:
        if done > 10:
            raise Stop

    with pytest.raises(Stop):
        gpuheat.overlay_video(clip, target, progress=stop)
    assert not target.parent.exists()


def test_a_full_disk_is_told_and_leaves_the_file_before(tmp_path: Path, clip: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"of an earlier run")
    most, hardest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hardest))
    try:
        with pytest.raises(OutputError, match=r"cannot write out\.mp4: File too large"):
            gpuheat.overlay_video(clip, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hardest))
    assert target.read_bytes() == b"of an earlier run"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize(
    ("source", "name", "options", "kind", "words"),
    [
        (scene(3), "out.avi", {}, OptionError, "a name that ends with .mp4, not 'out.avi'"),
        (scene(3), "out.mp4", {}, OptionError, "give the times of the frames"),
        (scene(3), "out.mp4", {"times": [0, 1, 2], "half_life": 0}, OptionError, "half_life must be"),
        (scene(3), "out.mp4", {"times": [0, 1, 2], "tone": "percentile:9"}, OptionError, "one scale from its"),
        (scene(3), "out.mp4", {"keyframes": True}, TypeError, "overlay_video\\(\\) takes no keyframes"),
        ("rtsp://camera/", "out.mp4", {}, OptionError, "not of live video"),
        ("gone.mp4", "out.mp4", {}, InputError, "gone.mp4"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(
    tmp_path: Path, source: Any, name: str, options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        gpuheat.overlay_video(source, tmp_path / name, **options)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("several", [False, True])
def test_what_is_read_is_not_replaced(
    tmp_path: Path, clip: Path, several: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    source, other = tmp_path / "clip.mp4", tmp_path / "other.mp4"
    for path in (source, other):
        path.write_bytes(clip.read_bytes())
    (tmp_path / "link").symlink_to(tmp_path)
    videos = [str(other), str(source)] if several else str(source)
    with pytest.raises(OptionError, match=r"clip\.mp4 is what is read and would be replaced"):
        gpuheat.overlay_video(videos, tmp_path / "link" / "clip.mp4")
    names = [str(other), str(source)] if several else [str(source)]
    with pytest.raises(SystemExit) as ended:
        main(["motion", *names, "-o", str(tmp_path), "--video", "clip.mp4", "-q"])
    assert ended.value.code == 2
    assert "clip.mp4 is what is read and would be replaced" in capsys.readouterr().err
    assert source.read_bytes() == clip.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", "other.mp4", "link"}


def test_one_frame_is_a_video_too(tmp_path: Path) -> None:
    gpuheat.overlay_video(scene(1), tmp_path / "out.mp4", times=[5])
    assert times_of(tmp_path / "out.mp4") == [0]


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "torchcodec/h264_10bits.mp4",
        "torchcodec/testsrc2_hdr.mp4",
        "torchcodec/testsrc2_odd_height_and_width_vp9.mp4",
        "torchcodec/bt709_full_range.mp4",
        "torchcodec/test_non_zero_start.mp4",
        "decord/video_90.mov",
        "decord/corrupted.mp4",
        "opencv/tree.avi",
    ],
)
def test_real_clips(tmp_path: Path, real_data: Path, name: str) -> None:
    source = real_data / "video" / name
    seen = gpuheat.overlay_video(source, tmp_path / "out.mp4", end=1)
    counted = gpuheat.motion_heatmap(source, end=1)
    assert np.array_equal(seen.counts, counted.counts)
    assert counted.times is not None
    shown = times_of(tmp_path / "out.mp4")
    assert [float(time) for time in shown[1:]] == pytest.approx(counted.times.tolist(), abs=1e-6)
    json.dumps(seen.facts["video"])
