"""Comparing with an older report: what is marked, what is noise, and what cannot be compared."""

from __future__ import annotations

import io
import json
import random
import statistics
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are not installed

from benchmarks.compare import Comparison, ComparisonError, Earlier, Finding, compare
from benchmarks.report import Report
from benchmarks.results import Row, Verdict

pytestmark = pytest.mark.once

PEERS = ("OpenCV steps", "OpenCV MOG2", "NumPy expression")
MACHINE: dict[str, Any] = {
    "name": "Some Processor",
    "processors": 2,
    "python": "3.12.1",
    "driver": None,
    "commit": "abc",
    "changed_since": "",
    "versions": {"gpuheat": "0.1", "numpy": "2.2.6"},
}


def row(contender: str, seconds: float, *, seed: int, runs: int = 7, wide: float = 0.01, suite: str = "kernels") -> Row:
    """Runs that differ by ``wide`` either way, by chance."""
    chance = random.Random(f"{contender} {seed}")
    times = tuple(seconds * (1 + chance.uniform(-wide, wide)) for _ in range(runs))
    lower, median, upper = statistics.quantiles(times, n=4)
    return Row(
        suite,
        "motion bgr24 [1080p]",
        contender,
        contender in ("numba", "numpy"),
        "ok",
        "host",
        runs_s=times,
        median_s=statistics.median(times),
        spread=(upper - lower) / 2 / median,
        targets=(Verdict("60 % of copy", 0.7, True),),
    )


def all_rows(seed: int, drift: float = 1.0, **slowed: float) -> list[Row]:
    """``slowed``: how many times as long a contender takes."""
    seconds = {"numba": 0.01, "numpy": 0.1, **{peer: 0.05 * (1 + i) for i, peer in enumerate(PEERS)}}
    return [row(name, each * drift * slowed.get(name, 1), seed=seed) for name, each in seconds.items()]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return written(tmp_path / "old.json", all_rows(1))


def written(path: Path, rows: Iterable[Row]) -> Path:
    path.write_text(Report(MACHINE, rows=[*rows]).as_json())
    return path


def beside(old: Path, rows: Iterable[Row], **machine: Any) -> Comparison:
    return compare(Earlier.read(old), Report({**MACHINE, **machine}, rows=[*rows]))


def shown(comparison: Comparison) -> str:
    console = Console(file=io.StringIO(), width=200)
    with console.capture() as captured:
        console.print(comparison)
    return captured.get()


def test_a_row_slowed_by_30_percent_is_marked(old: Path) -> None:
    comparison = beside(old, all_rows(2, numba=1.3))
    (change,) = comparison.slower
    assert (change.now.contender, change.finding) == ("numba", Finding.SLOWER)
    assert change.ratio == pytest.approx(1.3, rel=0.03)
    assert change.p == pytest.approx(1 / 3432)  # all seven runs longer than all seven of before
    assert not comparison.faster
    text = shown(comparison)
    assert "1 slower, 0 faster, 4 within noise" in text
    assert "motion bgr24 [1080p]" in text  # and not taken for a style


def test_a_row_within_noise_is_not_marked(old: Path) -> None:
    comparison = beside(old, all_rows(2, numba=1.06, numpy=0.95))
    assert not comparison.slower
    assert not comparison.faster
    assert {change.finding for change in comparison.changes} == {Finding.WITHIN_NOISE}


def test_a_faster_row_is_told(old: Path) -> None:
    (change,) = beside(old, all_rows(2, numpy=0.7)).faster
    assert (change.now.contender, change.finding) == ("numpy", Finding.FASTER)


def test_a_wide_spread_allows_more(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", [row("numba", 0.01, seed=1, wide=0.3)])
    comparison = beside(old, [row("numba", 0.0125, seed=2, wide=0.3)])
    (change,) = comparison.changes
    assert change.allowed > 1.3
    assert change.finding is Finding.WITHIN_NOISE


def test_medians_alone_are_no_proof(tmp_path: Path) -> None:
    times = (1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.51)
    before = replace(row("numba", 1, seed=1), runs_s=times, median_s=1.03, spread=0.0)
    now = replace(before, runs_s=(1.015, 1.035, 1.2, 1.3, 1.4, 1.6, 1.61), median_s=1.3)
    (change,) = beside(written(tmp_path / "old.json", [before]), [now]).changes
    assert change.ratio > change.allowed
    assert change.p is not None
    assert 0.02 < change.p < 0.08
    assert change.finding is Finding.WITHIN_NOISE


def test_others_at_work_during_a_case_are_seen_by_its_peers(old: Path) -> None:
    slowed = {"numba": 1.3, "OpenCV MOG2": 1.4}  # ours no more than a peer, by which nothing became slower
    assert not beside(old, all_rows(2, **slowed)).slower
    assert beside(old, all_rows(2, **{**slowed, "numba": 1.8})).slower


@pytest.mark.parametrize("drift", [0.5, 1.6])
def test_the_drift_of_the_machine_is_divided_out(old: Path, drift: float) -> None:
    comparison = beside(old, all_rows(2, drift, numpy=1.3))
    assert comparison.drifts["kernels"] == pytest.approx(drift, rel=0.03)
    assert [change.now.contender for change in comparison.slower] == ["numpy"]
    assert not comparison.faster
    assert "which is divided out" in shown(comparison)


@pytest.mark.parametrize("peers", [(), PEERS[:2]])
def test_too_few_peers_do_not_tell_the_drift(old: Path, peers: tuple[str, ...]) -> None:
    comparison = beside(old, [each for each in all_rows(2, 1.6) if each.ours or each.contender in peers])
    assert comparison.drifts == {"kernels": None}
    assert {change.now.contender for change in comparison.slower} == (set() if peers else {"numba", "numpy"})
    assert "fewer than 3 peers are in both" in shown(comparison)


def test_a_slower_peer_is_shown_but_is_not_ours(old: Path) -> None:
    comparison = beside(old, all_rows(2, **{PEERS[0]: 2.0}))
    assert not comparison.slower
    assert f"{PEERS[0]} (peer)" in shown(comparison)


@pytest.mark.parametrize(("runs", "finding"), [(2, Finding.TOO_FEW_RUNS), (3, Finding.SLOWER), (5, Finding.SLOWER)])
def test_few_runs(tmp_path: Path, runs: int, finding: Finding) -> None:
    old = written(tmp_path / "old.json", [row("numba", 1, seed=1, runs=runs)])
    comparison = beside(old, [row("numba", 2, seed=2, runs=runs)])
    assert [change.finding for change in comparison.changes] == [finding]
    assert ("1 with too few runs" in shown(comparison)) == (runs == 2)


def test_new_and_gone_rows(old: Path) -> None:
    rows = all_rows(2)
    failed = replace(rows[0], outcome="failed: RuntimeError", median_s=None, spread=None, runs_s=())
    extra = row("numpy", 1, seed=2, suite="video")
    comparison = beside(old, [failed, *rows[1:], extra])
    assert [each.contender for each in comparison.gone] == ["numba"]
    assert [*comparison.new] == [extra]
    text = shown(comparison)
    assert "Gone: kernels, motion bgr24 [1080p], numba" in text
    assert "New: video, motion bgr24 [1080p], numpy" in text


def test_suites_that_did_not_run_are_not_gone(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", [*all_rows(1), row("numba", 1, seed=1, suite="video")])
    assert not beside(old, all_rows(2)).gone


def test_another_machine_is_told_and_still_compared(old: Path) -> None:
    device = {"device": {"name": "Some GPU"}, "versions": {"gpuheat": "0.2", "numpy": "2.3.0"}}
    rows = [each for each in all_rows(2, numba=1.3) if each.contender != "numpy"]
    comparison = beside(old, rows, name="Another", processors=4, **device)
    assert [*comparison.notes] == [
        "processor: Some Processor before, Another now",
        "number of processors: 2 before, 4 now",
        "device: none before, Some GPU now",
        "version of numpy: 2.2.6 before, 2.3.0 now",
        "our contenders: numba, numpy before, numba now",
    ]
    assert len(comparison.slower) == 1
    assert "NOT THE SAME: processor" in shown(comparison)


def test_the_same_machine_has_no_notes(old: Path) -> None:
    assert not beside(old, all_rows(2)).notes


BROKEN = {
    "no JSON": "{",
    "a list": "[]",
    "another format": '{"format": 2}',
    "no machine": '{"format": 1, "rows": []}',
    "a machine of one word": '{"format": 1, "machine": "fast", "rows": []}',
    "an unknown field": json.dumps({"format": 1, "machine": {}, "rows": [{"fast": True, "targets": []}]}),
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_report_is_told(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "old.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ComparisonError, match=r"old\.json is not a report of these benchmarks"):
        beside(path, all_rows(2))


@pytest.mark.parametrize(
    "wrong",
    [{"median_s": float("nan")}, {"median_s": 0.0}, {"median_s": "1"}, {"runs_s": []}, {"spread": None}, {"case": []}],
    ids=str,
)
def test_times_that_are_none_are_told(old: Path, wrong: dict[str, Any]) -> None:
    content = json.loads(old.read_text())
    content["rows"][0].update(wrong)
    old.write_text(json.dumps(content))
    with pytest.raises(ComparisonError, match="is not a report of these benchmarks"):
        beside(old, all_rows(2))


def test_without_scipy_the_extra_is_named(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ComparisonError, match=r'pip install "gpuheat\[bench\]"'):
        beside(old, all_rows(2))
