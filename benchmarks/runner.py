"""One case after the other; one that fails costs nothing but itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from benchmarks.case import NotMeasuredError
from benchmarks.checking import check
from benchmarks.results import Outcome, Row, rows, single_row, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from benchmarks.case import Case, Machine, Planned, Work
    from benchmarks.report import Report

__all__ = ["OUT_OF_TIME", "Budget", "run_case", "run_cases"]

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


def run_cases(
    console: Console,
    report: Report,
    machine: Machine,
    cases: Sequence[Planned],
    copy: float,
    runs: int,
    budget: Budget,
    broken: Callable[[], str | None] = lambda: None,
) -> None:
    """All cases into the report, which is written after each.

    ``broken`` tells after a failure why nothing more can be run, where that is so.
    """
    stopped: str | None = None
    for planned in cases:
        new = run_case(planned, machine, copy, runs, budget) if stopped is None else [single_row(planned, stopped)]
        report.rows += new
        report.write()
        console.print(table(new))
        if stopped is None and any(row.failed for row in new):
            stopped = broken()


def run_case(planned: Planned, machine: Machine, copy: float, runs: int, budget: Budget) -> list[Row]:
    """Make a case, check every contender, time it. ``copy``: bytes per second of a plain copy."""
    if budget.left <= 0:
        return [single_row(planned, OUT_OF_TIME)]
    missing = [name for name in planned.needs if find_spec(name) is None]
    if missing:
        return [single_row(planned, f"not run: {' and '.join(missing)} is not installed")]
    try:
        case = planned.make(machine)
    except Exception as error:  # noqa: BLE001  whatever it is, the other cases go on
        return [single_row(planned, f"failed: {_words(error)}")]
    names = [*case.ours, *case.peers]
    outcomes: dict[str, Outcome] = {}
    for group in [[name] for name in names] if machine.one_by_one else [names]:
        outcomes |= _outcomes(planned, case, group, machine, runs, budget)
        machine.free()
    found = rows(planned, case, outcomes, copy)
    return found if machine.has_events else [replace(row, clock="host") for row in found]


def _outcomes(
    planned: Planned, case: Case, names: Sequence[str], machine: Machine, runs: int, budget: Budget
) -> dict[str, Outcome]:
    """What becomes of contenders that are measured in turn."""
    outcomes: dict[str, Outcome] = {}
    ready: dict[str, Work] = {}
    every = {**case.ours, **case.peers}
    for name in names:
        if budget.left <= 0:
            outcomes[name] = Outcome(OUT_OF_TIME)
            continue
        off: float | None = None
        try:
            work = every[name]()
            off = work.difference()
            if name in case.ours:
                check(planned.name, name, off, work.allowed)
            outcomes[name] = Outcome("ok", None, off)
            ready[name] = work
        except Exception as error:  # noqa: BLE001  whatever it is, the others go on
            outcomes[name] = _failed(case, name, error, off)
    contenders = {name: work.run if machine.has_events else _until_done(work) for name, work in ready.items()}
    measured = machine.measure(contenders, planned.clock, case.sets, runs)
    for name, found in measured.items():
        off = outcomes[name].difference
        outcomes[name] = _failed(case, name, found, off) if isinstance(found, Exception) else Outcome("ok", found, off)
    return outcomes


def _until_done(work: Work) -> Callable[[int], object]:
    def run(turn: int) -> None:
        work.run(turn)
        work.finish()

    return run


def _failed(case: Case, name: str, error: Exception, off: float | None) -> Outcome:
    if isinstance(error, NotMeasuredError):
        return Outcome(f"not run: {error}", None, off)
    return Outcome(f"{'failed' if name in case.ours else 'left out'}: {_words(error)}", None, off)


def _words(error: Exception) -> str:
    """The first line of what an error says."""
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:300]
