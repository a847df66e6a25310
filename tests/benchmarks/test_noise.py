"""Signs that the numbers of a run are not to be believed."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are not installed

from benchmarks.noise import SIGNS, Moment, Watched, reasons
from benchmarks.results import Row

pytestmark = pytest.mark.once

BEFORE = Moment(seconds=100, processors=2, busy=50, stolen=1, own=10, load=0.3, throttled=3, highest_mhz=3000)
AFTER = replace(BEFORE, seconds=110, busy=65, own=25)  # ten seconds later all work was our own
SPIN = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


def row(spread: float | None) -> Row:
    median = None if spread is None else 1.0
    return Row("kernels", "motion", "numba", True, "ok", "host", spread=spread, median_s=median)


def test_a_quiet_run_has_no_reasons() -> None:
    rows = [*[row(0.02)] * 9, row(0.2), row(None)]  # one in ten may be noisy
    assert reasons(BEFORE, AFTER, rows) == []
    assert reasons(BEFORE, AFTER, []) == []


SIGNALS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "other programs took 10% of the processors' time": ({}, {"busy": 67}),
    "the host of this virtual machine kept 5% of the processors' time": ({}, {"stolen": 2}),
    "the load was 1.5 on 2 processors at the start": ({"load": 1.5}, {}),
    "processors were slowed down 4 times because they were hot": ({}, {"throttled": 7}),
    "the highest frequency changed from 3000 to 1800 MHz": ({}, {"highest_mhz": 1800}),
}


@pytest.mark.parametrize(("reason", "changed"), SIGNALS.items(), ids=SIGNALS)
def test_each_sign_is_told(reason: str, changed: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = changed
    assert reasons(replace(BEFORE, **before), replace(AFTER, **after), [row(0.02)]) == [reason]


def test_noisy_rows_are_counted() -> None:
    rows = [*[row(0.02)] * 8, row(0.2), row(0.3), row(None)]
    assert reasons(BEFORE, AFTER, rows) == ["the runs of 2 of 10 rows spread by more than 10 %"]


def test_copies_that_differ_are_told() -> None:
    watched = Watched()
    told = watched.reasons([], {"host": [12e9, 10.0e9], "device": [4000e9, 3900e9], "none": []})
    assert [reason for reason in told if "copy" in reason] == [
        "a plain copy on the host moved between 10.0 and 12.0 GB/s"
    ]


def test_the_work_of_ended_and_of_running_children_is_our_own() -> None:
    before = Moment.now()
    subprocess.run([sys.executable, "-c", SPIN], check=True)
    ended = Moment.now()
    assert ended.own - before.own >= 0.45
    with subprocess.Popen([sys.executable, "-c", f"{SPIN}\ninput()"], stdin=subprocess.PIPE, text=True) as child:
        limit = time.monotonic() + 30
        while Moment.now().own - ended.own < 0.45:
            assert time.monotonic() < limit
            time.sleep(0.05)
        child.communicate("\n")


def test_the_counters_go_on() -> None:
    before = Moment.now()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    after = Moment.now()
    assert after.seconds - before.seconds >= 0.25
    assert after.own - before.own == pytest.approx(0.3, abs=0.1)
    assert after.busy - before.busy >= 0.2  # counted in hundredths by each processor
    assert after.stolen >= before.stolen
    assert after.processors == before.processors > 0


def test_what_pyperf_advises_against_noise_is_kept() -> None:
    advices = (
        "Perf event: Set max sample rate to 1\n"
        "CPU scaling governor: Use CPU scaling governor 'performance'\n"
        "Linux scheduler: Use isolcpus=<cpu list> kernel parameter to isolate CPUs\n"
        "Power supply: The power cable must be plugged\n"
        "\nWarnings\n========\n\nTurbo Boost (MSR): Failed to read MSR 0x1a0\n"
    )
    assert SIGNS.findall(advices) == [
        "CPU scaling governor: Use CPU scaling governor 'performance'",
        "Power supply: The power cable must be plugged",
    ]
