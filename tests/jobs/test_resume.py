"""A run that was interrupted goes on, and ends with the same map."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from by_slices import assert_same_timeline
from clips import encode, noisy_scene, scene, turn_mp4

from gpuheat import Backend, MotionHeatmap, motion_heatmap
from gpuheat.backends.base import GatheringBackend
from gpuheat.cli import main
from gpuheat.errors import IncompleteError
from gpuheat.inputs import keyframes
from gpuheat.jobs.motion_run import MotionRun
from gpuheat.jobs.motion_videos import MotionVideos

X264 = "keyint=12:min-keyint=12:scenecut=0:bframes=3"
OPTIONS: dict[str, Any] = (
    {"threshold": 25, "pixels": "bgr", "half_life": None, "every": 1, "start": None, "end": None, "downscale": 1}
    | {"mask": None, "max_changed": 1.0, "background": "mean", "blur": 0.0, "times": None, "backend": "numpy"}
    | {"decode": "auto", "jobs": 1, "max_pixels": 2**28}
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts may have two frames, and slices have to be doubled in a clip of 4 s."""
    monkeypatch.setattr(keyframes, "SHORTEST", 2)
    monkeypatch.setattr("gpuheat.motion.over_time.MOST", 5)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return encode(path, noisy_scene(100), options={"x264-params": f"{X264}:open-gop=1"})


class InterruptionError(Exception):
    """Comes when all that was read was counted, as Ctrl-C does on the command line."""


def interrupted(
    path: Path, checkpoint: Path, chance: random.Random, *, often: int = 100, **options: Any
) -> tuple[MotionHeatmap, int]:
    """The map of a run that was interrupted every few frames or parts, at most so often, and how often that was."""
    times = left = 0

    def stop(_done: int, _expected: int | None) -> None:
        nonlocal left
        left -= run.tally.counter is not None and run.tally.awaited is None
        if left == 0:
            raise InterruptionError

    while True:
        if options.get("jobs", 1) > 1 or isinstance(options.get("backend"), GatheringBackend):  # few calls
            left = (1, 2, 2, 20)[min(times, 3)]
        else:
            left = chance.randrange(1, 40)
        if times == often:
            left = 0
        with MotionRun(path, **OPTIONS | options, checkpoint=checkpoint) as run:
            try:
                run.count(stop)
            except InterruptionError:
                assert run.save()
                times += 1
            else:
                return run.result(), times


def interrupted_videos(
    paths: Sequence[Path], checkpoint: Path, chance: random.Random, **options: Any
) -> tuple[MotionHeatmap, int]:
    """The same of several videos. With one decoder no run begins where an earlier one began."""
    times = last = 0
    began: list[int] = []

    def stop(done: int, _expected: int | None) -> None:
        nonlocal last
        if not last:
            one_decoder = options.get("jobs", 1) == 1
            last = done + chance.randrange(15 if one_decoder else 1, 30)
            assert not one_decoder or not began or done > began[-1]
            began.append(done)
        if times < 12 and done >= last and run.save():
            raise InterruptionError

    while True:
        last = 0
        with MotionVideos(paths, **OPTIONS | options, checkpoint=checkpoint) as run:
            try:
                run.count(stop)
            except InterruptionError:
                times += 1
            except IncompleteError as error:
                return error.heatmap, times
            else:
                return run.result(), times


def assert_same(got: MotionHeatmap, want: MotionHeatmap) -> None:
    """All of a map but the time it took and how many decoders there were."""
    for name in ("counts", "heat", "moved", "counted", "frames", "times", "background", "decayed"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name), err_msg=name)
    assert_same_timeline(got.timeline, want.timeline)
    assert got.settings == want.settings
    assert {**got.facts, "time": 0} == {**want.facts, "time": 0}


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("background", ["first", "mean", "median"])
@pytest.mark.parametrize("pixels", ["bgr", "luma"])
def test_the_map_is_that_of_one_run(
    clip: Path, tmp_path: Path, jobs: int, background: str, pixels: str, backend: Backend
) -> None:
    options: dict[str, Any] = {"background": background, "pixels": pixels, "backend": backend, "jobs": jobs}
    want = motion_heatmap(clip, **options)
    got, times = interrupted(clip, tmp_path / "checkpoint", random.Random(jobs), **options)
    assert times > 1
    assert_same(got, want)


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("every", [1, 5, 13, 30])
@pytest.mark.parametrize(("start", "end"), [(None, None), (0.5, None), (None, 1.7), (2.01, 3), (3.9, 99)])
def test_stretches(clip: Path, tmp_path: Path, jobs: int, every: int, start: Any, end: Any) -> None:
    options = {"every": every, "start": start, "end": end, "jobs": jobs}
    got, _ = interrupted(clip, tmp_path / "checkpoint", random.Random(every), **options)
    assert_same(got, motion_heatmap(clip, backend="numpy", **options))


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file(tmp_path: Path, seed: int, jobs: int) -> None:
    chance = random.Random(seed)
    suffix = chance.choice(["mp4", "mkv", "ts"])
    path = encode(tmp_path / f"clip.{suffix}", noisy_scene(100), options={"x264-params": f"{X264}:open-gop={seed % 2}"})
    data = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(len(data) // 5, len(data) * 9 // 10)] ^= chance.randrange(1, 256)
    path.write_bytes(data)
    got, times = interrupted(path, tmp_path / "checkpoint", chance, jobs=jobs)
    assert times > 0
    assert_same(got, motion_heatmap(path, backend="numpy", jobs=jobs))


def test_other_options(clip: Path, tmp_path: Path) -> None:
    mask = np.zeros((48, 64), np.uint8)
    mask[5:30, 10:50] = 1
    given = np.zeros((48, 64, 3), np.uint8)
    options: list[dict[str, Any]] = [
        *({"mask": mask}, {"half_life": 0.5}, {"max_changed": 0.05}, {"downscale": 3}, {"background": given}),
    ]
    for option in options:
        for jobs in (1, 3):
            got, times = interrupted(clip, tmp_path / "checkpoint", random.Random(1), jobs=jobs, **option)
            assert times > 1
            assert_same(got, motion_heatmap(clip, backend="numpy", jobs=jobs, **option))
            (tmp_path / "checkpoint").unlink()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> list[Path]:
    """Several of one camera: one of them has a single frame, and one a single key frame."""
    folder = tmp_path_factory.mktemp("several")
    short = encode(folder / "short.mp4", scene(1))
    still = encode(folder / "still.mp4", noisy_scene(40, seed=1), options={"x264-params": "keyint=999:scenecut=0"})
    return [still, short, clip, encode(folder / "last.mkv", noisy_scene(30, seed=2), options={"x264-params": X264})]


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(
    "options",
    [
        *({}, {"background": "first", "every": 3}, {"background": "median"}, {"half_life": 0.5}),
        *({"start": 1, "end": 4}, {"end": 1.2}, {"start": 2}, {"start": 5.7}),
    ],
    ids=str,
)
def test_several_videos(clips: list[Path], tmp_path: Path, jobs: int, options: dict[str, Any]) -> None:
    want = motion_heatmap(clips, backend="numpy", jobs=jobs, **options)
    got, times = interrupted_videos(clips, tmp_path / "checkpoint", random.Random(jobs), jobs=jobs, **options)
    assert times > 0
    assert_same(got, want)
    assert_same(motion_heatmap(clips, backend="numpy", jobs=jobs, checkpoint=tmp_path / "checkpoint", **options), want)
    assert not (tmp_path / "checkpoint").exists()


def test_several_videos_that_are_turned(tmp_path: Path) -> None:
    paths = [turn_mp4(encode(tmp_path / f"{n}.mp4", noisy_scene(30, seed=n)), 90) for n in range(2)]
    mask = np.zeros((64, 48), np.uint8)
    mask[10:50, 5:30] = 1
    want = motion_heatmap(paths, backend="numpy", mask=mask)
    assert want.counts.shape == (64, 48)
    got, times = interrupted_videos(paths, tmp_path / "checkpoint", random.Random(3), mask=mask)
    assert times > 1
    assert_same(got, want)


@pytest.mark.parametrize("jobs", [1, 3])
def test_several_videos_of_which_some_fail(clips: list[Path], tmp_path: Path, jobs: int) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    broken = tmp_path / "broken.mp4"
    data = bytearray(clips[2].read_bytes())
    data[len(data) // 2] ^= 0x55
    broken.write_bytes(data)
    sizes = tmp_path / "sizes.ts"
    sizes.write_bytes(b"".join(encode(tmp_path / f"{n}.ts", scene(20, n, n + 16)).read_bytes() for n in (48, 96)))
    paths = [text, clips[0], sizes, tmp_path / "none.mp4", broken, encode(tmp_path / "large.mp4", scene(5, 96, 128))]
    paths.append(clips[3])
    with pytest.raises(IncompleteError) as caught:
        motion_heatmap(paths, backend="numpy", jobs=jobs)
    got, times = interrupted_videos(paths, tmp_path / "checkpoint", random.Random(jobs), jobs=jobs)
    assert times > 1
    assert_same(got, caught.value.heatmap)
    assert got.facts["input"]["stopped"] == "4 of 7 videos are left out, or not whole"


def test_a_part_without_a_cut_is_saved_before_its_end(clips: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with MotionRun(clips[0], **OPTIONS | {"jobs": 3}) as run:
        counted = set()
        run.count(lambda *_: counted.add(len(run.tally.numbers)))
    assert len(counted) > 30
    monkeypatch.setattr(keyframes, "SHORTEST", 20)  # 20 frames, and then 20 more
    two = encode(clips[0].parent / "two.mp4", noisy_scene(40), options={"x264-params": "keyint=20:scenecut=0"})
    for start, skipped in ((0, 0), (1, 20)):
        facts = motion_heatmap(two, start=start, jobs=2, backend="numpy").facts["input"]
        assert facts["frames_skipped"] == skipped
        assert facts["frames_decoded"] == 40 - skipped
    entries = motion_heatmap(clips, start=1.8, jobs=2, backend="numpy").facts["inputs"]
    assert (entries[0]["frames_decoded"], entries[0]["frames_skipped"]) == (0, 40)


@pytest.mark.real_data
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(
    "name",
    [
        *("bgslibrary/video.avi", "bgslibrary/demo.avi", "decord/corrupted.mp4", "opencv/tree.avi"),
        *("torchcodec/discard_first_keyframe.mp4", "torchcodec/test_non_zero_start.mp4"),
        *("torchcodec/nasa_13013_rotated.mp4", "intel/car-detection.mp4"),
    ],
)
def test_real_clips(real_data: Path, tmp_path: Path, name: str, jobs: int) -> None:
    path = real_data / "video" / name
    got, times = interrupted(path, tmp_path / "checkpoint", random.Random(jobs), often=5, jobs=jobs)
    assert times > 0
    assert_same(got, motion_heatmap(path, backend="numpy", jobs=jobs))


# --- real processes -------------------------------------------------------------------------------------------------

PROGRAM = """
from gpuheat.inputs import keyframes
from gpuheat.jobs import checkpoint
from gpuheat.cli import main
keyframes.SHORTEST = 2
checkpoint.INTERVAL = 0.03
main()
"""


def started(videos: Sequence[Path], out: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, "motion", *map(str, videos), "-o", str(out), "--backend", "numpy"]
    command += arguments
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def results(out: Path) -> dict[str, Any]:
    """The files but those that hold times, and the summary without them."""
    summary = json.loads((out / "summary.json").read_text())
    del summary["time"]
    names = ("counts.npy", "activity.csv", "overlay.png", "heatmap.png")
    return {name: (out / name).read_bytes() for name in names} | {"summary": summary}


def kinds_of_clips(folder: Path) -> dict[str, Path]:
    """Clips that need some seconds each."""
    frames = np.concatenate([scene(60, 192, 256, seed=seed) for seed in range(4)])
    frames += np.random.default_rng(0).integers(0, 6, frames.shape, np.uint8)
    times = [Fraction(n * 40 + n * n % 7 * 5, 1000) for n in range(len(frames))]
    clips = {
        "open": encode(folder / "open.mp4", frames, options={"x264-params": f"{X264}:open-gop=1"}),
        "variable": encode(folder / "variable.mkv", frames, times=times, time_base=Fraction(1, 1000)),
        "no index": encode(folder / "no_index.avi", frames, options={"x264-params": X264}),
    }
    data = bytearray(clips["open"].read_bytes())
    for at in (len(data) // 2, len(data) * 2 // 3):
        data[at] ^= 0x55
    clips["damaged"] = folder / "damaged.mp4"
    clips["damaged"].write_bytes(data)
    return clips


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("long")
    kinds = kinds_of_clips(folder)
    several = [kinds["open"], folder / "none.mp4", kinds["variable"], kinds["damaged"]]
    return {kind: [path] for kind, path in kinds.items()} | {"several": several}


def alone(videos: Sequence[Path], out: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The results of a run that nobody interrupts."""
    with pytest.raises(SystemExit) as caught:
        main(["motion", *map(str, videos), "-o", str(out), "--backend", "numpy", *arguments])
    assert caught.value.code == code
    return results(out)


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "jobs"),
    [("open", "2"), ("variable", "1"), ("no index", "2"), ("damaged", "1"), ("several", "2")],
)
def test_killed_again_and_again(long_clips: dict[str, list[Path]], tmp_path: Path, kind: str, jobs: str) -> None:
    """Whatever the moment: the next run goes on from a checkpoint or begins anew, and the last ends as if alone."""
    chance = random.Random(f"{kind} {jobs}")
    out = tmp_path / "got"
    wanted = 3 if kind == "several" else 0  # one of them is not there
    killed = went_on = 0
    while True:
        with started(long_clips[kind], out, "--jobs", jobs, "--resume") as process:
            # the first line comes when counting begins; from then on any moment will do
            assert process.stderr is not None
            went_on += "goes on" in process.stderr.readline()
            try:
                code = process.wait(
                    chance.uniform(0, 0.2 * (1 + killed)) if killed < 5 else 60
                )  # a busy machine is slow
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
                continue
            said = process.stderr.read()
            assert code == wanted, said
            assert ("none.mp4" in said) is (kind == "several")
        break
    assert killed > 0
    assert went_on > 0
    assert results(out) == alone(long_clips[kind], tmp_path / "want", "--jobs", jobs, code=wanted)
    left = [path.name for path in out.iterdir() if "checkpoint" in path.name]
    assert left == ([] if wanted == 0 else ["checkpoint.npz"])  # while something is missing


@pytest.mark.parametrize(
    ("number", "said", "kind", "arguments"),
    [
        (signal.SIGINT, "interrupted", "open", ("--jobs", "2")),
        (signal.SIGTERM, "terminated", "open", ("--jobs", "1", "--half-life", "3")),
        (signal.SIGTERM, "terminated", "several", ("--jobs", "2")),
    ],
)
def test_told_to_stop(
    long_clips: dict[str, list[Path]],
    tmp_path: Path,
    number: signal.Signals,
    said: str,
    kind: str,
    arguments: tuple[str, ...],
) -> None:
    out = tmp_path / "got"
    videos = long_clips[kind]
    code = 3 if kind == "several" else 0
    with started(videos, out, *arguments) as process:
        while not (out / "checkpoint.npz").exists():
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(number)
        assert process.wait(60) == 128 + number  # 0 or 3 where it had gone on to its end
        assert process.stderr is not None
        more = "the same command with --resume goes on from what was counted"
        assert process.stderr.read().splitlines()[-1] == f"gpuheat: error: {said}; {more}"
    assert [path.name for path in out.iterdir()] == ["checkpoint.npz"]
    got = alone(videos, out, *arguments, "--resume", code=code)
    assert got == alone(videos, tmp_path / "want", *arguments, code=code)


def test_what_does_not_fit_is_refused(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video, out = tmp_path / "clip.mp4", tmp_path / "out"
    video.write_bytes(clip.read_bytes())
    out.mkdir()
    options: dict[str, Any] = OPTIONS | {"checkpoint": out / "checkpoint.npz"}

    def told(*arguments: object) -> str:
        with pytest.raises(SystemExit) as caught:
            main(["motion", *map(str, (video, "-o", out, "--backend", "numpy", "--resume", *arguments))])
        return f"{caught.value.code} {capsys.readouterr().err}"

    with MotionRun(video, **options) as run:
        run.count()
        assert run.save()
    assert "other settings: threshold was 25 and is 9; every was 1 and is 2; " in told("--threshold", 9, "--every", 2)
    os.utime(video, ns=(1, 1))
    assert re.match(r"2 gpuheat: error: the checkpoint .* its time, in ns, was \d+ and is 1; begin anew\n$", told())
    whole = (out / "checkpoint.npz").read_bytes()
    (out / "checkpoint.npz").write_bytes(whole[:1000])
    said = told()
    assert said.startswith(f"0 gpuheat: the checkpoint {out / 'checkpoint.npz'} is damaged and now called ")
    assert "from the beginning" in said
    assert (out / "checkpoint.npz.damaged").read_bytes() == whole[:1000]
    assert told().startswith(f"0 gpuheat: no checkpoint {out / 'checkpoint.npz'} to go on from: from the beginning")


def test_other_videos_are_refused(clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    point = out / "checkpoint.npz"

    def told(*videos: Path, resume: bool = True) -> str:
        asked = ["--resume"] if resume else []
        with pytest.raises(SystemExit) as caught:
            main(["motion", *map(str, videos), "-o", str(out), "--backend", "numpy", *asked])
        return f"{caught.value.code} {capsys.readouterr().err}"

    def stop(done: int, _expected: int | None) -> None:
        if done >= 60 and run.save():
            raise InterruptionError

    with MotionVideos(clips, **OPTIONS, checkpoint=point) as run, pytest.raises(InterruptionError):
        run.count(stop)
    saved = point.read_bytes()
    still, short, clip, last = clips
    begin_anew = r": .*its first or last bytes are others; begin anew"
    assert re.match(rf"2 gpuheat: error: .* is not of this {clip}{begin_anew}", told(still, clip, short, last))
    assert re.match(rf"2 gpuheat: error: .* is not of this {last}{begin_anew}", told(still, short, last))
    assert "is of 3 videos, the last of them clip.mp4, and not of 2: give the same, or begin anew" in told(still, short)
    assert "is of 3 videos" in told(still)
    assert point.read_bytes() == saved
    for others in ([last], [last, last]):  # behind those that were reached there may be others
        point.write_bytes(saved)
        said = told(still, short, clip, *others)
        assert re.match(rf"0 gpuheat: goes on behind frame \d+ of {clip}, 3 of {3 + len(others)} videos, from ", said)
        assert not point.exists()
    with MotionRun(still, **OPTIONS, checkpoint=point) as alone_run:
        alone_run.count()
        assert alone_run.save()
    assert "other settings: source was one video and is several videos; give the same" in told(still, short)
    said = told(still, short, resume=False)
    called = f"the checkpoint {point} of an earlier run is called checkpoint.npz.earlier until there are results"
    assert said.startswith(f"0 gpuheat: begins anew; {called}\n")
    assert not [path.name for path in out.iterdir() if "checkpoint" in path.name]
