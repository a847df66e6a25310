"""The host's processors: their clock, and what a copy moves."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyperf

from benchmarks.case import NotMeasuredError
from benchmarks.results import Measured
from benchmarks.timing import Timing
from gpuheat.backends.cpu_loops import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from benchmarks.case import Clock

__all__ = ["Host"]

COPY: Final = 1 << 28  # bytes
SHORTEST: Final = 1e-3  # s; what is faster is called several times for a sample
CACHE: Final = Path("/sys/devices/system/cpu/cpu0/cache")
UNKNOWN_CACHE: Final = 32 << 20  # bytes


class Host:
    """The processors this process may use, whose contenders take turns.

    Taking turns lets a machine that grows slower or faster do so for all of them. Each sample follows a call that is
    not timed: by then the threads of the contender before have gone to sleep.

    Parameters
    ----------
    longest
        s; a contender of which one call takes longer is not measured.
    """

    arrays: Any = np
    one_by_one = False
    has_events = False

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self.cache_bytes = _last_cache()

    def to_host(self, array: Any) -> NDArray[Any]:
        """The array itself."""
        return np.asarray(array)

    def free(self) -> None:
        """Nothing is held."""

    def copy_bandwidth(self, runs: int) -> float:
        """Bytes read and written per second by a plain copy, on as many threads as there are processors."""
        source = np.full(COPY, 7, np.uint8)
        target = np.empty_like(source)
        threads = processors()
        parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
        with ThreadPoolExecutor(threads) as pool:
            copying = _Sampler(lambda _: list(pool.map(lambda pair: np.copyto(*pair), parts)), 1, math.inf)
            for _ in range(runs):
                copying.sample()
        return 2.0 * COPY / Timing(tuple(copying.seconds)).median

    def measure(
        self,
        contenders: Mapping[str, Callable[[int], object]],
        clock: Clock,  # noqa: ARG002  there is one
        sets: int,
        runs: int,
    ) -> dict[str, Measured | Exception]:
        """In turn, ``runs`` times round."""
        found: dict[str, Measured | Exception] = {}
        samplers: dict[str, _Sampler] = {}
        for name, run in contenders.items():
            try:
                samplers[name] = _Sampler(run, sets, self._longest)
            except Exception as error:  # noqa: BLE001  whatever it is, the others go on
                found[name] = error
        for _ in range(runs):
            for name, sampler in samplers.items():
                if name not in found:
                    try:
                        sampler.sample()
                    except Exception as error:  # noqa: BLE001
                        found[name] = error
        for name, sampler in samplers.items():
            found.setdefault(name, Measured(Timing(tuple(sampler.seconds))))
        return {name: found[name] for name in contenders}


class _Sampler:
    """Calls a contender, as often as it takes for a sample that the clock can tell."""

    def __init__(self, run: Callable[[int], object], sets: int, longest: float) -> None:
        self._run = run
        self._turns = itertools.count()
        self.seconds: list[float] = []
        self._calls = 1
        for _ in range(min(sets, 2)):
            once = self._time()
            if once > longest:
                raise NotMeasuredError(f"a run takes {once:.2g} s")
        self._calls = max(1, math.ceil(SHORTEST / once))

    def sample(self) -> None:
        self._run(next(self._turns))
        self.seconds.append(self._time())

    def _time(self) -> float:
        """Seconds of a call."""
        began = pyperf.perf_counter()
        for _ in range(self._calls):
            self._run(next(self._turns))
        return float(pyperf.perf_counter() - began) / self._calls


def _last_cache() -> int:
    """Bytes of the largest cache, as Linux tells; a common size elsewhere."""
    sizes = [int(path.read_text().rstrip("K\n")) << 10 for path in CACHE.glob("index*/size")]
    return max(sizes, default=UNKNOWN_CACHE)
