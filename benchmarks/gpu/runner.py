"""One case after the other; one that fails costs nothing but itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from benchmarks.checking import check
from benchmarks.gpu.results import Outcome, Row, rows, single_row

if TYPE_CHECKING:
    from benchmarks.gpu.case import Case, Planned, Work
    from benchmarks.gpu.device import Device

__all__ = ["OUT_OF_TIME", "Budget", "run_case"]

OUT_OF_TIME = "not run: out of time"


class Budget:
    """The time a run may take, in seconds from now on."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._began = clock()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Seconds that are left; negative afterwards."""
        return self.seconds - self.spent


def run_case(planned: Planned, device: Device, copy: float, runs: int, budget: Budget) -> list[Row]:
    """Make a case, check every contender, time it. ``copy``: bytes per second of a plain copy."""
    if budget.left <= 0:
        return [single_row(planned, OUT_OF_TIME)]
    missing = [name for name in planned.needs if find_spec(name) is None]
    if missing:
        return [single_row(planned, f"not run: {' and '.join(missing)} is not installed")]
    try:
        case = planned.make(device)
    except Exception as error:  # noqa: BLE001  whatever it is, the other cases go on
        return [single_row(planned, f"failed: {_words(error)}")]
    outcomes = {}
    for name, prepare in (*case.ours.items(), *case.peers.items()):
        outcomes[name] = _outcome(planned, case, name, prepare, device, runs, budget)
        device.free()
    return rows(planned, case, outcomes, copy)


def _outcome(
    planned: Planned,
    case: Case,
    name: str,
    prepare: Callable[[], Work],
    device: Device,
    runs: int,
    budget: Budget,
) -> Outcome:
    if budget.left <= 0:
        return Outcome(OUT_OF_TIME)
    off: float | None = None
    try:
        work = prepare()
        off = work.difference()
        if name in case.ours:
            check(planned.name, name, off, work.allowed)
        return Outcome("ok", device.measure(work.run, planned.clock, case.sets, runs), off)
    except Exception as error:  # noqa: BLE001  whatever it is, the others go on
        return Outcome(f"{'failed' if name in case.ours else 'left out'}: {_words(error)}", None, off)


def _words(error: Exception) -> str:
    """The first line of what an error says."""
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:300]
