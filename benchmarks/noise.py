"""Why the numbers of a run are not to be believed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from benchmarks.results import NOISY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.results import Row

__all__ = ["Moment", "Watched", "reasons"]

NOISY_ROWS: Final = 0.10
"""As many rows with a wide spread are no accident."""
OTHERS: Final = 0.05  # of the time of all processors
STOLEN: Final = 0.01  # of it, taken by the host of a virtual machine
LOAD: Final = 0.5  # threads at work per processor before the run began
COPIES: Final = 0.10
SIGNS: Final = re.compile(r"^(?:CPU scaling governor|Power supply)\b.*", re.MULTILINE)
"""Of pyperf's advices those about what makes times change by themselves. The others are about the last percent."""
COUNTS: Final = ("core_throttle_count", "package_throttle_count")


@dataclass(frozen=True)
class Moment:
    """The counters of the machine; times in seconds, summed over the processors that this process may use.

    ``busy``: at work for anyone; ``stolen``: kept by the host of a virtual machine; ``own``: at work for this process
    and its children.
    """

    seconds: float
    processors: int
    busy: float
    stolen: float
    own: float
    load: float
    """Threads at work or waiting for a processor, averaged over the last minute."""
    throttled: int
    """How many times processors were slowed down because they were hot."""
    highest_mhz: float
    """The highest frequency they may take; 0 where it is not told."""

    @classmethod
    def now(cls) -> Moment:
        """As the counters stand."""
        usable = os.sched_getaffinity(0)
        times = [each for number, each in enumerate(psutil.cpu_times(percpu=True)) if number in usable]
        frequency = psutil.cpu_freq()
        return cls(
            seconds=time.monotonic(),
            processors=len(usable),
            busy=sum(each.user + each.nice + each.system + each.irq + each.softirq for each in times),
            stolen=sum(each.steal for each in times),
            own=_own(),
            load=os.getloadavg()[0],
            throttled=_throttled(),
            highest_mhz=0.0 if frequency is None else frequency.max,
        )


class Watched:
    """Made when a run begins, asked for reasons when it has ended."""

    def __init__(self) -> None:
        self._advices = _advices()
        self._before = Moment.now()

    def reasons(self, rows: Iterable[Row], copies: Mapping[str, Sequence[float]]) -> list[str]:
        """Why ``rows`` are not to be believed.

        ``copies`` are the bytes per second that a plain copy moved at different times of the run, by machine.
        """
        return [*reasons(self._before, Moment.now(), rows), *_unlike(copies), *self._advices]


def reasons(before: Moment, after: Moment, rows: Iterable[Row]) -> list[str]:
    """What the counters of the machine and the spreads of ``rows`` tell."""
    found = []
    measured = [row for row in rows if row.median_s is not None]
    noisy = sum(row.noisy for row in measured)
    if noisy > NOISY_ROWS * len(measured):
        found.append(f"the runs of {noisy} of {len(measured)} rows spread by more than {100 * NOISY:g} %")
    there = (after.seconds - before.seconds) * before.processors
    others = (after.busy - before.busy) - (after.own - before.own)
    if others > OTHERS * there:
        found.append(f"other programs took {others / there:.0%} of the processors' time")
    stolen = after.stolen - before.stolen
    if stolen > STOLEN * there:
        found.append(f"the host of this virtual machine kept {stolen / there:.0%} of the processors' time")
    if before.load > LOAD * before.processors:
        found.append(f"the load was {before.load:.1f} on {before.processors} processors at the start")
    if after.throttled > before.throttled:
        found.append(f"processors were slowed down {after.throttled - before.throttled} times because they were hot")
    if after.highest_mhz != before.highest_mhz:
        found.append(f"the highest frequency changed from {before.highest_mhz:.0f} to {after.highest_mhz:.0f} MHz")
    return found


def _unlike(copies: Mapping[str, Sequence[float]]) -> list[str]:
    return [
        f"a plain copy on the {name} moved between {min(found) / 1e9:,.1f} and {max(found) / 1e9:,.1f} GB/s"
        for name, found in copies.items()
        if found and max(found) > (1 + COPIES) * min(found)
    ]


def _own() -> float:
    """Processor time of this process, of its children that have ended, and of those that run."""
    process = psutil.Process()
    seconds = sum(process.cpu_times()[:4])
    for child in process.children(recursive=True):
        try:
            seconds += sum(child.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue  # it has ended since, and is among those that have
    return float(seconds)


def _throttled() -> int:
    counts = [
        path
        for number in os.sched_getaffinity(0)
        for path in Path(f"/sys/devices/system/cpu/cpu{number}/thermal_throttle").glob("*_count")
        if path.name in COUNTS
    ]
    return sum(int(path.read_text()) for path in counts)


def _advices() -> list[str]:
    """What pyperf advises against noise."""
    show = [sys.executable, "-m", "pyperf", "system", "show"]
    told = subprocess.run(show, capture_output=True, text=True, check=False).stdout
    return [f"pyperf advises: {advice}" for advice in SIGNS.findall(told.partition("\nAdvices\n")[2])]
