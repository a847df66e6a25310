"""The benchmarks on a GPU: that every case gives right results, and that a report says what happened."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cuda_on_cpu.host_cupy import HostCupy
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are not installed

from benchmarks.case import NONE, Case, Clock, Planned, Target, Work, input_sets
from benchmarks.gpu import checks, peers, small
from benchmarks.gpu import suite as gpu
from benchmarks.gpu.device import Device
from benchmarks.kernels import histogram, motion
from benchmarks.machine import ROOT
from benchmarks.report import Report
from benchmarks.results import HEADINGS, Measured, Outcome, Row, cells, rows, verdicts
from benchmarks.runner import OUT_OF_TIME, Budget, run_case
from benchmarks.timing import Timing
from gpuheat import get_backend
from gpuheat.backends.cupy import CupyBackend

pytestmark = pytest.mark.once

MILLISECOND = Measured(Timing((0.001, 0.001, 0.001)), includes_host=False)


class StandIn(Device):
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

    def _measure(self, run: Callable[[int], object], clock: Clock, sets: int, runs: int) -> Measured:  # noqa: ARG002
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
    return Planned("gpu", "a case", lambda _: case, "what is read", target)


def work(off: float = 0.0) -> Work:
    return Work(lambda _: None, lambda: off)


def fail() -> Work:
    raise RuntimeError("no\nmore of it")


@pytest.mark.parametrize(
    ("room", "calls", "includes_host"), [(99, 16, False), (2, 2, False), (1, 1, False), (0, 1, True)]
)
def test_the_device_is_held_until_all_calls_are_made(room: int, calls: int, includes_host: bool) -> None:
    device = Held(room)
    measured = device.measure({"it": device.call}, "device", 2, 4)["it"]
    assert measured == Measured(Timing((0.032 / calls,) * 4), includes_host)


def test_other_clocks() -> None:
    device = Held(1000)
    back_to_back, on_host = (device._measure(device.call, clock, 1, 2) for clock in ("back to back", "host"))
    assert back_to_back.timing.runs == (0.032 / 500,) * 2
    assert on_host.includes_host


EVERY = gpu.every_case(gpu.gpu_setting([get_backend("numba")], None, None, quick=True))


@pytest.mark.parametrize("planned", EVERY, ids=lambda planned: planned.name)
def test_every_case_gives_right_results(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    blurred = types.SimpleNamespace(gaussian_filter=lambda image, *_, **__: image)  # wrong, as a peer may be
    monkeypatch.setitem(sys.modules, "cupyx.scipy.ndimage", blurred)
    found = run_case(planned, StandIn(), 1e10, 2, Budget(600))
    assert [row.outcome for row in found if row.contender == "numba" or row.failed] == ["ok"]
    for row in found:
        if row.outcome != "ok":  # what NumPy cannot stand for
            assert row.contender in ("empty RawKernel", "pinned cudaMemcpyAsync", "numpy.copyto, pageable to pinned")
        elif row.contender in ("CuPy expression", "cupy.histogram2d"):
            assert row.difference == 0


def test_cases_are_all_different_and_those_with_targets_come_first() -> None:
    full = gpu.every_case(gpu.gpu_setting([get_backend("numba")], None, None, quick=False))
    assert len({planned.name for planned in full}) == len(full)
    judged = [planned.target != NONE for planned in full]
    assert judged == sorted(judged, reverse=True)
    assert sum(judged) == 4 + 6 + 1


class HostTensors:
    """Stands for CV-CUDA: its Gaussian, as OpenCV makes it, in tensors that are views of NumPy's arrays."""

    __version__ = "stand-in"
    Border = types.SimpleNamespace(REFLECT101=cv2.BORDER_REFLECT_101)

    def as_tensor(self, array: Any, layout: str) -> Any:
        assert array.ndim == 3
        assert layout == "HWC"
        return array

    def as_stream(self, stream: object) -> object:
        assert stream == "current"
        return stream

    def gaussian_into(self, into: Any, of: Any, size: Any, sigma: Any, border: int, *, stream: object) -> None:
        assert stream == "current"
        into[..., 0] = cv2.GaussianBlur(of[..., 0], size, sigmaX=sigma[0], sigmaY=sigma[1], borderType=border)


def test_cv_cuda_is_a_peer_where_it_can_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvcuda", None)
    assert peers.find_cvcuda()[0] is None
    monkeypatch.setitem(sys.modules, "cvcuda", HostTensors())
    monkeypatch.setattr(peers, "find_spec", lambda _: object())
    cvcuda, about = peers.find_cvcuda()
    assert "CV-CUDA stand-in" in about
    monkeypatch.setattr(np, "cuda", types.SimpleNamespace(get_current_stream=lambda: "current"), raising=False)
    cases = gpu.every_case(gpu.gpu_setting([get_backend("numba")], None, cvcuda, quick=True))
    blurs = [planned.make(StandIn()) for planned in cases if planned.name.startswith("blur")]
    off = [case.peers["CV-CUDA gaussian"]().difference() for case in blurs if "CV-CUDA gaussian" in case.peers]
    assert len(off) == 1  # of sigma 3, 9 and 38
    assert off[0] < 1e-5


def test_small_shapes_are_right() -> None:
    assert small.everything(get_backend("numba")) > 100
    assert [off for _, off, _ in small._picture_sums(CupyBackend(module=HostCupy()))] == [0.0] * 14


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
    planned = Planned("gpu", "a case", lambda _: case, target=Target(0.5, {"peer": 8.0, "absent": 2.0}))
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
    found = run_case(plan(ours, peer), StandIn(), 1e9, 2, Budget(60))
    assert [row.outcome for row in found] == expected
    assert [row.failed for row in found] == [words.startswith("failed") for words in expected]


def test_a_case_that_cannot_be_made_or_has_no_time_left() -> None:
    def cannot(_: Device) -> Case:
        raise MemoryError

    broken = replace(plan(work), make=cannot)
    assert run_case(broken, StandIn(), 1.0, 2, Budget(60))[0].outcome == "failed: MemoryError: "
    ticks = iter([0.0, 61.0])
    assert run_case(broken, StandIn(), 1.0, 2, Budget(60, lambda: next(ticks)))[0].outcome == OUT_OF_TIME
    absent = replace(broken, needs=("no_such_module",))
    assert run_case(absent, StandIn(), 1.0, 2, Budget(60))[0].outcome == "not run: no_such_module is not installed"


def test_command_lines_of_the_checks(tmp_path: Path) -> None:
    words = " ".join(checks.parity(["cupy", "numba-cuda"]).command)
    assert "-m pytest tests/backends tests/motion tests/fixation --backend cupy --backend numba-cuda -q" in words
    assert all((ROOT / path).is_file() for path in (*checks.NEED_NO_GPU, "tests/backends/test_add_motion.py"))
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
    machine = {
        "name": "a processor",
        "processors": 2,
        "python": "3.11",
        "device": device,
        "driver": "580.1",
        "commit": "abc",
        "changed_since": "",
        "versions": {"numpy": "2"},
    }
    report = Report(machine, tmp_path / "results/gpu-a.json", ["a note"], copies={"device": [4e12, 3.9e12]})
    report.checks = [checks.Checked("parity", ("pytest",), "FAILED: 1 failed", 3.0, ("the end",))]
    report.rows = run_case(plan(work, fail, Target(0.5)), StandIn(), 4e12, 2, Budget(60))
    report.rows.append(Row("gpu", "another", "all", True, "failed: a | b", "device"))
    report.write()
    written = json.loads((tmp_path / "results/gpu-a.json").read_text())
    assert written["failures"] == ["parity: FAILED: 1 failed", "another, all: failed: a | b"]
    assert written["rows"][0]["targets"] == [{"wanted": "50 % of copy", "got": 2.5e-6, "met": False}]
    page = (tmp_path / "results/gpu-a.md").read_text()
    for words in (
        "CUDA 13.1",
        "4,000.0 and 3,900.0 GB/s",
        "a note",
        "the end",
        "50 % of copy: missed",
        "left out: ",
        "a \\| b",
    ):
        assert words in page
