"""Time, processor time and memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.video.contenders import Contender

__all__ = ["Measured", "in_turn", "peak_memory"]

# Not getrusage's ru_maxrss: Linux hands that on to the programs a process starts, which then have the peak of
# whoever started them at least.
ALONE: Final = """
import sys
from pathlib import Path
from gpuheat import motion_heatmap

motion_heatmap(sys.argv[1], backend=sys.argv[2])
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(1024 * int(status["VmHWM"].split()[0]))
"""


@dataclass(frozen=True)
class Measured:
    """Several runs of one contender: their time on the clock, and seconds of all processors together."""

    timing: Timing
    processors: tuple[float, ...]

    @property
    def processor_seconds(self) -> float:
        """The median of a run, s: user and system time of all threads."""
        return statistics.median(self.processors)


def in_turn(contenders: Sequence[Contender], runs: int) -> dict[str, Measured]:
    """Run the contenders in turn, ``runs`` times round, so that a machine that slows down does so for all of them.

    Each was run once already, by its check, and a run of a video takes seconds: it warms itself up.
    """
    seconds: dict[str, list[float]] = {each.name: [] for each in contenders}
    processors: dict[str, list[float]] = {each.name: [] for each in contenders}
    for _ in range(runs):
        for each in contenders:
            used, began = time.process_time(), time.perf_counter()
            each.run()
            seconds[each.name].append(time.perf_counter() - began)
            processors[each.name].append(time.process_time() - used)
    return {name: Measured(Timing(tuple(taken)), tuple(processors[name])) for name, taken in seconds.items()}


def peak_memory(path: Path, backend: str) -> int:
    """The most memory that a process held which did nothing but make the heat map of this file, bytes."""
    done = subprocess.run([sys.executable, "-c", ALONE, str(path), backend], stdout=subprocess.PIPE, check=True)
    return int(done.stdout)
