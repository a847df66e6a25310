"""The benchmarks: that every case gives right results, and that a report says what happened."""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
import threading
import time
import types
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from click.testing import CliRunner
from cuda_on_cpu.host_cupy import HostCupy
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # the benchmarks are not installed

from clips import decoded, encode, recipe, scene, turn_mp4

from benchmarks import __main__ as command
from benchmarks.checking import WrongResultError
from benchmarks.gpu import checks, histogram, motion, small
from benchmarks.gpu import command as gpu
from benchmarks.gpu.case import NONE, Case, Clock, Planned, Setting, Target, Work, input_sets
from benchmarks.gpu.device import Device
from benchmarks.gpu.report import Report
from benchmarks.gpu.results import HEADINGS, Measured, Outcome, Row, cells, rows, verdicts
from benchmarks.gpu.runner import OUT_OF_TIME, Budget, run_case
from benchmarks.timing import Timing
from benchmarks.video import contenders as ways
from benchmarks.video.clips import CAMERA, Plan, make
from benchmarks.video.contenders import Contender, Counted, contenders, expected_luma, seed_recipe
from benchmarks.video.measure import in_turn, peak_memory
from benchmarks.video.scene import street
from gpuheat import available_backends, get_backend, motion_heatmap
from gpuheat.backends.cupy import CupyBackend

MILLISECOND = Measured(Timing((0.001, 0.001, 0.001)), includes_host=False)


class Host(Device):
    """Stands for a GPU: NumPy's arrays, and a clock that runs everything twice and always tells the same."""

    def __init__(self) -> None:
        self.arrays = np
        self.cache_bytes = 1000

    def to_host(self, array: Any) -> NDArray[Any]:
        return np.asarray(array)

    def free(self) -> None:
        """Nothing to give back."""

    def synchronize(self) -> None:
        """Nothing to wait for."""

    def measure(self, run: Callable[[int], object], clock: Clock, sets: int, runs: int) -> Measured:  # noqa: ARG002
        run(0)
        run(sets)
        return MILLISECOND


class Held(Device):
    """A GPU that can be held, until somebody waits for it or more than ``room`` calls are queued behind."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.queued = 0
        self.held = False
        self._hold: Any = lambda *_: setattr(self, "held", True)
        self._event = lambda: Point(self)
        self._elapsed = lambda *_: 32.0  # ms

    def call(self, _: int) -> None:
        self.queued += 1
        if self.queued > self.room:
            self.synchronize()

    def synchronize(self) -> None:
        self.queued = 0
        self.held = False


class Point:
    """An event of it."""

    def __init__(self, device: Held) -> None:
        self.device = device

    def record(self) -> None:
        """Nothing to keep: every time is the same."""

    def synchronize(self) -> None:
        self.device.synchronize()

    @property
    def done(self) -> bool:
        return not self.device.held


def plan(ours: Callable[[], Work], peer: Callable[[], Work] | None = None, target: Target = NONE) -> Planned:
    case = Case(1000, "px", {"cupy": ours}, {} if peer is None else {"peer": peer}, floor=10_000)
    return Planned("a case", lambda _: case, "what is read", target)


def work(off: float = 0.0) -> Work:
    return Work(lambda _: None, lambda: off)


def fail() -> Work:
    raise RuntimeError("no\nmore of it")


@pytest.mark.parametrize(
    ("room", "calls", "includes_host"), [(99, 16, False), (2, 2, False), (1, 1, False), (0, 1, True)]
)
def test_the_device_is_held_until_all_calls_are_made(room: int, calls: int, includes_host: bool) -> None:
    device = Held(room)
    measured = device.measure(device.call, "device", 2, 4)
    assert measured == Measured(Timing((0.032 / calls,) * 4), includes_host)


def test_other_clocks() -> None:
    device = Held(1000)
    assert device.measure(device.call, "back to back", 1, 2).timing.runs == (0.032 / 500,) * 2
    assert device.measure(device.call, "host", 1, 2).includes_host


SETTING = Setting([get_backend("numba")], torch=None, quick=True)
EVERY = gpu.every_case(SETTING)


@pytest.mark.parametrize("planned", EVERY, ids=lambda planned: planned.name)
def test_every_case_gives_right_results(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    blurred = types.SimpleNamespace(gaussian_filter=lambda image, *_, **__: image)  # wrong, as a peer may be
    monkeypatch.setitem(sys.modules, "cupyx.scipy.ndimage", blurred)
    found = run_case(planned, Host(), 1e10, 2, Budget(600))
    assert [row.outcome for row in found if row.contender == "numba" or row.failed] == ["ok"]
    for row in found:
        if row.outcome != "ok":  # what NumPy cannot stand for
            assert row.contender in ("empty RawKernel", "pinned cudaMemcpyAsync", "numpy.copyto, pageable to pinned")
        elif row.contender in ("CuPy expression", "cupy.histogram2d"):
            assert row.difference == 0


def test_cases_are_all_different_and_those_with_targets_come_first() -> None:
    full = gpu.every_case(replace(SETTING, quick=False))
    assert len({planned.name for planned in full}) == len(full)
    judged = [planned.target != NONE for planned in full]
    assert judged == sorted(judged, reverse=True)
    assert sum(judged) == 4 + 6 + 1


def test_small_shapes_are_right() -> None:
    assert small.everything(get_backend("numba")) > 100
    assert [off for _, off, _ in small._picture_sums(CupyBackend(module=HostCupy()))] == [0.0] * 8


def test_floors_count_every_byte_once() -> None:
    film = motion.Film("bgr24", 10, 20, pairs=32)
    assert motion.floor_bytes(film, 600, 50) == 33 * 600 + 50 * 8
    assert motion.floor_bytes(replace(film, masked=True, decayed=True), 600, 50) == 33 * 600 + 50 * 24 + 200
    cloud = histogram.Cloud(histogram.GRIDS[0], "spread", 1000, 2)
    assert histogram.floor_bytes(cloud) == 2000 * 8
    assert histogram.floor_bytes(replace(cloud, dtype="float64", weighted=True)) == 2000 * 20


def test_inputs_outgrow_the_cache_before_their_turn_comes_again() -> None:
    assert input_sets(10, cache=100) == 40
    assert input_sets(10**9, cache=100) == 2


def test_rows_compare_with_peers_and_with_the_copy() -> None:
    case = Case(1000, "px", {"cupy": work}, {"peer": work}, floor=10_000, all_passes=20_000)
    slow = Measured(Timing((0.004, 0.004, 0.004)), includes_host=True)
    planned = Planned("a case", lambda _: case, target=Target(0.5, {"peer": 8.0, "absent": 2.0}))
    ours, peer = rows(planned, case, {"cupy": Outcome("ok", MILLISECOND, 0.0), "peer": Outcome("ok", slow, 0.5)}, 2e7)
    assert (ours.share_of_copy, ours.share_of_copy_all_passes, ours.items_per_s) == (0.5, 1.0, 1e6)
    assert ours.times_as_fast_as == {"peer": 4.0}
    assert [verdict.met for verdict in ours.targets] == [True, False, None]
    assert peer.targets == ()
    assert "8 x peer: missed" in cells(ours)[-2]
    assert "absent: not judged" in cells(ours)[-2]
    assert "with host" in cells(peer)[2]
    assert len(cells(ours)) == len(cells(rows(planned, case, {"cupy": Outcome("failed: it")}, 1.0)[0])) == len(HEADINGS)


def test_a_share_of_nothing_is_not_judged() -> None:
    assert [verdict.met for verdict in verdicts(Target(0.5), None, {})] == [None]


@pytest.mark.parametrize(
    ("ours", "peer", "expected"),
    [
        (work, work, ["ok", "ok"]),
        (lambda: work(1.0), work, ["failed: WrongResultError: a case: cupy is off by up to 1.0 (allowed: 0.0)", "ok"]),
        (
            lambda: work(np.nan),
            work,
            ["failed: WrongResultError: a case: cupy is off by up to nan (allowed: 0.0)", "ok"],
        ),
        (work, lambda: work(1.0), ["ok", "ok"]),
        (fail, work, ["failed: RuntimeError: no", "ok"]),
        (work, fail, ["ok", "left out: RuntimeError: no"]),
    ],
)
def test_one_that_fails_costs_nothing_but_itself(
    ours: Callable[[], Work], peer: Callable[[], Work], expected: list[str]
) -> None:
    found = run_case(plan(ours, peer), Host(), 1e9, 2, Budget(60))
    assert [row.outcome for row in found] == expected
    assert [row.failed for row in found] == [words.startswith("failed") for words in expected]


def test_a_case_that_cannot_be_made_or_has_no_time_left() -> None:
    def cannot(_: Device) -> Case:
        raise MemoryError

    broken = replace(plan(work), make=cannot)
    assert run_case(broken, Host(), 1.0, 2, Budget(60))[0].outcome == "failed: MemoryError: "
    ticks = iter([0.0, 61.0])
    assert run_case(broken, Host(), 1.0, 2, Budget(60, lambda: next(ticks)))[0].outcome == OUT_OF_TIME
    absent = replace(broken, needs=("no_such_module",))
    assert run_case(absent, Host(), 1.0, 2, Budget(60))[0].outcome == "not run: no_such_module is not installed"


def test_command_lines_of_the_checks(tmp_path: Path) -> None:
    words = " ".join(checks.parity(["cupy", "numba-cuda"]).command)
    assert "-m pytest tests/backends tests/motion tests/fixation --backend cupy --backend numba-cuda -q" in words
    assert all((checks.ROOT / path).is_file() for path in (*checks.NEED_NO_GPU, "tests/backends/test_add_motion.py"))
    memcheck, racecheck = checks.sanitizers("/bin/compute-sanitizer", ["cupy"])
    assert memcheck.command[:3] == ("/bin/compute-sanitizer", "--tool", "memcheck")
    assert racecheck.command[-2:] == ("benchmarks.gpu.small", "cupy")
    program = tmp_path / "bin/compute-sanitizer"
    program.parent.mkdir()
    program.touch(0o755)
    assert checks.find_sanitizer({"CUDA_HOME": str(tmp_path)}) == str(program)


MEMCHECK = checks.Check("memcheck", (), sanitizer=True)
PARITY = checks.Check("parity", ())


@pytest.mark.parametrize(
    ("check", "code", "output", "expected"),
    [
        (PARITY, 0, "9 passed in 1 s\n\n", "passed"),
        (PARITY, 1, "FAILED a\n1 failed in 1 s\n", "FAILED: 1 failed in 1 s"),
        (PARITY, 1, "", "FAILED: no output"),
        (PARITY, None, "..", "FAILED: not done within 30 s"),
        (MEMCHECK, 0, "========= ERROR SUMMARY: 0 errors\n", "passed"),
        (MEMCHECK, 0, "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)", "passed"),
        (MEMCHECK, 9, "x\n========= ERROR SUMMARY: 3 errors\n", "FAILED: ERROR SUMMARY: 3 errors"),
        (
            MEMCHECK,
            0,
            "========= RACECHECK SUMMARY: 1 hazard displayed (0 errors, 1 warning)",
            "FAILED: RACECHECK SUMMARY: 1 hazard displayed (0 errors, 1 warning)",
        ),
        (MEMCHECK, 1, "========= ERROR SUMMARY: 0 errors", "FAILED: ERROR SUMMARY: 0 errors (exit code 1)"),
        (MEMCHECK, 255, "cannot attach\n", "not run: compute-sanitizer does not work here: cannot attach"),
        (MEMCHECK, None, "", "not run: not done within 30 s"),
    ],
)
def test_what_a_check_says(check: checks.Check, code: int | None, output: str, expected: str) -> None:
    assert checks.verdict(check, code, output, 30.0) == expected


def test_checks_run_at_the_same_time_and_end_in_time() -> None:
    quick = checks.Check("quick", (sys.executable, "-c", "print('done')"))
    slow = checks.Check("slow", (sys.executable, "-c", "import time; time.sleep(600)"))
    done = checks.run_together([slow, quick], 3.0)
    assert [check.verdict.split(":")[0] for check in done] == ["FAILED", "passed"]
    assert done[1].output == ("done",)
    assert done[0].seconds < 60


def test_report_holds_all_that_happened(tmp_path: Path) -> None:
    device = {"name": "A GPU", "cuda_of_driver": 13010, "nvrtc": "13.0"}
    machine = {"device": device, "driver": "580.1", "commit": "abc", "changed_since": "", "versions": {"numpy": "2"}}
    report = Report(tmp_path / "results/gpu-a", machine, ["a note"], copy=4e12)
    report.checks = [checks.Checked("parity", ("pytest",), "FAILED: 1 failed", 3.0, ("the end",))]
    report.rows = run_case(plan(work, fail, Target(0.5)), Host(), 4e12, 2, Budget(60))
    report.rows.append(Row("another", "all", "failed: a | b", "device", ""))
    report.write()
    written = json.loads((tmp_path / "results/gpu-a.json").read_text())
    assert written["failures"] == ["parity: FAILED: 1 failed", "another, all: failed: a | b"]
    assert written["rows"][0]["targets"] == [{"wanted": "50 % of copy", "got": 2.5e-6, "met": False}]
    page = (tmp_path / "results/gpu-a.md").read_text()
    for words in ("CUDA 13.1", "4,000 GB/s", "a note", "the end", "50 % of copy: missed", "left out: ", "a \\| b"):
        assert words in page


def test_without_a_gpu_the_command_says_why() -> None:
    if {status.name: status.backend for status in available_backends()}["cupy"] is not None:
        pytest.skip("CuPy runs here")
    result = CliRunner().invoke(command.main, ["gpu"])
    assert result.exit_code == 1
    assert len(result.output.strip().splitlines()) == 1
    assert "the GPU is measured through CuPy, which cannot run" in result.output


def test_options_of_the_gpu_command_come_behind_its_name() -> None:
    result = CliRunner().invoke(command.main, ["--quick", "gpu"])
    assert result.exit_code == 2
    assert "come behind its name" in result.output


def test_the_street_has_noise_motion_and_a_slow_change_of_light() -> None:
    frames = [frame[:180].astype(int) for frame in street(180, 320, 301)]
    assert len(frames) == 301
    changes = [np.abs(after - before) for before, after in itertools.pairwise(frames[:20])]
    for change in changes:
        assert 0.5 < np.mean(change > 0) < 1
        assert 0.001 < np.mean(change > 25) < 0.1
    assert 1 < np.median(np.std(frames[:20], axis=0)) < 3
    light = [float(np.median(frame)) for frame in frames]
    assert light[0] > light[150] > light[300] > 0.85 * light[0]


def test_frames_of_the_street_are_planes_and_the_same_each_time() -> None:
    first, again = ([frame.copy() for frame in street(90, 160, 3)] for _ in range(2))
    assert [frame.shape for frame in first] == [(135, 160)] * 3
    assert {str(frame.dtype) for frame in first} == {"uint8"}
    np.testing.assert_array_equal(first, again)


def test_made_clips_are_what_x264_writes_unless_told_otherwise(tmp_path: Path) -> None:
    clip = make(Plan("small", 90, 160, 260), tmp_path)
    with av.open(clip.path) as container:
        pictures = [(picture.key_frame, picture.pict_type) for picture in container.decode(video=0)]
    assert [number for number, (key, _) in enumerate(pictures) if key] == [0, 250]
    assert sum(kind == PictureType.B for _, kind in pictures) > 130
    assert clip.seconds_to_make is not None
    options = clip.path.read_bytes()
    for words in (b"crf=23.0", b"subme=7", b"keyint=250", b"sliced_threads=0"):
        assert words in options


def test_made_clips_are_what_a_camera_writes(tmp_path: Path) -> None:
    clip = make(Plan("small", 90, 160, 130, CAMERA), tmp_path)
    with av.open(clip.path) as container:
        pictures = [(picture.key_frame, picture.pict_type) for picture in container.decode(video=0)]
    assert [number for number, (key, _) in enumerate(pictures) if key] == [0, 60, 120]
    assert {kind for key, kind in pictures if not key} == {PictureType.P}
    assert b"ref=1" in clip.path.read_bytes()


def test_every_way_gives_the_seeds_result(tmp_path: Path) -> None:
    clip = turn_mp4(encode(tmp_path / "clip.mp4", scene(12)), 90)
    frames = decoded(clip)
    expected, _ = recipe(np.rot90(frame.bgr, frame.rotation // 90) for frame in frames)
    seed = seed_recipe(clip)
    assert seed.frames == len(frames) == 12
    np.testing.assert_array_equal(seed.accumulator, expected)
    every = contenders(clip, get_backend("numpy"))
    assert len(every) == 8
    assert [each.expected.accumulator is not None for each in every] == [True, False, False, False, *[True] * 4]
    for each in every:
        each.check("clip.mp4")


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p"])
def test_brightness_is_ffmpegs_of_grey_pictures(tmp_path: Path, pix_fmt: str) -> None:
    clip = encode(tmp_path / "grey.mp4", scene(5)[..., 0], pix_fmt=pix_fmt)
    expected, moved = recipe(frame.bgr[..., 0] for frame in decoded(clip))
    assert min(moved) > 0
    luma = expected_luma(clip)
    assert luma is not None
    np.testing.assert_array_equal(luma.accumulator, expected)


def test_brightness_is_not_compared_where_it_is_not_in_the_file(tmp_path: Path) -> None:
    clip = encode(tmp_path / "clip.mkv", scene(3), codec="ffv1", pix_fmt="yuv444p")
    assert expected_luma(clip) is None
    names = [each.name for each in contenders(clip, get_backend("numpy"))]
    assert len(names) == 6
    assert not any("luma" in name for name in names)


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (Counted(3, np.ones((2, 2), np.float32)), "clip: it is off by up to 1.0"),
        (Counted(3, np.zeros((2, 3), np.float32)), "clip: it is off by up to inf"),
        (Counted(2, np.zeros((2, 2), np.float32)), "clip: it has 2 frames instead of 3"),
    ],
)
def test_a_wrong_result_is_told(got: Counted, words: str) -> None:
    expected = Counted(3, np.zeros((2, 2), np.float32))
    Contender("it", lambda: expected, expected).check("clip")
    with pytest.raises(WrongResultError, match=words):
        Contender("it", lambda: got, expected).check("clip")


def test_a_wrong_result_stops_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def wrong(*arguments: Any, **options: Any) -> Any:
        heatmap = motion_heatmap(*arguments, **options)
        heatmap.counts[-1, -1] += options["pixels"] == "luma"
        return heatmap

    monkeypatch.setattr(ways, "motion_heatmap", wrong)
    clip, rows = encode(tmp_path / "clip.mp4", scene(3)), tmp_path / "rows.json"
    result = CliRunner().invoke(command.main, ["video", "--clip", str(clip), "--json", str(rows)])
    assert result.exit_code == 1
    assert result.output.endswith("Error: clip.mp4: gpuheat, luma, by default is off by up to 255.0 (allowed: 0.0)\n")
    assert not rows.exists()


def test_what_is_not_a_video_and_no_backend_are_told_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    for arguments, words in (
        (["--clip", str(text)], "cv2.VideoCapture reads no frame of it"),
        (["--backend", "none"], "unknown backend 'none'"),
    ):
        result = CliRunner().invoke(command.main, ["video", *arguments])
        assert result.exit_code == 1
        assert words in result.output.splitlines()[-1]


def test_videos_are_run_in_turn() -> None:
    ran = []

    def run(name: str) -> Counted:
        ran.append(name)
        return Counted(1)

    measured = in_turn([Contender(name, partial(run, name), Counted(1)) for name in "ab"], 3)
    assert ran == list("ababab")
    assert [len(measured[name].timing.runs) for name in "ab"] == [3, 3]


def test_processor_time_is_that_of_all_threads() -> None:
    def busy() -> Counted:
        threads = [threading.Thread(target=hashlib.sha256, args=(bytes(50_000_000),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Counted(1)

    began = time.thread_time()
    measured = in_turn([Contender("busy", busy, Counted(1))], 1)["busy"]
    assert measured.processor_seconds > 2 * (time.thread_time() - began) > 0


def test_peak_memory_is_not_that_of_whoever_asks(tmp_path: Path) -> None:
    clip = encode(tmp_path / "clip.mp4", scene(3))
    held = np.ones(1 << 30, np.uint8)
    assert 30e6 < peak_memory(clip, "numpy") < held.nbytes / 2


@pytest.mark.parametrize("own", [False, True])
def test_the_command_says_what_it_measured(own: bool, tmp_path: Path) -> None:
    written = tmp_path / "rows.json"
    clip = encode(tmp_path / "own.mkv", scene(6), codec="ffv1", pix_fmt="yuv444p")
    options = ["--clip", str(clip), "--runs", "2"] if own else ["--quick"]
    result = CliRunner().invoke(command.main, ["video", "--backend", "numpy", "--json", str(written), *options])
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 110
    assert "gpuheat counts with numpy" in result.output
    found = json.loads(written.read_text())
    (facts,), rows = found["clips"], found["rows"]
    assert found["machine"]["versions"]["gpuheat"]
    assert len(rows) == (6 if own else 8)
    assert ("Brightness alone is not compared: yuv444p" in result.output) == own
    assert ("made in" in result.output) == (facts["seconds_to_make"] is not None) == (not own)
    assert {row["frames"] for row in rows} == {6 if own else 40}
    assert {len(row["runs_s"]) for row in rows} == {2 if own else 1}
    assert ("one run" in result.output) == (not own)
    assert f"{facts['peak_resident_bytes'] / 1e6:,.0f} MB" in result.output
    of = {row["contender"]: row for row in rows}
    assert of[ways.SEED]["times_as_fast_as_seed"] == 1
    assert of[facts["decoding_alone"]]["frames_per_s"] == max(of[name]["frames_per_s"] for name in ways.DECODING)
    assert of[facts["decoding_alone"]]["share_of_decoding"] == 1
    for name, row in of.items():
        assert name in result.output
        assert f"{row['frames_per_s']:,.1f}" in result.output
        assert row["times_as_fast_as_seed"] == pytest.approx(of[ways.SEED]["median_s"] / row["median_s"])
