"""From what was measured to the rows of the table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.case import Case, Planned, Target
    from benchmarks.timing import Timing

__all__ = [
    "HEADINGS",
    "Measured",
    "Outcome",
    "Row",
    "Verdict",
    "cells",
    "rate",
    "rows",
    "single_row",
    "table",
    "verdicts",
]

NUMBERS: Final = ("median", "spread", "rate", "GB/s", "of copy", "off by")
NOISY: Final = 0.10
"""A spread above which a number is not to be believed."""

HEADINGS: Final = (
    "case",
    "contender",
    "median",
    "spread",
    "rate",
    "GB/s",
    "of copy",
    "times as fast as",
    "target",
    "off by",
)


@dataclass(frozen=True)
class Measured:
    """Times of one contender; ``includes_host`` where a device may have waited for the host in between."""

    timing: Timing
    includes_host: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one contender: ``words`` are "ok", or begin with "failed:", "left out:" or "not run:"."""

    words: str
    measured: Measured | None = None
    difference: float | None = None


@dataclass(frozen=True)
class Verdict:
    """One target; ``met`` is None where it cannot be judged."""

    wanted: str
    got: float | None
    met: bool | None


@dataclass(frozen=True)
class Row:
    """One contender in one case; numbers are None where nothing was measured.

    ``suite`` is "kernels", "video" or "gpu"; ``ours``: not a peer. ``runs_s`` are the seconds of each run, ``spread``
    half the distance between their quartiles, as a share of the median.
    """

    suite: str
    case: str
    contender: str
    ours: bool
    outcome: str
    clock: str
    floor: str = ""
    floor_bytes: int | None = None
    runs_s: tuple[float, ...] = ()
    median_s: float | None = None
    spread: float | None = None
    includes_host: bool | None = None
    unit: str = ""
    items_per_s: float | None = None
    gigabytes_per_s: float | None = None
    share_of_copy: float | None = None
    share_of_copy_all_passes: float | None = None
    processor_s: float | None = None  # of a run, of all processors together
    difference: float | None = None
    times_as_fast_as: Mapping[str, float] = field(default_factory=dict)
    targets: tuple[Verdict, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether something is wrong with the project itself."""
        return self.outcome.startswith("failed")

    @property
    def noisy(self) -> bool:
        """Whether its runs differ too much for its number to be believed."""
        return self.spread is not None and self.spread > NOISY


def rows(planned: Planned, case: Case, outcomes: Mapping[str, Outcome], copy: float) -> list[Row]:
    """One row for each contender; ``copy`` is the copy bandwidth, bytes read and written per second."""
    peers = {
        name: outcome.measured.timing.median
        for name, outcome in outcomes.items()
        if name in case.peers and outcome.measured is not None
    }
    return [_row(planned, case, name, outcome, peers, copy) for name, outcome in outcomes.items()]


def single_row(planned: Planned, words: str) -> Row:
    """The row of a case of which nothing was run."""
    return Row(planned.suite, planned.name, "all", True, words, planned.clock, planned.floor)


def _row(planned: Planned, case: Case, name: str, outcome: Outcome, peers: Mapping[str, float], copy: float) -> Row:
    row = Row(
        planned.suite,
        planned.name,
        name,
        name in case.ours,
        outcome.words,
        planned.clock,
        planned.floor,
        floor_bytes=case.floor,
        unit=case.unit,
        difference=outcome.difference,
    )
    if outcome.measured is None:
        return row
    timing = outcome.measured.timing
    median = timing.median
    share = None if case.floor is None or planned.clock == "host" else case.floor / median / copy
    faster = {peer: seconds / median for peer, seconds in peers.items() if peer != name}
    return replace(
        row,
        runs_s=timing.runs,
        median_s=median,
        spread=timing.spread,
        includes_host=outcome.measured.includes_host,
        items_per_s=case.items / median,
        gigabytes_per_s=None if case.floor is None else case.floor / median / 1e9,
        share_of_copy=share,
        share_of_copy_all_passes=None if case.all_passes is None else case.all_passes / median / copy,
        times_as_fast_as=faster,
        targets=verdicts(planned.target, share, faster) if _is_meant(planned.target, case, name) else (),
    )


def _is_meant(target: Target, case: Case, name: str) -> bool:
    return name in case.ours and target.backend in (None, name)


def verdicts(target: Target, share: float | None, faster: Mapping[str, float]) -> tuple[Verdict, ...]:
    """Each target beside what was reached; one whose peer was not measured cannot be judged."""
    judged = []
    if target.share is not None:
        met = None if share is None else share >= target.share
        judged.append(Verdict(f"{100 * target.share:.0f} % of copy", share, met))
    for peer, times in target.times.items():
        got = faster.get(peer)
        judged.append(Verdict(f"{times:g} x {peer}", got, None if got is None else got >= times))
    return tuple(judged)


def cells(row: Row) -> tuple[str, ...]:
    """The row as the tables show it, in the order of HEADINGS."""
    if row.median_s is None:
        return (row.case, row.contender, row.outcome, *[""] * (len(HEADINGS) - 3))
    share = "" if row.share_of_copy is None else f"{100 * row.share_of_copy:.0f} %"
    if row.share_of_copy_all_passes is not None:
        share += f" ({100 * row.share_of_copy_all_passes:.0f} % with all passes)"
    return (
        row.case,
        row.contender,
        _seconds(row.median_s) + (" with host" if row.includes_host else ""),
        f"{100 * (row.spread or 0):.0f} %" + (" noisy" if row.noisy else ""),
        rate(row.items_per_s or 0, row.unit),
        "" if row.gigabytes_per_s is None else f"{row.gigabytes_per_s:,.1f}",
        share,
        ", ".join(f"{times:.3g} x {peer}" for peer, times in row.times_as_fast_as.items()) if row.ours else "",
        ", ".join(f"{verdict.wanted}: {_judgement(verdict.met)}" for verdict in row.targets),
        "" if row.difference is None else f"{row.difference:.3g}",
    )


def table(rows: Sequence[Row]) -> Table:
    """The rows of a case for a terminal."""
    shown = Table(title=rows[0].case, title_justify="left", title_style="bold", box=None, pad_edge=False)
    filled = [any(cells(row)[column] for row in rows) for column in range(len(HEADINGS))]
    columns = [column for column in range(1, len(HEADINGS)) if filled[column]]
    for column in columns:
        shown.add_column(HEADINGS[column], justify="right" if HEADINGS[column] in NUMBERS else "left")
    for row in rows:
        style = "red" if row.failed else "" if row.ours else "dim"
        shown.add_row(*(Text(cells(row)[column]) for column in columns), style=style)
    return shown


def _judgement(met: bool | None) -> str:
    return "not judged" if met is None else "met" if met else "missed"


def _seconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3f} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.2f} us"


def rate(per_second: float, unit: str) -> str:
    """A number per second in words."""
    scale, prefix = next(pair for pair in ((1e9, "G "), (1e6, "M "), (0.0, "")) if per_second >= pair[0])
    number = per_second / (scale or 1)
    return f"{number:,.{1 if number < 100 else 0}f} {prefix}{unit}/s"
