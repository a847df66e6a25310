"""Time, processor time and memory."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.results import Measured
from benchmarks.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.case import Clock

__all__ = ["InTurn", "peak_memory"]

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


class InTurn:
    """The host, on which the contenders take turns, so that a machine that slows down does so for all of them.

    Each was run once already, by its check, and a run of a video takes seconds: it warms itself up.
    """

    arrays: Any = np
    cache_bytes = 0  # a video outgrows any
    one_by_one = False
    has_events = False

    def __init__(self) -> None:
        self.processor_seconds: dict[str, float] = {}
        """By contender the median of its runs, s: user and system time of all threads, and of programs it started."""

    def to_host(self, array: Any) -> NDArray[Any]:
        """The array itself."""
        return np.asarray(array)

    def free(self) -> None:
        """Nothing is held."""

    def measure(
        self,
        contenders: Mapping[str, Callable[[int], object]],
        clock: Clock,  # noqa: ARG002  there is one
        sets: int,  # noqa: ARG002  a video is the only one
        runs: int,
    ) -> dict[str, Measured | Exception]:
        """Run them ``runs`` times round; one that fails is not run again."""
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        processors: dict[str, list[float]] = {name: [] for name in contenders}
        errors: dict[str, Exception] = {}
        for number in range(runs):
            for name, run in contenders.items():
                if name in errors:
                    continue
                used, began = _processor_time(), time.perf_counter()
                try:
                    run(number)
                except Exception as error:  # noqa: BLE001  whatever it is, the others go on
                    errors[name] = error
                else:
                    seconds[name].append(time.perf_counter() - began)
                    processors[name].append(_processor_time() - used)
        found: dict[str, Measured | Exception] = {}
        for name in contenders:
            if name in errors:
                found[name] = errors[name]
            else:
                found[name] = Measured(Timing(tuple(seconds[name])))
                self.processor_seconds[name] = statistics.median(processors[name])
        return found


def _processor_time() -> float:
    """Seconds of all threads of this process, and of those it started that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_memory(path: Path, backend: str) -> int:
    """The most memory that a process held which did nothing but make the heat map of this file, bytes.

    subprocess.CalledProcessError where that fails.
    """
    done = subprocess.run([sys.executable, "-c", ALONE, str(path), backend], capture_output=True, check=True)
    return int(done.stdout)
