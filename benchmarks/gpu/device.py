"""The GPU: its arrays, its clock, its facts."""

from __future__ import annotations

import itertools
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.results import Measured
from benchmarks.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from benchmarks.case import Clock

__all__ = ["Device"]

COPY: Final = 2 << 30  # bytes
WARM: Final = 0.05  # s of work before anything is timed: clocks rise, pools fill
LONGEST: Final = 2.0  # s for the runs of one contender, once there are FEWEST
FEWEST: Final = 5
GROUP: Final = 5e-3  # s of work between two events
CALLS: Final = 16  # between two events, at most
LONGEST_HOLD: Final = 0.02  # s
LAUNCHES: Final = 500  # in a row, to see what a launch costs

HOLD: Final = r"""
extern "C" __global__ void hold(long long nanoseconds)
{
    long long began, now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(began));
    do
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    while (now - began < nanoseconds);
}
"""


class Device:
    """The first GPU, through CuPy. All work is on the legacy default stream, where all libraries meet."""

    one_by_one = True
    has_events = True

    def __init__(self) -> None:
        self.arrays: Any = import_module("cupy")
        cuda = self.arrays.cuda
        self._event: Callable[[], Any] = cuda.Event
        self._elapsed: Callable[[Any, Any], float] = cuda.get_elapsed_time
        self._properties = cuda.runtime.getDeviceProperties(0)
        self._hold = self.arrays.RawKernel(HOLD, "hold")
        self.cache_bytes = int(self._properties["l2CacheSize"])

    @property
    def name(self) -> str:
        """What its maker calls it."""
        return str(self._properties["name"].decode())

    def facts(self) -> dict[str, Any]:
        """What it is, and what drives it."""
        cuda = self.arrays.cuda
        facts = self._properties
        return {
            "name": self.name,
            "compute_capability": f"{facts['major']}.{facts['minor']}",
            "multiprocessors": facts["multiProcessorCount"],
            "memory_bytes": facts["totalGlobalMem"],
            "l2_cache_bytes": self.cache_bytes,
            "shared_memory_per_block_bytes": facts["sharedMemPerBlockOptin"],
            "cuda_of_driver": cuda.runtime.driverGetVersion(),
            "cuda_runtime": cuda.runtime.runtimeGetVersion(),
            "nvrtc": ".".join(map(str, cuda.nvrtc.getVersion())),
        }

    def to_host(self, array: Any) -> NDArray[Any]:
        """A NumPy array of a CuPy array. Waits for the device."""
        host: NDArray[Any] = self.arrays.asnumpy(array)
        return host

    def free(self) -> None:
        """Give back the memory that nothing uses any more, for other libraries to take."""
        self.arrays.get_default_memory_pool().free_all_blocks()

    def synchronize(self) -> None:
        """Wait until all is done."""
        self.arrays.cuda.runtime.deviceSynchronize()

    def copy_bandwidth(self, runs: int) -> float:
        """Bytes read and written per second by a plain copy within the device's memory."""
        nbytes = min(COPY, int(self._properties["totalGlobalMem"]) // 8)
        source, target = (self.arrays.full(nbytes, 7, np.uint8) for _ in range(2))
        copied = self._measure(lambda _: target.data.copy_from_device_async(source.data, nbytes), "device", 1, runs)
        return 2.0 * nbytes / copied.timing.median

    def measure(
        self, contenders: Mapping[str, Callable[[int], object]], clock: Clock, sets: int, runs: int
    ) -> dict[str, Measured | Exception]:
        """One after the other; fewer runs where they take too long."""
        found: dict[str, Measured | Exception] = {}
        for name, run in contenders.items():
            try:
                found[name] = self._measure(run, clock, sets, runs)
            except Exception as error:  # noqa: BLE001  whatever it is, the others go on
                found[name] = error
        return found

    def _measure(self, run: Callable[[int], object], clock: Clock, sets: int, runs: int) -> Measured:
        """``run`` is told the number of the run."""
        turns = itertools.count()

        def step() -> None:
            run(next(turns))

        began = time.perf_counter()
        for done in itertools.count():
            if done >= sets and time.perf_counter() - began >= WARM:
                break
            step()
            self.synchronize()
        if clock == "host":
            return self._repeat(lambda: (self._on_host(step), True), runs)
        calls, hold = (LAUNCHES, 0.0) if clock == "back to back" else self._plan(step)
        return self._repeat(lambda: self._between_events(step, calls, hold), runs)

    def _repeat(self, sample: Callable[[], tuple[float, bool]], runs: int) -> Measured:
        samples: list[tuple[float, bool]] = []
        began = time.perf_counter()
        while len(samples) < runs and (len(samples) < FEWEST or time.perf_counter() - began < LONGEST):
            samples.append(sample())
        waited = sum(waited for _, waited in samples)
        return Measured(Timing(tuple(seconds for seconds, _ in samples)), 2 * waited > len(samples))

    def _on_host(self, step: Callable[[], None]) -> float:
        """Seconds of a call until the device is done."""
        self.synchronize()
        began = time.perf_counter()
        step()
        self.synchronize()
        return time.perf_counter() - began

    def _plan(self, step: Callable[[], None]) -> tuple[int, float]:
        """How many calls go between two events, and for how long to hold the device until the host has made them.

        A contender that waits for the device in between cannot be held; it is timed call by call, host included.
        """
        most = min(CALLS, max(1, int(GROUP / self._on_host(step))))
        for calls in sorted({calls for calls in (most, 2, 1) if calls <= most}, reverse=True):
            asked = time.perf_counter()
            for _ in range(calls):
                step()
            asking = time.perf_counter() - asked
            self.synchronize()
            hold = min(LONGEST_HOLD, 3 * asking + 5e-4)
            _, waited = self._between_events(step, calls, hold)
            if not waited:
                return calls, hold
        return 1, 0.0

    def _between_events(self, step: Callable[[], None], calls: int, hold: float) -> tuple[float, bool]:
        """Seconds of a call on the device, and whether the device may have waited for the host."""
        first, last = self._event(), self._event()
        self.synchronize()
        if hold > 0:
            self._hold((1,), (1,), (np.int64(1e9 * hold),))
        first.record()
        for _ in range(calls):
            step()
        last.record()
        waited = bool(first.done)
        last.synchronize()
        return float(self._elapsed(first, last)) / 1e3 / calls, waited
