"""The benchmarks on the host: every case and every peer gives right results, turns are taken, third parties join."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpuheat.backends

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are not installed

from benchmarks.case import NONE, Case, Planned, Setting, Target, Work
from benchmarks.host import Host
from benchmarks.kernels import suite
from benchmarks.kernels.yardsticks import HostYardsticks
from benchmarks.results import Measured
from benchmarks.runner import Budget, run_case
from gpuheat import get_backend, register_backend
from gpuheat.backends import numba

pytestmark = pytest.mark.once

SMALL = replace(
    suite.host_setting([get_backend("numba")], ["360p"], peers=True, quick=False),
    sizes=["360p"],
    pairs=3,
    points=(2_000,),
    blurs=((3.0, 90, 120),),
)
EVERY = suite.every_case(SMALL)
EXACT = ("numpy.histogram2d", "fast-histogram", "NumPy expression", "datashader")
OTHER_METHODS = ("OpenCV, grey first", "OpenCV MOG2")


def small_host() -> Host:
    host = Host(longest=60.0)
    host.cache_bytes = 1  # two sets of each input
    return host


@pytest.mark.parametrize("planned", EVERY, ids=lambda planned: planned.name)
def test_every_case_and_every_peer_gives_right_results(planned: Planned) -> None:
    found = {row.contender: row for row in run_case(planned, small_host(), 1e10, 2, Budget(600))}
    assert found["numba"].outcome == "ok"
    assert found["numba"].share_of_copy is not None
    assert found["numba"].clock == "host"
    for name, row in found.items():
        if row.ours or row.outcome.startswith("not run: "):
            continue
        assert row.outcome == "ok"
        assert row.difference is not None
        if name in EXACT or (name == "OpenCV steps" and ("gray8" in planned.name or "bgr24" in planned.name)):
            assert row.difference == 0
        elif "blur" in planned.name:
            assert row.difference < 1e-5
        elif name not in OTHER_METHODS:  # OpenCV's conversion rounds otherwise, other bins' edges do
            assert row.difference <= 3 or "weighted" in planned.name


def test_cases_are_all_different_and_cover_what_is_asked_for() -> None:
    full = suite.every_case(suite.host_setting([], (), peers=True, quick=False))
    names = [planned.name for planned in full]
    assert len({*names}) == len(names)
    for words in ("7680 x 4320", "1280 x 720", "100 M float32", "0.1 M float32", "4096 x 4096 bins", "sigma 38"):
        assert any(words in name for name in names)
    for layout in ("bgr24", "gray8", "yuv420p", "nv12", "luma"):
        assert any(f"motion {layout}," in name for name in names)
    quick = suite.every_case(suite.host_setting([], (), peers=True, quick=True))
    assert len(quick) < 25
    chosen = suite.every_case(suite.host_setting([], ["4k"], peers=True, quick=False))
    assert {size for size in ("1280 x 720", "3840 x 2160") if any(size in each.name for each in chosen)} == {
        "3840 x 2160"
    }


def test_aims_are_for_numba_beside_peers() -> None:
    assert HostYardsticks(peers=True, quick=True).aim("motion", "bgr24") == NONE
    assert HostYardsticks(peers=False, quick=False).aim("motion", "bgr24") == NONE
    aim = HostYardsticks(peers=True, quick=False).aim("motion", "bgr24")
    assert aim.backend == "numba"
    assert aim.times["OpenCV steps"] == 4.0


def planned(ours: Callable[[], Work], peer: Callable[[], Work], target: Target = NONE) -> Planned:
    case = Case(1000, "px", {"numba": ours}, {"peer": peer}, floor=10_000)
    return Planned("kernels", "a case", lambda _: case, "what is read", target)


def test_contenders_take_turns() -> None:
    turns: list[str] = []

    def work(name: str) -> Callable[[], Work]:
        def run(_: int) -> None:
            turns.append(name)
            time.sleep(0.002)

        return lambda: Work(run, lambda: 0.0)

    found = run_case(planned(work("ours"), work("theirs")), small_host(), 1e9, 3, Budget(60))
    assert [len(row.runs_s) for row in found] == [3, 3]
    assert turns[-12:] == ["ours", "ours", "theirs", "theirs"] * 3  # each sample follows a call that is not timed


def test_short_calls_are_grouped_until_the_clock_can_tell() -> None:
    calls = 0

    def run(_: int) -> None:
        nonlocal calls
        calls += 1

    found = Host(1.0).measure({"it": run}, "host", 1, 2)["it"]
    assert isinstance(found, Measured)
    assert calls > 100
    assert found.timing.median < 1e-4


def test_one_that_takes_too_long_or_fails_while_it_is_timed_costs_nothing_but_itself() -> None:
    def late(turn: int) -> None:
        if turn > 3:
            raise RuntimeError("later")

    host = Host(longest=0.01)
    found = run_case(
        planned(lambda: Work(late, lambda: 0.0), lambda: Work(lambda _: time.sleep(0.02), lambda: 0.0)),
        host,
        1,
        3,
        Budget(60),
    )
    ours, theirs = (row.outcome for row in found)
    assert ours == "failed: RuntimeError: later"
    assert re.fullmatch(r"not run: a run takes 0\.\d+ s", theirs)


def test_a_peer_that_is_not_installed_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fast_histogram", None)
    histogram = next(planned for planned in EVERY if planned.name.startswith("histogram"))
    found = {row.contender: row.outcome for row in run_case(histogram, small_host(), 1e9, 2, Budget(60))}
    assert found["numba"] == "ok"
    assert found["fast-histogram"] == "not run: fast-histogram is not installed"
    assert found["numpy.histogram2d"] == "ok"


class Wrong(numba.NumbaBackend):
    """Forgets a pixel."""

    name = "wrong"

    def add_motion(self, *args: Any, counts: Any = None, **more: Any) -> None:
        super().add_motion(*args, counts=counts, **more)
        if counts is not None:
            counts[np.unravel_index(counts.argmax(), counts.shape)] -= 1


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(gpuheat.backends, "_loaders", {**gpuheat.backends._loaders})
    register_backend("wrong", lambda _: Wrong())
    return "wrong"


def test_a_third_partys_backend_is_measured_and_a_wrong_one_refused(third_party: str) -> None:
    assert third_party in [backend.name for backend in suite.backends_on_host()]
    setting: Setting = replace(SMALL, backends=[get_backend(third_party), get_backend("numba")])
    motion, *_ = suite.every_case(setting)
    wrong, right, *_ = run_case(motion, small_host(), 1e9, 2, Budget(60))
    assert wrong.outcome == f"failed: WrongResultError: {motion.name}: wrong is off by up to 1.0 (allowed: 0.0)"
    assert wrong.median_s is None
    assert right.outcome == "ok"


def test_what_a_copy_moves() -> None:
    assert 1e8 < Host(1.0).copy_bandwidth(2) < 1e13
