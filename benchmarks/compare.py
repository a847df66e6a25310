"""What became slower or faster than noise allows since an older report."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from benchmarks.report import FORMAT
from benchmarks.results import Row, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from benchmarks.report import Report

__all__ = ["Change", "Comparison", "ComparisonError", "Earlier", "Finding", "compare"]

MARGIN: Final = 0.10
"""What two runs of the same program may differ by, however alike the runs within each are."""
ALPHA: Final = 0.01
WEAKEST_ALPHA: Final = 0.05
PEERS: Final = 3
"""How many peers have to be in both reports for them to tell how much faster or slower the machine is."""
HEADINGS: Final = ("", "suite", "case", "contender", "before", "now", "time now", "allowed", "p")

Key = tuple[str, str, str]


class ComparisonError(click.ClickException):
    """Two reports that cannot be compared: a file that is none, or SciPy is missing."""


class Finding(StrEnum):
    """What can be said of a row that is in both reports."""

    SLOWER = "slower"
    FASTER = "faster"
    WITHIN_NOISE = "within noise"
    TOO_FEW_RUNS = "too few runs"


@dataclass(frozen=True)
class Change:
    """A row of now beside the same of before.

    ``ratio`` is the time now as a share of that before, the drift of the machine divided out; ``allowed`` is what it
    may be (or the inverse of what it may be) before it is worth a test, ``p`` what the test gave.
    """

    before: Row
    now: Row
    ratio: float
    allowed: float
    finding: Finding
    p: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Two reports side by side.

    ``drifts``: how many times as long the peers of a suite take now, None where too few are in both. ``gone`` are the
    rows of before that have no time now, in the suites that ran now; ``notes`` say what else differs.
    """

    changes: Sequence[Change]
    new: Sequence[Row]
    gone: Sequence[Row]
    drifts: Mapping[str, float | None]
    notes: Sequence[str]

    @property
    def slower(self) -> list[Change]:
        """Our own rows that became slower than noise allows, the worst first."""
        return [change for change in self._found(Finding.SLOWER) if change.now.ours]

    @property
    def faster(self) -> list[Change]:
        """Our own rows that became faster than noise allows, the most first."""
        return [change for change in self._found(Finding.FASTER) if change.now.ours]

    def __rich__(self) -> Group:
        """What differs, the table of what changed, and what it was judged by."""
        shown: list[RenderableType] = [Text(f"NOT THE SAME: {note}", "bold yellow") for note in self.notes]
        changed = [*self._found(Finding.SLOWER), *reversed(self._found(Finding.FASTER))]
        if changed:
            table = Table(*HEADINGS, title="Slower or faster than noise allows", title_justify="left", box=None)
            for change in changed:
                table.add_row(*map(Text, _cells(change)), style=_style(change))
            shown.append(table)
        return Group(*shown, *map(Text, self._summary()))

    def _found(self, finding: Finding) -> list[Change]:
        found = [change for change in self.changes if change.finding is finding]
        return sorted(found, key=lambda change: change.ratio, reverse=finding is Finding.SLOWER)

    def _summary(self) -> list[str]:
        found = Counter(change.finding for change in self.changes)
        slower, faster = len(self.slower), len(self.faster)
        peers = found[Finding.SLOWER] + found[Finding.FASTER] - slower - faster
        lines = [f"{slower} slower, {faster} faster, {found[Finding.WITHIN_NOISE]} within noise."]
        if peers:
            lines.append(f"{peers} rows of peers differ from the others; they count for nothing.")
        if found[Finding.TOO_FEW_RUNS]:
            lines.append(f"{found[Finding.TOO_FEW_RUNS]} with too few runs to tell (three of each will do).")
        lines += [f"New: {row.suite}, {row.case}, {row.contender}" for row in self.new]
        lines += [f"Gone: {row.suite}, {row.case}, {row.contender}" for row in self.gone]
        for suite, drift in self.drifts.items():
            if drift is None:
                told = f"fewer than {PEERS} peers are in both, so that a slower machine looks like slower code"
            else:
                told = f"the peers take {drift:.3g} times as long as before, which is divided out"
            lines.append(f"{suite}: {told}.")
        return [
            *lines,
            f"Slower: more than 1 + max({MARGIN:g}, twice both spreads) times as long, beyond what a peer in the same "
            "case became slower or faster by, and a rank test of the runs "
            f"(Mann-Whitney, one-sided) gives p <= {ALPHA:g}. Seven runs of each can reach 0.0003; where fewer than "
            f"five cannot reach {ALPHA:g}, the least they can reach will do, up to {WEAKEST_ALPHA:g}.",
        ]


@dataclass(frozen=True)
class Earlier:
    """What an earlier report says: facts of its machine, and its rows."""

    facts: Mapping[str, object]
    rows: Sequence[Row]

    @classmethod
    def read(cls, path: Path) -> Self:
        """From its JSON file.

        Raises
        ------
        ComparisonError
            If it is not a report of this format, or SciPy, which compares, is not installed.
        """
        _rank_test()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise ValueError(f'it has no "format": {FORMAT}')
            return cls(_facts(content["machine"]), [_row(each) for each in content["rows"]])
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ComparisonError(
                f"{path} is not a report of these benchmarks ({type(error).__name__}: {error}); "
                "compare with a file written by --json of this version"
            ) from error


def compare(earlier: Earlier, report: Report) -> Comparison:
    """What was measured now beside an earlier report."""
    rank_test = _rank_test()
    suites = sorted({row.suite for row in report.rows})
    before = {_key(row): row for row in earlier.rows if row.suite in suites and row.median_s is not None}
    now = {_key(row): row for row in report.rows if row.median_s is not None}
    pairs = [(before[key], row) for key, row in now.items() if key in before]
    drifts = {suite: _drift([pair for pair in pairs if pair[0].suite == suite]) for suite in suites}
    return Comparison(
        [_change(*pair, drifts[pair[0].suite] or 1.0, _unrest(pair[0], pairs, drifts), rank_test) for pair in pairs],
        [row for key, row in now.items() if key not in before],
        [row for key, row in before.items() if key not in now],
        drifts,
        [*_differences(earlier.facts, _facts(report.machine)), *_other_backends(before.values(), now.values())],
    )


def _row(content: Mapping[str, Any]) -> Row:
    row = Row(**{**content, "targets": tuple(Verdict(**target) for target in content["targets"])})
    if not all(isinstance(word, str) for word in _key(row)):
        raise ValueError(f"the names of a row are no text: {_key(row)}")
    if row.median_s is not None:
        numbers = [row.median_s, row.spread, *row.runs_s]
        if not row.runs_s or not all(isinstance(each, float | int) and math.isfinite(each) for each in numbers):
            raise ValueError(f"the times of {row.case}, {row.contender} are not numbers")
        if row.median_s <= 0:
            raise ValueError(f"the median of {row.case}, {row.contender} is not above zero")
    return row


def _key(row: Row) -> Key:
    return row.suite, row.case, row.contender


def _ratio(before: Row, now: Row) -> float:
    assert before.median_s is not None
    assert now.median_s is not None
    return now.median_s / before.median_s


def _drift(pairs: Sequence[tuple[Row, Row]]) -> float | None:
    peers = [(before, now) for before, now in pairs if not now.ours]
    if len({now.contender for _, now in peers}) < PEERS:
        return None
    return statistics.median(_ratio(before, now) for before, now in peers)


def _unrest(row: Row, pairs: Sequence[tuple[Row, Row]], drifts: Mapping[str, float | None]) -> float:
    """How many times as fast or slow a peer of the same case became, beyond the drift: others were at work then."""
    drift = drifts[row.suite] or 1.0
    peers = [_ratio(*pair) / drift for pair in pairs if not pair[1].ours and _key(pair[0])[:2] == _key(row)[:2]]
    return max((max(ratio, 1 / ratio) for ratio in peers), default=1.0)


def _change(before: Row, now: Row, drift: float, unrest: float, rank_test: Callable[..., Any]) -> Change:
    ratio = _ratio(before, now) / drift
    allowed = (1 + max(MARGIN, 2 * ((before.spread or 0) + (now.spread or 0)))) * (unrest if now.ours else 1.0)
    least = 1 / math.comb(len(before.runs_s) + len(now.runs_s), len(now.runs_s))
    if least > WEAKEST_ALPHA:
        return Change(before, now, ratio, allowed, Finding.TOO_FEW_RUNS)
    if 1 / allowed <= ratio <= allowed:
        return Change(before, now, ratio, allowed, Finding.WITHIN_NOISE)
    seconds_now = [seconds / drift for seconds in now.runs_s]
    p = float(rank_test(seconds_now, before.runs_s, alternative="greater" if ratio > 1 else "less").pvalue)
    if p > max(ALPHA, least) * (1 + 1e-9):  # the least is reached but for rounding
        return Change(before, now, ratio, allowed, Finding.WITHIN_NOISE, p)
    return Change(before, now, ratio, allowed, Finding.SLOWER if ratio > 1 else Finding.FASTER, p)


def _rank_test() -> Callable[..., Any]:
    try:
        from scipy.stats import mannwhitneyu
    except ModuleNotFoundError as error:
        raise ComparisonError('Comparing needs SciPy: pip install "gpuheat[bench]"') from error
    return mannwhitneyu  # type: ignore[no-any-return]


def _differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return [f"{name}: {_told(before.get(name))} before, {_told(now.get(name))} now" for name in names]


def _facts(machine: Mapping[str, Any]) -> dict[str, object]:
    """What has to be the same for times to be comparable; the versions of the project are what is compared."""
    return {
        "processor": machine.get("name"),
        "number of processors": machine.get("processors"),
        "device": (machine.get("device") or {}).get("name"),
        "driver": machine.get("driver"),
        "Python": machine.get("python"),
        **{f"version of {name}": number for name, number in machine.get("versions", {}).items() if name != "gpuheat"},
    }


def _other_backends(before: Iterable[Row], now: Iterable[Row]) -> list[str]:
    names = [", ".join(sorted({row.contender for row in each if row.ours})) for each in (before, now)]
    return [] if names[0] == names[1] else [f"our contenders: {_told(names[0])} before, {_told(names[1])} now"]


def _told(fact: object) -> object:
    return fact or "none"


def _cells(change: Change) -> tuple[str, ...]:
    now = change.now
    return (
        change.finding,
        now.suite,
        now.case,
        now.contender if now.ours else f"{now.contender} (peer)",
        _milliseconds(change.before),
        _milliseconds(now),
        f"{change.ratio:.3g} x",
        f"{1 / change.allowed:.2f} to {change.allowed:.2f} x",
        f"{change.p:.1g}",
    )


def _milliseconds(row: Row) -> str:
    return f"{1e3 * (row.median_s or 0):.4g} ms"


def _style(change: Change) -> str:
    if not change.now.ours:
        return "dim"
    return "red" if change.finding is Finding.SLOWER else "green"
