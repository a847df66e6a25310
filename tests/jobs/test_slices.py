"""One map of every stretch of the time: each that of its own pairs, all together that of the whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from by_slices import pair_maps, slice_maps
from clips import decoded, encode, noisy_scene, scene, turn_mp4
from numpy.typing import NDArray
from PIL import Image

from gpuheat import Backend, InputError, MotionHeatmap, OptionError, motion_heatmap
from gpuheat.cli import main
from gpuheat.inputs import keyframes
from gpuheat.jobs.motion_run import MotionRun
from gpuheat.jobs.motion_videos import MotionVideos

RATE = 25
OPTIONS: dict[str, Any] = (
    {"threshold": 25, "pixels": "bgr", "half_life": None, "every": 1, "start": None, "end": None, "downscale": 1}
    | {"mask": None, "max_changed": 1.0, "background": "mean", "blur": 0.0, "times": None, "backend": "numpy"}
    | {"decode": "auto", "jobs": 1, "max_pixels": 2**28}
)
REAL = (
    "bgslibrary/demo.avi",
    "decord/video_90.mov",
    "torchcodec/discard_first_keyframe.mp4",
    "torchcodec/test_non_zero_start.mp4",
    "torchcodec/testsrc2_vp9.webm",
)


class InterruptionError(Exception):
    """Comes when all that was read was counted, as Ctrl-C does on the command line."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts may have two frames."""
    monkeypatch.setattr(keyframes, "SHORTEST", 2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return encode(path, noisy_scene(100), options={"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=3"})


def pairs_of(path: Path) -> tuple[list[NDArray[Any]], list[Fraction]]:
    """The map of each pair as it is shown, and its time."""
    shown = decoded(path)
    maps = [np.rot90(one, shown[0].rotation // 90) for one in pair_maps(frame.bgr for frame in shown)]
    return maps, [frame.time for frame in shown[1:] if frame.time is not None]


def assert_slices(
    result: MotionHeatmap, maps: list[NDArray[Any]], times: Any, step: Fraction, begin: Fraction = Fraction(0)
) -> None:
    """Hold the slices against the pairs of each by themselves, and their sum against the whole."""
    slices = result.slices
    assert slices is not None
    want = slice_maps(maps, times, step, begin)
    numbers = [(Fraction(time) - begin) // step for time in times]
    assert len(slices) > max(want)
    for each in slices:
        counts = want.get(each.number, np.zeros(maps[0].shape, np.uint64))
        np.testing.assert_array_equal(each.counts, counts, err_msg=str(each))
        assert each.counts.dtype == np.uint32
        assert each.pairs == numbers.count(each.number)
        assert (each.start, each.end) == (float(begin + each.number * step), float(begin + (each.number + 1) * step))
    np.testing.assert_array_equal(sum(each.counts for each in slices), result.counts)


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_has_the_pairs_of_its_time(clip: Path, jobs: int, backend: Backend) -> None:
    maps, times = pairs_of(clip)
    result = motion_heatmap(clip, jobs=jobs, backend=backend, slice=0.3)
    assert_slices(result, maps, times, Fraction(3, 10))
    assert result.settings["slice"] == 0.3


@pytest.mark.parametrize("jobs", [1, 3])
def test_so_many_stretches_of_a_part(clip: Path, jobs: int) -> None:
    maps, times = pairs_of(clip)
    within = [place for place, time in enumerate(times) if Fraction(6, 5) < time < Fraction(31, 10)]
    result = motion_heatmap(clip, jobs=jobs, slices=7, start="1.2", end="3.1")
    assert result.slices is not None
    assert len(result.slices) == 7
    chosen = [maps[place] for place in within], [times[place] for place in within]
    assert_slices(result, *chosen, Fraction(19, 70), Fraction(6, 5))


def test_interrupted_runs(clip: Path, tmp_path: Path) -> None:
    maps, times = pairs_of(clip)
    left = 0

    def stop(_done: int, _expected: int | None) -> None:
        nonlocal left
        left -= run.tally.counter is not None and run.tally.awaited is None
        if left == 0:
            raise InterruptionError

    for left in (9, 23, 40, 0):
        with MotionRun(clip, **OPTIONS, slice=0.3, checkpoint=tmp_path / "checkpoint") as run:
            if left == 0:
                run.count(stop)
                assert_slices(run.result(), maps, times, Fraction(3, 10))
            else:
                with pytest.raises(InterruptionError):
                    run.count(stop)
                assert run.save()
    with pytest.raises(OptionError, match="slice was 3/10 and is 1/2"):
        MotionRun(clip, **OPTIONS, slice=0.5, checkpoint=tmp_path / "checkpoint")


@pytest.mark.parametrize("slices", [{"slice": 0.7}, {"slices": 5}])
def test_several_videos(tmp_path: Path, slices: dict[str, Any]) -> None:
    paths = [encode(tmp_path / f"{frames}.mp4", scene(frames, seed=frames)) for frames in (30, 1, 45, 20)]
    maps, times, begin = [], [], Fraction(0)
    for path in paths:
        own_maps, own_times = pairs_of(path)
        maps += own_maps
        times += [begin + time for time in own_times]
        begin += (own_times[-1] if own_times else 0) + Fraction(1, RATE)
    step = Fraction(7, 10) if "slice" in slices else Fraction(96, RATE * 5)
    for jobs in (1, 3):
        assert_slices(motion_heatmap(paths, jobs=jobs, **slices), maps, times, step)

    def stop(done: int, _expected: int | None) -> None:
        if done > 50:
            raise InterruptionError

    with MotionVideos(paths, **OPTIONS, **slices, checkpoint=tmp_path / "checkpoint") as run:
        with pytest.raises(InterruptionError):
            run.count(stop)
        assert run.save()
    assert_slices(
        motion_heatmap(paths, checkpoint=tmp_path / "checkpoint", backend="numpy", **slices), maps, times, step
    )


@pytest.mark.parametrize("degrees", [90, 180])
def test_rotated_video(tmp_path: Path, degrees: int) -> None:
    path = turn_mp4(encode(tmp_path / "turned.mp4", scene(30, 46, 64)), degrees)
    assert_slices(motion_heatmap(path, slice=0.4), *pairs_of(path), Fraction(2, 5))


def test_frames_in_memory() -> None:
    frames = noisy_scene(40)
    maps = pair_maps(frames)
    times = [i / 8 + (i > 20) * 10 for i in range(40)]  # with a gap
    result = motion_heatmap(frames, times=times, slice=2)
    assert_slices(result, maps, times[1:], Fraction(2))
    assert result.slices is not None
    assert [each.pairs for each in result.slices] == [15, 5, 0, 0, 0, 0, 11, 8]
    assert not result.slices[3].counts.any()
    assert_slices(motion_heatmap(iter(frames), slice=6), maps, range(39), Fraction(6))
    for every in (1, 4):
        by_number = motion_heatmap(frames, slices=5, every=every)
        maps_of_every = pair_maps(frames[::every])
        assert_slices(by_number, maps_of_every, range(len(maps_of_every)), Fraction(len(maps_of_every), 5))
        assert by_number.slices is not None
        assert len(by_number.slices) == 5
        assert by_number.slices[0].label == f"pairs 0 \N{EN DASH} {len(maps_of_every) / 5:g}"
    by_time = motion_heatmap(frames, slices=3, times=[i / 8 for i in range(40)])
    assert_slices(by_time, maps, [i / 8 for i in range(1, 40)], Fraction(5, 3))


def test_they_draw_themselves_in_one_scale(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 0.3, 1.1]
    frames = np.zeros((5, 20, 30, 3), np.uint8)
    frames[1::2, :10] = 200  # the upper half flickers
    result = motion_heatmap(frames, times=times, slice=1, background=np.full((20, 30, 3), 90, np.uint8))
    slices = result.slices
    assert slices is not None
    assert slices.peak == 3
    assert slices[0].heat.max() == 1
    np.testing.assert_allclose(slices[1].heat[:10], 1 / 3, rtol=1e-6)
    assert repr(slices[-1]) == "<TimeSlice 1: 0:01 \N{EN DASH} 0:02, 1 pairs>"
    assert slices[:2][1].number == 1
    slices[1].save(tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "counts.npy"), slices[1].counts)
    with Image.open(tmp_path / "overlay.png") as overlay:
        np.testing.assert_array_equal(np.asarray(overlay)[..., ::-1], slices[1].render())
    blurred = motion_heatmap(frames, times=times, slice=1, blur=2.0).slices
    assert blurred is not None
    assert 0 < blurred[0].heat[11, 15] < blurred[0].heat[9, 15] <= 1


@pytest.mark.parametrize("times", [None, [0.5]])
def test_a_frame_alone_is_one_empty_map(tmp_path: Path, times: list[float] | None) -> None:
    result = motion_heatmap(scene(1), times=times, slice=2)
    assert result.slices is not None
    assert [(each.start, each.end, each.pairs, each.counts.max()) for each in result.slices] == [(0, 2, 0, 0)]
    result.save(tmp_path)
    with np.load(tmp_path / "slices.npz", allow_pickle=False) as slices:
        assert slices["counts"].shape == (1, 48, 64)
        assert not slices["counts"].any()


def test_maps_are_merged() -> None:
    frames, times = noisy_scene(40), [i / 8 for i in range(40)]
    whole = motion_heatmap(frames, times=times, slice=0.5)
    halves = [
        motion_heatmap(frames[part], times=times[part], slice=0.5, start=start)
        for part, start in ((slice(0, 21), None), (slice(20, 40), 2.5))
    ]
    merged = halves[0].merge(halves[1])
    assert merged.slices is not None
    assert whole.slices is not None
    assert [each.pairs for each in merged.slices] == [each.pairs for each in whole.slices]
    for one, other in zip(merged.slices, whole.slices, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)
    with pytest.raises(InputError, match="begin at other times"):
        halves[0].merge(motion_heatmap(frames, times=times, slice=0.5, start=0.2))
    with pytest.raises(InputError, match=r"slice is 0\.5 here and None there"):
        halves[0].merge(motion_heatmap(frames, times=times))
    untimed = motion_heatmap(frames, slice=3)
    with pytest.raises(InputError, match="give times"):
        untimed.merge(untimed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slice": 1, "slices": 2}, "exclude each other"),
        ({"slice": 0}, "slice must be above 0 s"),
        ({"slice": "soon"}, "finite number of seconds"),
        ({"slice": 1e-9}, "slice must be at least"),
        ({"slices": 0}, "slices must be a whole number from 1"),
        ({"slices": 3, "start": 100}, "the video ends at 4 s, as far as is known beforehand, and start is 100 s"),
    ],
)
def test_what_cannot_be_is_refused(clip: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        motion_heatmap(clip, **options)


def test_a_length_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    with pytest.raises(OptionError, match="give slice, in seconds"):
        motion_heatmap(iter(noisy_scene(4)), slices=2)
    monkeypatch.setattr("gpuheat.inputs.video.VideoReader.length", None)
    with pytest.raises(OptionError, match="give slice, in seconds"):
        motion_heatmap(clip, slices=2)
    result = motion_heatmap(clip, slices=2, end=3)
    assert result.slices is not None
    assert len(result.slices) == 2


def test_the_command_line(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["motion", str(clip), "-o", str(tmp_path), "--slice", "0.025m", "--backend", "numpy"])
    assert ended.value.code == 0
    maps, times = pairs_of(clip)
    want = slice_maps(maps, times, Fraction(3, 2))
    with np.load(tmp_path / "slices.npz", allow_pickle=False) as slices:
        assert slices["counts"].dtype == np.uint32
        np.testing.assert_array_equal(slices["counts"], np.stack([want[number] for number in range(3)]))
        np.testing.assert_array_equal(slices["counts"].sum(axis=0), np.load(tmp_path / "counts.npy"))
        assert slices["start_s"].tolist() == [0, 1.5, 3]
        assert slices["end_s"].tolist() == [1.5, 3, 4.5]
        assert slices["pairs"].tolist() == [37, 37, 25]
    with Image.open(tmp_path / "slices.png") as sheet:
        assert 1080 <= sheet.width <= 1800
    with pytest.raises(SystemExit) as ended:
        main(["motion", str(clip), "-o", str(tmp_path), "--slices", "2", "--slice", "1"])
    assert ended.value.code == 2
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_clips(real_data: Path, name: str) -> None:
    path = real_data / "video" / name
    maps, times = pairs_of(path)
    for jobs in (1, 3):
        result = motion_heatmap(path, jobs=jobs, slice="0.25")
        assert_slices(result, maps, times, Fraction(1, 4))
        evenly = motion_heatmap(path, jobs=jobs, slices=6)
        assert evenly.slices is not None
        assert len(evenly.slices) == 6
        np.testing.assert_array_equal(sum(each.counts for each in evenly.slices), result.counts)
