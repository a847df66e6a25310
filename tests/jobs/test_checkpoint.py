"""The file from which an interrupted run goes on, and what the classes write into it."""

from __future__ import annotations

import errno
import logging
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import encode, noise, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuheat import Backend, InputError, MotionCounter, OptionError, get_backend, motion_heatmap
from gpuheat.inputs.arrays import ArrayFrame, ArrayFrames
from gpuheat.jobs import checkpoint as module
from gpuheat.jobs.checkpoint import Checkpoint
from gpuheat.jobs.scene import Scene
from gpuheat.jobs.tally import Counting, Tally
from gpuheat.motion.background import BACKGROUNDS
from gpuheat.pixels import YUV_TO_BGR, FrameLayout, Pixels

STATE: dict[str, Any] = {
    "numbers": [1, 2.5, None, "text", True],
    "nested": {"counts": np.arange(12, dtype=np.uint32).reshape(3, 4), "none": None, "nothing": np.zeros((0,))},
    "times": np.array([0.1, np.nan, np.inf]),
    "as they lie": {
        "turned": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "every second": np.arange(10)[::2],
        "one": np.array(3.5),
        "watched": np.array([True, False]),
    },
}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.bin"
    path.write_bytes(bytes(3_000_000))
    return path


def assert_same(got: Any, want: Any) -> None:
    assert type(got) is type(want)
    if isinstance(want, dict):
        assert [*got] == [*want]
        for name, value in want.items():
            assert_same(got[name], value)
    elif isinstance(want, np.ndarray):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_array_equal(got, want)
    else:
        assert got == want


# --- the file -------------------------------------------------------------------------------------------------------


def test_what_was_saved_is_loaded(tmp_path: Path, video: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    assert Checkpoint(path, [video], {"threshold": 25}).load() is None
    assert Checkpoint(path, [video], {"threshold": 25}).save(STATE)
    assert Checkpoint(path, [video], {"threshold": 25}).save(STATE)
    assert_same(Checkpoint(path, [video], {"threshold": 25}).load(), STATE)
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, video.name]
    with np.load(path) as members:
        assert any(np.array_equal(members[name], STATE["nested"]["counts"]) for name in members)


def test_what_an_interrupted_run_left_is_removed(tmp_path: Path, video: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", [video], {})
    (tmp_path / ".checkpoint.npz.abc.part").write_bytes(b"half")
    assert checkpoint.save(STATE)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["checkpoint.npz", video.name]
    (tmp_path / ".checkpoint.npz.abc.part").write_bytes(b"half")
    checkpoint.remove()
    assert [*tmp_path.iterdir()] == [video]
    checkpoint.remove()


def test_every_damage_is_found_out(tmp_path: Path, video: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, aside = tmp_path / "checkpoint.npz", tmp_path / "checkpoint.npz.damaged"
    checkpoint = Checkpoint(path, [video], {})
    assert checkpoint.save(STATE)
    whole = path.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(0, len(whole), 7)]
    shorter = [whole[:size] for size in (0, 1, 3, 4, 5, 100, len(whole) - 4, len(whole) - 1)]
    for damaged in [*flipped, *shorter, whole + b"\0", b"something else"]:
        path.write_bytes(damaged)
        caplog.clear()
        assert checkpoint.load() is None
        assert caplog.messages == [f"the checkpoint {path} is damaged and now called {aside.name}"]
        assert aside.read_bytes() == damaged
        assert not path.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_bytes(bytes(3_000_001)), "its size in bytes was 3000000 and is 3000001"),
        (lambda path: os.utime(path, ns=(0, 5)), r"its time, in ns, was \d+ and is 5"),
        (lambda path: path.write_bytes(b"\1" + bytes(2_999_999)), "its first or last bytes are others"),
        (lambda path: path.write_bytes(bytes(2_999_999) + b"\1"), "its first or last bytes are others"),
    ],
)
def test_another_video_is_refused(tmp_path: Path, video: Path, change: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "checkpoint.npz"
    assert Checkpoint(path, [video], {}).save(STATE)
    change(video)
    with pytest.raises(InputError, match=f"checkpoint.npz is not of this .*clip.bin: .*{message}"):
        Checkpoint(path, [video], {}).load()


def test_several_videos_as_far_as_they_were_reached(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    videos = [tmp_path / f"{name}.bin" for name in "abcde"]
    for number, video in enumerate(videos):
        if video.name != "b.bin":
            video.write_bytes(bytes([number] * 10))

    def loaded(*names: str) -> Any:
        return Checkpoint(path, [tmp_path / f"{name}.bin" for name in names], {}).load()

    checkpoint = Checkpoint(path, videos, {})
    checkpoint.reach(3)
    assert checkpoint.save(STATE)
    for names in ("abcde", "abced", "abc", "abcx"):
        assert_same(loaded(*names), STATE)
    again = Checkpoint(path, videos[:4], {})
    assert again.load() is not None
    assert again.save(STATE)  # which depends on as many as before
    for names, message in (
        ("ab", r"checkpoint.npz is of 3 videos, the last of them c.bin, and not of 2: give the same, or begin anew"),
        ("bacde", r"not of this .*b.bin: it could be read and now cannot; begin anew"),
        ("abd", r"not of this .*d.bin: its name was c.bin and is d.bin; its time, .*; its first or last bytes are"),
        ("acbde", r"not of this .*c.bin: it could not be read and now can; begin anew"),
    ):
        with pytest.raises(InputError, match=message):
            loaded(*names)
    videos[1].write_bytes(b"now it is there")
    with pytest.raises(InputError, match=r"b.bin: it could not be read and now can"):
        loaded(*"abcde")
    videos[1].unlink()
    videos[0].rename(tmp_path / "A.bin")
    assert_same(loaded(*"Abc"), STATE)  # the same file by another name


def test_the_file_of_an_earlier_run_is_kept_until_another_ended_well(
    tmp_path: Path, video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, aside = tmp_path / "checkpoint.npz", tmp_path / "checkpoint.npz.earlier"
    checkpoint = Checkpoint(path, [video], {})
    assert checkpoint.begin(resume=False) is None
    assert caplog.messages == []
    assert checkpoint.save(STATE)
    whole = path.read_bytes()
    assert checkpoint.begin(resume=False) is None
    assert caplog.messages == [
        f"begins anew; the checkpoint {path} of an earlier run is called {aside.name} until there are results"
    ]
    assert aside.read_bytes() == whole
    assert checkpoint.save(STATE)
    assert_same(checkpoint.begin(resume=True), STATE)
    assert aside.exists()
    checkpoint.remove()
    assert [*tmp_path.iterdir()] == [video]


def test_other_settings_are_refused_by_name(tmp_path: Path, video: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    assert Checkpoint(path, [video], {"threshold": 25, "every": 1, "pixels": "bgr"}).save(STATE)
    with pytest.raises(OptionError, match="other settings: threshold was 25 and is 30; every was 1 and is 2; give"):
        Checkpoint(path, [video], {"threshold": 30, "every": 2, "pixels": "bgr"}).load()


def test_another_format_is_refused(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Checkpoint(tmp_path / "checkpoint.npz", [video], {}).save(STATE)
    monkeypatch.setattr(module, "FORMAT", 0)
    with pytest.raises(InputError, match="another version of gpuheat"):
        Checkpoint(tmp_path / "checkpoint.npz", [video], {}).load()


def test_a_checkpoint_is_for_files(tmp_path: Path, video: Path) -> None:
    with pytest.raises(OptionError, match="for all frames of video files, not for frames in memory"):
        motion_heatmap(noise((3, 8, 8, 3)), checkpoint=tmp_path / "checkpoint.npz")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OptionError, match=f"for video files, and {tmp_path / 'pipe'} is none"):
        Checkpoint(tmp_path / "checkpoint.npz", [video, tmp_path / "pipe"], {})


def test_a_full_disk_is_told_once_and_leaves_the_older_file(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "checkpoint.npz"
    checkpoint = Checkpoint(path, [video], {})
    assert checkpoint.save(STATE)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with caplog.at_level(logging.ERROR, "gpuheat"):
        assert not checkpoint.save(STATE)
        assert not checkpoint.save(STATE)
    assert caplog.messages == [f"the checkpoint {path} cannot be written: No space left on device"]
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["checkpoint.npz", video.name]


def test_a_new_one_is_due_after_the_interval(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", [video], {})
    for _ in range(2):
        assert not checkpoint.is_due
        clock[0] += 29.9
        assert not checkpoint.is_due
        clock[0] += 0.2
        assert checkpoint.is_due
        assert checkpoint.save(STATE)


# --- what goes into it ----------------------------------------------------------------------------------------------


def saved_and_loaded(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The state, on its way through a file."""
    (folder / "clip").touch()
    checkpoint = Checkpoint(folder / "checkpoint", [folder / "clip"], {})
    assert checkpoint.save(state)
    loaded = checkpoint.load()
    assert loaded is not None
    return loaded


def test_it_is_written_without_a_copy(tmp_path: Path, video: Path) -> None:
    sums = np.arange(1 << 24, dtype=np.uint32)
    checkpoint = Checkpoint(tmp_path / "checkpoint", [video], {})
    tracemalloc.start()
    try:
        assert checkpoint.save({"counts": sums})
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 2 * module.CHUNK + 1_000_000  # of a checksum, and of the 67 MB nothing
    assert_same(checkpoint.load(), {"counts": sums})


@pytest.mark.parametrize("half_life", [None, 0.3])
@pytest.mark.parametrize("max_changed", [1.0, 0.3])
@pytest.mark.parametrize("masked", [False, True])
def test_a_counter_goes_on(
    tmp_path: Path, half_life: float | None, max_changed: float, masked: bool, backend: Backend
) -> None:
    frames, times = scene(30, 20, 24), [0.04 * n for n in range(30)]
    mask = None if not masked else np.arange(20 * 24).reshape(20, 24) % 5
    options: dict[str, Any] = {"half_life": half_life, "max_changed": max_changed, "mask": mask, "backend": backend}
    want = MotionCounter(20, 24, **options)
    want.push(frames, times)
    counter = MotionCounter(20, 24, **options)
    counter.push(frames[:9], times[:9])
    for begin, end in ((9, 10), (10, 22), (22, 30)):
        state = saved_and_loaded(counter.state, tmp_path)
        counter = MotionCounter(20, 24, **options)
        counter.restore(state)
        counter.push(frames[begin - 1 : end], times[begin - 1 : end])
    for name in ("counts", "heat", "decayed", "moved", "counted", "times"):
        np.testing.assert_array_equal(getattr(counter.result(), name), getattr(want.result(), name), err_msg=name)


@pytest.mark.parametrize("at", [0, 1, 4, 5, 6, 11])
def test_a_tally_goes_on_with_its_cuts(tmp_path: Path, at: int) -> None:
    """Saved behind frame ``at``, of which frames 2, 5 and 6 begin anew."""
    numpy = get_backend("numpy")
    counting = Counting(25, "bgr", None, 1.0, 1, numpy)
    frames = [*ArrayFrames(scene(12), [0.04 * n for n in range(12)], numpy)]

    def add(tally: Tally, frames: list[ArrayFrame]) -> None:
        for frame in frames:
            if frame.number in (2, 5, 6):
                tally.cut()
            tally.add(frame, 0)

    want, got = Tally(counting, Scene("mean", None, 1)), Tally(counting, Scene("mean", None, 1))
    add(want, frames)
    add(got, frames[: at + 1])
    state = saved_and_loaded(got.state, tmp_path)
    got = Tally(counting, Scene("mean", None, 1))
    got.restore(state, 0)
    assert got.awaits(frames[at])
    got.go_on_from(frames[at], 0)
    add(got, frames[at + 1 :])
    for name in ("counts", "moved", "frames", "times", "background"):
        np.testing.assert_array_equal(getattr(got.result(0, 0), name), getattr(want.result(0, 0), name), err_msg=name)
    assert got.result(0, 0).frames.tolist() == [1, 3, 4, 7, 8, 9, 10, 11]


@settings(max_examples=25)
@given(
    st.sampled_from(sorted(BACKGROUNDS)),
    st.lists(st.sampled_from(["bgr24", "gray8", "yuv420p"]), min_size=1, max_size=1).map(lambda one: one[0]),
    st.lists(st.integers(0, 70), min_size=1, max_size=8),
)
def test_a_background_goes_on(
    tmp_path_factory: pytest.TempPathFactory, kind: str, layout: str, cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    frames = [noise((4, 6, 3), seed=seed) for seed in range(sum(cuts) + 1)]
    planar = FrameLayout("yuv420p", YUV_TO_BGR["bt709", "limited"])

    def see(background: Any, number: int) -> None:
        bgr = frames[number]
        pixels = {
            "bgr24": lambda: Pixels(FrameLayout.BGR24, (bgr,)),
            "gray8": lambda: Pixels(FrameLayout.GRAY8, (bgr[..., 0],)),
            "yuv420p": lambda: Pixels(planar, (bgr[..., 0].copy(), bgr[:2, :3, 1].copy(), bgr[:2, :3, 2].copy())),
        }
        background.add(pixels[layout], lambda: bgr)

    want, got = BACKGROUNDS[kind](), BACKGROUNDS[kind]()
    number = 0
    for cut in [1, *cuts]:
        for _ in range(cut):
            see(want, number)
            see(got, number)
            number += 1
        state = saved_and_loaded(got.state, folder)
        got = BACKGROUNDS[kind]()
        got.restore(state)
    np.testing.assert_array_equal(got.picture(), want.picture())


def test_a_finished_run_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0)
    saved = []
    save = Checkpoint.save

    def noted(self: Checkpoint, state: dict[str, Any]) -> bool:
        saved.append(save(self, state))
        return saved[-1]

    monkeypatch.setattr(Checkpoint, "save", noted)
    path = encode(tmp_path / "clip.mp4", scene(10))
    motion_heatmap(path, checkpoint=tmp_path / "checkpoint.npz", jobs=1, backend="numpy")  # frame by frame
    assert len(saved) == 10
    assert all(saved)
    assert [*tmp_path.iterdir()] == [path]
